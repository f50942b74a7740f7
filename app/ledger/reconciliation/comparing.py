"""A staged report against the journal: day totals, then rounds, then lines.

Each level looks only at what disagreed on the level above it. All of it is set-based, in one
read-only snapshot; only this session's temporary tables are written.

1. `compare_days`    counts, sums and the sum of content hashes, by day and currency
2. `compare_rounds`  the same by player and event, of the days that disagree
3. `compare_lines`   every line of the rounds that disagree is looked up by the door's ids; what is
                     ours there and no line names is only ours
"""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from app.ledger.reconciliation.causes import REFUSED, REPAIRED, UNDONE, UNHEARD
from app.ledger.reconciliation.staging import CONTENT

if TYPE_CHECKING:
    import asyncpg

    Connection = asyncpg.Connection[asyncpg.Record]


class Scope(NamedTuple):
    """What is compared."""

    door: str
    zone: str
    since: datetime
    until: datetime
    grace: timedelta
    has_users: bool
    has_events: bool
    has_currencies: bool
    has_zero_lines: bool
    is_wide: bool
    """whether an id is unique together with its event type and direction only"""
    has_run_before: bool
    """whether a run of the period before this one is kept"""


class Level(NamedTuple):
    """How much of a level agrees."""

    total: int
    agree: int


IN_PERIOD: Final = ("movements m", "m.ledger_time >= $3 AND m.ledger_time < $4")
CARRIED: Final = (
    "carried_ours c JOIN movements m USING (player_id, position)",
    "$3::timestamptz < $4::timestamptz",
)
"""Movements that an earlier report left open, whenever they were."""


def _ours(scope: Scope, which: tuple[str, str] = IN_PERIOD) -> str:
    """Query our accepted movements in the words and columns of the report.

    $1 to $4 are the door, the time zone, and the period's ends.
    """
    tables, condition = which
    users = "p.user_id" if scope.has_users else "NULL::text"
    events = "m.event_id" if scope.has_events else "NULL::text"
    content = CONTENT.format(
        transaction_id="m.transaction_id",
        user_id=users,
        event_id=events,
        word="t.word",
        currency="m.currency" if scope.has_currencies else "NULL::text",
        amount="(m.real_delta + m.bonus_delta)",
    )
    return f"""
    SELECT m.player_id, m.position, m.transaction_id, p.user_id AS ours_user_id,
           coalesce({users}, '') AS user_id, m.event_id AS ours_event_id,
           coalesce({events}, '') AS event_id, t.word, m.event_type, m.direction,
           m.real_delta + m.bonus_delta AS amount, m.currency, m.ledger_time,
           (m.ledger_time AT TIME ZONE $2)::date AS day, m.reverses, {content} AS content
    FROM {tables}
    JOIN report_types t ON t.event_type = m.event_type AND t.direction = m.direction
    JOIN players p ON p.player_id = m.player_id
    WHERE m.source = $1 AND {condition}
        AND m.decision = 'ACCEPTED'{"" if scope.has_zero_lines else " AND m.amount > 0"}
    """  # noqa: S608 - composed of constants


def _currency(scope: Scope, column: str) -> str:
    return f"coalesce({column}, '')" if scope.has_currencies else "''"


def _days(scope: Scope) -> str:
    return f"""
    INSERT INTO day_totals
    SELECT day, currency, coalesce(t.lines, 0), coalesce(o.lines, 0), coalesce(t.amount, 0),
           coalesce(o.amount, 0),
           (t.lines, t.amount, t.content) IS NOT DISTINCT FROM (o.lines, o.amount, o.content)
    FROM (
        SELECT day, {_currency(scope, "currency")} AS currency, count(*) AS lines,
               sum(amount) AS amount, sum(content) AS content
        FROM report_lines WHERE status = 'booked' AND NOT carried
        GROUP BY 1, 2
    ) t
    FULL JOIN (
        SELECT day, {_currency(scope, "currency")} AS currency, count(*) AS lines,
               sum(amount) AS amount, sum(content) AS content
        FROM ({_ours(scope)}) ours
        GROUP BY 1, 2
    ) o USING (day, currency)
    """  # noqa: S608 - composed of constants


