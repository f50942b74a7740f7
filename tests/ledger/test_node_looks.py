"""How a look at a node reads what comes from several nodes, without any of them."""

from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from app.ledger.event_log.node_looks import (
    Known,
    Seen,
    Unnumbered,
    in_ledger_order,
    strangers_of,
)
from app.ledger.sqlstates import is_away

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)


def row(kind: int, place: int, rank: int, second: int) -> Unnumbered:
    """A row of one player."""
    return Unnumbered("house", 7, kind, place, rank, "", NOON + timedelta(seconds=second))


def test_a_players_events_are_in_the_ledgers_order_though_two_nodes_clocks_differ() -> None:
    ordered = [
        row(1, 0, 1, 11),
        row(3, 2, 1, 9),
        row(3, 3, 1, 8),
        row(3, 3, 2, 8),
        row(2, 4, 1, 10),
        row(3, 4, 1, 12),
    ]
    for turn in range(len(ordered)):
        assert in_ledger_order([*ordered[turn:], *ordered[:turn]]) == ordered


def test_a_snapshot_is_read_as_it_is_written() -> None:
    for text in ("3:3:", "7:9:7", "7:12:7,9,10"):
        assert Seen.of(text).text == text
    assert Seen.of("7:12:7,9,10").until(9).text == "7:10:7,9"
    assert Seen.of("7:12:7").until(6).text == "7:7:"


def test_every_id_is_of_this_node_or_seen_or_looked_for() -> None:
    known = {1: Known(5, Seen(100, (90, 97))), 4: Known(6, Seen(3))}
    lows, highs, single = strangers_of(2, known)
    ranges = [(int(low), int(high)) for low, high in zip(lows, highs, strict=True)]

    def is_looked_for(node: int, xid: int) -> bool:
        id_ = (node << 48) + xid
        return str(id_) in single or any(low <= id_ < high for low, high in ranges)

    assert not is_looked_for(1, 99)
    assert not is_looked_for(2, 1)
    assert not is_looked_for(2, 2**48 - 1)
    for node, xid in ((0, 8), (1, 90), (1, 97), (1, 100), (3, 3), (4, 3), (5, 3), (30_000, 8)):
        assert is_looked_for(node, xid)


@pytest.mark.parametrize(
    "words",
    [
        "could not serialize access due to read/write dependencies among transactions",
        "while executing command on 10.0.0.2:5432",
        "could not commit transaction for shard 102008 on at least one active node",
        "failure on connection marked as essential: 127.0.0.1:43643",
        "execution cannot recover from multiple connection failures. Last node failed db1:5432",
        "could not establish any connections to the node db1:5432 after 30000 ms",
    ],
)
def test_a_conflict_on_another_node_leaves_the_outcome_unknown(words: str) -> None:
    assert is_away(asyncpg.InternalServerError(words))


def test_an_internal_error_of_this_server_is_a_fault() -> None:
    assert not is_away(asyncpg.InternalServerError("cache lookup failed for relation 7"))
