"""`key_scope = transaction_event`: for suppliers that repeat a bet's id on its settlement."""

import pytest

from tests.conftest import Database
from tests.edges.callback.house import House, open_house


@pytest.fixture(scope="module")
def choices() -> dict[str, object]:
    return {"key_scope": "transaction_event"}


def test_a_bet_and_its_settlement_share_an_id(house: House) -> None:
    seat = house.seat("90.00")
    bet = house.fields(seat, "BetPlacing", "10.00")
    win = {**bet, "eventType": "Win", "direction": "credit", "amount": "25.00"}
    assert house.form(bet).balance == "80.00"
    assert house.form(win).balance == "105.00"
    assert house.form(bet).code == 409
    assert house.form(win).code == 409
    assert house.form({**win, "amount": "26.00"}).code == 409
    assert len(house.journal(seat)) == 2


def test_an_abort_gives_back_the_bet_of_its_own_id_first(house: House) -> None:
    seat = house.seat("90.00", "10.00")
    first = house.fields(seat, "BetPlacing", "10.00")
    house.form(first)
    house.move(seat, "BetPlacing", "10.00")
    abort = {**first, "eventType": "BetPlacingAbort", "direction": "credit"}
    assert house.form(abort).code == 0
    bet, _, given_back = house.journal(seat)
    assert given_back["reverses"].startswith(f"{bet['position']}/")


def test_a_server_with_another_scope_does_not_start(house: House, module_db: Database) -> None:
    with pytest.raises(AssertionError), open_house(module_db, key_scope="transaction"):
        pass
    assert house.balance(house.seat("1.00")) == ("1.00", "0.00")
