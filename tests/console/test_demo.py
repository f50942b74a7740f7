"""A running demo, and the commands used beside it: curl, the simulator, the transfer client.

One server for all of them.
"""

import base64
import json
import re
import shlex
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest
from typing_extensions import override

from app.console import banner
from app.settings import Settings, setting_names
from app.simulator.signature import sign
from tests.console.conftest import Console, Done
from tests.console.console import ENVIRONMENT, Serving, wallet
from tests.data_folders import copy_migrated

OPERATOR = {"WALLET_CALLBACK_KEYS": "a-key-of-the-operator"}
SHORT = ("--players", "6", "--events", "150", "--concurrency", "6")


def proposals(demo: Serving) -> list[str]:
    """What the banner says to try in another terminal."""
    block = demo.said().partition("In another terminal")[2].partition("Ctrl-C")[0]
    return [line.strip() for line in block.splitlines()[1:] if line.strip()]


def test_the_banner_names_the_commands_with_the_settings_of_this_server(demo: Serving) -> None:
    lines = proposals(demo)
    assert len(lines) == 4
    for line in lines:
        assert f"WALLET_PORT={demo.port} " in line
    assert re.search(r"carol +0\.51000000 BTC", demo.said())


def test_the_banner_tells_no_secret_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in setting_names():
        monkeypatch.setenv(name, "a-secret")
    plain = {*banner.FINDS_THE_SERVER, *banner.DECIDES}
    for name in plain:
        monkeypatch.setenv(f"WALLET_{name}", "plain")
    lines = banner.demo_commands("http://127.0.0.1:8080")
    assert all("a-secret" not in line for line in lines)
    assert all('WALLET_DATABASE_URL="$WALLET_DATABASE_URL" ' in line for line in lines)
    secrets = {name for name, field in Settings.model_fields.items() if "Secret" in repr(field)}
    assert {name.upper() for name in secrets}.isdisjoint(plain)


@pytest.mark.parametrize("number", range(4))
def test_each_line_of_the_banner_works_when_it_is_pasted(demo: Serving, number: int) -> None:
    line = proposals(demo)[number]
    if line.endswith(" simulate --door both"):
        line += " " + shlex.join(SHORT)
    pasted = subprocess.run(
        ["sh", "-c", line],
        cwd=demo.folder,
        env=ENVIRONMENT,
        capture_output=True,
        check=False,
        text=True,
        timeout=50,
    )
    assert (pasted.returncode, pasted.stderr) == (0, "")
    assert re.search(r"alice|clean", pasted.stdout) or '"code": 0' in pasted.stdout


def test_the_demo_serves_nobody_elses_players(tmp_path: Path) -> None:
    copy_migrated(tmp_path / ".wallet")
    arguments = ("--agent", "house", "--currency", "USD", "--nickname", "Alice")
    assert wallet(tmp_path, "player", "open", "alice", *arguments, **OPERATOR).returncode == 0
    with Serving(tmp_path, ("--demo",)) as refused:
        assert refused.process.wait(30) == 1
        assert "hold players of the agent house" in refused.said()
        assert "Traceback" not in refused.said()


# --- the simulator ---------------------------------------------------------------------------


def test_a_simulation_is_clean_and_leaves_a_clean_ledger(beside: Console) -> None:
    done = beside("simulate", *SHORT, "--seed", "3", "--json")
    verdict = done.document
    assert (done.code, verdict["clean"], verdict["differences"]) == (0, True, [])
    assert verdict["events_played"] == 150
    assert {player["currency"] for player in verdict["players"]} == {
        "USD",
        "JPY",
        "BTC",
        "KRW",
        "INR",
        "XTS",
    }
    # Refusals of every kind were provoked, and answered as the contract says.
    assert {"ok", "400", "402", "406", "409", "410"} <= set(verdict["answers"])
    assert beside("audit").code == 0


@pytest.mark.parametrize("door", ["betby", "both"])
def test_betby_is_played_and_leaves_a_clean_ledger(beside: Console, door: str) -> None:
    done = beside("simulate", *SHORT, "--seed", "4", "--door", door, "--json")
    verdict = done.document
    assert (done.code, verdict["clean"], verdict["differences"]) == (0, True, [])
    assert verdict["events_played"] == 150
    assert {"betby ok", "betby 2003", "betby 2004"} <= set(verdict["answers"])
    assert ("ok" in verdict["answers"]) is (door == "both")
    assert beside("audit").code == 0


def test_a_wallet_that_plays_by_other_rules_is_found_out(beside: Console) -> None:
    done = beside("simulate", *SHORT, "--stake-order", "bonus_first")
    assert done.code == 1
    assert "not clean" in done.out
    assert "Differences" in done.out


