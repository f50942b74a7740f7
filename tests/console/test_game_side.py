"""The game side by hand: calls, signatures and what is wrong with them, a bet and its win."""

import hashlib
import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import httpx2
import pytest

from app.simulator.signature import canonical, sign
from tests.console.conftest import Console
from tests.console.console import Serving
from tests.server.stub import until

KEY = "demo-callback-key-known-to-everybody"
FIELDS = ("userId=zoë/1", "token=t/1", "extraData={}", "amount=1.50")
SIGNED = [("userId", "zoë/1"), ("token", "t/1"), ("extraData", "{}"), ("amount", "1.50")]


def opened(beside: Console, user_id: str, amount: str = "100.00") -> None:
    beside("player", "open", user_id, "--currency", "USD", "--nickname", "Hand")
    assert beside("deposit", user_id, amount).code == 0


def answer_of(out: str) -> dict[str, Any]:
    """The answer that stands below the call."""
    answer: dict[str, Any] = json.loads(out[out.index("\n{") :], parse_float=str)
    return answer


# --- signatures ----------------------------------------------------------------------------------


def test_sign_prints_the_contracts_signature_and_explains_what_is_hashed(
    in_process: Console,
) -> None:
    assert in_process("sign", *FIELDS).out == f"{sign(SIGNED, KEY)}\n"
    explained = in_process("sign", *FIELDS, "--explain").out
    assert canonical(SIGNED) + "<key>" in explained
    assert KEY not in explained
    assert sign(SIGNED, KEY) in explained


def hashed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


RIGHT = r'{"amount":"1.50","token":"t\/1","userId":"zo\u00eb\/1"}'


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (hashed(RIGHT + KEY).upper(), "capitals"),
        (hashed(RIGHT), "without the key"),
        (hashed(KEY + RIGHT), "must follow it"),
        (hashed(RIGHT + KEY + "\n"), "line break"),
        (hashed(RIGHT.replace(r"\/", "/") + KEY), "slashes are not escaped"),
        (hashed(RIGHT.replace(r"\u00eb", "ë") + KEY), "beyond ASCII are not escaped"),
        (
            hashed(
                r'{"amount":"1.50","extraData":"{}","token":"t\/1","userId":"zo\u00eb\/1"}' + KEY
            ),
            "extraData was signed",
        ),
        (
            hashed(r'{"userId":"zo\u00eb\/1","token":"t\/1","amount":"1.50"}' + KEY),
            "not sorted by name",
        ),
        (hashed(r'{"token":"t\/1","userId":"zo\u00eb\/1"}' + KEY), "amount was left out"),
        (hashed("[]" + KEY), "no fields"),
        (hashed("something else"), "none of the usual mistakes"),
        ("abc", "not a SHA-256"),
    ],
)
def test_a_wrong_signature_is_told_by_its_mistake(
    in_process: Console, given: str, words: str
) -> None:
    done = in_process("verify-signature", given, *FIELDS)
    assert done.code == 1
    assert words in done.complaint
    said = in_process("call", "moveFunds", *FIELDS, "--explain", "--signature", given)
    assert (said.code, words in said.out) == (0, True)


def test_a_right_signature_is_right(in_process: Console) -> None:
    done = in_process("verify-signature", sign(SIGNED, KEY), *FIELDS)
    assert (done.code, done.out) == (0, "The given signature is right.\n")


