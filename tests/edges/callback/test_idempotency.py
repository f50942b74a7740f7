"""The contract's section 5: a transactionId has one outcome for ever."""

import pytest

from tests.edges.callback.house import House, Reply


def told(reply: Reply) -> tuple[int, str | None]:
    return reply.code, reply.balance


def alarms(house: House, seat_id: str) -> list[str | None]:
    rows = house.sql("SELECT differs FROM refusals WHERE user_id = $1", seat_id)
    return [row["differs"] for row in rows]


def test_a_repeat_of_an_accepted_movement_is_409_with_the_current_balance(house: House) -> None:
    seat = house.seat("90.00")
    bet = house.fields(seat, "BetPlacing", "10.00")
    assert told(house.form(bet)) == (0, "80.00")
    house.deposit(seat, "5.00")
    assert told(house.form(bet)) == (409, "85.00")
    assert told(house.form(bet)) == (409, "85.00")
    assert len(house.journal(seat)) == 1


def test_token_game_id_bonus_code_and_extra_data_are_not_content(house: House) -> None:
    seat = house.seat("90.00")
    bet = house.fields(seat, "BetPlacing", "10.00")
    house.form(bet)
    again = {**bet, "token": house.token(seat.user_id), "gameId": "7", "extraData": "[1]"}
    assert told(house.form({**again, "bonusCode": "free"})) == (409, "80.00")
    assert alarms(house, seat.user_id) == []


def test_an_amount_is_compared_as_a_number(house: House) -> None:
    seat = house.seat("90.00")
    bet = house.fields(seat, "BetPlacing", "10.00")
    house.form(bet)
    assert house.form({**bet, "amount": "0010.000"}).code == 409
    assert alarms(house, seat.user_id) == []


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"amount": "10.01"}, 409, "amount"),
        ({"eventId": "another"}, 409, "eventId"),
        ({"eventType": "Tip"}, 400, "eventType"),
        ({"eventType": "Win", "direction": "credit"}, 400, "eventType"),
        ({"eventType": "Win", "direction": "credit", "amount": "9.00"}, 400, "eventType"),
    ],
)
def test_the_same_id_with_other_content_moves_nothing_and_names_the_field(
    house: House, changes: dict[str, str], code: int, field: str
) -> None:
    seat = house.seat("90.00")
    bet = house.fields(seat, "BetPlacing", "10.00")
    house.form(bet)
    assert told(house.form({**bet, **changes})) == (code, "80.00" if code == 409 else None)
    assert house.balance(seat) == ("80.00", "0.00")
    assert alarms(house, seat.user_id) == [field]


def test_the_same_id_in_the_other_direction_is_400(house: House) -> None:
    seat = house.seat("90.00")
    fix = house.fields(seat, "technicalFix", "10.00", direction="credit")
    house.form(fix)
    assert told(house.form({**fix, "direction": "debit"})) == (400, None)
    assert alarms(house, seat.user_id) == ["direction"]


def test_two_players_with_one_id_are_told_apart(house: House) -> None:
    seat, other = house.seat("90.00"), house.seat("50.00")
    bet = house.fields(seat, "BetPlacing", "10.00")
    house.form(bet)
    reply = house.form({**bet, "userId": other.user_id, "token": other.token})
    assert told(reply) == (409, "50.00")
    assert alarms(house, other.user_id) == ["userId"]
    assert house.balance(other) == ("50.00", "0.00")


def test_402_is_an_outcome_even_after_a_deposit(house: House) -> None:
    seat = house.seat("5.00")
    bet = house.fields(seat, "BetPlacing", "10.00")
    assert told(house.form(bet)) == (402, "5.00")
    house.deposit(seat, "100.00")
    assert told(house.form(bet)) == (402, "105.00")
    assert told(house.form({**bet, "amount": "1.00"})) == (402, "105.00")
    assert told(house.form({**bet, "eventType": "Tip"})) == (402, "105.00")
    assert house.balance(seat) == ("105.00", "0.00")


def test_456_is_an_outcome_even_after_the_limit_is_lifted(house: House) -> None:
    seat = house.seat("90.00")
    house.limit(seat, "stake_bet", 999)
    bet = house.fields(seat, "BetPlacing", "10.00")
    assert told(house.form(bet)) == (456, None)
    house.limit(seat, "stake_bet", 10_000)
    assert told(house.form(bet)) == (456, None)


def test_405_is_an_outcome_even_after_the_block_is_lifted(house: House) -> None:
    seat = house.seat("90.00")
    house.block(seat)
    bet = house.fields(seat, "BetPlacing", "10.00")
    assert told(house.form(bet)) == (405, None)
    house.sql(
        "UPDATE wallets SET blocked = false, revision = revision + 1 FROM players p"
        " WHERE p.player_id = wallets.player_id AND user_id = $1",
        seat.user_id,
    )
    assert told(house.form(bet)) == (405, None)


def test_an_abort_s_409_is_an_outcome_even_after_another_bet(house: House) -> None:
    seat = house.seat("90.00")
    house.move(seat, "BetPlacing", "10.00")
    house.move(seat, "BetPlacingAbort", "10.00")
    late = house.fields(seat, "BetPlacingAbort", "10.00")
    assert told(house.form(late)) == (409, "90.00")
    house.move(seat, "BetPlacing", "9.00")
    assert told(house.form(late)) == (409, "81.00")


def test_404_406_410_417_and_400_leave_no_outcome(house: House) -> None:
    seat = house.seat("90.00")
    win = house.fields(seat, "Win", "10.00")
    assert house.form({**win, "userId": "nobody"}).code == 404
    assert house.form({**win, "token": "nobody's"}).code == 417
    assert house.form({**win, "amount": "10.001"}).code == 400
    assert house.form({**win, "eventType": "Lost"}).code == 400
    assert house.form(win).code == 406
    bet = house.fields(seat, "BetPlacing", "10.00")
    assert house.form({**bet, "token": house.expired(seat)}).code == 410
    assert told(house.form(bet)) == (0, "80.00")
    assert told(house.form(win)) == (0, "90.00")


def test_the_zero_debit_of_a_promo_win_does_not_take_its_credit_s_id(house: House) -> None:
    seat = house.seat("90.00")
    zero = house.fields(seat, "PromoWin", "0.00", direction="debit")
    assert house.form(zero).code == 0
    assert told(house.form({**zero, "direction": "credit", "amount": "7.00"})) == (0, "97.00")
    assert house.form(zero).code == 409
    assert house.form({**zero, "direction": "credit", "amount": "7.00"}).code == 409


def test_a_bet_that_its_abort_overtook_is_refused_for_ever(house: House) -> None:
    seat = house.seat("90.00")
    abort = house.fields(seat, "BetPlacingAbort", "10.00")
    bet = house.fields(seat, "BetPlacing", "10.00")
    assert told(house.form(abort)) == (406, "90.00")
    assert house.form(bet).code == 400
    assert house.form(bet).code == 400
    assert told(house.form(abort)) == (409, "90.00")
    assert told(house.move(seat, "BetPlacing", "10.00")) == (0, "80.00")
    decisions = [row["decision"] for row in house.journal(seat)]
    assert decisions == ["BET_OVERTAKEN", "ALREADY_GIVEN_BACK", "ACCEPTED"]
