"""Laws of limits that few players have: their counters, and which limit refused.

Only counters that a player's limits need are added up anew, from a month of that player's
movements: one that no limit needs any more is begun anew when its limit is set again.
"""

from typing import Final

from app.ledger.audit.scope import Check, Scope
from app.ledger.limit_calendar import day_of
from app.ledger.limit_counters import counted

_NEEDED: Final = """
    SELECT DISTINCT n.counter
    FROM jsonb_object_keys(w.limits) AS k (name)
    CROSS JOIN LATERAL (
        SELECT 'deposit' AS counter WHERE starts_with(k.name, 'deposit_')
        UNION ALL
        SELECT kind || product
        FROM unnest(ARRAY['stake:', 'loss:']) AS kind
        CROSS JOIN unnest(ARRAY[split_part(k.name, ':', 2), '']) AS product
        WHERE k.name LIKE '%:%'
    ) n
"""
"""`counters_of` in SQL, of a row `w` of wallets."""

_OF_THE_WINDOWS: Final = """
    SELECT m.*
    FROM (SELECT player_id, min(least(week_from, month_from)) AS day
          FROM held GROUP BY player_id) f
    JOIN movements m ON m.player_id = f.player_id AND m.decision = 'ACCEPTED'
        -- No zone's clock differs from UTC by more.
        AND m.ledger_time >= f.day::timestamptz - interval '2 days'
"""
"""The movements that may count in the windows of `held`."""


def checks(scope: Scope) -> tuple[Check, ...]:
    """Return the checks of what the scope looks at."""
    return (_counter_is_its_movements(scope), _hit_is_its_refusal(scope))


def _counter_is_its_movements(scope: Scope) -> Check:
    """Add the counters up anew.

    A counter is as of the last day on which something was counted, or its limit was set.
    """
    sums = ", ".join(
        f"coalesce(sum(e.amount) FILTER (WHERE e.day >= h.{window}_from), 0) AS {window}"
        for window in ("day", "week", "month")
    )
    return Check.of_one(
        "limit_counter_is_its_movements",
        "what limits of deposits and of products have counted is what was deposited and played",
        f"""
        WITH held AS MATERIALIZED (
            SELECT w.player_id, n.counter, d.day AS day_from,
                   date_trunc('week', d.day::timestamp)::date AS week_from,
                   date_trunc('month', d.day::timestamp)::date AS month_from,
                   c.day, c.week, c.month
            FROM (SELECT * FROM wallets w WHERE {scope.players("w")} AND w.limits IS NOT NULL) w
            CROSS JOIN LATERAL ({_NEEDED}) n
            LEFT JOIN limit_counters c ON c.player_id = w.player_id AND c.counter = n.counter
            CROSS JOIN LATERAL (SELECT date '0001-01-01' + (c.counted_on - 1) AS day) d
        ), {counted(_OF_THE_WINDOWS)}, effects AS MATERIALIZED (
            SELECT player_id, counter, amount, {day_of("counts_at")} AS day,
                   {day_of("moved_at")} AS moved_on
            FROM counted
        )
        SELECT h.player_id, h.counter, h.day_from AS counted_until, h.day, h.week, h.month,
               u.last_day, u.day AS day_anew, u.week AS week_anew, u.month AS month_anew
        FROM held h
        CROSS JOIN LATERAL (
            SELECT max(e.moved_on) AS last_day, {sums}
            FROM effects e WHERE e.player_id = h.player_id AND e.counter = h.counter
        ) u
        WHERE (h.day, h.week, h.month) IS DISTINCT FROM (u.day, u.week, u.month)
           OR h.day_from < u.last_day
           OR (h.day_from IS DISTINCT FROM u.last_day AND NOT EXISTS (
                  SELECT FROM account_changes a
                  WHERE a.player_id = h.player_id AND {day_of("a.ledger_time")} = h.day_from))
        """,
    )


def _hit_is_its_refusal(scope: Scope) -> Check:
    return Check.of_one(
        "limit_hit_is_its_refusal",
        "a limit that is said to have refused a movement would have been passed by it",
        f"""
        SELECT h.player_id, h.position, h.limit_name, h.limit_amount, h.used, m.decision, m.amount
        FROM (SELECT * FROM limit_hits h WHERE {scope.players("h")}) h
        LEFT JOIN movements m ON m.player_id = h.player_id AND m.position = h.position
        WHERE m.decision IS DISTINCT FROM CASE WHEN starts_with(h.limit_name, 'deposit_')
                                               THEN 'DEPOSIT_LIMIT' ELSE 'LIMIT_EXCEEDED' END
           OR h.used + m.amount <= h.limit_amount
        """,
    )
