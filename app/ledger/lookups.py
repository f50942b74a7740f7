"""Lookups by transaction id, by event and by player, for support staff.

1. `entries_of_transaction`  movements under an id, whatever their source and facet
2. `refusals_of_transaction` refusals under an id that were not final
3. `links_of`                the hash before an entry, and the length of its wallet's chain
4. `rounds_of_event`         an event's rounds, one for each player and kind of money
5. `entries_of_event`        their movements
6. `last_entries`            a player's last movements
7. `agent_beside`            an agent with players here that is not one of those named
8. `transactions_of_delivery` the transaction ids that one request decided, or was refused for
9. `refusals_of_delivery`    what one request was refused without a transaction id
10. `changes_of_delivery`    the changes of accounts that one request made
11. `entry_at`               the movement at a place in a player's journal

A transaction id is found by key: the few sources are read from the index one by one. An event is
found by key if its player is named, else by a scan of the rounds.
"""

import json
from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from app.ledger.money.book import Book
from app.ledger.money.facts import tally_of
from app.ledger.money.rows import (
    delivery_uuid,
    early_abort_of,
    entry_of,
    limit_hit_of,
    minor,
)
from app.ledger.money.statements import ENTRY_COLUMNS
from app.ledger.sources import SOURCES
from app.wallet.journal import JournalEntry
from app.wallet.limits import LimitHit
from app.wallet.money import Currency
from app.wallet.refusal_record import RefusalRecord
from app.wallet.rounds import Round, RoundKey

if TYPE_CHECKING:
    import asyncpg


class OwnedEntry(NamedTuple):
    """A journal entry, its player's user id, and whether its caller never got the answer."""

    entry: JournalEntry
    user_id: str
    agent: str
    unanswered_since: datetime | None
    limit_hit: LimitHit | None = None
    """which limit refused it"""


class Links(NamedTuple):
    """The hash before an entry in its wallet's chain (None: lost), and the chain's length."""

    before: bytes | None
    last_position: int


class RoundAccount(NamedTuple):
    """A round with all its sums. Amounts in minor units of `currency`."""

    key: RoundKey
    user_id: str
    agent: str
    currency: Currency
    game_id: int | None
    opened_at: datetime
    last_at: datetime
    round: Round


_COLUMNS: Final = f"""{ENTRY_COLUMNS}, p.user_id, p.agent, u.told_at,
    CASE WHEN m.decision <> 'ACCEPTED' THEN (
        SELECT json_build_array(h.limit_name, h.limit_amount::text, h.used::text)
        FROM limit_hits h WHERE h.player_id = m.player_id AND h.position = m.position
    ) END AS limit_hit"""  # noqa: S608 - composed of constants
_OWNERS: Final = """
JOIN players p ON p.player_id = m.player_id
LEFT JOIN unanswered u ON u.player_id = m.player_id AND u.position = m.position
     AND u.came_back_at IS NULL
"""

_OF_TRANSACTION: Final = f"""{SOURCES}
SELECT {_COLUMNS}
FROM sources s
JOIN transaction_keys k ON k.source = s.source AND k.transaction_id = $1
JOIN movements m ON m.player_id = k.player_id AND m.position = k.position
{_OWNERS}
ORDER BY m.ledger_time, m.player_id, m.position
"""  # noqa: S608 - composed of constants

PLAYERS_ENTRIES: Final = f"SELECT {_COLUMNS} FROM movements m {_OWNERS} WHERE m.player_id = $1"  # noqa: S608
_OF_EVENT: Final = f"{PLAYERS_ENTRIES} AND m.event_id = $2 ORDER BY m.position"
_AT: Final = f"{PLAYERS_ENTRIES} AND m.position = $2"
_LAST: Final = f"{PLAYERS_ENTRIES} ORDER BY m.position DESC LIMIT $2"

_REFUSED: Final = """
SELECT user_id, source, operation, transaction_id, event_id, event_type, direction, amount,
       refusal, reason, differs, asked, delivery, event_time, ledger_time
FROM refusals
"""
_REFUSALS: Final = f"""{_REFUSED} WHERE transaction_id = $1
ORDER BY ledger_time DESC, refusal_id DESC LIMIT $2
"""
_REFUSALS_OF_DELIVERY: Final = f"""{_REFUSED} WHERE delivery = $1 AND transaction_id IS NULL
ORDER BY refusal_id
"""

_CHANGES_OF_DELIVERY: Final = """
SELECT p.user_id, c.source, c.operation, c.asked, c.ledger_time
FROM account_changes c JOIN players p USING (player_id)
WHERE c.delivery = $1 ORDER BY c.change_id
"""

_LINKS: Final = """
SELECT w.position AS last_position, coalesce(b.chain, o.chain_start) AS chain
FROM wallets w
LEFT JOIN account_openings o ON o.player_id = w.player_id AND $2 = 1
LEFT JOIN movements b ON b.player_id = w.player_id AND b.position = $2 - 1
WHERE w.player_id = $1
"""

_ROUNDS: Final = """
SELECT r.player_id, p.user_id, r.agent, r.event_id, r.is_streamer, r.currency, r.scale, r.game_id,
       r.opened_at, r.last_at, r.settled, r.bets_placed, r.bets_standing, r.stake_real::text,
       r.stake_bonus::text, r.staked::text, r.paid::text, r.taken_back::text, r.cancels,
       r.remainder::text, r.refused_aborts::text[],
       (SELECT json_agg(json_build_array(
                   a.transaction_id, a.amount::text,
                   (extract(epoch FROM a.first_at) * 1000000)::bigint, a.state)
               ORDER BY a.first_at, a.transaction_id)
        FROM early_aborts a
        WHERE r.has_early_aborts AND a.player_id = r.player_id AND a.event_id = r.event_id
          AND a.is_streamer = r.is_streamer)
FROM players p
JOIN rounds r ON r.player_id = p.player_id
WHERE r.event_id = $1
"""

