"""Reads the event log in pages, with the rows that its events tell of.

Everything that an event says is in rows that never change: the same event says the same whenever it
is told. Amounts come as text at their currency's scale, as the contract writes them.
"""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from app.ledger.event_log.told import (
    AlarmTold,
    ChangeTold,
    Content,
    LimitTold,
    LoggedEvent,
    MovementTold,
    OpeningTold,
    RoundTold,
    Told,
    VoidedTold,
)
from app.ledger.money.book import Book
from app.wallet.event_log import NOBODY, LoggedType, event_id
from app.wallet.events import RULES, Part

if TYPE_CHECKING:
    import asyncpg


_Contents: TypeAlias = dict[tuple[int, int, LoggedType], tuple[str, Content]]


class Found(NamedTuple):
    """What some events tell of, by their players and rows."""

    users: dict[int, str]
    contents: _Contents

    def beside(self, other: "Found") -> "Found":
        """Return what this and another look have found."""
        return Found(self.users | other.users, self.contents | other.contents)

    def has_all_of(self, events: "Sequence[LoggedEvent]") -> bool:
        """Whether every one of these events was found."""
        return all(
            event.type is LoggedType.EVENTS_VOIDED
            or (
                event.player_id in self.users
                and (event.player_id, event.place, event.type) in self.contents
            )
            for event in events
        )


IS_VOID: Final = """
EXISTS (SELECT FROM event_log v
        WHERE v.agent = e.agent AND v.type = 'events.voided' AND v.number > e.number
          AND v.place <= e.number OFFSET 0)
"""
"""Of a row `e` of the log: a node was restored by itself, and its number is void."""

_AFTER: Final = f"""
SELECT number, player_id, type, place, occurred_at, bucket FROM event_log e
WHERE agent = $1 AND number > $2 AND NOT {IS_VOID} ORDER BY number LIMIT $3
"""

_SOME: Final = f"""
SELECT number, player_id, type, place, occurred_at, bucket FROM event_log e
WHERE agent = $1 AND number = ANY($2::bigint[]) AND NOT {IS_VOID} ORDER BY number
"""

_LAST: Final = "SELECT last_number FROM event_log_heads WHERE agent = $1"

_USERS: Final = """
SELECT k.player_id, p.user_id FROM unnest($1::bigint[]) AS k (player_id)
CROSS JOIN LATERAL (SELECT user_id FROM players WHERE player_id = k.player_id LIMIT 1) p
"""

MOVEMENT_COLUMNS: Final = """
       m.event_type, m.direction, m.decision, m.currency, round(m.amount, m.scale)::text,
       round(m.real_before, m.scale)::text, round(m.bonus_before, m.scale)::text,
       round(m.real_after, m.scale)::text, round(m.bonus_after, m.scale)::text,
       round(m.real_after + m.bonus_after, m.scale)::text, m.source, m.transaction_id, m.event_id,
       m.game_id, m.bonus_code, m.ledger_time
"""
"""Of a row `m` of the journal: the values of MovementTold."""

_MOVEMENTS: Final = f"""
SELECT m.player_id, m.position, encode(m.chain, 'hex'), {MOVEMENT_COLUMNS}
FROM unnest($1::bigint[], $2::bigint[]) AS k (player_id, position)
CROSS JOIN LATERAL (
    SELECT * FROM movements
    WHERE player_id = k.player_id AND position = k.position LIMIT 1
) m
"""

_LIMITS: Final = """
SELECT h.player_id, h.position, h.limit_name, round(h.limit_amount, m.scale)::text,
       round(h.used, m.scale)::text,
       round(greatest(h.limit_amount - h.used, 0), m.scale)::text
FROM unnest($1::bigint[], $2::bigint[]) AS k (player_id, position)
CROSS JOIN LATERAL (
    SELECT * FROM limit_hits WHERE player_id = k.player_id AND position = k.position LIMIT 1
) h
CROSS JOIN LATERAL (
    SELECT scale FROM movements WHERE player_id = k.player_id AND position = k.position LIMIT 1
) m
"""


def _sum_of(part: Part, *more: Part) -> str:
    """Return the sum of a round's movements of these parts, what the player got counted up."""
    kinds = ", ".join(f"'{k}'" for k, rule in RULES.items() if rule.part in {part, *more})
    return (
        f"coalesce(sum(b.real_delta + b.bonus_delta) FILTER (WHERE b.event_type IN ({kinds})), 0)"
    )


