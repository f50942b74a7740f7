"""`wallet audit`, as operations and their scripts call it."""

from datetime import UTC, datetime, timedelta

import pytest

from app.cashier.seal_audit import invariants
from app.ledger.audit import INVARIANTS
from tests.conftest import Database, sql
from tests.console.conftest import Console

NEXT_WEEK = (datetime.now(UTC) + timedelta(days=7)).date().isoformat()
LAWS = len(INVARIANTS) + len(invariants(keys=[], against=None))
BREAK = "SET session_replication_role = replica; UPDATE movements SET extra_data = '{}'"


@pytest.fixture
def audited(in_process: Console, db: Database, monkeypatch: pytest.MonkeyPatch) -> Console:
    """A ledger of one player and two movements."""
    monkeypatch.setenv("WALLET_DATABASE_URL", db.service_url)
    in_process("player", "open", "anna", "--agent", "a", "--currency", "USD", "--nickname", "Anna")
    for amount in ("5", "7"):
        assert in_process("deposit", "anna", amount).code == 0
    return in_process


def test_a_clean_ledger_is_exit_code_0(audited: Console) -> None:
    done = audited("audit")
    assert (done.code, done.err) == (0, "")
    assert done.out == f"clean: {LAWS} laws, 1 players, 2 movements\n"
    document = audited("audit", "--json").document
    assert document == {
        "clean": True,
        "invariants": LAWS,
        "players": 1,
        "movements": 2,
        "breaches": [],
    }


def test_a_broken_ledger_is_exit_code_1_and_names_the_offender(
    audited: Console, db: Database
) -> None:
    sql(db.server, f"{BREAK} WHERE position = 2", db.name)
    done = audited("audit")
    assert done.code == 1
    assert "1 breaches" in done.out
    assert "position 2" in done.out
    found = audited("audit", "--json")
    assert found.code == 1
    (breach,) = found.document["breaches"]
    assert breach["invariant"] == "chain_unbroken"
    assert breach["offender"]["position"] == 2


def test_since_leaves_out_what_was_not_touched(audited: Console, db: Database) -> None:
    sql(db.server, f"{BREAK} WHERE position = 2", db.name)
    assert audited("audit", "--since", NEXT_WEEK).code == 0
    assert audited("audit", "--since", "2020-01-01T00:00:00Z").code == 1
    assert audited("audit", "--since", "yesterday").code == 2


def test_a_database_without_a_schema_is_a_sentence(
    in_process: Console, empty_db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WALLET_DATABASE_URL", empty_db.owner_url)
    done = in_process("audit")
    assert done.code == 1
    assert "`wallet migrate`" in done.complaint
