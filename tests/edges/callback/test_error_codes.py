"""Each code of the contract's section 4: with or without the balance, and how it is recorded."""

from tests.edges.callback.house import House, Reply, Seat


def told(reply: Reply) -> tuple[int, int, str | None]:
    return reply.status, reply.code, reply.balance


def refusals_of(house: House, seat: Seat) -> list[str]:
    return [row["refusal"] for row in house.refusals(seat)]


def test_400_is_anything_without_a_code_of_its_own(house: House) -> None:
    seat = house.seat("90.00")
    assert told(house.move(seat, "BetPlacing", "1e3")) == (200, 400, None)
    assert told(house.move(seat, "BetPlacing", "0.001")) == (200, 400, None)
    assert refusals_of(house, seat) == ["FORMAT", "AMOUNT_TOO_FINE"]


def test_402_is_not_enough_money(house: House) -> None:
    seat = house.seat("5.00", "4.00")
    assert told(house.move(seat, "BetPlacing", "9.01")) == (200, 402, "9.00")


def test_404_is_no_such_player(house: House) -> None:
    seat = Seat("nobody", "tok")
    assert told(house.move(seat, "BetPlacing", "1.00")) == (200, 404, None)
    assert refusals_of(house, seat)[-1] == "PLAYER_UNKNOWN"


def test_405_is_a_blocked_player(house: House) -> None:
    seat = house.seat("90.00")
    house.block(seat)
    assert told(house.move(seat, "BetPlacing", "1.00")) == (200, 405, None)


def test_406_is_no_matching_debit_in_this_event(house: House) -> None:
    seat = house.seat("90.00")
    assert told(house.move(seat, "Win", "1.00")) == (200, 406, "90.00")
    assert refusals_of(house, seat) == ["NO_MATCHING_MOVEMENT"]


def test_409_is_a_transaction_id_processed_already(house: House) -> None:
    seat = house.seat("90.00")
    bet = house.fields(seat, "BetPlacing", "1.00")
    house.form(bet)
    assert told(house.form(bet)) == (200, 409, "89.00")


def test_410_is_an_expired_token(house: House) -> None:
    seat = house.seat("90.00")
    reply = house.move(seat, "BetPlacing", "1.00", token=house.expired(seat))
    assert told(reply) == (200, 410, None)
    assert refusals_of(house, seat) == ["TOKEN_EXPIRED"]


def test_417_is_a_token_not_found(house: House) -> None:
    seat = house.seat("90.00")
    assert told(house.move(seat, "BetPlacing", "1.00", token="?")) == (200, 417, None)
    assert refusals_of(house, seat) == ["TOKEN_UNKNOWN"]


def test_456_is_a_limit_exceeded(house: House) -> None:
    seat = house.seat("90.00")
    house.limit(seat, "stake_day", 1000)
    assert house.move(seat, "BetPlacing", "9.00").code == 0
    assert told(house.move(seat, "BetPlacing", "1.01")) == (200, 456, None)
    assert house.move(seat, "BetPlacing", "1.00").code == 0


def test_a_balance_that_would_not_fit_is_400_either_way(house: House) -> None:
    seat = house.seat("999999999999999999.99")
    house.move(seat, "BetPlacing", "0.00")
    assert told(house.move(seat, "Win", "0.01")) == (200, 400, None)
    assert house.balance(seat) == ("999999999999999999.99", "0.00")
    poor = house.seat()
    assert house.move(poor, "SportBetCancel", "999999999999999999.99").balance == (
        "-999999999999999999.99"
    )
    assert told(house.move(poor, "SportBetCancel", "0.01")) == (200, 400, None)


def test_crypto_has_12_and_8_digits(house: House) -> None:
    seat = house.seat("999999999999.99999999", currency="BTC")
    assert house.balance(seat) == ("999999999999.99999999", "0.00000000")
    assert house.move(seat, "BetPlacing", "0.00000001").balance == "999999999999.99999998"
    assert house.move(seat, "Win", "0.00000002").code == 400
    assert house.move(seat, "Win", "0.00000001").balance == "999999999999.99999999"
    assert house.move(seat, "BetPlacing", "0.000000001").code == 400


def test_zeros_beyond_the_scale_are_fine(house: House) -> None:
    seat = house.seat("1000", currency="KRW")
    assert house.move(seat, "BetPlacing", "500.00").balance == "500"
    assert house.move(seat, "BetPlacing", "0.50").code == 400
