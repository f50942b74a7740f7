"""Reads the journal for bet slips: by the event log's numbers, and what is older by its place.

Whatever was numbered is read once, in order (decision 11); movements from before the event log have
no number and are read by player and position, of which none can be added. Each look says which
rounds were touched, and reads those that tell of a slip from their beginning: what is derived from
a round is a function of all of it, so the order of looks does not matter.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from app.ledger.money.book import Book
from app.wallet.events import EventType
from app.wallet.sport_round import MOVEMENTS_MAX, RoundMovement

OLD: Final = "*"
"""Stands for an agent where movements from before the event log are read; no agent is named so."""

EVENTS_MAX: Final = 2_000
"""Events of one look: a tenth of a second's work."""

SCANNED_MAX: Final = 10_000
"""Movements that one look for those without a number passes over."""

FIRST_PLAYER: Final = -(2**63)

_HAS_MARK: Final = (
    "coalesce(m.extra_data LIKE '%betslip%' OR m.extra_data LIKE '%selections%'"
    " OR m.extra_data LIKE '%placedBetId%', false)"
)

_PROGRESS: Final = """
SELECT p.agent, p.number, p.after_player_id, p.after_position, p.is_at_end,
       (SELECT looks FROM slip_progress WHERE agent = '*'),
       coalesce((SELECT last_number FROM event_log_heads h WHERE h.agent = p.agent), 0)
FROM slip_progress p ORDER BY p.agent
"""

_NEW_AGENTS: Final = """
SELECT h.agent FROM event_log_heads h
WHERE NOT EXISTS (SELECT FROM slip_progress p WHERE p.agent = h.agent)
UNION ALL
SELECT '*' WHERE NOT EXISTS (SELECT FROM slip_progress p WHERE p.agent = '*')
"""

TOUCHED: Final = """
SELECT m.player_id, m.event_id, count(*), count(*) FILTER (WHERE NOT m.has_mark),
       max(m.ledger_time), bool_or(m.has_mark){or_is_known}
FROM ({movements}) m
GROUP BY m.player_id, m.event_id
"""

_OR_IS_KNOWN: Final = """ OR EXISTS (
           SELECT FROM sport_bets b WHERE b.player_id = m.player_id AND b.event_id = m.event_id
           OFFSET 0)"""

COLUMNS: Final = f"""
    m.player_id, m.event_id, m.ledger_time,
    {_HAS_MARK} AND NOT starts_with(m.event_type, 'PromoStreamers') AS has_mark
"""

_NUMBERED: Final = TOUCHED.format(
    or_is_known=_OR_IS_KNOWN,
    movements=f"""
    SELECT {COLUMNS}
    FROM event_log e
    CROSS JOIN LATERAL (
        SELECT * FROM movements WHERE player_id = e.player_id AND position = e.place LIMIT 1
    ) m
    WHERE e.agent = $1 AND e.number > $2 AND e.number <= $3 AND e.type = 'movement.posted'
""",  # noqa: S608 - composed of constants
)

OF_OLD: Final = f"""
    SELECT {COLUMNS}
    FROM movements m
    WHERE (m.player_id, m.position) > ($1, $2) AND (m.player_id, m.position) <= ($3, $4)
      AND m.xid IS NULL AND m.decision = 'ACCEPTED'
"""  # noqa: S608 - composed of constants

_UNNUMBERED: Final = TOUCHED.format(
    or_is_known=_OR_IS_KNOWN,
    movements=OF_OLD,
)

SCANNED_TO: Final = """
SELECT player_id, position FROM movements WHERE (player_id, position) > ($1, $2)
ORDER BY player_id, position OFFSET $3 - 1 LIMIT 1
"""

LAST_PLACE: Final = """
SELECT player_id, position FROM movements ORDER BY player_id DESC, position DESC LIMIT 1
"""

# In order only outside: to have them in order, PostgreSQL would rather go through all that the
# player ever did than through the index of the player's events.
_ROUNDS: Final = f"""
SELECT r.n, m.player_id, m.position, m.event_id, m.event_type, round(m.amount, m.scale)::text,
       round(abs(m.bonus_delta), m.scale)::text, m.reverses, m.flags, m.ledger_time, m.source,
       m.transaction_id, m.game_id, m.currency, m.scale, m.extra_data
FROM unnest($1::bigint[], $2::text[]) WITH ORDINALITY AS r (player_id, event_id, n)
CROSS JOIN LATERAL (
    SELECT * FROM movements
    WHERE player_id = r.player_id AND event_id = r.event_id AND decision = 'ACCEPTED'
      AND NOT starts_with(event_type, 'PromoStreamers')
    LIMIT {MOVEMENTS_MAX + 1}
) m
ORDER BY r.n, m.position
"""  # noqa: S608 - composed of constants


