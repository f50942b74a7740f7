"""Many deliveries at once, over HTTP, on real commits."""

import functools
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from tests.at_once import at_once
from tests.conftest import Database
from tests.edges.callback.house import House, Reply, open_house


def codes(replies: list[Reply]) -> Counter[int]:
    assert {reply.status for reply in replies} == {200}
    return Counter(reply.code for reply in replies)


def test_thirty_deliveries_of_one_bet_charge_once(house: House) -> None:
    seat = house.seat("90.00")
    bet = house.fields(seat, "BetPlacing", "10.00")
    replies = at_once([functools.partial(house.form, bet)] * 30)
    assert codes(replies) == {0: 1, 409: 29}
    assert {reply.balance for reply in replies} == {"80.00"}
    assert house.balance(seat) == ("80.00", "0.00")
    assert len(house.journal(seat)) == 1


def test_thirty_deliveries_of_one_refused_bet_are_refused_alike(house: House) -> None:
    seat = house.seat("5.00")
    bet = house.fields(seat, "BetPlacing", "10.00")
    calls: list[Callable[[], Reply]] = [functools.partial(house.form, bet)] * 29
    replies = at_once([*calls, lambda: house.move(seat, "PromoWin", "100.00")])
    refused = codes(replies[:29])
    # The promotion may come first, in the middle or last; the bet is charged once or never.
    assert refused in ({402: 29}, {0: 1, 409: 28})
    assert house.form(bet).code == (402 if refused[402] else 409)
    assert house.balance(seat)[0] == ("105.00" if refused[402] else "95.00")


def test_twenty_bets_racing_for_money_for_five_are_exactly_five(house: House) -> None:
    seat = house.seat("50.00")
    bets = [house.fields(seat, "BetPlacing", "10.00", eventId=f"race-{n}") for n in range(20)]
    replies = at_once([functools.partial(house.form, bet) for bet in bets])
    assert codes(replies) == {0: 5, 402: 15}
    assert house.balance(seat) == ("0.00", "0.00")
    assert sorted(reply.balance or "" for reply in replies if reply.code == 0) == [
        *("0.00", "10.00", "20.00", "30.00", "40.00")
    ]


def test_two_players_with_one_id_are_charged_one(house: House) -> None:
    for _ in range(5):
        seats = [house.seat("50.00") for _ in range(2)]
        bet = house.fields(seats[0], "BetPlacing", "10.00")
        replies = at_once(
            [
                functools.partial(house.form, {**bet, "userId": seat.user_id, "token": seat.token})
                for seat in seats * 4
            ]
        )
        assert codes(replies) == {0: 1, 409: 7}
        assert sorted(house.balance(seat)[0] for seat in seats) == ["40.00", "50.00"]


def test_an_abort_delivered_eight_times_gives_back_once(house: House) -> None:
    seat = house.seat("50.00")
    house.move(seat, "BetPlacing", "10.00")
    house.move(seat, "BetPlacing", "10.00")
    abort = house.fields(seat, "BetPlacingAbort", "10.00")
    assert codes(at_once([functools.partial(house.form, abort)] * 8)) == {0: 1, 409: 7}
    assert house.balance(seat) == ("40.00", "0.00")


def test_eight_aborts_of_one_bet_give_back_once(house: House) -> None:
    seat = house.seat("50.00")
    house.move(seat, "BetPlacing", "10.00")
    aborts = [house.fields(seat, "BetPlacingAbort", "10.00") for _ in range(8)]
    replies = at_once([functools.partial(house.form, abort) for abort in aborts])
    assert codes(replies) == {0: 1, 409: 7}
    assert house.balance(seat) == ("50.00", "0.00")


def test_a_bet_and_its_abort_together_leave_the_balance(house: House) -> None:
    for n in range(8):
        seat = house.seat("50.00")
        bet = house.fields(seat, "BetPlacing", "10.00", eventId=f"together-{n}")
        abort = house.fields(seat, "BetPlacingAbort", "10.00", eventId=f"together-{n}")
        placed, aborted = at_once(
            [functools.partial(house.form, bet), functools.partial(house.form, abort)]
        )
        if placed.code == 0:
            assert aborted.code == 0
        else:
            assert (placed.code, aborted.code) == (400, 406)
            assert [row["decision"] for row in house.journal(seat)] == ["BET_OVERTAKEN"]
            # The aggregator asks again, as it does after every 406 of money.
            assert house.form(abort).code == 409
        assert house.balance(seat) == ("50.00", "0.00")


@pytest.fixture(scope="module")
def second_house(house: House, module_db: Database) -> Iterator[House]:
    """A second server process, as far as the ledger can tell: its own batcher and connections."""
    assert house.port
    with open_house(module_db) as second:
        yield second


def test_two_servers_charge_once(house: House, second_house: House) -> None:
    seat = house.seat("90.00")
    bet = house.fields(seat, "BetPlacing", "10.00")
    calls = [functools.partial(server.form, bet) for server in (house, second_house)] * 15
    replies = at_once(calls)
    assert codes(replies) == {0: 1, 409: 29}
    assert house.balance(seat) == ("80.00", "0.00")


def test_two_servers_sell_money_for_five_to_five(house: House, second_house: House) -> None:
    seat = house.seat("50.00")
    bets = [house.fields(seat, "BetPlacing", "10.00", eventId=f"race-{n}") for n in range(20)]
    servers = [house, second_house] * 10
    calls = [functools.partial(s.form, bet) for s, bet in zip(servers, bets, strict=True)]
    assert codes(at_once(calls)) == {0: 5, 402: 15}
    assert house.balance(seat) == ("0.00", "0.00")