_BETS: Final = ", ".join(f"'{k}'" for k, rule in RULES.items() if rule.part is Part.BET)
_ROUNDS: Final = f"""
SELECT m.player_id, m.position, m.event_id, m.game_id,
       starts_with(m.event_type, 'PromoStreamers'), m.currency, r.bets,
       round(-r.stakes, m.scale)::text, round(r.wins, m.scale)::text,
       round(r.returns, m.scale)::text, round(r.stakes + r.wins + r.returns, m.scale)::text,
       m.transaction_id, encode(m.chain, 'hex')
FROM unnest($1::bigint[], $2::bigint[]) AS k (player_id, position)
CROSS JOIN LATERAL (
    SELECT * FROM movements
    WHERE player_id = k.player_id AND position = k.position LIMIT 1
) m
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE b.event_type IN ({_BETS})) AS bets,
           {_sum_of(Part.BET)} AS stakes,
           {_sum_of(Part.PAYMENT, Part.PAYMENT_ABORT, Part.CANCEL)} AS wins,
           {_sum_of(Part.ABORT)} AS returns
    FROM movements b
    WHERE b.player_id = m.player_id AND b.event_id = m.event_id AND b.position <= m.position
      AND b.decision = 'ACCEPTED'
      AND starts_with(b.event_type, 'PromoStreamers') = starts_with(m.event_type, 'PromoStreamers')
) r
"""

_OPENINGS: Final = """
SELECT o.player_id, encode(o.chain_start, 'hex') || o.user_id, o.currency
FROM unnest($1::bigint[]) AS k (player_id)
CROSS JOIN LATERAL (SELECT * FROM account_openings WHERE player_id = k.player_id LIMIT 1) o
"""

_CHANGES: Final = """
SELECT c.player_id, c.change_id, c.delivery::text, w.currency, w.scale, c.source, c.operation,
       c.outcome
FROM unnest($1::bigint[], $2::bigint[]) AS k (player_id, change_id)
CROSS JOIN LATERAL (
    SELECT * FROM account_changes
    WHERE player_id = k.player_id AND change_id = k.change_id LIMIT 1
) c
CROSS JOIN LATERAL (
    SELECT currency, scale FROM wallets WHERE player_id = k.player_id LIMIT 1
) w
"""

_ALARMS: Final = """
SELECT k.player_id, x.exception_id, x.kind || '|' || x.key, x.kind, x.summary, x.event_type,
       x.direction, x.transaction_id, x.event_id, x.amount, x.currency, x.happened_at
FROM unnest($1::bigint[], $2::bigint[]) AS k (player_id, exception_id)
CROSS JOIN LATERAL (SELECT * FROM exceptions WHERE exception_id = k.exception_id LIMIT 1) x
"""

_ACCEPTED: Final = "ACCEPTED"


async def numbers_after(book: Book, agent: str, after: int, count_max: int) -> list[LoggedEvent]:
    """Return an agent's events with greater numbers, in order."""
    rows = await book.connection.fetch(_AFTER, agent, after, count_max)
    return [logged(row) for row in rows]


async def numbers_of(book: Book, agent: str, numbers: Sequence[int]) -> list[LoggedEvent]:
    """Return the events of an agent with these numbers, in order."""
    rows = await book.connection.fetch(_SOME, agent, list(numbers))
    return [logged(row) for row in rows]


async def last_number(book: Book, agent: str) -> int:
    """Return the number of an agent's last event; 0: nothing was told yet."""
    return int(await book.connection.fetchval(_LAST, agent) or 0)


async def tell(book: Book, events: Sequence[LoggedEvent]) -> list[Told]:
    """Read what these events tell of."""
    return told_of(events, await look_up(book, events))


async def look_up(book: Book, events: Sequence[LoggedEvent]) -> Found:
    """Read what these events tell of; all of a bucket on another node, without its alarms."""
    contents: _Contents = {}
    for read, kinds in _READS:
        asked = [event for event in events if event.type in kinds]
        # Where buckets are on several nodes, alarms are on none of them.
        if asked and (read is not _alarms or asked[0].bucket is None):
            contents |= await read(book, asked)
    return Found(await _users(book, events), contents)


async def look_up_alarms(book: Book, events: Sequence[LoggedEvent]) -> Found:
    """Read the alarms among these events, without whose they are."""
    asked = [event for event in events if event.type is LoggedType.ALARM_RAISED]
    return Found({}, await _alarms(book, asked) if asked else {})


