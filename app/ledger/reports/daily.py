"""The report of a day: every account from its beginning to its end, revenue, and re-settlements.

The parameters are position, the day's beginning and its end, in UTC. A movement counts on the day
on which it was decided, so that a closed day never changes; what undoes an earlier day's movement
counts today, and is named in RESETTLEMENTS. What a movement counts as is data of `event_types`, and
every type has a column: the columns add up to the change of the balance, which IMBALANCES checks.
Simulated play is in no section.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Final, NamedTuple

from app.ledger.reports.reading import Connection, LedgerReport, amount, moment
from app.ledger.reports.restaking import STAKED_AGAIN
from app.ledger.simulated import is_real
from app.ledger.together import together

COLUMNS: Final = {
    "deposits": "e.counts_as = 'deposits'",
    "bonus_granted": "e.counts_as = 'bonuses' AND m.direction = 'credit'",
    "bonus_expired": "e.counts_as = 'bonuses' AND m.direction = 'debit'",
    "wagers": "e.part = 'bet' AND e.counts_as <> 'imports'",
    "winnings": "e.part = 'payment' AND e.counts_as NOT IN ('imports', 'bonuses')",
    "canceled": "e.part = 'abort'",
    "voided": "e.part = 'payment_abort'",
    "resettled": "e.part = 'cancel' AND e.counts_as <> 'bonuses'",
    "promotions": "e.counts_as = 'promotions'",
    "tips": "e.counts_as = 'tips'",
    "withdrawals": "e.counts_as IN ('withdrawals', 'pending')",
    "adjustments": "e.counts_as IN ('corrections', 'adjustments')",
    "imported": "e.counts_as = 'imports'",
}
"""Each column and its movements. Signs are the player's: above zero, they gained it."""

_SUMS: Final = ",\n               ".join(
    f"coalesce(sum(m.real_delta + m.bonus_delta) FILTER (WHERE {condition}), 0) AS {name}"
    for name, condition in COLUMNS.items()
)
_PRINTED: Final = ", ".join(amount(f"coalesce(d.{name}, 0)", "p.scale") for name in COLUMNS)

_ACCOUNTS: Final = f"""
    FROM players p
    LEFT JOIN LATERAL (
        SELECT m.real_after + m.bonus_after AS balance FROM movements m
        WHERE m.player_id = p.player_id AND m.ledger_time < $2 AND m.ledger_time <= $1
        ORDER BY m.position DESC LIMIT 1
    ) b ON true
    LEFT JOIN LATERAL (
        SELECT m.real_after + m.bonus_after AS balance FROM movements m
        WHERE m.player_id = p.player_id AND m.ledger_time < $3 AND m.ledger_time <= $1
        ORDER BY m.position DESC LIMIT 1
    ) f ON true
    LEFT JOIN (
        SELECT m.player_id, count(*) AS movements,
               coalesce(-sum(m.bonus_delta) FILTER (
                   WHERE e.part = 'bet' AND e.counts_as <> 'imports'), 0) AS bonus_wagered,
               {_SUMS}
        FROM movements m JOIN event_types e ON e.event_type = m.event_type
        WHERE m.ledger_time >= $2 AND m.ledger_time < $3 AND m.ledger_time <= $1
            AND m.decision = 'ACCEPTED'
        GROUP BY m.player_id
    ) d ON d.player_id = p.player_id
    WHERE p.created_at < $3 AND {is_real("p.player_id")}
"""  # noqa: S608 - composed of constants

ACCOUNTS: Final = LedgerReport(
    name="accounts",
    columns=(
        "user_id",
        "agent",
        "currency",
        "begin",
        *COLUMNS,
        "end",
        "bonus_wagered",
        "movements",
        "activity",
    ),
    sums=("begin", *COLUMNS, "end", "bonus_wagered"),
    query=f"""
    SELECT p.user_id, p.agent, p.currency, {amount("coalesce(b.balance, 0)", "p.scale")},
           {_PRINTED}, {amount("coalesce(f.balance, 0)", "p.scale")},
           {amount("coalesce(d.bonus_wagered, 0)", "p.scale")}, coalesce(d.movements, 0)::text,
           CASE WHEN d.movements IS NULL THEN 'No Activity' ELSE '' END, p.user_id
    {_ACCOUNTS}
    ORDER BY p.user_id COLLATE "C"
    """,
)

_ALL: Final = " + ".join(f"coalesce(d.{name}, 0)" for name in COLUMNS)

IMBALANCES_MAX: Final = 100

_IMBALANCES: Final = f"""
SELECT p.user_id {_ACCOUNTS}
    AND coalesce(b.balance, 0) + {_ALL} <> coalesce(f.balance, 0)
ORDER BY p.user_id COLLATE "C" LIMIT {IMBALANCES_MAX}
"""

_REVENUES: Final = (
    "turnover",
    "payments",
    "ggr",
    "bonuses",
    "promotions",
    "ngr",
    "tips",
    "adjustments",
)
"""The columns in money; with the count of bets they are added up over buckets."""