def test_the_key_comes_from_where_it_is_told(
    in_process: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GAME_KEY", "another-key-of-the-game-side")
    done = in_process("sign", *FIELDS, "--key-env", "GAME_KEY")
    assert done.out == f"{sign(SIGNED, 'another-key-of-the-game-side')}\n"
    assert "GAME_KEYS holds no key" in in_process("sign", "--key-env", "GAME_KEYS").complaint


# --- calls ---------------------------------------------------------------------------------------


def test_a_call_shows_what_is_sent_and_what_is_answered(beside: Console) -> None:
    opened(beside, "caller")
    done = beside("call", "getUserToken", "userId=caller")
    assert done.code == 0
    assert re.search(r"^GET http://127\.0\.0\.1:\d+/getUserToken\?userId=caller\n", done.out)
    assert f"Hash-Authorization: {sign([('userId', 'caller')], KEY)}" in done.out
    assert re.search(r"^Request-Id: [0-9a-f]{32}$", done.out, re.MULTILINE)
    token = answer_of(done.out)["token"]
    balance = beside("call", "getBalance", f"token={token}", "userId=caller", "--json")
    assert json.loads(balance.out, parse_float=str)["balance"] == "100.00"


def test_a_refusal_is_shown_and_ends_with_code_1(beside: Console) -> None:
    done = beside("call", "getUserToken", "userId=nobody-at-all")
    assert done.code == 1
    assert answer_of(done.out)["errors"]["code"] == 404
    wrong = beside("call", "getUserToken", "userId=caller", "--signature", "0" * 64)
    assert wrong.code == 1
    assert "Request not validate" in wrong.out


@pytest.mark.parametrize(
    "call",
    [
        ("getUserToken", "userId=it's me"),
        ("moveFunds", "userId=zoë", "token=a b", "amount=1"),
        ("notification/maintenance", "status=created", "batchId=7"),
    ],
)
def test_the_curl_of_a_call_is_signed_and_ready_to_paste(
    beside: Console, call: tuple[str, ...]
) -> None:
    printed = beside("call", *call, "--curl")
    words = shlex.split(printed.out.replace("\\\n", " "))
    assert words[:2] == ["curl", "-sS"]
    pasted = subprocess.run(
        ["sh", "-c", printed.out], capture_output=True, check=True, text=True, timeout=20
    )
    answer = json.loads(pasted.stdout)
    assert answer["status"] or "Request not validate" not in answer["errors"]["error"]


def test_what_is_no_method_is_a_mistake_in_the_command_line(in_process: Console) -> None:
    assert "getBalance" in in_process("call", "getBallance").complaint
    assert in_process("call", "getBalance", "token").code == 2
    assert in_process("call", "getBalance", "=x").code == 2


def test_without_a_server_a_call_says_what_to_do(in_process: Console) -> None:
    done = in_process("call", "getBalance", "--url", "http://127.0.0.1:1")
    assert done.code == 1
    assert "`make run`" in done.complaint


# --- a bet, its win, its cancellation ------------------------------------------------------------


def test_a_bet_its_win_and_a_cancellation_by_hand(beside: Console) -> None:
    opened(beside, "hand")
    bet = beside("bet", "hand", "10.00", "--event", "e-1", "--id", "b-1")
    assert (bet.code, answer_of(bet.out)["balance"]) == (0, "90.00")
    assert "wallet win hand AMOUNT --event e-1" in bet.err
    win = beside("win", "hand", "25.00", "--event", "e-1")
    assert (win.code, answer_of(win.out)["balance"]) == (0, "115.00")
    second = beside("bet", "hand", "15.00", "--event", "e-2", "--json")
    assert json.loads(second.out, parse_float=str)["balance"] == "100.00"
    cancelled = beside("cancel", "hand", "15.00", "--event", "e-2")
    assert (cancelled.code, answer_of(cancelled.out)["balance"]) == (0, "115.00")
    again = beside("bet", "hand", "10.00", "--event", "e-1", "--id", "b-1")
    assert (again.code, "409" in again.out) == (1, True)
    assert "There is no token for nobody-at-all" in beside("bet", "nobody-at-all", "1").complaint


def test_the_curl_of_a_bet_places_it_once(beside: Console) -> None:
    opened(beside, "curled")
    printed = beside("bet", "curled", "10", "--curl").out
    for code in (None, 409):
        pasted = subprocess.run(
            ["sh", "-c", printed], capture_output=True, check=True, text=True, timeout=20
        )
        assert json.loads(pasted.stdout).get("errors", {}).get("code") == code


# --- no real money by accident -------------------------------------------------------------------


def test_every_answer_of_a_demo_says_that_it_is_a_sandbox(demo: Serving) -> None:
    address = f"http://127.0.0.1:{demo.port}"
    for answer in (
        httpx2.post(f"{address}/moveFunds"),
        httpx2.get(f"{address}/getBalance"),
        httpx2.get(f"{address}/docs"),
        httpx2.get(f"{address}/no/such/path"),
        httpx2.post(f"{address}/transfer/v1/account/balance"),
    ):
        assert answer.headers["wallet-sandbox"] == "on", answer.url


def test_real_money_is_not_moved_by_accident(
    in_process: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "a-key-of-the-operator"
    monkeypatch.chdir(tmp_path)
    with Serving(tmp_path, settings={"WALLET_CALLBACK_KEYS": key}) as real:
        assert until(lambda: "listens on" in real.said())
        address = f"http://127.0.0.1:{real.port}"
        assert "wallet-sandbox" not in httpx2.post(f"{address}/moveFunds").headers
        monkeypatch.setenv("WALLET_CALLBACK_KEYS", key)
        monkeypatch.setenv("WALLET_PORT", str(real.port))
        play = ("simulate", "--players", "2", "--events", "3")
        for command in (play, ("bet", "alice", "1"), ("win", "alice", "1", "--event", "e")):
            refused = in_process(*command)
            assert refused.code == 1
            assert "--against-real 127.0.0.1" in refused.complaint
        other = in_process(*play, "--against-real", "example.com")
        assert "--against-real names another" in other.complaint
        assert in_process("player", "show", "alice").code == 1
        assert in_process(*play, "--against-real", "127.0.0.1").code == 0
        assert real.stop() == 0


def test_the_banner_is_printed_again_with_tokens_that_live(
    demo: Serving, beside: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = beside("demo")
    assert done.code == 0
    assert f"http://127.0.0.1:{demo.port} with a demo operator" in done.out
    for command in re.findall(r"^curl .*?[^\\]$", done.out, re.MULTILINE | re.DOTALL):
        pasted = subprocess.run(
            ["sh", "-c", command], capture_output=True, check=True, text=True, timeout=20
        )
        assert json.loads(pasted.stdout)["status"] is True
    monkeypatch.setenv("WALLET_PORT", "1")
    assert "`make run`" in beside("demo").complaint
    monkeypatch.setenv("WALLET_CALLBACK_KEYS", "a-key-of-the-operator")
    assert "an operator's" in beside("demo").complaint


# --- any id --------------------------------------------------------------------------------------


def test_whatever_has_an_id_is_found_by_it(beside: Console) -> None:
    opened(beside, "shown")
    bet = beside("bet", "shown", "10.00", "--event", "shown-event", "--id", "shown-bet")
    asked = re.search(r"^Request-Id: ([0-9a-f]{32})$", bet.out, re.MULTILINE)
    assert asked is not None
    assert beside("show", "shown", "--json").document["player"]["balance"] == "90.00"
    assert (
        beside("show", "shown-event", "--json").document["rounds"][0]["event_id"] == "shown-event"
    )
    for found_id in ("shown-bet", asked[1]):
        (found,) = beside("show", found_id, "--json").document["transactions"]
        assert found["transaction_id"] == "shown-bet"
        assert len(found["movements"]) == 1
    refused = beside("win", "shown", "1.00", "--event", "no-such-event", "--id", "shown-win")
    assert refused.code == 1
    named = re.search(r"^Request-Id: ([0-9a-f]{32})$", refused.out, re.MULTILINE)
    assert named is not None
    (found,) = beside("show", named[1], "--json").document["transactions"]
    assert (found["transaction_id"], len(found["refusals"])) == ("shown-win", 1)
    for found_id in ("shown", "shown-event", "shown-bet", asked[1], named[1]):
        assert "shown" in beside("show", found_id).out
    looked = beside("call", "getBalance", "userId=shown", "token=nobody-s")
    asked_in_vain = re.search(r"^Request-Id: ([0-9a-f]{32})$", looked.out, re.MULTILINE)
    assert asked_in_vain is not None
    (kept,) = beside("show", asked_in_vain[1], "--json").document["refusals"]
    assert (kept["operation"], kept["user_id"]) == ("getBalance", "shown")
    assert "getBalance" in beside("show", asked_in_vain[1]).out
    assert "Nothing here has the id 0000" in beside("show", "0" * 32).complaint
