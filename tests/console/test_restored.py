"""`wallet restored …`, as operators use it."""

import asyncio
from pathlib import Path

import pytest

from app.cashier.restored import ALREADY_TO, look_at_seals
from app.cashier.sealing import read_seals
from app.ledger.citus.ledger import PlacedLedger
from tests.conftest import Database, in_buckets, sql
from tests.console.conftest import Console

WAITS = "nobody has said that it may be served"


@pytest.fixture
def console(in_process: Console, db: Database, monkeypatch: pytest.MonkeyPatch) -> Console:
    monkeypatch.setenv("WALLET_DATABASE_URL", db.service_url)
    in_process("player", "open", "anna", "--agent", "a", "--currency", "USD", "--nickname", "Anna")
    assert in_process("deposit", "anna", "12.50", "--id", "d-1").code == 0
    return in_process


@in_buckets
def test_marked_shown_and_accepted(console: Console) -> None:
    assert console("restored", "show", "--json").document["waiting"] is False
    nothing = console("restored", "accept", "1", "--reason", "all is well")
    assert nothing.code == 1
    assert nothing.complaint == (
        "No time line waits for somebody: `wallet restored show` lists them."
    )
    marked = console("restored", "mark", "--reason", "a disk was put back")
    assert marked.out == (
        "The ledger is marked as restored: `wallet restored accept 2` lets it be served.\n"
    )
    again = console("restored", "mark", "--reason", "again")
    assert again.complaint == "The ledger is marked already: `wallet restored show`."
    refused = console("deposit", "anna", "1", "--id", "d-2")
    assert refused.code != 0
    assert refused.complaint == (
        f"Nothing was done: this ledger was restored (a disk was put back), and {WAITS}:"
        " `wallet restored show`, then `wallet restored accept NUMBER`."
    )
    assert console("player", "show", "anna").code == 0, "people look at it"
    shown = console("restored", "show")
    assert "a disk was put back" in shown.out
    assert "wallet reconcile REPORT" in shown.out
    assert "wallet restored accept 2 --reason" in shown.out
    told = console("restored", "show", "--json").document
    assert (told["waiting"], told["timelines"][0]["kind"]) == (True, "restored")
    assert "The ledger was restored (a disk was put back)" in console("status").out
    reason = ("--reason", "bets are in the report")
    said = console("restored", "accept", "2", *reason, "--money-for", "48")
    assert said.code == 0
    assert "For 48 hours" in said.out
    assert console("deposit", "anna", "1", "--id", "d-2").code == 0
    told = console("restored", "show", "--json").document
    assert (told["waiting"], told["timelines"][0]["reason"]) == (False, "bets are in the report")


def test_a_yes_to_what_is_no_longer_the_latest_accepts_nothing_and_asks_for_another_look(
    console: Console, db: Database
) -> None:
    marked = console("restored", "mark", "--reason", "a disk was put back", "--json").document
    assert marked["time_line"] == 2
    sql(
        db.server,
        "INSERT INTO ledger_timelines SELECT 3, 'restored', system_identifier, 7, 'it lacks more',"
        " 'a process', now() FROM pg_control_system()",
        db.name,
    )
    refused = console("restored", "accept", "2", "--reason", "the disk of Tuesday")
    assert refused.code == 1
    assert refused.complaint == (
        "Nothing was accepted: the latest time line that waits is 3, not 2; look again, `wallet"
        " restored show`."
    )
    told = console("restored", "show", "--json").document
    assert [line["waiting"] for line in told["timelines"]] == [True, True, False]
    assert "wallet restored accept 3 --reason" in console("restored", "show").out
    said = console("restored", "accept", "3", "--reason", "the disk of Tuesday", "--json")
    assert said.document["time_lines"] == [2, 3]


@pytest.mark.parametrize("number", [(), ("0",), ("the last",), (str(2**63),)])
def test_a_yes_names_what_was_shown(console: Console, number: tuple[str, ...]) -> None:
    assert console("restored", "accept", *number, "--reason", "all is well").code == 2


@pytest.mark.parametrize("reason", ["", " ", "x" * 1001])
def test_a_yes_needs_words(console: Console, reason: str) -> None:
    assert console("restored", "accept", "1", "--reason", reason).code == 2


@in_buckets
def test_the_moment_it_was_restored_to_is_shown_asked_from_and_stands(console: Console) -> None:
    assert console("restored", "mark", "--reason", "a disk was put back").code == 0
    assert "--restored-to MOMENT" in console("restored", "show").out
    pasted = "2026-01-26 18:59:25.172+00"
    reason = ("--reason", "served")
    said = console("restored", "accept", "2", *reason, "--restored-to", pasted, "--json")
    assert said.document["restored_to"] == "2026-01-26 18:59:25.172000Z"
    told = console("restored", "show", "--json").document
    assert told["timelines"][0]["last_movement_at"] == "2026-01-26 18:59:25.172000Z"
    assert told["ask_from"] < "2026-01-26 18:59:25.172000Z"
    assert "--restored-to" not in console("restored", "show").out
    again = console("restored", "mark", "--reason", "again", "--restored-to", "2026-01-25T10:00Z")
    assert again.code == 0
    late = console("restored", "mark", "--reason", "again", "--restored-to", "2026-01-24T10:00Z")
    assert late.complaint == ALREADY_TO
    said = console("restored", "accept", "4", *reason)
    assert "nobody has named the moment" in said.err
    assert console("restored", "show", "--json").document["timelines"][0]["last_movement_at"] == (
        "2026-01-25 10:00:00.000000Z"
    )


@pytest.mark.parametrize("command", [("accept", "1"), ("mark",)])
@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("2026-01-26T18:59:25", "must say its offset from UTC"),
        ("2026-01-26", "must say its offset from UTC"),
        ("2999-01-26T18:59:25Z", "must be a moment that has passed"),
        ("yesterday", "must be such as"),
    ],
)
def test_a_moment_has_passed_and_names_its_offset(
    console: Console, command: tuple[str, ...], value: str, words: str
) -> None:
    refused = console("restored", *command, "--reason", "its disk", "--restored-to", value)
    assert refused.code == 2
    assert words in refused.complaint
    assert not console("restored", "show", "--json").document["waiting"]


def test_a_seal_that_the_ledger_lacks_is_a_restore_until_somebody_has_said_yes(
    console: Console, db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is put back begins no timeline of PostgreSQL's own."""
    assert console("seal", "key", str(tmp_path / "key.pem")).code == 0
    file = tmp_path / "seals.jsonl"
    monkeypatch.setenv("WALLET_SEAL_KEY", str(tmp_path / "key.pem"))
    monkeypatch.setenv("WALLET_SEAL_TO", str(file))

    def served() -> bool:
        async def look() -> None:
            ledger = PlacedLedger(db.service_url)
            await look_at_seals(ledger, read_seals(file))
            await ledger.close()

        asyncio.run(look())
        return not console("restored", "show", "--json").document["waiting"]

    assert console("seal").code == console("seal").code == 0
    assert served()
    sql(
        db.server,
        "SET session_replication_role = replica; DELETE FROM seals WHERE number = 2;"
        " DELETE FROM sealed_heads WHERE number = 2",
        db.name,
    )
    assert not served()
    why = console("restored", "show", "--json").document["timelines"][0]["why"]
    assert why == "the file of seals has the seal 2, which the ledger lacks"
    assert console("restored", "accept", "2", "--reason", "the disk of Tuesday").code == 0
    assert served()
