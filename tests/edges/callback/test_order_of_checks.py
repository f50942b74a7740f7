"""The order of checks in the contract's section 4: each is reported before the next."""

import pytest

from tests.edges.callback.house import House, sign, unique

NOT_SIGNED = "Request not validate"


def test_1_size_is_told_before_the_signature(house: House) -> None:
    reply = house.call("POST", "/moveFunds", body=b"x" * 262_145)
    assert (reply.status, reply.code) == (413, 400)


def test_1_encoding_is_told_before_the_signature(house: House) -> None:
    reply = house.call("POST", "/moveFunds", body=b"a=%ff")
    assert (reply.status, reply.code) == (200, 400)
    assert reply.words != NOT_SIGNED


def test_2_the_signature_is_told_before_the_format(house: House) -> None:
    reply = house.call("POST", "/moveFunds", body=b"amount=-1")
    assert (reply.status, reply.code, reply.words) == (200, 400, NOT_SIGNED)


def test_3_the_format_is_told_before_the_player(house: House) -> None:
    seat = house.seat()
    assert house.move(seat, "BetPlacing", "-1", userId="nobody").code == 400


def test_4_an_unknown_player_is_told_before_the_amount_and_the_transaction_id(
    house: House,
) -> None:
    seat = house.seat("90.00")
    used = unique("tx")
    house.move(seat, "BetPlacing", "10.00", transactionId=used)
    for amount in ["10.00", "0.001"]:
        reply = house.move(seat, "BetPlacing", amount, transactionId=used, userId="nobody")
        assert (reply.code, reply.balance) == (404, None)


def test_4_an_amount_finer_than_the_currency_is_told_before_the_transaction_id(
    house: House,
) -> None:
    seat = house.seat("90.00")
    used = unique("tx")
    house.move(seat, "BetPlacing", "10.00", transactionId=used)
    assert house.move(seat, "BetPlacing", "10.001", transactionId=used).code == 400
    assert house.move(seat, "BetPlacing", "10.000", transactionId=used).code == 409


def test_5_a_retry_of_an_all_in_bet_hears_409_and_not_402(house: House) -> None:
    seat = house.seat("90.00")
    bet = house.fields(seat, "BetPlacing", "90.00")
    assert house.form(bet).balance == "0.00"
    reply = house.form(bet)
    assert (reply.code, reply.balance) == (409, "0.00")


def test_5_a_retry_after_the_token_died_hears_409_and_not_410_or_417(house: House) -> None:
    seat = house.seat("90.00")
    bet = house.fields(seat, "BetPlacing", "10.00")
    house.form(bet)
    assert house.form({**bet, "token": house.expired(seat)}).code == 409
    assert house.form({**bet, "token": "nobody's"}).code == 409


def test_5_a_retry_after_a_block_or_a_limit_hears_409_and_not_405_or_456(house: House) -> None:
    seat = house.seat("90.00")
    bet = house.fields(seat, "BetPlacing", "10.00")
    house.form(bet)
    house.limit(seat, "stake_bet", 1)
    assert house.form(bet).code == 409
    house.block(seat)
    assert house.form(bet).code == 409


def test_5_a_retry_of_an_abort_hears_409_and_the_event_is_not_asked(house: House) -> None:
    seat = house.seat("90.00")
    house.move(seat, "BetPlacing", "10.00")
    abort = house.fields(seat, "BetPlacingAbort", "10.00")
    assert house.form(abort).code == 0
    house.move(seat, "BetPlacing", "10.00")
    reply = house.form(abort)
    assert (reply.code, reply.balance) == (409, "80.00")


@pytest.mark.parametrize("event_type", ["BetPlacing", "Win"])
def test_6_a_token_of_another_player_is_unknown(house: House, event_type: str) -> None:
    seat, other = house.seat("90.00"), house.seat("90.00")
    assert house.move(seat, event_type, "10.00", token=other.token).code == 417


def test_6_the_token_is_told_before_the_block(house: House) -> None:
    seat = house.seat("90.00")
    house.block(seat)
    assert house.move(seat, "BetPlacing", "10.00", token="nobody's").code == 417
    assert house.move(seat, "BetPlacing", "10.00", token=house.expired(seat)).code == 410


def test_6_the_token_is_told_before_the_event(house: House) -> None:
    seat = house.seat("90.00")
    assert house.move(seat, "Win", "10.00", token="nobody's").code == 417


def test_7_the_block_is_told_before_limits_and_funds(house: House) -> None:
    seat = house.seat("5.00")
    house.limit(seat, "stake_bet", 1)
    house.block(seat)
    assert house.move(seat, "BetPlacing", "10.00").code == 405


def test_8_the_event_is_told_before_funds(house: House) -> None:
    seat = house.seat("5.00")
    assert house.move(seat, "BetPayedAbort", "10.00").code == 406


def test_9_a_limit_is_told_before_funds(house: House) -> None:
    seat = house.seat("5.00")
    house.limit(seat, "stake_bet", 900)
    assert house.move(seat, "BetPlacing", "10.00").code == 456
    assert house.move(seat, "BetPlacing", "9.00").code == 402


def test_10_a_refusal_leaves_no_money_moved_and_an_answer_is_in_the_journal(
    house: House,
) -> None:
    seat = house.seat("90.00")
    house.move(seat, "BetPlacing", "10.00")
    house.move(seat, "BetPlacing", "500.00")
    rows = house.journal(seat)
    assert [row["decision"] for row in rows] == ["ACCEPTED", "INSUFFICIENT_FUNDS"]
    assert [row["real_after"] for row in rows] == [80, 80]


def test_the_signature_covers_the_fields_that_are_read(house: House) -> None:
    """A signed query beside a body is ignored, and a signed body hides the query."""
    seat = house.seat("90.00")
    signed = house.fields(seat, "BetPlacing", "10.00")
    headers = {"Hash-Authorization": sign(signed)}
    query = str(house.client.build_request("GET", "/", params=signed).url.query, "ascii")
    other = query.replace("amount=10.00", "amount=90.00").encode()
    assert house.call("POST", "/moveFunds", body=other, query=query, headers=headers).code == 400
    assert house.balance(seat) == ("90.00", "0.00")
