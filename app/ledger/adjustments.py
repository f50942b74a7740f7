"""Requests for adjustments, their decisions, and the refused movements that they may settle.

1. `keep_request`       appends a request, and returns its number
2. `find_adjustment`    one request, with its decision
3. `list_adjustments`   the latest of a state
4. `keep_rejection`     appends the decision that nothing is to be moved; an approval is appended by
                        `record_adjustment_v1`, in the transaction of its movement, or where
                        buckets are on nodes by
   `keep_approval`      after its movement
5. `count_waiting`      the requests that wait for a decision
6. `request_with_key`   the request that waits for a key, or has taken it
7. `refused_under`      the movements of a player that were refused under a transaction id
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from app.ledger.money.book import Approval, Book
from app.ledger.money.rows import minor
from app.ledger.players import user_ids_of
from app.wallet.adjustments import (
    Adjustment,
    AdjustmentReason,
    AdjustmentState,
    RefusedMovement,
    Signature,
)
from app.wallet.balance import Pockets
from app.wallet.events import Direction, Pocket
from app.wallet.journal import JournalEntry
from app.wallet.money import Currency, Minor
from app.wallet.movement import Key
from app.wallet.operators import Operator

if TYPE_CHECKING:
    import asyncpg


class Wanted(NamedTuple):
    """What is asked for, checked against the player's currency."""

    player_id: int
    direction: Direction
    pocket: Pocket
    amount: Minor
    currency: Currency
    reason: AdjustmentReason
    ticket: str
    note: str | None
    settles: RefusedMovement | None


class RefusedUnderId(NamedTuple):
    """A movement of a player that was refused under a transaction id."""

    source: str
    event_type: str
    direction: str
    amount: str
    """in major units, as sent"""
    event_id: str | None
    is_final: bool
    holder: str | None
    """What holds its key now: None, `accepted`, `adjusted`, or `refused` for ever.

    An entry of the narrow key scope holds it too, if it has the same event type and direction.
    """
    is_wide: bool
    """whether the holder has the key in its wide form, so that no adjustment can take it"""


_KEEP: Final = """
INSERT INTO adjustments (player_id, direction, pocket, currency, scale, amount, reason, ticket,
    note, source, transaction_id, facet, event_id, proposed_by, proposed_is_verified, proposed_via,
    proposed_from, proposed_at, expires_at)
SELECT $1, $2, $3, $4, $5, $6::text::numeric, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17,
       n.moment, n.moment + $18::interval
FROM (SELECT coalesce($19::timestamptz, now()) AS moment) n
RETURNING adjustment_id
"""

_ADJUSTMENT: Final = """
SELECT a.adjustment_id, a.player_id, a.direction, a.pocket, a.amount::text, a.currency,
       a.scale, a.reason, a.ticket, a.note, a.source, a.transaction_id, a.facet, a.event_id,
       a.proposed_by, a.proposed_is_verified, a.proposed_via, a.proposed_from, a.proposed_at,
       a.expires_at, d.decision, d.decided_by, d.decided_is_verified, d.decided_via,
       d.decided_from, d.decided_at, d.note AS decision_note, d.position,
       coalesce($1::timestamptz, now()) >= a.expires_at AS is_late
FROM adjustments a
LEFT JOIN adjustment_decisions d ON d.adjustment_id = a.adjustment_id
"""

_FIND: Final = f"{_ADJUSTMENT} WHERE a.adjustment_id = $2"

_NUMBER: Final = "SELECT player_id FROM players WHERE user_id = $1"
"""Players are looked up by themselves: where they are on several nodes, a join reads them all."""

_STATE: Final = """
coalesce(d.decision, CASE WHEN coalesce($1::timestamptz, now()) >= a.expires_at
                          THEN 'expired' ELSE 'open' END)
"""

_LIST: Final = f"""{_ADJUSTMENT}
WHERE ($2::text IS NULL OR {_STATE} = $2) AND ($3::bigint IS NULL OR a.player_id = $3)
ORDER BY a.adjustment_id DESC LIMIT $4
"""

# The latest that waits or was approved: what was rejected, or expired, may be asked for again.
_WITH_KEY: Final = f"""{_ADJUSTMENT}
WHERE a.source = $2 AND a.transaction_id = $3 AND a.facet = $4
  AND {_STATE} IN ('open', 'approved')
ORDER BY a.adjustment_id DESC LIMIT 1
"""

_REJECT: Final = """
INSERT INTO adjustment_decisions (adjustment_id, decision, decided_by, decided_is_verified,
    decided_via, decided_from, decided_at, note, solo_max)
VALUES ($1, 'rejected', $2, $3, $4, $5, coalesce($7::timestamptz, now()), $6, 0)
ON CONFLICT DO NOTHING RETURNING true
"""

