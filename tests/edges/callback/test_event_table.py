"""Each row of the contract's event table (section 3), over HTTP on a real ledger."""

from typing import NamedTuple

import pytest

from app.wallet.events import GAME_EVENT_TYPES, Direction, EventType
from tests.edges.callback.house import House, Seat
from tests.event_types.contract import Row as Printed
from tests.event_types.contract import printed_rows


class Row(NamedTuple):
    """What the table says of an event type, and what must have happened for it to be accepted."""

    sign: int
    before: tuple[tuple[str, str], ...] = ()
    """movements that make it possible"""
    alone: int = 0
    """its code when nothing happened before"""
    may_overdraw: bool = False
    needs_live_token: bool = False


BET = ("BetPlacing", "10.00")
STREAMER_BET = ("PromoStreamersDebit", "10.00")


def before(event_type: str, row: Printed) -> tuple[tuple[str, str], ...]:
    """What must have happened: a payment of streamers needs no bet, and all others do."""
    is_streamer = event_type.startswith("PromoStreamers")
    if row.needs == "payment" or row.may_overdraw:
        return (("PromoStreamersCredit", "10.00"),) if is_streamer else (BET, ("Win", "10.00"))
    if row.needs == "nothing":
        return ()
    return (STREAMER_BET if is_streamer else BET,)


ROWS = {
    event_type: Row(
        -1 if "debit" in row.directions.split() else +1,
        before(event_type, row),
        alone=0 if row.needs == "nothing" else 406,
        may_overdraw=row.may_overdraw,
        needs_live_token=row.token == "live",
    )
    for event_type, row in printed_rows().items()
}

every_row = pytest.mark.parametrize(("event_type", "row"), ROWS.items(), ids=ROWS)
debits = pytest.mark.parametrize(
    ("event_type", "row"),
    [(kind, row) for kind, row in ROWS.items() if row.sign < 0],
    ids=[kind for kind, row in ROWS.items() if row.sign < 0],
)


def prepared(house: House, row: Row) -> Seat:
    """Seat a player with 90.00 for whom the movement is possible."""
    moved = sum(-10 if event_type in SPEND else 10 for event_type, _ in row.before)
    seat = house.seat(f"{90 - moved}.00")
    for event_type, amount in row.before:
        assert house.move(seat, event_type, amount).code == 0
    assert house.balance(seat) == ("90.00", "0.00")
    return seat


SPEND = {"BetPlacing", "PromoStreamersDebit"}


def test_every_row_is_here() -> None:
    assert set(ROWS) == set(GAME_EVENT_TYPES)


@every_row
def test_a_movement_moves_its_amount(house: House, event_type: str, row: Row) -> None:
    seat = prepared(house, row)
    reply = house.move(seat, event_type, "10.00")
    assert reply.status == 200
    balance = "100.00" if row.sign > 0 else "80.00"
    assert reply.said == {
        "status": True,
        "balance": balance,
        "realBalance": balance,
        "bonusBalance": "0.00",
    }
    assert house.balance(seat) == (balance, "0.00")


@every_row
def test_a_movement_without_what_it_needs_is_406(house: House, event_type: str, row: Row) -> None:
    seat = house.seat("90.00")
    reply = house.move(seat, event_type, "10.00")
    assert reply.code == row.alone
    if row.alone:
        assert reply.balance == "90.00"
        assert house.journal(seat) == []


@every_row
def test_an_expired_token_matters_to_debits_of_play_only(
    house: House, event_type: str, row: Row
) -> None:
    seat = prepared(house, row)
    reply = house.move(seat, event_type, "10.00", token=house.expired(seat))
    assert reply.code == (410 if row.needs_live_token else 0)


@every_row
def test_an_unknown_token_matters_to_all(house: House, event_type: str, row: Row) -> None:
    seat = prepared(house, row)
    assert house.move(seat, event_type, "10.00", token="nobody's").code == 417


@every_row
def test_a_block_matters_to_debits_of_play_only(house: House, event_type: str, row: Row) -> None:
    seat = prepared(house, row)
    house.block(seat)
    assert house.move(seat, event_type, "10.00").code == (405 if row.needs_live_token else 0)


