"""Player money: what must be held apart, and what players owe.

The one parameter is the position. Both are computed from the journal, so that a moment long past
can be asked for; a debt of one player is never netted against the money of another. What the
simulator's players have is nobody's money, and in neither.
"""

from typing import Final

from app.ledger.reports.reading import LedgerReport, amount, moment
from app.ledger.simulated import is_real

_FUNDS: Final = ("real", "pending_withdrawals", "open_stakes", "to_hold", "bonus", "debts")
"""The columns in money; with the count of accounts they are added up over buckets."""

# A stake is open until a payment comes after its round's latest bet and SportBetCancel.
FUNDS: Final = LedgerReport(
    name="funds",
    columns=("currency", "agent", "accounts", *_FUNDS),
    sums=_FUNDS,
    added=("accounts", *_FUNDS),
    query=f"""
    WITH balances AS (
        SELECT p.currency, p.agent, p.scale, count(*) AS accounts,
               sum(greatest(m.real_after, 0)) AS real, sum(m.bonus_after) AS bonus,
               sum(greatest(-m.real_after, 0)) AS debts
        FROM players p
        CROSS JOIN LATERAL (
            SELECT m.real_after, m.bonus_after FROM movements m
            WHERE m.player_id = p.player_id AND m.ledger_time <= $1
            ORDER BY m.position DESC LIMIT 1
        ) m
        WHERE {is_real("p.player_id")}
        GROUP BY p.currency, p.agent, p.scale
    ), rounds AS (
        SELECT m.player_id, m.event_id, e.is_streamer,
               max(m.position) FILTER (WHERE e.part IN ('bet', 'cancel')) AS opened,
               max(m.position) FILTER (WHERE e.part = 'payment') AS paid,
               -sum(CASE WHEN e.part IN ('bet', 'abort') OR (e.part = 'cancel' AND EXISTS (
                             SELECT FROM movements undone
                             JOIN event_types u ON u.event_type = undone.event_type
                                 AND u.part = 'abort'
                             WHERE m.reverses <> '' AND undone.player_id = m.player_id
                                 AND undone.position = split_part(m.reverses, '/', 1)::bigint))
                         THEN m.real_delta + m.bonus_delta ELSE 0 END) AS stakes
        FROM movements m JOIN event_types e ON e.event_type = m.event_type
        WHERE m.ledger_time <= $1 AND m.decision = 'ACCEPTED' AND m.event_id IS NOT NULL
            AND e.part <> 'none'
        GROUP BY m.player_id, m.event_id, e.is_streamer
    ), stakes AS (
        SELECT p.currency, p.agent, sum(r.stakes) AS open
        FROM rounds r JOIN players p ON p.player_id = r.player_id
        WHERE r.stakes > 0 AND coalesce(r.paid, 0) < r.opened
        GROUP BY p.currency, p.agent
    ), pending AS (
        SELECT p.currency, p.agent,
               sum(CASE WHEN e.counts_as = 'pending' THEN -(m.real_delta + m.bonus_delta)
                        ELSE -m.amount END) AS pending
        FROM movements m
        JOIN event_types e ON e.event_type = m.event_type
        JOIN players p ON p.player_id = m.player_id
        WHERE m.ledger_time <= $1 AND m.decision = 'ACCEPTED'
            AND (e.counts_as = 'pending' OR m.event_type = 'WithdrawalSettle')
        GROUP BY p.currency, p.agent
    )
    SELECT b.currency, b.agent, b.accounts::text, {amount("b.real", "b.scale")},
           {amount("coalesce(w.pending, 0)", "b.scale")},
           {amount("coalesce(s.open, 0)", "b.scale")},
           {amount("b.real + coalesce(w.pending, 0) + coalesce(s.open, 0)", "b.scale")},
           {amount("b.bonus", "b.scale")}, {amount("b.debts", "b.scale")}, b.currency, b.agent
    FROM balances b
    LEFT JOIN stakes s ON s.currency = b.currency AND s.agent = b.agent
    LEFT JOIN pending w ON w.currency = b.currency AND w.agent = b.agent
    ORDER BY b.currency COLLATE "C", b.agent COLLATE "C"
    """,  # noqa: S608 - composed of constants
)

# A debt is what the real pocket is below zero. Every change of it is counted once, so that what was
# incurred, less recovered, less written off, is what is owed. Written off is what two people
# forgave; what they moved for another reason, a prize say, pays a debt like any other credit.
DEBTS: Final = LedgerReport(
    name="debts",
    columns=(
        "user_id",
        "agent",
        "currency",
        "owed",
        "since",
        "age_days",
        "age",
        "fell_by",
        "event_id",
        "incurred",
        "recovered",
        "written_off",
    ),
    sums=("owed", "incurred", "recovered", "written_off"),
    query=f"""
    WITH steps AS (
        SELECT m.player_id, m.position, m.ledger_time, m.event_type, m.event_id,
               coalesce(a.reason = 'debt_forgiven', false) AS is_forgiven,
               greatest(-m.real_before, 0) AS before, greatest(-m.real_after, 0) AS after
        FROM movements m
        LEFT JOIN adjustment_decisions d ON m.event_type = 'Adjustment'
            AND d.player_id = m.player_id AND d.position = m.position
        LEFT JOIN adjustments a ON a.adjustment_id = d.adjustment_id
        WHERE m.ledger_time <= $1 AND m.decision = 'ACCEPTED'
            AND (m.real_before < 0 OR m.real_after < 0) AND {is_real("m.player_id")}
    ), debts AS (
        SELECT player_id, (array_agg(after ORDER BY position DESC))[1] AS owed,
               sum(greatest(after - before, 0)) AS incurred,
               sum(greatest(before - after, 0)) FILTER (WHERE NOT is_forgiven) AS recovered,
               sum(greatest(before - after, 0)) FILTER (WHERE is_forgiven) AS written_off,
               max(position) FILTER (WHERE before = 0) AS fell_at
        FROM steps GROUP BY player_id
    )
    SELECT p.user_id, p.agent, p.currency, {amount("d.owed", "p.scale")},
           CASE WHEN d.owed > 0 THEN {moment("s.ledger_time")} END,
           CASE WHEN d.owed > 0 THEN age.days::text END,
           CASE WHEN d.owed = 0 THEN 'settled' WHEN age.days <= 7 THEN 'to 7 days'
                WHEN age.days <= 30 THEN 'to 30 days' WHEN age.days <= 90 THEN 'to 90 days'
                ELSE 'over 90 days' END,
           s.event_type, s.event_id, {amount("d.incurred", "p.scale")},
           {amount("coalesce(d.recovered, 0)", "p.scale")},
           {amount("coalesce(d.written_off, 0)", "p.scale")}, -d.owed, p.user_id
    FROM debts d
    JOIN players p ON p.player_id = d.player_id
    JOIN steps s ON s.player_id = d.player_id AND s.position = d.fell_at
    CROSS JOIN LATERAL (
        SELECT floor(extract(epoch FROM $1 - s.ledger_time) / 86400)::bigint AS days
    ) age
    ORDER BY d.owed DESC, p.user_id COLLATE "C"
    """,  # noqa: S608 - composed of constants
)