def told_of(events: Sequence[LoggedEvent], found: Found) -> list[Told]:
    """Put together what these events tell, by what was found for them."""
    told = []
    for event in events:
        if event.type is LoggedType.EVENTS_VOIDED:
            told.append(_voided(event))
            continue
        anchor, content = found.contents[event.player_id, event.place, event.type]
        id_ = event_id(event.type, event.player_id, event.place, anchor)
        told.append(
            Told(
                event.number,
                event.player_id,
                event.type,
                event.occurred_at,
                found.users[event.player_id],
                id_,
                content,
            )
        )
    return told


def _voided(event: LoggedEvent) -> Told:
    """Everything that this one says is its own place and number."""
    void = VoidedTold(event.place, event.number - 1)
    id_ = event_id(event.type, NOBODY, event.place, f"{event.number}|{event.occurred_at}")
    return Told(event.number, NOBODY, event.type, event.occurred_at, "", id_, void)


def logged(row: "asyncpg.Record") -> LoggedEvent:
    """Convert a row of the log."""
    number, player_id, kind, place, occurred_at, bucket = row
    return LoggedEvent(number, player_id, _TYPES[kind], place, occurred_at, bucket)


_TYPES: Final = {kind.value: kind for kind in LoggedType}


async def _users(book: Book, events: Sequence[LoggedEvent]) -> dict[int, str]:
    players = list({event.player_id for event in events})
    return dict(tuple(row) for row in await book.connection.fetch(_USERS, players))


def _keys(events: Sequence[LoggedEvent]) -> tuple[list[int], list[int]]:
    return [event.player_id for event in events], [event.place for event in events]


async def _movements(book: Book, events: Sequence[LoggedEvent]) -> _Contents:
    found: _Contents = {}
    for player_id, position, chain, *values in await book.connection.fetch(
        _MOVEMENTS, *_keys(events)
    ):
        movement = MovementTold(*values)
        is_posted = movement.decision == _ACCEPTED
        kind = LoggedType.MOVEMENT_POSTED if is_posted else LoggedType.MOVEMENT_DECLINED
        found[player_id, position, kind] = chain, movement
    return found


async def _limits(book: Book, events: Sequence[LoggedEvent]) -> _Contents:
    movements = {key[:2]: value for key, value in (await _movements(book, events)).items()}
    found: _Contents = {}
    for player_id, position, *values in await book.connection.fetch(_LIMITS, *_keys(events)):
        chain, movement = movements[player_id, position]
        if not isinstance(movement, MovementTold):
            raise AssertionError("a limit refuses a movement")  # noqa: TRY004 - not a wrong type
        found[player_id, position, LoggedType.LIMIT_HIT] = chain, LimitTold(movement, *values)
    return found


async def _rounds(book: Book, events: Sequence[LoggedEvent]) -> _Contents:
    found: _Contents = {}
    for player_id, position, *values, chain in await book.connection.fetch(_ROUNDS, *_keys(events)):
        found[player_id, position, LoggedType.ROUND_SETTLED] = chain, RoundTold(*values)
    return found


async def _openings(book: Book, events: Sequence[LoggedEvent]) -> _Contents:
    players, _ = _keys(events)
    return {
        (player_id, 0, LoggedType.ACCOUNT_OPENED): (anchor, OpeningTold(currency))
        for player_id, anchor, currency in await book.connection.fetch(_OPENINGS, players)
    }


async def _changes(book: Book, events: Sequence[LoggedEvent]) -> _Contents:
    found: _Contents = {}
    for (
        player_id,
        change_id,
        anchor,
        currency,
        scale,
        by,
        operation,
        outcome,
    ) in await book.connection.fetch(_CHANGES, *_keys(events)):
        told = ChangeTold(currency, scale, by, operation, json.loads(outcome))
        found[player_id, change_id, LoggedType.ACCOUNT_UPDATED] = anchor, told
    return found


async def _alarms(book: Book, events: Sequence[LoggedEvent]) -> _Contents:
    found: _Contents = {}
    for player_id, number, anchor, *values in await book.connection.fetch(_ALARMS, *_keys(events)):
        found[player_id, number, LoggedType.ALARM_RAISED] = anchor, AlarmTold(number, *values)
    return found


_READS: Final = (
    (_movements, {LoggedType.MOVEMENT_POSTED, LoggedType.MOVEMENT_DECLINED}),
    (_limits, {LoggedType.LIMIT_HIT}),
    (_rounds, {LoggedType.ROUND_SETTLED}),
    (_openings, {LoggedType.ACCOUNT_OPENED}),
    (_changes, {LoggedType.ACCOUNT_UPDATED}),
    (_alarms, {LoggedType.ALARM_RAISED}),
)
