"""Callers who end their side, callers who hang up, and callers who impersonate others."""

import json
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from urllib.parse import urlencode

import asyncpg
import pytest

from tests.cashier.homes import servers, wallet_held
from tests.cashier.locks import waiting_at
from tests.conftest import Database
from tests.edges.callback.house import House, Seat, open_house, sign


@pytest.fixture
def seat(house: House) -> Seat:
    return house.seat("100.00")


def request(fields: dict[str, str], *headers: str) -> bytes:
    """A signed moveFunds, as bytes."""
    body = urlencode(fields)
    lines = [
        "POST /moveFunds HTTP/1.1",
        "Host: wallet",
        f"Hash-Authorization: {sign(fields)}",
        "Content-Type: application/x-www-form-urlencoded",
        f"Content-Length: {len(body)}",
        *headers,
    ]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


@contextmanager
def held_up(house: House, seat: Seat) -> Iterator[None]:
    """Hold the wallet's lock."""

    holder = AsyncExitStack()
    house.run(holder.enter_async_context(wallet_held(house.superuser_url, seat.user_id)))
    try:
        yield
    finally:
        house.run(holder.aclose())


def waits(house: House) -> bool:
    """Whether a transaction of the service waits for a lock."""
    there = house.run(servers(house.superuser_url))
    return bool(house.run(waiting_at(there)))


def soon(condition: Callable[[], object]) -> bool:
    for _ in range(400):
        if condition():
            return True
        time.sleep(0.01)
    return False


def unanswered(house: House, seat: Seat) -> list[asyncpg.Record]:
    return house.sql(
        "SELECT * FROM ops.unanswered WHERE user_id = $1 AND came_back_at IS NULL", seat.user_id
    )


def said(connection: socket.socket) -> bytes:
    connection.settimeout(10)
    heard = b""
    while part := connection.recv(65536):
        heard += part
    return heard


def connect(house: House) -> socket.socket:
    return socket.create_connection(("127.0.0.1", house.port), timeout=10)


@pytest.mark.parametrize("breaks", [False, True], ids=["hangs up", "breaks"])
def test_a_caller_who_leaves_while_their_movement_waits_is_counted_and_it_is_listed(
    house: House, seat: Seat, *, breaks: bool
) -> None:
    bet, gone = house.fields(seat, "BetPlacing", "10.00"), house.requests.gone
    with held_up(house, seat):
        connection = connect(house)
        connection.sendall(request(bet))
        assert waits(house)
        if breaks:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
        time.sleep(0.1)
        assert unanswered(house, seat) == []
    assert soon(lambda: unanswered(house, seat))
    assert house.requests.gone == gone + 1
    assert house.balance(seat) == ("90.00", "0.00")
    assert house.form(bet).code == 409
    assert soon(lambda: not unanswered(house, seat))
    assert house.balance(seat) == ("90.00", "0.00")


def test_a_caller_who_ends_their_side_hears_of_their_movement_and_it_is_not_listed(
    house: House, seat: Seat
) -> None:
    bet, gone = house.fields(seat, "BetPlacing", "10.00"), house.requests.gone
    with connect(house) as connection:
        with held_up(house, seat):
            connection.sendall(request(bet))
            connection.shutdown(socket.SHUT_WR)
            assert waits(house)
            time.sleep(0.1)
        assert said(connection).endswith(
            b'"balance":90.00,"realBalance":90.00,"bonusBalance":0.00}'
        )
    assert house.requests.gone == gone
    assert unanswered(house, seat) == []


def test_a_caller_who_ends_their_side_hears_their_balance(house: House, seat: Seat) -> None:
    fields = {"token": seat.token, "userId": seat.user_id}
    line = f"GET /getBalance?{urlencode(fields)} HTTP/1.1\r\nHost: wallet\r\n"
    with connect(house) as connection:
        connection.sendall(f"{line}Hash-Authorization: {sign(fields)}\r\n\r\n".encode())
        connection.shutdown(socket.SHUT_WR)
        assert b'"realBalance":100.00' in said(connection)


UPGRADES = {
    "curl --http2": ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAM"),
    "another": ("Connection: Upgrade", "Upgrade: foo"),
}


@pytest.mark.parametrize("headers", UPGRADES.values(), ids=UPGRADES)
def test_a_bet_that_offers_an_upgrade_is_an_ordinary_bet(
    house: House, seat: Seat, headers: tuple[str, ...]
) -> None:
    bet = request(house.fields(seat, "BetPlacing", "10.00"), *headers)
    with connect(house) as connection:
        head, _, body = bet.partition(b"\r\n\r\n")
        connection.sendall(head + b"\r\n\r\n")
        time.sleep(0.05)
        connection.sendall(body)
        connection.shutdown(socket.SHUT_WR)
        answer = said(connection)
    assert json.loads(answer.partition(b"\r\n\r\n")[2], parse_float=str)["balance"] == "90.00"
    assert house.balance(seat) == ("90.00", "0.00")


@pytest.mark.parametrize("way", ["on", "off"])
def test_nobody_gets_past_the_list_of_networks_in_the_body_of_another_request(
    db: Database, way: str
) -> None:
    networks = {"trusted_networks": "203.0.113.0/24", "proxy_networks": "127.0.0.0/8"}
    with open_house(db, fast_path=way, **networks) as house:
        seat = house.seat("100.00")
        bet = house.fields(seat, "BetPlacing", "7.00")
        forged = request(bet, "X-Forwarded-For: 203.0.113.5")
        outer = (
            "GET /transfer/v1/nope HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: foo\r\n"
            f"Content-Length: {len(forged)}\r\nX-Forwarded-For: 198.51.100.7\r\n\r\n"
        )
        with connect(house) as connection:
            connection.sendall(outer.encode())
            time.sleep(0.05)
            connection.sendall(forged)
            connection.shutdown(socket.SHUT_WR)
            assert said(connection).count(b"HTTP/1.1 ") == 1
        assert house.journal(seat) == []