def _rounds(scope: Scope) -> str:
    """Find the rounds that disagree, and count them and all rounds of the days that disagree."""
    return f"""
    WITH rounds AS (
        SELECT day, user_id, event_id,
               (t.lines, t.amount, t.content) IS DISTINCT FROM (o.lines, o.amount, o.content)
                   AS differs
        FROM (
            SELECT day, coalesce(user_id, '') AS user_id, coalesce(event_id, '') AS event_id,
                   count(*) AS lines, sum(amount) AS amount, sum(content) AS content
            FROM report_lines
            WHERE status = 'booked' AND NOT carried
                AND day IN (SELECT day FROM day_totals WHERE NOT agrees)
            GROUP BY 1, 2, 3
        ) t
        FULL JOIN (
            SELECT day, user_id, event_id, count(*) AS lines, sum(amount) AS amount,
                   sum(content) AS content
            FROM ({_ours(scope)}) ours
            WHERE day IN (SELECT day FROM day_totals WHERE NOT agrees)
            GROUP BY 1, 2, 3
        ) o USING (day, user_id, event_id)
    ), opened AS (
        INSERT INTO open_rounds SELECT day, user_id, event_id FROM rounds WHERE differs
        RETURNING 1
    )
    SELECT count(*), (SELECT count(*) FROM opened) FROM rounds
    """  # noqa: S608 - composed of constants


DAYS: Final = "SELECT count(*), count(*) FILTER (WHERE agrees) FROM day_totals"

# The wide form of a key goes before the narrow one: it is the movement of this very type, or the
# adjustment that two people made in its place.
MATCHES: Final = """
INSERT INTO matches
SELECT DISTINCT ON (l.line) l.line, m.player_id, m.position, l.status
FROM report_lines l
JOIN transaction_keys k ON k.source = $1 AND k.transaction_id = l.transaction_id
JOIN movements m ON m.player_id = k.player_id AND m.position = k.position
LEFT JOIN report_types wide ON wide.word = l.word
    AND k.facet = wide.event_type || ':' || wide.direction
    AND (wide.direction = l.direction OR l.amount = 0)
LEFT JOIN report_types same ON same.word = l.word AND same.event_type = m.event_type
    AND same.direction = m.direction
WHERE (wide.word IS NOT NULL OR (k.facet = '' AND (NOT $2 OR same.word IS NOT NULL)))
    AND (l.carried OR l.status <> 'booked' OR EXISTS (
        SELECT FROM open_rounds o
        WHERE o.day = l.day AND o.user_id = coalesce(l.user_id, '')
            AND o.event_id = coalesce(l.event_id, '')))
ORDER BY l.line, (wide.direction = l.direction) DESC NULLS LAST, k.facet DESC
"""

INTO: Final = """
INSERT INTO outcomes (
    verdict, cause, refusal, line, transaction_id, word, event_type, direction, user_id,
    ours_user_id, event_id, ours_event_id, currency, theirs, ours, theirs_at, ours_at, player_id,
    position
)
"""


DIFFERS: Final = {
    "player": "v.user_id IS NOT NULL AND v.user_id <> v.ours_user_id",
    "currency": "v.line_currency IS NOT NULL AND v.line_currency <> v.currency",
    "type": "NOT v.is_of_type",
    "amount": "v.amount <> v.ours",
    "event": "v.event_id IS NOT NULL AND v.event_id <> coalesce(v.ours_event_id, '')",
    "day_edge": "v.day <> v.ours_day",
}
"""How a line may differ from the movement of its id; the first that holds is its verdict."""

VERDICTS: Final = " ".join(f"WHEN {holds} THEN '{name}'" for name, holds in DIFFERS.items())

EQUAL: Final = (
    "(l.user_id IS NULL OR l.user_id = p.user_id) AND l.amount = m.real_delta + m.bonus_delta"
    " AND (l.event_id IS NULL OR l.event_id = m.event_id)"
)
"""Of several lines under one id the one that holds this is the movement; the others are repeats."""

