"""`docs/contracts/transfer.md`: its examples run, and its tables are those of the code."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from app.edges.transfer.codes import HTTP_STATUSES, WORDS, Code
from app.edges.transfer.operations import FORMS
from tests.edges.transfer.bank import AGENT, KEYS, OTHER_KEY, Bank, b64, unique

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "contracts" / "transfer.md").read_text(encoding="utf-8")
JOSE_FOLDERS = "JOSE_NODE_MODULES"
"""The variable that may name a node_modules folder with `jose` in it."""

NODE, PHP, JAVAC = map(shutil.which, ("node", "php", "javac"))


def example(name: str) -> str:
    match = re.search(rf"<!-- example: {name} -->\n```\w+\n(.*?)```", PAGE, re.DOTALL)
    assert match, name
    return match[1]


def jose_folder() -> Path | None:
    """Where Node's jose lies: named, beside the repository, or installed for everybody."""
    places = [os.environ.get(JOSE_FOLDERS), ROOT / "node_modules", "/usr/lib/node_modules"]
    places += ["/usr/local/lib/node_modules", "/usr/share/nodejs"]
    for place in places:
        if place is not None and (Path(place) / "jose" / "package.json").is_file():
            return Path(place)
    return None


def as_json(fields: Mapping[str, str]) -> list[str]:
    return [json.dumps(fields)]