# What record_adjustment_v1 checks of an approval; the movement is there, on its player's node.
_APPROVE: Final = """
INSERT INTO adjustment_decisions (adjustment_id, decision, decided_by, decided_is_verified,
    decided_via, decided_from, decided_at, note, solo_max, player_id, position)
SELECT a.adjustment_id, 'approved', $2, $3, $4, $5, $8, $6, $7::text::numeric, a.player_id, $9
FROM adjustments a
WHERE a.adjustment_id = $1 AND a.expires_at > $8
  AND (a.player_id, a.direction, a.amount) = ($10, $11, $12::text::numeric)
  AND (a.amount <= $7::text::numeric
       OR (a.proposed_by <> $2 AND a.proposed_is_verified AND $3))
ON CONFLICT DO NOTHING RETURNING true
"""

_WAITING: Final = """
SELECT count(*) FROM adjustments a
WHERE a.expires_at > coalesce($1::timestamptz, now())
  AND NOT EXISTS (
      SELECT FROM adjustment_decisions d WHERE d.adjustment_id = a.adjustment_id OFFSET 0)
"""

_POCKETS: Final = "SELECT real::text, bonus::text FROM wallets WHERE player_id = $1"

_REFUSALS: Final = """
SELECT source, event_type, direction, amount, event_id, ledger_time
FROM refusals
WHERE transaction_id = $1 AND user_id = $2 AND event_type IS NOT NULL
  AND direction IN ('debit', 'credit') AND amount IS NOT NULL
"""

_KEYS: Final = """
SELECT source, facet, player_id, position FROM transaction_keys
WHERE source = ANY($1::text[]) AND transaction_id = $2
"""

_DECIDED: Final = """
SELECT decision, event_type, direction, round(amount, scale)::text AS amount, event_id, ledger_time
FROM movements WHERE player_id = $1 AND position = $2
"""
"""Each is asked by itself: where players are on several nodes, a join reads whole tables."""


async def keep_request(book: Book, wanted: Wanted, operator: Operator, life: timedelta) -> int:
    """Append a request, and return its number."""
    settles = wanted.settles
    source, transaction_id, facet = settles.key if settles else (None, None, None)
    number: int = await book.connection.fetchval(
        _KEEP,
        wanted.player_id,
        wanted.direction.value,
        wanted.pocket.value,
        wanted.currency.code,
        wanted.currency.scale,
        wanted.currency.text(wanted.amount),
        wanted.reason.value,
        wanted.ticket,
        wanted.note,
        source,
        transaction_id,
        facet,
        settles.event_id if settles else None,
        operator.name,
        operator.is_verified,
        operator.via.value,
        operator.source,
        life,
        book.now_given(),
    )
    return number


async def find_adjustment(book: Book, adjustment_id: int) -> Adjustment | None:
    """Return a request with its decision, or None."""
    rows = await book.connection.fetch(_FIND, book.now_given(), adjustment_id)
    found = await _adjustments_of(book, rows)
    return found[0] if found else None


async def list_adjustments(
    book: Book, *, state: AdjustmentState | None, user_id: str | None, count_max: int
) -> list[Adjustment]:
    """Return the latest requests, of one state and one player or (None) of all."""
    player_id = None
    if user_id is not None:
        player_id = await book.connection.fetchval(_NUMBER, user_id)
        if player_id is None:
            return []
    rows = await book.connection.fetch(
        _LIST, book.now_given(), state.value if state else None, player_id, count_max
    )
    return await _adjustments_of(book, rows)


async def request_with_key(book: Book, key: Key) -> Adjustment | None:
    """Return the request that waits for this key, or has taken it; None: there is none."""
    rows = await book.connection.fetch(_WITH_KEY, book.now_given(), *key)
    found = await _adjustments_of(book, rows)
    return found[0] if found else None


async def keep_rejection(
    book: Book, adjustment_id: int, operator: Operator, note: str | None
) -> bool:
    """Append a rejection; False: the request was decided already."""
    is_kept = await book.connection.fetchval(
        _REJECT,
        adjustment_id,
        operator.name,
        operator.is_verified,
        operator.via.value,
        operator.source,
        note,
        book.now_given(),
    )
    return is_kept is True


async def keep_approval(book: Book, approval: Approval, entry: JournalEntry) -> bool:
    """Append the approval of an adjustment that was moved on its player's node.

    False: it has a decision, or is not what was asked for and who may approve it.
    """
    is_kept = await book.connection.fetchval(
        _APPROVE,
        approval.adjustment_id,
        approval.decided_by,
        approval.is_verified,
        approval.via,
        approval.came_from,
        approval.note,
        approval.solo_max,
        entry.ledger_time,
        entry.position,
        entry.player_id,
        entry.direction.value,
        entry.currency.text(entry.amount),
    )
    return is_kept is True