# $1 door, $2 time zone, $3 the period's end less the grace, $4 the grace.
BOOKED: Final = f"""
{INTO}
SELECT CASE WHEN repaired.is_whole THEN 'settled_by_hand' ELSE verdict END,
       CASE CASE WHEN repaired.is_whole THEN 'settled_by_hand' ELSE verdict END
           WHEN 'only_theirs' THEN CASE
               WHEN v.is_again THEN 'repeat'
               WHEN v.decision = 'INSUFFICIENT_FUNDS' THEN 'declined_for_funds'
               WHEN v.decision = 'BET_OVERTAKEN' THEN 'overtaken'
               WHEN v.decision = 'ALREADY_GIVEN_BACK' THEN 'given_back'
               WHEN v.decision IS NOT NULL OR refused.refusal IS NOT NULL THEN 'refused'
               ELSE 'never_asked' END
           WHEN 'open' THEN 'grace'
           WHEN 'settled_by_hand' THEN 'settled_by_hand'
           WHEN 'day_edge' THEN
               CASE WHEN abs(extract(epoch FROM v.theirs_at - v.ours_at))
                         <= extract(epoch FROM $4::interval)
                    THEN 'grace' ELSE 'clock' END
           ELSE CASE
               WHEN refused.refusal IN ('MOVEMENT_DIFFERS', 'EVENT_TYPE_DIFFERS') THEN 'repeat'
               WHEN undone.part = 'abort' THEN 'given_back'
               WHEN undone.part IN ('cancel', 'payment_abort') THEN 'resettled'
               ELSE 'content' END
       END,
       coalesce(nullif(v.decision, 'ACCEPTED'), refused.refusal),
       v.line, v.transaction_id, v.word,
       coalesce(v.event_type, CASE verdict WHEN 'only_theirs' THEN refused.event_type END),
       v.direction, v.user_id, v.ours_user_id, v.event_id, v.ours_event_id,
       coalesce(v.line_currency, v.currency, '?'), v.amount,
       CASE WHEN v.is_again THEN 0 ELSE coalesce(v.ours, 0) END, v.theirs_at, v.ours_at,
       CASE WHEN NOT v.is_again THEN v.player_id END,
       CASE WHEN NOT v.is_again THEN v.position END
FROM (
    SELECT v.*, CASE
        WHEN v.decision IS NULL AND v.theirs_at >= $3 AND NOT v.carried THEN 'open'
        WHEN v.decision IS DISTINCT FROM 'ACCEPTED' OR v.is_again THEN 'only_theirs'
        WHEN v.is_by_hand THEN 'settled_by_hand'
        {VERDICTS}
        ELSE 'same' END AS verdict
    FROM (
        SELECT l.line, l.transaction_id, l.word, l.direction, l.user_id, l.event_id,
               l.currency AS line_currency, l.amount, l.happened_at AS theirs_at, l.day,
               l.carried, m.player_id, m.position, m.decision, m.event_type,
               m.event_id AS ours_event_id, m.real_delta + m.bonus_delta AS ours, m.currency,
               m.ledger_time AS ours_at, (m.ledger_time AT TIME ZONE $2)::date AS ours_day,
               p.user_id AS ours_user_id,
               EXISTS (SELECT FROM report_types t WHERE t.word = l.word
                       AND t.event_type = m.event_type
                       AND (m.direction = l.direction OR m.amount = 0)) AS is_of_type,
               m.event_type IS NOT DISTINCT FROM 'Adjustment' AS is_by_hand,
               m.player_id IS NOT NULL AND row_number() OVER (
                   PARTITION BY m.player_id, m.position ORDER BY ({EQUAL}) DESC, l.line
               ) > 1 AS is_again
        FROM report_lines l
        LEFT JOIN matches x ON x.line = l.line
        LEFT JOIN movements m ON m.player_id = x.player_id AND m.position = x.position
        LEFT JOIN players p ON p.player_id = m.player_id
        WHERE l.status = 'booked' AND (l.carried OR EXISTS (
            SELECT FROM open_rounds o
            WHERE o.day = l.day AND o.user_id = coalesce(l.user_id, '')
                AND o.event_id = coalesce(l.event_id, '')))
    ) v
) v
{REFUSED}
{UNDONE}
{REPAIRED}
WHERE verdict <> 'same'
"""  # noqa: S608 - composed of constants


