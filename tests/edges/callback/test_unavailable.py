"""Unknown outcomes: 503 in the contract's shape, and the retry returns the outcome."""

import asyncio
import functools
import socket
import time
from collections.abc import Callable, Iterator

import pytest

from tests.at_once import at_once
from tests.cashier.homes import wallet_held
from tests.edges.callback.house import House, Reply, Seat
from tests.edges.database_away import database_away

ASK_AGAIN = "the outcome is not known, ask again"


@pytest.fixture(scope="module")
def choices() -> dict[str, object]:
    return {"deadline_seconds": "1.5"}


def is_ask_again(reply: Reply) -> bool:
    return (reply.status, reply.code, reply.balance, reply.words) == (503, 400, None, ASK_AGAIN)


@pytest.fixture
def seat(house: House) -> Seat:
    return house.seat("90.00")


@pytest.fixture
def away(house: House, seat: Seat) -> Iterator[None]:
    assert house.balance(seat)  # He was seated before.
    with database_away(house):
        yield


def test_a_movement_hears_503_while_the_database_is_away_and_moves_once_after(
    house: House, seat: Seat
) -> None:
    bet = house.fields(seat, "BetPlacing", "10.00")
    with database_away(house):
        assert is_ask_again(house.form(bet))
    time.sleep(1.6)
    assert house.form(bet).code in {0, 409}
    assert house.balance(seat) == ("80.00", "0.00")
    assert len(house.journal(seat)) == 1


@pytest.mark.usefixtures("away")
def test_questions_and_notices_hear_503_too(house: House, seat: Seat) -> None:
    asked = {"token": seat.token, "userId": seat.user_id}
    calls: list[Callable[[], Reply]] = [
        *(
            functools.partial(house.get, path, **asked)
            for path in ["/sessionCheck", "/playerDetails", "/getBalance", "/getUserToken"]
        ),
        lambda: house.json('{"status":"test"}', {}, path="/notification/maintenance"),
    ]
    assert [is_ask_again(reply) for reply in at_once(calls)] == [True] * 5


@pytest.mark.usefixtures("away")
def test_what_cannot_be_traced_is_not_refused(house: House, seat: Seat) -> None:
    assert is_ask_again(house.move(seat, "BetPlacing", "1e3"))


@pytest.mark.usefixtures("away")
def test_a_stranger_is_refused_without_the_ledger(house: House, seat: Seat) -> None:
    bet = house.fields(seat, "BetPlacing", "10.00")
    assert house.form(bet, key="another").words == "Request not validate"


def test_a_wallet_that_is_held_until_the_deadline_is_503_and_the_retry_is_told_the_truth(
    house: House, seat: Seat
) -> None:
    bet = house.fields(seat, "BetPlacing", "10.00")

    async def hold() -> Reply:
        async with wallet_held(house.superuser_url, seat.user_id):
            return await asyncio.to_thread(house.form, bet)

    assert is_ask_again(house.run(hold()))
    time.sleep(0.2)
    assert house.form(bet).code in {0, 409}
    assert house.balance(seat) == ("80.00", "0.00")
    assert len(house.journal(seat)) == 1


@pytest.mark.parametrize("path", ["/moveFunds", "/notification/maintenance"])
def test_a_body_that_never_ends_is_cut_off_at_the_deadline(house: House, path: str) -> None:
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n".encode()
    started = time.monotonic()
    said = house.raw(head + b"token=")
    assert said.startswith(b"HTTP/1.1 503 ")
    assert said.endswith(b'"error":"the outcome is not known, ask again"}}')
    assert 1 < time.monotonic() - started < 6


def test_an_endless_oversized_body_is_413_at_the_deadline(house: House) -> None:
    head = b"POST /moveFunds HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n\r\n"
    started = time.monotonic()
    assert house.raw(head + b"x" * 270_000).startswith(b"HTTP/1.1 413 ")
    # We hang up, since what comes next would be the rest of the body.
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("path", ["/moveFunds", "/notification/maintenance"])
def test_a_caller_who_hangs_up_harms_nobody(house: House, seat: Seat, path: str) -> None:
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\ntoken=".encode()
    with socket.create_connection(("127.0.0.1", house.port)) as connection:
        connection.sendall(head)
    assert house.move(seat, "BetPlacing", "10.00").balance == "80.00"