class RoundId(NamedTuple):
    """A player's event."""

    player_id: int
    event_id: str


class Progress(NamedTuple):
    """How far was read: of one agent's events, or of the movements from before the event log."""

    agent: str
    number: int
    after_player_id: int
    after_position: int
    is_at_end: bool
    looks: int
    """how many looks of everybody had been written"""

    @property
    def is_of_old(self) -> bool:
        """Whether it is about the movements from before the event log."""
        return self.agent == OLD


class Behind(NamedTuple):
    """How far was read, and how far there is."""

    progress: Progress
    last_number: int

    @property
    def has_more(self) -> bool:
        """Whether there is something to read."""
        progress = self.progress
        return not progress.is_at_end if progress.is_of_old else self.last_number > progress.number


class Round(NamedTuple):
    """A round's accepted movements, oldest first, and the text that came with each."""

    id: RoundId
    movements: list[RoundMovement]
    texts: list[str | None]

    @property
    def is_too_long(self) -> bool:
        """Whether it has more movements than any bet."""
        return len(self.movements) > MOVEMENTS_MAX


class Batch(NamedTuple):
    """What one look has found."""

    before: Progress
    after: Progress
    has_more: bool
    rounds: list[Round]
    """those that tell of a slip"""
    movements: int
    without_slip: int
    reached_at: datetime | None


async def progresses(book: Book) -> list[Behind]:
    """Return how far was read of everything there is."""
    return [Behind(Progress(*row[:6]), row[6]) for row in await book.connection.fetch(_PROGRESS)]


async def new_agents(book: Book) -> list[str]:
    """Return the agents of which nothing was read yet."""
    return [row[0] for row in await book.connection.fetch(_NEW_AGENTS)]


async def read_batch(book: Book, before: Progress, under_way: Collection[RoundId]) -> Batch:
    """Look at what comes next, on one snapshot.

    `under_way`: rounds of looks before this one, whose bets may not be written yet.
    """
    fetch = book.connection.fetch
    if before.is_of_old:
        after = await _scanned_to(book, before)
        place = (before.after_player_id, before.after_position)
        rows = await fetch(_UNNUMBERED, *place, after.after_player_id, after.after_position)
        has_more = not after.is_at_end
    else:
        after, has_more = await reach(book, before)
        rows = await fetch(_NUMBERED, before.agent, before.number, after.number)
    after = after._replace(looks=before.looks + 1)
    touched = [
        RoundId(player_id, event_id)
        for player_id, event_id, _, _, _, is_sport in rows
        if event_id is not None and (is_sport or (player_id, event_id) in under_way)
    ]
    return Batch(
        before,
        after,
        has_more,
        await read_rounds(book, touched),
        sum(row[2] for row in rows),
        sum(row[3] for row in rows),
        max((row[4] for row in rows), default=None),
    )


async def reach(book: Book, before: Progress) -> tuple[Progress, bool]:
    """Return how far one look goes in an agent's events, and whether there are more."""
    last = await book.connection.fetchval(
        "SELECT last_number FROM event_log_heads WHERE agent = $1", before.agent
    )
    reached = min(before.number + EVENTS_MAX, last or 0)
    return before._replace(number=reached), reached < (last or 0)


async def _scanned_to(book: Book, before: Progress) -> Progress:
    place = (before.after_player_id, before.after_position)
    row = await book.connection.fetchrow(SCANNED_TO, *place, SCANNED_MAX)
    is_at_end = row is None
    if is_at_end:
        row = await book.connection.fetchrow(LAST_PLACE)
    player_id, position = place if row is None else row
    return before._replace(after_player_id=player_id, after_position=position, is_at_end=is_at_end)


async def read_rounds(book: Book, touched: Sequence[RoundId]) -> list[Round]:
    """Return these rounds, each from its beginning."""
    if not touched:
        return []
    players, events = zip(*touched, strict=True)
    rounds = [Round(id_, [], []) for id_ in touched]
    for row in await book.connection.fetch(_ROUNDS, list(players), list(events)):
        n, player_id, position, event_id, kind, amount, bonus, *more, text = row
        round_ = rounds[n - 1]
        round_.movements.append(
            RoundMovement(
                player_id,
                position,
                event_id,
                _TYPES[kind],
                int(amount.replace(".", "")),
                int(bonus.replace(".", "")),
                *more,
            )
        )
        round_.texts.append(text)
    return rounds


_TYPES: Final = {kind.value: kind for kind in EventType}
