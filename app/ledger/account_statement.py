"""One player's statement: what was decided of their money, newest first, in pages by position.

A player's movements have the positions 1, 2, 3 and so on, in the order in which they were decided.
The ends of a period are found by halving that order, a dozen look-ups however long it is; the page
is then read from the journal's key. What is decided meanwhile comes before every page that was
read, so that pages neither skip nor repeat a movement.

Halving goes by powers of two, so that what it looks at in a longer journal is what it looked at
before, and newer movements, which lie behind the end of a period that is over. So such a period
keeps its movements, and adjoins the next one, also where a server's clock was once set back.
"""

from datetime import datetime
from typing import Final, NamedTuple

from app.ledger.event_log.reading import MOVEMENT_COLUMNS
from app.ledger.event_log.told import MovementTold
from app.ledger.money.book import Book


class StatementLine(NamedTuple):
    """A movement, and its place in its player's journal."""

    position: int
    movement: MovementTold


STATEMENT: Final = f"""
WITH RECURSIVE search (is_end, moment, step, position) AS (
    SELECT side.is_end, side.moment, 1::bigint << 64 - strpos(w.position::bit(64)::text, '1'),
           0::bigint
    FROM wallets w
    CROSS JOIN (VALUES (false, $2::timestamptz), (true, $3::timestamptz)) side (is_end, moment)
    WHERE w.player_id = $1 AND w.position > 0
    UNION ALL
    SELECT s.is_end, s.moment, s.step >> 1,
           s.position + CASE WHEN probe.ledger_time < s.moment THEN s.step ELSE 0 END
    FROM search s
    LEFT JOIN LATERAL (
        SELECT ledger_time FROM movements
        WHERE player_id = $1 AND position = s.position + s.step OFFSET 0
    ) probe ON true
    WHERE s.step > 0
)
SELECT m.position, {MOVEMENT_COLUMNS}
FROM movements m
WHERE m.player_id = $1
  AND m.position > (SELECT position FROM search WHERE step = 0 AND NOT is_end)
  AND m.position <= (SELECT position FROM search WHERE step = 0 AND is_end)
  AND m.position < $4
ORDER BY m.position DESC
LIMIT $5
"""  # noqa: S608 - composed of constants
"""The first step is the highest power of two that is a position of the player's."""

BEYOND_ALL: Final = 2**63 - 1
"""No movement has this position."""


async def find_movements(
    book: Book,
    player_id: int,
    *,
    since: datetime,
    until: datetime,
    before: int | None,
    count_max: int,
) -> list[StatementLine]:
    """Return at most `count_max` movements decided in [since, until), before a position."""
    rows = await book.connection.fetch(
        STATEMENT, player_id, since, until, BEYOND_ALL if before is None else before, count_max
    )
    return [StatementLine(position, MovementTold(*values)) for position, *values in rows]
