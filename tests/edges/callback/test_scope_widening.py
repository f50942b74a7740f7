"""`wallet scope widen`: ids of the narrow scope stay taken; the old scope records nothing."""

import asyncio
from collections.abc import Iterator

import pytest

from app.ledger.owner_changes import widen_key_scope
from tests.conftest import Database
from tests.edges.callback.house import House, open_house


def widen(db: Database) -> bool:
    return asyncio.run(widen_key_scope(db.owner_url, "a test"))


@pytest.fixture
def narrow(db: Database) -> Iterator[House]:
    with open_house(db, key_scope="transaction") as house:
        yield house


def test_what_was_taken_in_the_narrow_scope_stays_taken_for_its_own_type(
    narrow: House, db: Database
) -> None:
    seat = narrow.seat("100.00")
    bet = narrow.fields(seat, "BetPlacing", "10.00")
    poor = narrow.fields(seat, "BetPlacing", "5000.00")
    assert narrow.form(bet).code == 0
    assert narrow.form(poor).code == 402
    assert widen(db)
    with open_house(db, key_scope="transaction_event") as wide:
        assert wide.form(bet).code == 409
        assert wide.form(poor).code == 402
        win = {**bet, "eventType": "Win", "direction": "credit", "amount": "25.00"}
        assert wide.form(win).balance == "115.00"
        assert wide.form(win).code == 409
        assert wide.form({**bet, "amount": "11.00"}).code == 409
        assert wide.balance(seat) == ("115.00", "0.00")
        keys = [row["facet"] for row in wide.journal(seat)]
        assert keys == ["", "", "Win:credit"]


def test_a_server_with_the_old_scope_records_nothing_more(narrow: House, db: Database) -> None:
    seat = narrow.seat("100.00")
    assert narrow.move(seat, "BetPlacing", "10.00").code == 0
    assert widen(db)
    refused = narrow.move(seat, "BetPlacing", "10.00")
    assert (refused.status, refused.code) == (503, 400)
    assert narrow.balance(seat) == ("90.00", "0.00")
    assert len(narrow.journal(seat)) == 1


def test_it_widens_once_and_is_on_record(narrow: House, db: Database) -> None:
    assert widen(db)
    assert not widen(db)
    rows = narrow.sql(
        "SELECT source, name, value_before, value_after FROM decision_setting_changes"
    )
    assert [tuple(row) for row in rows] == [
        ("a test", "key_scope", "transaction", "transaction_event")
    ]