_ROUNDS_OF_PLAYER: Final = f"{_ROUNDS} AND p.user_id = $2 ORDER BY r.is_streamer"
_ROUNDS_OF_ALL: Final = f"{_ROUNDS} ORDER BY r.opened_at, r.player_id, r.is_streamer"

_AGENT_BESIDE: Final = "SELECT agent FROM players WHERE agent <> ALL($1::text[]) LIMIT 1"


_OF_DELIVERY: Final = """
SELECT DISTINCT transaction_id FROM (
    SELECT transaction_id FROM movements WHERE delivery = $1
    UNION ALL
    SELECT transaction_id FROM refusals WHERE delivery = $1
) found WHERE transaction_id IS NOT NULL ORDER BY transaction_id
"""


async def entries_of_transaction(book: Book, transaction_id: str) -> list[OwnedEntry]:
    """Return the movements under a transaction id, oldest first."""
    rows = await book.connection.fetch(_OF_TRANSACTION, transaction_id)
    return [owned_entry(row) for row in rows]


async def refusals_of_transaction(
    book: Book, transaction_id: str, count_max: int
) -> list[RefusalRecord]:
    """Return the refusals under a transaction id that were not final, the latest first."""
    rows = await book.connection.fetch(_REFUSALS, transaction_id, count_max)
    return list(map(_refusal_of, rows))


async def links_of(book: Book, entry: JournalEntry) -> Links:
    """Return the position of an entry in its wallet's chain."""
    row = await book.connection.fetchrow(_LINKS, entry.player_id, entry.position)
    if row is None:
        raise AssertionError("a movement belongs to a wallet")
    return Links(row["chain"], row["last_position"])


async def rounds_of_event(book: Book, event_id: str, user_id: str | None) -> list[RoundAccount]:
    """Return an event's rounds, of one player or (None) of all."""
    if user_id is None:
        rows = await book.connection.fetch(_ROUNDS_OF_ALL, event_id)
    else:
        rows = await book.connection.fetch(_ROUNDS_OF_PLAYER, event_id, user_id)
    return [
        RoundAccount(
            key=RoundKey(row["player_id"], row["event_id"], row["is_streamer"]),
            user_id=row["user_id"],
            agent=row["agent"],
            currency=(currency := Currency(row["currency"], row["scale"])),
            game_id=row["game_id"],
            opened_at=row["opened_at"],
            last_at=row["last_at"],
            round=_round_of(row, currency),
        )
        for row in rows
    ]


async def entries_of_event(book: Book, player_id: int, event_id: str) -> list[OwnedEntry]:
    """Return a player's movements in an event, streamer and declined ones too; oldest first."""
    return [owned_entry(row) for row in await book.connection.fetch(_OF_EVENT, player_id, event_id)]


async def entry_at(book: Book, player_id: int, position: int) -> OwnedEntry | None:
    """Return the movement at this place; None: there is none."""
    row = await book.connection.fetchrow(_AT, player_id, position)
    return None if row is None else owned_entry(row)


def _refusal_of(row: "asyncpg.Record") -> RefusalRecord:
    return RefusalRecord(*row)._replace(delivery=row["delivery"].bytes)


async def last_entries(book: Book, player_id: int, count: int) -> list[OwnedEntry]:
    """Return a player's last movements, the latest first."""
    return [owned_entry(row) for row in await book.connection.fetch(_LAST, player_id, count)]


async def transactions_of_delivery(book: Book, delivery: bytes) -> list[str]:
    """Return the transaction ids that a request decided, or was refused for; none: unknown."""
    rows = await book.connection.fetch(_OF_DELIVERY, delivery_uuid(delivery))
    return [row["transaction_id"] for row in rows]


async def refusals_of_delivery(book: Book, delivery: bytes) -> list[RefusalRecord]:
    """Return what a request was refused without a transaction id; none: nothing."""
    rows = await book.connection.fetch(_REFUSALS_OF_DELIVERY, delivery_uuid(delivery))
    return list(map(_refusal_of, rows))


class AccountChangeNote(NamedTuple):
    """A change of an account: whose, by whom, and what was asked."""

    user_id: str
    source: str
    operation: str
    asked: str
    ledger_time: datetime


async def changes_of_delivery(book: Book, delivery: bytes) -> list[AccountChangeNote]:
    """Return the changes that a request made; they are few beside movements, and have no index."""
    rows = await book.connection.fetch(_CHANGES_OF_DELIVERY, delivery_uuid(delivery))
    return [AccountChangeNote(*row) for row in rows]


async def agent_beside(book: Book, agents: Collection[str]) -> str | None:
    """Return the agent of any player of none of these agents; None: there is no such player."""
    agent: str | None = await book.connection.fetchval(_AGENT_BESIDE, list(agents))
    return agent


def owned_entry(row: "asyncpg.Record") -> OwnedEntry:
    """Convert a row of `PLAYERS_ENTRIES`."""
    entry, hit = entry_of(row), row["limit_hit"]
    return OwnedEntry(
        entry,
        row["user_id"],
        row["agent"],
        row["told_at"],
        None if hit is None else limit_hit_of(json.loads(hit), entry.currency),
    )


def _round_of(row: "asyncpg.Record", currency: Currency) -> Round:
    """Convert a row of `_ROUNDS` into a `Round` without history."""
    *sums, untimed, aborts = row[11:]
    return Round(
        tally_of(sums, currency),
        row["settled"],
        tuple(early_abort_of(values, currency) for values in json.loads(aborts or "[]")),
        frozenset([minor(text, currency) for text in untimed]),
    )
