"""`duplicate_reply = replay`: a repeat gets the first answer again, byte for byte."""

import pytest

from tests.edges.callback.house import House


@pytest.fixture(scope="module")
def choices() -> dict[str, object]:
    return {"duplicate_reply": "replay"}


def test_a_repeat_hears_the_first_bytes(house: House) -> None:
    seat = house.seat("90.00", "3.21")
    bet = house.fields(seat, "BetPlacing", "10.00")
    first = house.form(bet)
    house.deposit(seat, "5.00")
    assert house.form(bet).body == first.body
    assert house.form({**bet, "token": house.expired(seat)}).body == first.body
    assert len(house.journal(seat)) == 1


@pytest.mark.parametrize(("amount", "code"), [("90.01", 402), ("50.00", 456)])
def test_a_remembered_refusal_hears_the_first_bytes_whatever_it_carries(
    house: House, amount: str, code: int
) -> None:
    seat = house.seat("90.00")
    if code == 456:
        house.limit(seat, "loss_day", 100)
    bet = house.fields(seat, "BetPlacing", amount)
    first = house.form(bet)
    assert first.code == code
    house.deposit(seat, "500.00")
    assert house.form(bet).body == first.body
    assert house.form({**bet, "amount": "1.00"}).body == first.body


def test_other_content_under_an_accepted_id_is_no_replay(house: House) -> None:
    seat = house.seat("90.00")
    bet = house.fields(seat, "BetPlacing", "10.00")
    house.form(bet)
    assert house.form({**bet, "amount": "10.01"}).code == 409
    assert house.form({**bet, "eventType": "Tip"}).code == 400
    assert house.balance(seat) == ("80.00", "0.00")