@debits
def test_only_a_sport_bet_cancel_overdraws(house: House, event_type: str, row: Row) -> None:
    seat = prepared(house, row)
    house.pay(seat.user_id, EventType.WITHDRAWAL, Direction.DEBIT, "85.00")
    reply = house.move(seat, event_type, "10.00")
    if row.may_overdraw:
        assert (reply.balance, reply.pockets) == ("-5.00", ("-5.00", "0.00"))
    else:
        assert (reply.code, reply.balance) == (402, "5.00")


@pytest.mark.parametrize("event_type", ["Lose", "PromoWin", "DropAndWin"])
def test_a_debit_of_0_is_tolerated_where_the_table_says(house: House, event_type: str) -> None:
    seat = house.seat("90.00")
    house.move(seat, *BET)
    assert house.move(seat, event_type, "0.00", direction="debit").balance == "80.00"
    assert house.move(seat, event_type, "0.01", direction="debit").code == 400


def test_a_technical_fix_goes_both_ways(house: House) -> None:
    seat = house.seat("90.00")
    assert house.move(seat, "technicalFix", "10.00", direction="credit").balance == "100.00"
    assert house.move(seat, "technicalFix", "10.00", direction="debit").balance == "90.00"


@pytest.mark.parametrize("event_type", ROWS)
def test_the_wrong_direction_is_400(house: House, event_type: str) -> None:
    if event_type == "technicalFix":
        return
    seat = house.seat("90.00")
    usual = house.fields(seat, event_type, "10.00")["direction"]
    wrong = "credit" if usual == "debit" else "debit"
    assert house.move(seat, event_type, "10.00", direction=wrong).code == 400
    assert house.balance(seat) == ("90.00", "0.00")


def test_a_tip_takes_real_money_only(house: House) -> None:
    seat = house.seat("5.00", "50.00")
    assert house.move(seat, "Tip", "5.01").code == 402
    assert house.move(seat, "Tip", "5.00").pockets == ("0.00", "50.00")


def test_a_bonus_code_that_is_not_blank_sends_a_win_to_bonus(house: House) -> None:
    seat = house.seat("90.00")
    house.move(seat, *BET)
    assert house.move(seat, "Win", "1.00", bonusCode="free").pockets == ("80.00", "1.00")
    assert house.move(seat, "Win", "1.00", bonusCode="  ").pockets == ("81.00", "1.00")
    assert house.move(seat, "PromoWin", "1.00", bonusCode="free").pockets == ("81.00", "2.00")


def test_an_abort_is_accepted_once_per_bet(house: House) -> None:
    seat = house.seat("90.00")
    house.move(seat, *BET)
    assert house.move(seat, "BetPlacingAbort", "9.99").code == 406
    assert house.move(seat, "BetPlacingAbort", "10.00").balance == "90.00"
    reply = house.move(seat, "BetPlacingAbort", "10.00")
    assert (reply.code, reply.balance) == (409, "90.00")


def test_a_sports_bet_is_settled_again_after_a_cancel(house: House) -> None:
    seat = house.seat("90.00")
    house.move(seat, *BET)
    assert house.move(seat, "Win", "20.00").balance == "100.00"
    assert house.move(seat, "SportBetCancel", "20.00").balance == "80.00"
    assert house.move(seat, "Lose", "0.00").balance == "80.00"
    assert house.move(seat, "SportBetCancel", "0.00").balance == "80.00"
    assert house.move(seat, "Win", "35.00").balance == "115.00"


def test_streamer_money_is_apart_in_the_same_event(house: House) -> None:
    seat = house.seat("90.00")
    house.move(seat, *STREAMER_BET)
    assert house.move(seat, "Win", "10.00").code == 406
    assert house.move(seat, "BetPlacingAbort", "9.00").code == 406
    house.move(seat, *BET)
    assert house.move(seat, "PromoStreamersBetPlacingAbort", "10.00").balance == "80.00"
    assert house.move(seat, "PromoStreamersBetPlacingAbort", "10.00").code == 409
