"""Reports are the same byte for byte from the same position, and say what is not right."""

import asyncio
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from app.ledger.citus.ledger import PlacedLedger
from tests.conftest import Database, sql
from tests.console.conftest import Console, Done
from tests.reconciliation.story import Teller

Wallet = Callable[..., Done]

STORY = """
1 09:00 anna Deposit           200.00 pay-1
1 10:00 anna BetPlacing         20.00 b-1   round-1  4711
1 10:10 anna BetPlacing         30.00 b-2   round-2  4711
1 10:11 anna Win                90.00 w-2   round-2  4711
1 10:12 anna Withdrawal        235.00 out-1
"""
LATER = """
2 09:00 anna SportBetCancel     90.00 s-2   round-2  4711
2 10:00 anna Deposit            10.00 pay-2
"""


@pytest.fixture
def beside(
    db: Database, in_process: Console, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Wallet:
    monkeypatch.setenv("WALLET_DATABASE_URL", db.service_url)
    monkeypatch.chdir(tmp_path)
    return in_process


@pytest.fixture
def played(db: Database) -> Callable[[str], None]:
    """Play lines from outside of any event loop."""

    async def work(story: str) -> None:
        scribe = Teller(db.service_url)
        scribe.ledger = PlacedLedger(db.service_url, clock=lambda: scribe.now)
        try:
            if "pay-1" in story:
                await scribe.open()
            await scribe.play(story)
        finally:
            await scribe.ledger.close()

    return lambda story: asyncio.run(work(story))


REPORTS = (
    ("statement", "anna", "--to", "2026-03-09"),
    ("balance", "anna"),
    ("export", "movements", "--to", "2026-03-09"),
    ("export", "rounds", "--to", "2026-03-09"),
    ("export", "sessions", "--to", "2026-03-09"),
    ("report", "funds"),
    ("report", "debts"),
)


@pytest.mark.parametrize("form", ["--csv", "--json"])
def test_the_same_position_gives_the_same_bytes_however_the_journal_went_on(
    beside: Wallet, played: Callable[[str], None], form: str
) -> None:
    played(STORY)
    first = {command: beside(*command, form) for command in REPORTS}
    played(LATER)
    for command, before in first.items():
        manifest = json.loads(before.err)
        again = beside(*command, form, "--position", manifest["position"])
        assert again.out == before.out, (command, again)
        assert json.loads(again.err) == manifest
        assert hashlib.sha256(before.out.encode()).hexdigest() == manifest["sha256"]
    changed = [command for command in REPORTS if beside(*command, form).out != first[command].out]
    assert len(changed) >= 5, "without a position, a report is of now"


def test_a_position_of_another_journal_is_refused(
    beside: Wallet, played: Callable[[str], None]
) -> None:
    played(STORY)
    done = beside("report", "funds", "--position", "2026-03-01T10:11:00Z/17")
    assert done.code == 1
    assert "4 movements up to that position, and the position says 17" in done.complaint


def test_a_manifest_beside_a_file_has_the_files_hash(
    beside: Wallet, played: Callable[[str], None]
) -> None:
    played(STORY)
    beside("export", "movements", "--out", "m.csv")
    manifest = json.loads(Path("m.csv.manifest.json").read_text(encoding="utf-8"))
    assert hashlib.sha256(Path("m.csv").read_bytes()).hexdigest() == manifest["sha256"]
    assert manifest["rows"] == 5
    assert manifest["sums"] == {"USD": {"real_delta": "5.00", "bonus_delta": "0.00"}}


def test_a_closed_day_does_not_change_and_the_later_day_names_what_was_resettled(
    beside: Wallet, played: Callable[[str], None]
) -> None:
    played(STORY)
    first = beside("report", "daily", "--date", "2026-03-01", "--csv")
    closed = json.loads(first.err)
    assert closed["closed_at"] is not None
    played(LATER)
    again = beside("report", "daily", "--date", "2026-03-01", "--csv")
    assert (again.code, again.out, json.loads(again.err)) == (0, first.out, closed)
    later = beside(
        *("report", "daily", "--date", "2026-03-02", "--section", "resettlements", "--csv")
    )
    assert later.out.splitlines()[1:] == [
        "2026-03-02T09:00:00.000000Z,anna,round-2,SportBetCancel,s-2,USD,-90.00,w-2,Win,2026-03-01"
    ]


@pytest.mark.one_server("it changes the journal by hand")
def test_a_closed_day_that_the_journal_denies_is_exit_code_1(
    beside: Wallet, played: Callable[[str], None], db: Database
) -> None:
    played(STORY)
    assert beside("report", "daily", "--date", "2026-03-01").code == 0
    sql(
        db.server,
        "SET session_replication_role = replica;"
        " UPDATE movements SET event_type = 'Lose' WHERE transaction_id = 'w-2'",
        db.name,
    )
    assert beside("report", "daily", "--date", "2026-03-01").code == 0, "both are winnings"
    sql(
        db.server,
        "SET session_replication_role = replica;"
        " UPDATE movements SET event_type = 'PromoWin' WHERE transaction_id = 'w-2'",
        db.name,
    )
    done = beside("report", "daily", "--date", "2026-03-01")
    assert done.code == 1
    assert "2026-03-01 was closed at" in done.err
    with pytest.raises(AssertionError, match="append-only"):
        sql(db.server, "UPDATE closed_days SET digest = repeat('0', 64)", db.name)


@pytest.mark.one_server("it changes the journal by hand")
def test_a_day_whose_columns_do_not_add_up_is_named_and_not_closed(
    beside: Wallet, played: Callable[[str], None], db: Database
) -> None:
    played(STORY)
    sql(
        db.server,
        "SET session_replication_role = replica;"
        " UPDATE movements SET real_before = real_before + 1, real_after = real_after + 1"
        " WHERE transaction_id = 'out-1'",
        db.name,
    )
    done = beside("report", "daily", "--date", "2026-03-01")
    assert done.code == 1
    assert "The day of anna does not lead from its beginning to its end" in done.err
    assert sql(db.server, "SELECT count(*) FROM closed_days", db.name) == "0"


def test_a_bank_that_holds_less_is_exit_code_1(
    beside: Wallet, played: Callable[[str], None]
) -> None:
    played(STORY)
    enough = beside("report", "funds", "--bank", "USD=30.00", "--csv")
    assert enough.code == 0
    assert "USD: 30.00 at the bank, 25.00 to hold: 5.00 are left." in enough.err
    short = beside("report", "funds", "--bank", "USD=24.99")
    assert short.code == 1
    assert "0.01 are missing" in short.err


def test_a_folder_has_every_section_and_one_manifest(
    beside: Wallet, played: Callable[[str], None]
) -> None:
    played(STORY)
    assert beside("report", "daily", "--date", "2026-03-01", "--out", "day").code == 0
    assert sorted(path.name for path in Path("day").iterdir()) == [
        "accounts.csv",
        "daily.manifest.json",
        "resettlements.csv",
        "revenue.csv",
    ]
    manifest = json.loads(Path("day/daily.manifest.json").read_text(encoding="utf-8"))
    for section in manifest["sections"]:
        content = Path(f"day/{section['report']}.csv").read_bytes()
        assert hashlib.sha256(content).hexdigest() == section["sha256"]


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("statement", "nobody"), 1, "There is no player nobody"),
        (("statement", "anna", "--from", "2026-03-02", "--to", "2026-03-01"), 2, "before --to"),
        (("statement", "anna", "--csv", "--json"), 2, "not both"),
        (("report", "daily", "--date", "soon"), 2, "must be such as"),
        (("report", "daily", "--date", "2999-01-01"), 2, "until today"),
        (("report", "daily", "--date", "2026-03-01", "--section", "x"), 2, "--section is"),
        (("report", "funds", "--bank", "USD=1e3"), 2, "--bank is such as"),
        (("report", "funds", "--bank", "USD=1", "--bank", "USD=2"), 2, "once for each"),
        (("report", "funds", "--position", "now"), 2, "manifest's position"),
        (("report", "funds", "--at", "2020-01-01"), 1, "has no movement until that moment"),
        (("export", "movements", "--out", "/nowhere/m.csv"), 1, "cannot be written"),
    ],
)
def test_a_mistake_is_one_sentence(
    beside: Wallet,
    played: Callable[[str], None],
    arguments: tuple[str, ...],
    code: int,
    sentence: str,
) -> None:
    played(STORY)
    done = beside(*arguments)
    assert done.code == code
    assert sentence in done.complaint