def as_words(fields: Mapping[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in fields.items()]


def try_example(
    bank: Bank,
    command: list[str],
    spelling: Callable[[Mapping[str, str]], list[str]] = as_json,
) -> None:
    """Let a program open an account, pay in twice, look, launch a game twice, and be refused."""
    user_id, transaction_id = unique('a "reader" \\ \u00e9'), unique("example")

    def ask(operation: str, key: str = b64(KEYS[AGENT][0]), **fields: str) -> bytes:
        words = [f"http://127.0.0.1:{bank.port}", AGENT, key, operation]
        done = subprocess.run(
            [*command, *words, *spelling(fields)], capture_output=True, check=False, timeout=30
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.strip()

    opened = ask("account/init", user_id=user_id, currency="USD", nickname="Reader", language="en")
    assert json.loads(opened)["data"]["created"] is True
    deposit = {"user_id": user_id, "transaction_id": transaction_id, "amount": "100.50"}
    first = ask("account/deposit", **deposit)
    assert json.loads(first)["code"] == 0
    assert ask("account/deposit", **deposit) == first
    assert b'"balance":100.50,' in ask("account/balance", user_id=user_id)
    launch = {"user_id": user_id, "jti": unique("launch")}
    launched = ask("account/session", **launch)
    assert json.loads(launched)["data"]["token"]
    assert ask("account/session", **launch) == launched
    assert ask("account/session", user_id=user_id) != launched
    assert json.loads(ask("account/balance", b64(OTHER_KEY), user_id=user_id))["code"] == 3


def test_the_python_example_runs(bank: Bank, tmp_path: Path) -> None:
    program = tmp_path / "example.py"
    program.write_text(example("python"), encoding="utf-8")
    try_example(bank, [sys.executable, str(program)])


def a_long_page(bank: Bank) -> tuple[str, int]:
    """A player whose history has a page that is longer than libraries expect; and its length."""
    user_id = bank.player("1000")
    for _ in range(120):
        bank.move("account/deposit", user_id, "1.00", unique("x" * 200))
    page = bank.ask("account/statement", user_id=user_id, limit=1000)
    assert page.code == 0
    assert len(page.body) > 49_152, "three quarters of 64 KiB"
    return user_id, len(page.body)


def test_the_python_example_and_the_console_read_a_long_page(bank: Bank, tmp_path: Path) -> None:
    program = tmp_path / "example.py"
    program.write_text(example("python"), encoding="utf-8")
    user_id, length = a_long_page(bank)
    url, key = f"http://127.0.0.1:{bank.port}", b64(KEYS[AGENT][0])
    fields = json.dumps({"user_id": user_id, "limit": 1000})
    asked = [str(program), url, AGENT, key, "account/statement", fields]
    assert len(said([sys.executable, *asked])) == length
    words = ["-m", "app", "transfer", "account/statement", f"user_id={user_id}", "limit=1000"]
    named = {"WALLET_AGENTS": json.dumps({AGENT: [key]})}
    heard = json.loads(said([sys.executable, *words, "--url", url], named))
    assert len(heard["data"]["movements"]) == 121


def said(command: list[str], environment: Mapping[str, str] | None = None) -> bytes:
    done = subprocess.run(
        command,
        capture_output=True,
        check=False,
        timeout=30,
        env={**os.environ, **(environment or {})},
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.strip()


@pytest.mark.skipif(NODE is None, reason="there is no Node here")
def test_the_example_for_bare_node_runs(bank: Bank, tmp_path: Path) -> None:
    program = tmp_path / "example.mjs"
    program.write_text(example("node"), encoding="utf-8")
    try_example(bank, [str(NODE), str(program)])


@pytest.mark.skipif(NODE is None, reason="there is no Node here")
def test_the_example_with_jose_runs(bank: Bank, tmp_path: Path) -> None:
    folder = jose_folder()
    if folder is None:
        pytest.skip(f"Node's jose is not installed here; {JOSE_FOLDERS} may name its folder")
    program = tmp_path / "example.mjs"
    program.write_text(example("jose"), encoding="utf-8")
    (tmp_path / "node_modules").symlink_to(folder)
    try_example(bank, [str(NODE), str(program)])


@pytest.mark.skipif(PHP is None, reason="there is no PHP here")
def test_the_php_example_runs(bank: Bank, tmp_path: Path) -> None:
    program = tmp_path / "example.php"
    program.write_text(example("php"), encoding="utf-8")
    try_example(bank, [str(PHP), str(program)])


@pytest.mark.skipif(JAVAC is None, reason="there is no Java compiler here")
@pytest.mark.timeout(120)
def test_the_java_example_runs_whatever_http_it_offers(bank: Bank, tmp_path: Path) -> None:
    program = tmp_path / "Transfer.java"
    # It is compiled once, which takes longer than it runs.
    version = 'HttpClient.Version.valueOf(System.getProperty("offers"))'
    made, default = f"newBuilder().version({version}).build()", "newHttpClient()"
    assert default in example("java")
    program.write_text(example("java").replace(default, made), encoding="utf-8")
    compiled = [str(JAVAC), "-encoding", "UTF-8", "-d", str(tmp_path), str(program)]
    subprocess.run(compiled, check=True, capture_output=True, timeout=60)
    java = str(Path(str(JAVAC)).with_name("java"))
    # As little of the virtual machine as a program of one request needs.
    brief = [java, "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", str(tmp_path)]
    try_example(bank, [*brief, "-Doffers=HTTP_2", "Transfer"], as_words)
    asked = [f"http://127.0.0.1:{bank.port}", AGENT, b64(KEYS[AGENT][0]), "account/balance"]
    user = as_words({"user_id": bank.player("7")})
    command = [*brief, "-Doffers=HTTP_1_1", "Transfer", *asked, *user]
    done = subprocess.run(command, capture_output=True, check=True, timeout=30)
    assert b'"balance":7.00,' in done.stdout


def test_every_operation_and_field_is_described() -> None:
    for operation, form in FORMS.items():
        section = re.search(rf"### [^\n]*{operation}[^\n]*\n(.*?)\n##", PAGE, re.DOTALL)
        assert section, operation
        for name in form:
            assert f"`{name}`" in section[1], f"{operation}: {name}"


@pytest.mark.parametrize("code", Code)
def test_every_code_is_described(code: Code) -> None:
    assert f"| {code.value} | {WORDS[code]} | {HTTP_STATUSES[code]} |" in PAGE


def test_the_examples_of_answers_are_json() -> None:
    answers = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    assert len(answers) == 8
    for answer in answers:
        assert list(json.loads(answer)) == ["code", "message", "data"]


def test_the_shown_answers_have_the_members_of_real_ones(bank: Bank) -> None:
    user_id = bank.player("50")
    token = bank.token(user_id)
    assert bank.play(user_id, token, "BetPlacing", "1") == 0
    real = [
        bank.ask("account/init", user_id=user_id, currency="USD", nickname="Nick", language="en"),
        bank.move("account/deposit", user_id, "1"),
        bank.move("account/hold", user_id, "1", "documented-hold"),
        bank.ask("hold/settle", transaction_id="documented", hold_id="documented-hold"),
        bank.ask("account/session", user_id=user_id),
        bank.ask("history", type="ALL", user_id=user_id),
        bank.ask("account/statement", user_id=user_id),
        bank.ask("events", limit=1),
    ]
    shown = [json.loads(text) for text in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]
    for said, reply in zip(shown, real, strict=True):
        assert list(said["data"]) == list(reply.data)
    assert list(shown[5]["data"]["rounds"][0]) == list(real[5].data["rounds"][0])
    assert list(shown[6]["data"]["movements"][0]) == list(real[6].data["movements"][0])
    assert list(shown[7]["data"]["events"][0]) == list(real[7].data["events"][0])
