"""How many connections there may be, and which are closed to make room."""

import resource
import time

import pytest

from app.server.connections import (
    CONNECTIONS_MAX,
    CONNECTIONS_MIN,
    NANOSECONDS,
    OWN_DESCRIPTORS,
    PRIVATE_CONNECTIONS_MAX,
    Connections,
    connections_max,
)


class Quiet:
    """A connection that has had no request since then."""

    def __init__(self, since: int | None) -> None:
        self.quiet_since = since
        self.expires_at = 2**63
        self.is_closed = False

    def expire(self) -> None:
        self.is_closed = True

    def make_room(self) -> None:
        self.is_closed = True
        self.quiet_since = None


@pytest.mark.parametrize(
    ("descriptors", "expected"),
    [
        (1024, 1024 - OWN_DESCRIPTORS - PRIVATE_CONNECTIONS_MAX - 9),
        (64, CONNECTIONS_MIN),
        (1_048_576, CONNECTIONS_MAX),
        (resource.RLIM_INFINITY, CONNECTIONS_MAX),
    ],
)
def test_there_are_as_many_as_descriptors_allow(
    monkeypatch: pytest.MonkeyPatch, descriptors: int, expected: int
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (descriptors, descriptors))
    assert connections_max(9) == expected


async def test_those_that_have_been_quiet_longest_give_way_and_busy_ones_do_not() -> None:
    connections = Connections(32, deadline_ns=NANOSECONDS, keep_alive_ns=NANOSECONDS)
    quiet = [Quiet(since) for since in range(1, 32)]
    busy = Quiet(None)
    for one in (*quiet, busy):
        assert connections.admit(one)
    assert connections.admit(Quiet(99))
    assert [one.is_closed for one in quiet] == [True] * 3 + [False] * 28
    assert not busy.is_closed


async def test_where_all_are_busy_there_is_no_room() -> None:
    connections = Connections(2, deadline_ns=NANOSECONDS, keep_alive_ns=NANOSECONDS)
    busy = [Quiet(None), Quiet(None)]
    for one in busy:
        assert connections.admit(one)
    assert not connections.admit(Quiet(1))
    connections.discard(busy[0])
    assert len(connections) == 2


async def test_whose_time_is_over_is_closed_at_the_next_look() -> None:
    connections = Connections(2, deadline_ns=NANOSECONDS, keep_alive_ns=NANOSECONDS)
    late, early = Quiet(1), Quiet(1)
    late.expires_at = time.monotonic_ns() - 1
    for one in (late, early):
        connections.admit(one)
    connections._look()
    assert late.is_closed
    assert not early.is_closed