async def count_waiting(book: Book) -> int:
    """Count the requests that wait for a decision."""
    waiting: int = await book.connection.fetchval(_WAITING, book.now_given())
    return waiting


async def pockets_of(book: Book, player_id: int, currency: Currency) -> Pockets:
    """Return a player's pockets now."""
    row = await book.connection.fetchrow(_POCKETS, player_id)
    if row is None:
        raise AssertionError("a player has a wallet")
    return Pockets(minor(row["real"], currency), minor(row["bonus"], currency))


async def refused_under(
    book: Book, transaction_id: str, user_id: str, sources: list[str]
) -> list[RefusedUnderId]:
    """Return what was refused for a player under an id, the latest of each source and kind.

    `sources` are those in which refusals for ever are looked up.
    """
    fetch = book.connection.fetch
    found: list[_Refused] = []
    for source, event_type, direction, amount, event_id, at in await fetch(
        _REFUSALS, transaction_id, user_id
    ):
        found.append(
            _Refused(source, event_type, direction, amount, event_id, is_final=False, at=at)
        )
    player_id = await book.connection.fetchval(_NUMBER, user_id)
    held: list[_Held] = []
    asked = sorted({*sources, *(refused.source for refused in found)})
    for source, facet, whose, position in await fetch(_KEYS, asked, transaction_id):
        ((decision, event_type, direction, amount, event_id, at),) = await fetch(
            _DECIDED, whose, position
        )
        held.append(_Held(source, facet, event_type, direction, decision))
        if whose == player_id and source in sources and decision != "ACCEPTED":
            found.append(
                _Refused(source, event_type, direction, amount, event_id, is_final=True, at=at)
            )
    latest = {each[:3]: each for each in sorted(found, key=lambda each: each.at)}
    return [_with_holder(latest[kind], held) for kind in sorted(latest)]


class _Refused(NamedTuple):
    source: str
    event_type: str
    direction: str
    amount: str
    event_id: str | None
    is_final: bool
    at: datetime


class _Held(NamedTuple):
    """An entry under the id, and the facet of its key."""

    source: str
    facet: str
    event_type: str
    direction: str
    decision: str


def _with_holder(refused: _Refused, held: Sequence[_Held]) -> RefusedUnderId:
    """Say what holds the key of a refused movement; its wide form comes before the narrow one."""
    kind = (refused.event_type, refused.direction)
    holders = [
        each
        for each in held
        if each.source == refused.source
        and (
            each.facet == ":".join(kind)
            or (not each.facet and (each.event_type, each.direction) == kind)
        )
    ]
    holder, is_wide = None, False
    if holders:
        first = max(holders, key=lambda each: each.facet)
        is_wide = bool(first.facet)
        accepted = "accepted" if first.decision == "ACCEPTED" else "refused"
        holder = "adjusted" if first.event_type == "Adjustment" else accepted
    return RefusedUnderId(*refused[:-1], holder, is_wide)


async def _adjustments_of(book: Book, rows: "Sequence[asyncpg.Record]") -> list[Adjustment]:
    names = await user_ids_of(book, {row["player_id"] for row in rows}) if rows else {}
    return [_adjustment_of(row, names[row["player_id"]]) for row in rows]


def _adjustment_of(row: "asyncpg.Record", user_id: str) -> Adjustment:
    currency = Currency(row["currency"], row["scale"])
    settles = None
    if row["source"] is not None:
        key = Key(row["source"], row["transaction_id"], row["facet"])
        settles = RefusedMovement(key, row["event_id"])
    decided = None
    state = AdjustmentState.EXPIRED if row["is_late"] else AdjustmentState.OPEN
    if row["decision"] is not None:
        state = AdjustmentState(row["decision"])
        decided = _signature_of(row, "decided")
    return Adjustment(
        row["adjustment_id"],
        row["player_id"],
        user_id,
        Direction(row["direction"]),
        Pocket(row["pocket"]),
        minor(row["amount"], currency),
        currency,
        AdjustmentReason(row["reason"]),
        row["ticket"],
        row["note"],
        settles,
        _signature_of(row, "proposed"),
        row["expires_at"],
        state,
        decided,
        row["decision_note"],
        row["position"],
    )


def _signature_of(row: "asyncpg.Record", what: str) -> Signature:
    at: datetime = row[f"{what}_at"]
    return Signature(
        row[f"{what}_by"], row[f"{what}_is_verified"], row[f"{what}_via"], row[f"{what}_from"], at
    )