def _only_ours(scope: Scope) -> str:
    """List our movements of the rounds that disagree, and those carried over, that no line books.

    $5 the period's end less the grace, $6 its beginning and the grace, or null.
    """
    return f"""
    {INTO}
    SELECT CASE WHEN NOT v.was_carried AND v.status IS NULL
                     AND (v.ledger_time >= $5 OR v.ledger_time < $6)
                THEN 'open' ELSE 'only_ours' END,
           CASE
               WHEN u.player_id IS NOT NULL THEN 'unknown_outcome'
               WHEN v.status = 'canceled' THEN 'not_given_back'
               WHEN v.status = 'refused' THEN 'refused_there'
               WHEN e.part = 'abort' THEN 'given_back'
               WHEN e.part IN ('cancel', 'payment_abort') THEN 'resettled'
               WHEN e.part = 'payment' AND EXISTS (
                   SELECT FROM movements earlier
                   JOIN event_types c ON c.event_type = earlier.event_type AND c.part = 'cancel'
                   WHERE earlier.player_id = v.player_id AND earlier.event_id = v.ours_event_id
                       AND earlier.position < v.position AND earlier.decision = 'ACCEPTED')
                   THEN 'resettled'
               ELSE 'not_reported' END,
           NULL, v.line, v.transaction_id, v.word, v.event_type, v.direction, NULL, v.ours_user_id,
           NULL, v.ours_event_id, v.currency, 0, v.amount, NULL, v.ledger_time, v.player_id,
           v.position
    FROM (
        SELECT o.*, claim.line, claim.status, 'ACCEPTED' AS decision
        FROM (
            SELECT ours.*, false AS was_carried FROM ({_ours(scope)}) ours
            WHERE EXISTS (
                SELECT FROM open_rounds r
                WHERE r.day = ours.day AND r.user_id = ours.user_id
                    AND r.event_id = ours.event_id)
            UNION ALL
            SELECT ours.*, true AS was_carried
            FROM ({_ours(scope, CARRIED)}) ours
        ) o
        LEFT JOIN LATERAL (
            SELECT x.line, x.status FROM matches x
            WHERE x.player_id = o.player_id AND x.position = o.position
            ORDER BY x.status LIMIT 1
        ) claim ON true
    ) v
    JOIN event_types e ON e.event_type = v.event_type
    {UNHEARD}
    {UNDONE}
    WHERE v.status IS DISTINCT FROM 'booked'
        AND NOT EXISTS (SELECT FROM told_ours told
                        WHERE told.player_id = v.player_id AND told.position = v.position)
        -- Two people settled it: an adjustment under its id undid the whole of it.
        AND NOT EXISTS (
            SELECT FROM transaction_keys k
            JOIN movements a ON a.player_id = k.player_id AND a.position = k.position
            WHERE k.source = $1 AND k.transaction_id = v.transaction_id
                AND a.event_type = 'Adjustment'
                AND k.facet IN ('Adjustment:credit', 'Adjustment:debit')
                AND a.real_delta + a.bonus_delta = -v.amount)
        -- A line that is canceled stands for the movement and for what took it back.
        AND NOT (v.status IS NOT DISTINCT FROM 'canceled' AND undone.part IS NOT NULL)
        AND NOT EXISTS (
            SELECT FROM matches x
            WHERE v.status IS NULL AND x.status = 'canceled'
                AND x.player_id = v.player_id
                AND x.position = nullif(split_part(v.reverses, '/', 1), '')::bigint)
    """  # noqa: S608 - composed of constants


async def compare_days(connection: "Connection", scope: Scope) -> Level:
    """Compare the totals of days."""
    await connection.execute(_days(scope), scope.door, scope.zone, scope.since, scope.until)
    row = await connection.fetchrow(DAYS)
    return Level(*row)  # type: ignore[misc]  # an aggregate without groups is one row


async def compare_rounds(connection: "Connection", scope: Scope) -> Level:
    """Compare the rounds of the days that disagree."""
    arguments = (scope.door, scope.zone, scope.since, scope.until)
    row = await connection.fetchrow(_rounds(scope), *arguments)
    await connection.execute("ANALYZE open_rounds")
    total, differ = row  # type: ignore[misc]  # an aggregate without groups is one row
    return Level(total, total - differ)


async def compare_lines(connection: "Connection", scope: Scope) -> None:
    """Judge the lines of the rounds that disagree, and what is carried over."""
    await connection.execute(MATCHES, scope.door, scope.is_wide)
    await connection.execute("ANALYZE matches")
    grace_begins = scope.until - scope.grace
    await connection.execute(BOOKED, scope.door, scope.zone, grace_begins, scope.grace)
    await connection.execute(
        _only_ours(scope),
        scope.door,
        scope.zone,
        scope.since,
        scope.until,
        grace_begins,
        None if scope.has_run_before else scope.since + scope.grace,
    )