def test_without_a_server_nothing_is_written(
    in_process: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = in_process("simulate", "--url", "http://127.0.0.1:1")
    assert done.code == 1
    assert "No wallet answers at http://127.0.0.1:1" in done.complaint
    assert "`make run`" in done.complaint
    assert not (tmp_path / ".wallet").exists()


def test_a_server_on_another_database_is_told_from_ours(demo: Serving, tmp_path: Path) -> None:
    copy_migrated(tmp_path / ".wallet")
    done = wallet(tmp_path, "simulate", *SHORT, WALLET_PORT=str(demo.port))
    assert done.returncode == 1
    assert "it works on another database" in done.stderr


class OtherServer(BaseHTTPRequestHandler):
    """A server that is not ours, or has another key."""

    said = b""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.said)

    @override
    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (b'{"status":false,"errors":{"code":400,"error":"no"}}', "WALLET_CALLBACK_KEYS"),
        (b"<h1>It works!</h1>", "is no wallet"),
    ],
)
def test_a_server_that_is_not_ours_is_a_sentence(
    beside: Console, said: bytes, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OtherServer, "said", said)
    with ThreadingHTTPServer(("127.0.0.1", 0), OtherServer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        done = beside("simulate", *SHORT, "--url", f"http://127.0.0.1:{server.server_port}")
        server.shutdown()
        thread.join()
    assert done.code == 1
    assert words in done.complaint


# --- tokens and money, as the game side sees them ---------------------------------------------


def asked(demo: Serving, method: str, **fields: str) -> dict[str, Any]:
    key = "demo-callback-key-known-to-everybody"
    answer = httpx2.get(
        f"http://127.0.0.1:{demo.port}/{method}",
        params=fields,
        headers={"Hash-Authorization": sign(fields.items(), key)},
        timeout=20,
    )
    answered: dict[str, Any] = json.loads(answer.text, parse_float=str)
    return answered


def test_what_the_console_does_the_game_side_sees(demo: Serving, beside: Console) -> None:
    beside("player", "open", "zoe", "--currency", "USD", "--nickname", "Zoe")
    token = beside("token", "issue", "zoe").out.strip()
    assert beside("deposit", "zoe", "12.34").code == 0
    assert asked(demo, "sessionCheck", token=token, userId="zoe")["status"] is True
    assert asked(demo, "getBalance", token=token, userId="zoe")["balance"] == "12.34"
    beside("player", "block", "zoe")
    answer = asked(demo, "sessionCheck", token=token, userId="zoe")
    assert answer["errors"]["code"] == 405


# --- the client of the transfer API -----------------------------------------------------------


def answered(done: Done) -> tuple[int, int, dict[str, Any]]:
    """The exit code, the answer's code and its data; numbers as they were written."""
    answer = json.loads(done.out, parse_float=str, parse_int=str)
    return done.code, int(answer["code"]), answer["data"]


def test_the_client_moves_money_and_hears_a_refusal(beside: Console) -> None:
    words = ("user_id=bob", "transaction_id=t-1", "amount=500")
    first = beside("transfer", "account/deposit", *words, "--json")
    assert answered(first)[:2] == (0, 0)
    assert beside("transfer", "account/deposit", *words, "--json").out == first.out
    code, said, data = answered(
        beside("transfer", "account/withdraw", "user_id=bob", "transaction_id=t-2", "amount:=9e9")
    )
    assert (code, said) == (1, 100)
    code, said, data = answered(
        beside("transfer", "account/withdraw", "user_id=bob", "transaction_id=t-3", "amount=1e0")
    )
    assert (code, said, data["field"]) == (1, 100, "amount")
    code, said, data = answered(
        beside("transfer", "account/withdraw", "user_id=bob", "transaction_id=t-4", "amount=200000")
    )
    assert (code, said, data["reason"]) == (1, 102, "not enough money")


def test_the_client_writes_each_value_as_the_contract_wants_it(beside: Console) -> None:
    account = ("transfer", "account/update", "user_id=dave")
    done = beside(*account, "limits.stake_day=100", "limits.loss_day:=null", "excluded_until:=null")
    assert answered(done)[2]["limits"] == {"stake_day": "100"}
    done = beside("transfer", "account/session", "user_id=dave", "ttl_seconds=60")
    assert answered(done)[:2] == (0, 0)
    done = beside("transfer", "history", "type=ALL", "limit=5", "user_id=dave")
    assert answered(done) == (0, 0, {"rounds": [], "next_cursor": None})
    missing = answered(beside("transfer", "account/balance"))
    assert missing[:2] == (1, 2)
    expired = answered(beside("transfer", "account/balance", "user_id=dave", "iat:=1700000000"))
    assert expired[:2] == (1, 5)


def test_the_client_takes_its_key_from_where_it_is_told(
    beside: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    balance = ("transfer", "account/balance", "user_id=dave", "--key-env", "THE_KEY")
    monkeypatch.setenv("THE_KEY", base64.urlsafe_b64encode(bytes(32)).decode())
    assert answered(beside(*balance))[:2] == (1, 3)
    monkeypatch.setenv(
        "THE_KEY", base64.urlsafe_b64encode(b"a demo key that everybody knows!").decode()
    )
    assert answered(beside(*balance))[:2] == (0, 0)
    assert answered(beside(*balance, "--agent", "other"))[:2] == (1, 6)
    monkeypatch.setenv("THE_KEY", "short")
    assert "THE_KEY must hold a key of 256 bits" in beside(*balance).complaint
    unknown = beside("transfer", "account/balance", "user_id=dave", "--agent", "other")
    assert "WALLET_AGENTS has no key for the agent other" in unknown.complaint


@pytest.mark.parametrize("word", ["user_id", "=x", "limits:={", "user_id=a\nb"])
def test_a_word_that_is_no_field_is_a_mistake_in_the_command_line(
    beside: Console, word: str
) -> None:
    assert beside("transfer", "account/balance", word).code == 2
    assert beside("transfer", "Account Balance", "user_id=dave").code == 2


def test_without_a_server_the_client_says_what_to_do(in_process: Console) -> None:
    done = in_process("transfer", "account/balance", "user_id=x", "--url", "http://127.0.0.1:1")
    assert done.code == 1
    assert "repeat it under the same transaction_id" in done.complaint