REVENUE: Final = LedgerReport(
    name="revenue",
    columns=("hour", "game_id", "agent", "currency", "bets", *_REVENUES),
    sums=_REVENUES,
    added=("bets", *_REVENUES),
    query=f"""
    WITH figures AS (
        SELECT date_trunc('hour', m.ledger_time, 'UTC') AS hour, m.game_id, p.agent, m.currency,
               min(m.scale) AS scale, count(*) FILTER (WHERE e.part = 'bet') AS bets,
               -sum(CASE WHEN e.counts_as = 'turnover' OR again.is_stake
                         THEN m.real_delta + m.bonus_delta ELSE 0 END) AS turnover,
               sum(CASE WHEN e.counts_as = 'payments' AND NOT again.is_stake
                        THEN m.real_delta + m.bonus_delta ELSE 0 END) AS payments,
               sum(CASE e.counts_as WHEN 'bonuses' THEN m.real_delta + m.bonus_delta ELSE 0 END)
                   AS bonuses,
               sum(CASE e.counts_as WHEN 'promotions' THEN m.real_delta + m.bonus_delta ELSE 0 END)
                   AS promotions,
               -sum(CASE e.counts_as WHEN 'tips' THEN m.real_delta + m.bonus_delta ELSE 0 END)
                   AS tips,
               sum(CASE WHEN e.counts_as IN ('corrections', 'adjustments')
                        THEN m.real_delta + m.bonus_delta ELSE 0 END) AS adjustments
        FROM movements m
        JOIN event_types e ON e.event_type = m.event_type
        JOIN players p ON p.player_id = m.player_id
        {STAKED_AGAIN}
        WHERE m.ledger_time >= $2 AND m.ledger_time < $3 AND m.ledger_time <= $1
            AND m.decision = 'ACCEPTED' AND NOT e.is_streamer
            AND e.counts_as NOT IN ('deposits', 'withdrawals', 'pending', 'imports')
            AND {is_real("m.player_id")}
        GROUP BY 1, 2, 3, 4
    )
    SELECT {moment("hour")}, game_id::text, agent, currency, bets::text,
           {amount("turnover", "scale")}, {amount("payments", "scale")},
           {amount("turnover - payments", "scale")}, {amount("bonuses", "scale")},
           {amount("promotions", "scale")},
           {amount("turnover - payments - bonuses - promotions", "scale")},
           {amount("tips", "scale")}, {amount("adjustments", "scale")},
           hour, game_id IS NOT NULL, coalesce(game_id, 0), agent, currency
    FROM figures
    ORDER BY hour, game_id NULLS FIRST, agent COLLATE "C", currency COLLATE "C"
    """,  # noqa: S608 - composed of constants
)

RESETTLEMENTS: Final = LedgerReport(
    name="resettlements",
    columns=(
        "time",
        "user_id",
        "event_id",
        "event_type",
        "transaction_id",
        "currency",
        "gained",
        "undid",
        "undid_type",
        "undid_on",
    ),
    sums=("gained",),
    query=f"""
    SELECT {moment("m.ledger_time")}, p.user_id, m.event_id, m.event_type, m.transaction_id,
           m.currency, {amount("part.gained", "m.scale")}, undone.transaction_id,
           undone.event_type, to_char(undone.ledger_time AT TIME ZONE 'UTC', 'YYYY-MM-DD'),
           m.ledger_time, m.player_id, m.position, undo.number
    FROM movements m
    JOIN event_types e ON e.event_type = m.event_type AND e.part <> 'none'
    JOIN players p ON p.player_id = m.player_id
    CROSS JOIN LATERAL string_to_table(m.reverses, ',') WITH ORDINALITY AS undo (text, number)
    JOIN movements undone ON undone.player_id = m.player_id
        AND undone.position = split_part(undo.text, '/', 1)::bigint
    CROSS JOIN LATERAL (
        SELECT CASE m.direction WHEN 'debit' THEN -1 ELSE 1 END
               * (split_part(undo.text, '/', 2)::numeric + split_part(undo.text, '/', 3)::numeric)
               / 10::numeric ^ m.scale AS gained
    ) part
    WHERE m.ledger_time >= $2 AND m.ledger_time < $3 AND m.ledger_time <= $1
        AND m.decision = 'ACCEPTED' AND m.reverses <> '' AND undone.ledger_time < $2
        AND {is_real("m.player_id")}
    ORDER BY m.ledger_time, m.player_id, m.position, undo.number
    """,  # noqa: S608 - composed of constants
)

SECTIONS: Final = (ACCOUNTS, REVENUE, RESETTLEMENTS)

_CLOSED: Final = """
SELECT day, closed_at, source, journal_moment, journal_movements, digest
FROM closed_days WHERE day = $1
"""

_CLOSE: Final = """
INSERT INTO closed_days (day, closed_at, source, journal_moment, journal_movements, digest)
VALUES ($1, now(), $2, $3, $4, $5) ON CONFLICT (day) DO NOTHING
"""


class ClosedDay(NamedTuple):
    """A day whose report is written for good."""

    day: date
    closed_at: datetime
    source: str
    journal_moment: datetime
    journal_movements: int
    digest: str
    """SHA-256 of its sections as CSV, one after the other, in hexadecimal digits"""


async def imbalances(
    connections: Sequence[Connection], position: datetime, since: datetime, until: datetime
) -> list[str]:
    """Return accounts whose columns do not lead from their beginning to their end."""
    found = await together(each.fetch(_IMBALANCES, position, since, until) for each in connections)
    return sorted(row["user_id"] for rows in found for row in rows)[:IMBALANCES_MAX]


async def closed_day(connection: Connection, day: date) -> ClosedDay | None:
    """Return a day's closing, if it is closed."""
    row = await connection.fetchrow(_CLOSED, day)
    return None if row is None else ClosedDay(*row)


async def close_day(
    connection: Connection, day: date, source: str, moment: datetime, movements: int, digest: str
) -> None:
    """Close a day; if somebody closed it meanwhile, theirs stands."""
    await connection.execute(_CLOSE, day, source, moment, movements, digest)
