"""Lists the differences of a run in the inbox, each once, whichever reports tell of it.

An exception's key is made of what differs and by how much, not of the report: the day's report and
the month's list one exception. Several lines under one id that differ alike are one. How such an
exception is settled by the ledger stands in `exception_collection`.
"""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncpg

    Connection = asyncpg.Connection[asyncpg.Record]

LISTED_MAX: Final = 10_000
"""Exceptions of one run: beyond it the profile is wrong, and nobody could look at each."""

_LIST: Final = """
WITH differing AS (
    SELECT CASE WHEN o.verdict = 'only_theirs' AND o.cause = 'repeat' THEN 'repeat'
                ELSE o.verdict END AS what,
           o.transaction_id, o.direction, nullif(o.currency, '?') AS currency,
           sum(o.theirs - o.ours) AS difference,
           (array_agg(o ORDER BY o.number))[1] AS first,
           min(coalesce(o.theirs_at, o.ours_at)) AS happened_at
    FROM outcomes o WHERE {is_difference}
    GROUP BY 1, 2, 3, 4
), named AS (
    SELECT d.*, coalesce((d.first).ours_user_id, (d.first).user_id) AS user_id,
           coalesce((d.first).event_type, (
               SELECT CASE count(*) WHEN 1 THEN min(t.event_type) END FROM report_types t
               WHERE t.word = (d.first).word AND t.direction = d.direction)) AS event_type
    FROM differing d
    ORDER BY abs(d.difference) DESC LIMIT {listed_max}
), listed AS (
    INSERT INTO exceptions (kind, key, player_id, position, user_id, source, transaction_id,
        event_type, direction, event_id, amount, currency, summary, happened_at, opened_at)
    SELECT 'reconciliation_difference',
           concat_ws('|', n.what, $1::text, n.direction, coalesce(n.currency, '?'),
                     trim_scale(n.difference), n.transaction_id),
           coalesce((n.first).player_id, p.player_id), (n.first).position, n.user_id, $1,
           n.transaction_id, n.event_type, n.direction,
           coalesce((n.first).ours_event_id, (n.first).event_id),
           trim_scale(abs(CASE n.difference WHEN 0 THEN (n.first).theirs
                                            ELSE n.difference END))::text,
           n.currency,
           format('%s: %s%s; the player gained %s by %s, and %s here (run %s)',
                  $3::json -> 'verdicts' ->> (n.first).verdict,
                  $3::json -> 'causes' ->> (n.first).cause,
                  ' (' || (n.first).refusal || ')', trim_scale((n.first).theirs), $2::text,
                  trim_scale((n.first).ours), $4::bigint),
           n.happened_at, now()
    FROM named n
    LEFT JOIN players p ON p.user_id = n.user_id
    ORDER BY n.happened_at
    ON CONFLICT (kind, key) DO NOTHING
    RETURNING 1
)
SELECT count(*) FROM listed
"""


async def list_differences(
    connection: "Connection",
    *,
    is_difference: str,
    door: str,
    file_name: str,
    run_id: int,
    words: Mapping[str, Mapping[str, str]],
) -> int:
    """List what a run found, and return how much of it was not listed before.

    `words`: what verdicts and causes are called; `is_difference`: which outcomes are one, as SQL.
    """
    statement = _LIST.format(is_difference=is_difference, listed_max=LISTED_MAX)
    number: int = await connection.fetchval(statement, door, file_name, json.dumps(words), run_id)
    return number
