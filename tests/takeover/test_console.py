"""`wallet import`, `wallet export state` and `wallet shadow` as somebody types them."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Database
from tests.console.conftest import Console, in_process
from tests.takeover.conftest import bet, lines_of, player, token

__all__ = ["in_process"]


@pytest.fixture
def console(in_process: Console, db: Database, monkeypatch: pytest.MonkeyPatch) -> Console:
    """Commands on a database of the test's own."""
    monkeypatch.setenv("WALLET_DATABASE_URL", db.service_url)
    monkeypatch.setenv("WALLET_CURRENCIES", "BTC:8")
    return in_process


@pytest.fixture
def state(tmp_path: Path) -> Path:
    path = tmp_path / "state.jsonl"
    path.write_text(lines_of(player(), bet("b1", "20.00", "5.00"), token()), encoding="utf-8")
    return path


def test_a_file_comes_in_once_and_says_what_it_brought(console: Console, state: Path) -> None:
    dry = console("import", str(state), "--dry-run", "--json")
    assert (dry.code, dry.document["imported"], dry.document["import"]) == (0, False, None)
    done = console("import", str(state), "--json")
    assert done.code == 0
    said = done.document
    assert (said["imported"], said["import"], said["lines"]) == (True, 1, 5)
    assert (said["players"], said["open_bets"], said["tokens"]) == (1, 1, 1)
    assert said["totals"] == {"USD": {"real": "100.00", "bonus": "0.00", "open_stakes": "25.00"}}
    again = console("import", str(state))
    assert again.code == 1
    assert again.complaint.startswith("This file was imported on ")
    report = console("report", "daily", "--date", said_today(console), "--csv")
    assert report.code == 0, report.err
    assert ",100.00,100.00," in report.out


def said_today(console: Console) -> str:
    """The ledger's day."""
    shown = console("player", "show", "anna", "--json").document
    decided: str = shown["movements"][0]["decided_at"]
    return decided[:10]


def test_lines_that_are_wrong_are_named_and_the_exit_code_is_2(
    console: Console, tmp_path: Path
) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(lines_of(player(real="x"), player("bora", blocked=1)), encoding="utf-8")
    done = console("import", str(path))
    assert done.code == 2
    assert done.err.splitlines() == [
        'Line 2 must have real as a plain decimal such as "12.50".',
        "Line 3 must have blocked as true or false.",
        f"2 lines of {path} cannot be imported; nothing was written.",
    ]
    told = console("import", str(path), "--json")
    assert (told.code, told.document["bad_lines"]) == (2, 2)
    assert [line["line"] for line in told.document["lines"]] == [2, 3]


def test_a_state_goes_out_as_it_came_in(console: Console, state: Path, tmp_path: Path) -> None:
    assert console("import", str(state)).code == 0
    out = tmp_path / "out.jsonl"
    done = console("export", "state", "--agent", "house", "--out", str(out), "--json")
    assert (done.code, done.document["players"]) == (0, 1)
    kinds = [json.loads(line)["kind"] for line in out.read_text(encoding="utf-8").splitlines()]
    assert kinds == ["header", "player", "bet", "token", "end"]
    printed = console("export", "state", "--agent", "house")
    assert printed.out == out.read_text(encoding="utf-8")
    held = console("hold", "open", "anna", "5")
    assert held.code == 0, held.err
    refused = console("export", "state", "--agent", "house", "--out", str(out))
    assert refused.code == 1
    assert "1 withdrawals are under way" in refused.complaint


@pytest.mark.parametrize(
    "arguments",
    [("shadow",), ("shadow", "FILE", "--begin")],
)
def test_a_shadow_wants_a_file_or_a_beginning(
    console: Console, state: Path, arguments: tuple[str, ...]
) -> None:
    typed = [str(state) if word == "FILE" else word for word in arguments]
    done = console(*typed)
    assert done.code == 2
    assert "name a file of traffic, or --begin" in done.complaint


def test_a_shadow_that_was_not_begun_compares_nothing(console: Console, tmp_path: Path) -> None:
    traffic = tmp_path / "traffic.jsonl"
    traffic.write_text(
        json.dumps({"method": "POST", "path": "/moveFunds", "status": 200, "answer": "{}"}) + "\n",
        encoding="utf-8",
    )
    done = console("shadow", str(traffic))
    assert done.code == 2
    assert "run `wallet shadow --begin` on it" in done.complaint


def test_a_shadow_says_how_the_wallets_differ(
    console: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WALLET_CALLBACK_KEYS", "0123456789abcdef-callback")
    assert console("shadow", "--begin").code == 0
    bad = tmp_path / "bad.jsonl"
    bad.write_text("{\n", encoding="utf-8")
    named = console("shadow", str(bad))
    assert named.code == 2
    assert named.err.splitlines()[0] == "Line 1 is no JSON object."
    traffic = tmp_path / "traffic.jsonl"
    exchange: dict[str, Any] = {
        "method": "POST",
        "path": "/moveFunds",
        "headers": {"Content-Type": "application/json"},
        "body": '{"userId": "anna", "eventId": "e", "transactionId": "t"}',
        "status": 200,
        "answer": '{"status": true, "balance": 5.00}',
    }
    traffic.write_text(json.dumps(exchange) + "\n", encoding="utf-8")
    out = tmp_path / "differences.jsonl"
    done = console("shadow", str(traffic), "--out", str(out), "--json")
    assert done.code == 1
    assert done.document["causes"] == {"refused_here": 1}
    (kept,) = map(json.loads, out.read_text(encoding="utf-8").splitlines())
    assert (kept["line"], kept["cause"], kept["theirs"]["code"]) == (1, "refused_here", 0)
    shown = console("shadow", str(traffic))
    assert (shown.code, "refused here, accepted there" in shown.out) == (1, True)
