"""Counters of limits that few players have: begun from the journal when such a limit is set.

A counter begins with what the journal says of the day, week and month that are running, so that a
limit binds at once all that was done in them. From then on `record_movements_v2` writes it.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

from app.ledger.limit_calendar import day_of
from app.ledger.money.book import Book
from app.ledger.money.rows import as_array, counter_row, minor
from app.wallet.further_limits import Counter
from app.wallet.limit_days import LimitDays
from app.wallet.money import Currency

_PRODUCT: Final = """
    SELECT coalesce((
        SELECT product FROM game_names g
        WHERE g.game_id = p.game_id AND g.since <= p.counts_at ORDER BY since DESC LIMIT 1
    ), '') AS product
"""


def counted(moved: str) -> str:
    """What movements count towards which counter: common table expressions that end in `counted`.

    `moved` is a query for accepted movements, whole rows.
    """
    return f"""
        moved AS MATERIALIZED ({moved}
        ), played AS MATERIALIZED (
            SELECT m.player_id, m.ledger_time AS moved_at,
                   CASE WHEN bet.position IS NULL THEN m.ledger_time ELSE bet.ledger_time END
                       AS counts_at,
                   CASE WHEN bet.position IS NULL THEN m.game_id ELSE bet.game_id END AS game_id,
                   CASE WHEN of_bet.counts_as = 'imports' THEN 0
                        WHEN e.part = 'bet' THEN m.amount WHEN e.part = 'abort' THEN -m.amount
                        WHEN bet.position IS NOT NULL THEN m.amount ELSE 0 END AS stake,
                   CASE WHEN of_bet.counts_as = 'imports' THEN 0
                        WHEN e.part IN ('payment', 'abort') THEN -m.amount ELSE m.amount END AS loss
            FROM moved m
            -- What came in from another wallet was counted there, if at all.
            JOIN event_types e ON e.event_type = m.event_type AND (e.part <> 'none' OR e.is_play)
                AND e.counts_as <> 'imports'
            -- What is given back, or stands again, counts where its bet was counted.
            LEFT JOIN movements undone
                ON undone.player_id = m.player_id AND e.part IN ('abort', 'cancel')
               AND undone.position = nullif(split_part(m.reverses, '/', 1), '')::bigint
            LEFT JOIN event_types u ON u.event_type = undone.event_type
            LEFT JOIN movements bet
                ON bet.player_id = m.player_id
               AND bet.position = CASE u.part WHEN 'bet' THEN undone.position
                                  WHEN 'abort' THEN split_part(undone.reverses, '/', 1)::bigint END
            LEFT JOIN event_types of_bet ON of_bet.event_type = bet.event_type
        ), named AS MATERIALIZED (
            SELECT p.*, n.product FROM played p CROSS JOIN LATERAL ({_PRODUCT}) n
        ), counted AS (
            SELECT player_id, 'stake:' || product AS counter, moved_at, counts_at, stake AS amount
            FROM named
            UNION ALL
            SELECT player_id, 'loss:' || product, moved_at, counts_at, loss FROM named
            UNION ALL
            SELECT m.player_id, 'deposit', m.ledger_time, m.ledger_time, m.amount
            FROM moved m
            JOIN event_types e ON e.event_type = m.event_type AND e.counts_as = 'deposits'
        )
    """  # noqa: S608 - composed of constants


_COUNTED: Final = f"""
WITH {
    counted('''
    SELECT m.* FROM movements m
    WHERE m.player_id = $1 AND m.ledger_time >= $2 AND m.decision = 'ACCEPTED'
''')
}
SELECT counter, {day_of("counts_at")} AS day, round(sum(amount), 8)::text AS amount
FROM counted WHERE counter = ANY ($3) GROUP BY 1, 2
"""  # noqa: S608 - composed of constants

_BEGIN: Final = """
INSERT INTO limit_counters (player_id, counter, counted_on, day, week, month)
SELECT player_id, counter, counted_on, day, week, month
FROM unnest($1::text::counter_row_v1[])
ON CONFLICT (player_id, counter) DO UPDATE SET
    counted_on = excluded.counted_on, day = excluded.day, week = excluded.week,
    month = excluded.month
"""

_LONGEST_WINDOW: Final = timedelta(days=33)
"""A month, and a day on either side for the difference between a zone and UTC."""


async def begin_counters(
    book: Book,
    player_id: int,
    currency: Currency,
    names: Collection[str],
    days: LimitDays,
    now: datetime,
) -> None:
    """Begin these counters with what the journal says of the windows that contain `now`.

    The caller holds the wallet's lock, and raises its revision.
    """
    if not names:
        return
    today = days.of(now)
    counters = {name: Counter(today) for name in names}
    rows = await book.connection.fetch(_COUNTED, player_id, now - _LONGEST_WINDOW, list(names))
    for name, day, amount in rows:
        counters[name] = counters[name].plus(day.toordinal(), minor(amount, currency))
    await book.connection.execute(
        _BEGIN,
        as_array(
            [counter_row(player_id, currency, name, counter) for name, counter in counters.items()]
        ),
    )
