"""A client that a generator makes of the description calls the real server, in real envelopes."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.edges.transfer.bank import AGENT, KEYS, Bank, b64, unique
from tests.edges.transfer.test_docs import example

GENERATOR = "CLIENT_GENERATOR"
"""The variable that names the program; `make test` installs it and sets this."""

SECONDS_MAX = 50


def generator() -> Path:
    beside = Path(__file__).parents[3] / "build" / "clientgen" / "bin" / "openapi-python-client"
    program = Path(os.environ.get(GENERATOR, beside))
    if not program.is_file():
        pytest.skip(f"openapi-python-client is not installed here; {GENERATOR} may name it")
    return program


@pytest.fixture(scope="module")
def client(served: Bank, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a client made of what the server says of itself."""
    program, folder = generator(), tmp_path_factory.mktemp("client")
    (folder / "openapi.json").write_bytes(served.client.get("/openapi.json").content)
    (folder / "generator.yml").write_text(
        f"{example('generator')}post_hooks: []\n", encoding="utf-8"
    )
    words = ["generate", "--path", "openapi.json", "--config", "generator.yml", "--meta", "none"]
    made = subprocess.run(
        [program, *words, "--output-path", "wallet_client"],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
    )
    assert "WARNING" not in made.stdout, made.stdout
    (folder / "example.py").write_text(example("client"), encoding="utf-8")
    return folder


@pytest.mark.timeout(120)
def test_a_generated_client_opens_an_account_deposits_and_reads_what_happened(
    bank: Bank, client: Path
) -> None:
    user_id = unique("generated")
    done = run(client, "example.py", bank, user_id)
    opened, paid, rounds, told = done.splitlines()
    assert opened.startswith("AccountOpenedDone ")
    assert f"'user_id': '{user_id}'" in opened
    assert paid.startswith("MovementDone ")
    assert "'real_balance': 100.5" in paid
    assert rounds.startswith("HistoryDone ")
    assert told.startswith("EventsDone ")
    assert "'type': 'movement.posted'" in told
    token = bank.token(user_id)
    assert bank.play(user_id, token, "BetPlacing", "10.50", unique("round")) == 0
    again = run(client, "example.py", bank, user_id).splitlines()
    assert "'created': False" in again[0]
    assert again[1] == paid, "a repeat hears the first answer"
    assert "'stakes': 10.5" in again[2]


@pytest.mark.timeout(120)
def test_a_generated_client_hears_refusals_as_typed_answers(bank: Bank, client: Path) -> None:
    user_id = bank.player("5")
    program = client / "refused.py"
    program.write_text(
        "import sys, time\n"
        "from example import connected\n"
        "from wallet_client.api.transfer import account_withdraw, account_session\n"
        "from wallet_client.models import AccountWithdrawRequest, AccountSessionRequest\n"
        "client, user = connected(*sys.argv[1:4]), sys.argv[4]\n"
        "now = int(time.time())\n"
        "asked = AccountWithdrawRequest(now, 'account/withdraw', user, f'w-{user}', '9.00')\n"
        "print(type(account_withdraw.sync(client=client, body=asked)).__name__)\n"
        "asked = AccountWithdrawRequest(now, 'account/withdraw', 'nobody', f'x-{user}', '9.00')\n"
        "refused = account_withdraw.sync(client=client, body=asked)\n"
        "print(type(refused).__name__, refused.code, refused.data.reason)\n"
        "launch = AccountSessionRequest(now, 'account/session', f'j-{user}', user)\n"
        "print(len(account_session.sync(client=client, body=launch).data.token) > 20)\n",
        encoding="utf-8",
    )
    lines = run(client, "refused.py", bank, user_id).splitlines()
    assert lines == ["Declined", "Refused 100 no such player", "True"]


def run(folder: Path, program: str, bank: Bank, user_id: str) -> str:
    """Let a program use the client, in the generator's environment."""
    python = generator().with_name("python")
    words = [f"http://127.0.0.1:{bank.port}", AGENT, b64(KEYS[AGENT][0]), user_id]
    done = subprocess.run(
        [python, program, *words],
        cwd=folder,
        env={"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
        check=False,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_models_are_those_of_the_description(bank: Bank, client: Path) -> None:
    said = json.loads(bank.client.get("/openapi.json").content)
    names = {path.stem.replace("_", "") for path in (client / "wallet_client/models").glob("*.py")}
    requests = [name for name in said["components"]["schemas"] if name.endswith("Request")]
    assert len(requests) == 17
    assert {name.lower() for name in requests} <= names
