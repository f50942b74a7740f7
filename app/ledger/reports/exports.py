"""One player's statement and balance, and the journal by period: movements, rounds, sessions.

The parameters of a statement are position, user id, from, to; of a balance: position, user id; of
an export: position, from, to. A period contains its beginning and not its end.
"""

from collections.abc import Sequence
from typing import Final

from app.ledger.reports.reading import Connection, LedgerReport, amount, moment
from app.ledger.reports.restaking import STAKED_AGAIN
from app.ledger.together import together

# The first line says what the player had before the period, the last one what they had after it.
STATEMENT: Final = LedgerReport(
    name="statement",
    columns=(
        "line",
        "time",
        "what",
        "money_in",
        "money_out",
        "real",
        "bonus",
        "balance",
        "currency",
        "transaction_id",
        "event_id",
    ),
    sums=("money_in", "money_out"),
    query=f"""
    WITH player AS (
        SELECT player_id, currency, scale FROM players WHERE user_id = $2
    ), edge AS (
        SELECT e.number, e.what, e.at, coalesce(m.real_after, 0) AS real,
               coalesce(m.bonus_after, 0) AS bonus
        FROM (VALUES (0, 'balance brought forward', $3::timestamptz),
                     (2, 'balance', $4::timestamptz)) AS e (number, what, at)
        CROSS JOIN player p
        LEFT JOIN LATERAL (
            SELECT real_after, bonus_after FROM movements m
            WHERE m.player_id = p.player_id AND m.ledger_time < e.at AND m.ledger_time <= $1
            ORDER BY m.position DESC LIMIT 1
        ) m ON true
    )
    SELECT line, time, what, money_in, money_out, real, bonus, balance, currency, transaction_id,
           event_id, s.number, s.position
    FROM (
        SELECT 1 AS number, m.position, m.version::text AS line, {moment("m.ledger_time")} AS time,
               e.words AS what,
               CASE m.direction WHEN 'credit' THEN {amount("m.amount", "m.scale")} END AS money_in,
               CASE WHEN m.direction = 'debit' AND e.moves_from IS NULL
                    THEN {amount("m.amount", "m.scale")} END AS money_out,
               {amount("m.real_after", "m.scale")} AS real,
               {amount("m.bonus_after", "m.scale")} AS bonus,
               {amount("m.real_after + m.bonus_after", "m.scale")} AS balance,
               m.currency, m.transaction_id, m.event_id
        FROM player p
        JOIN movements m ON m.player_id = p.player_id
        JOIN event_types e ON e.event_type = m.event_type
        WHERE m.decision = 'ACCEPTED' AND m.ledger_time >= $3 AND m.ledger_time < $4
            AND m.ledger_time <= $1
        UNION ALL
        SELECT edge.number, 0, NULL, {moment("edge.at")}, edge.what, NULL, NULL,
               {amount("edge.real", "p.scale")}, {amount("edge.bonus", "p.scale")},
               {amount("edge.real + edge.bonus", "p.scale")}, p.currency, NULL, NULL
        FROM edge CROSS JOIN player p
    ) s
    ORDER BY s.number, s.position
    """,  # noqa: S608 - composed of constants
)

BALANCE: Final = LedgerReport(
    name="balance",
    columns=("user_id", "currency", "real", "bonus", "balance", "movements", "latest", "chain"),
    sums=("real", "bonus", "balance"),
    query=f"""
    SELECT p.user_id, p.currency, {amount("coalesce(m.real_after, 0)", "p.scale")},
           {amount("coalesce(m.bonus_after, 0)", "p.scale")},
           {amount("coalesce(m.real_after + m.bonus_after, 0)", "p.scale")},
           coalesce(m.version, 0)::text, m.latest, encode(m.chain, 'hex'), p.user_id
    FROM players p
    LEFT JOIN LATERAL (
        SELECT m.real_after, m.bonus_after, m.version, {moment("m.ledger_time")} AS latest, m.chain
        FROM movements m
        WHERE m.player_id = p.player_id AND m.ledger_time <= $1
        ORDER BY m.position DESC LIMIT 1
    ) m ON true
    WHERE p.user_id = $2
    """,  # noqa: S608 - composed of constants
)

MOVEMENTS: Final = LedgerReport(
    name="movements",
    columns=(
        "time",
        "user_id",
        "agent",
        "position",
        "event_type",
        "direction",
        "amount",
        "currency",
        "decision",
        "real_delta",
        "bonus_delta",
        "real_after",
        "bonus_after",
        "house_account",
        "source",
        "transaction_id",
        "event_id",
        "game_id",
        "bonus_code",
        "reverses",
        "flags",
        "received",
        "chain",
    ),
    sums=("real_delta", "bonus_delta"),
    query=f"""
    SELECT {moment("m.ledger_time")}, p.user_id, p.agent, m.position::text, m.event_type,
           m.direction, {amount("m.amount", "m.scale")}, m.currency, m.decision,
           {amount("m.real_delta", "m.scale")}, {amount("m.bonus_delta", "m.scale")},
           {amount("m.real_after", "m.scale")}, {amount("m.bonus_after", "m.scale")}, m.contra,
           m.source, m.transaction_id, m.event_id, m.game_id::text, m.bonus_code, m.reverses,
           m.flags, {moment("m.event_time")}, encode(m.chain, 'hex'),
           m.ledger_time, m.player_id, m.position
    FROM movements m
    JOIN players p ON p.player_id = m.player_id
    WHERE m.ledger_time >= $2 AND m.ledger_time < $3 AND m.ledger_time <= $1
    ORDER BY m.ledger_time, m.player_id, m.position
    """,  # noqa: S608 - composed of constants
)

# Computed from the journal, not from the rounds' own sums: those are of now, not of the position.
# A SportBetCancel that undoes an abort places the stake again, and takes no payment back.
ROUNDS: Final = LedgerReport(
    name="rounds",
    columns=(
        "opened",
        "latest",
        "user_id",
        "agent",
        "event_id",
        "game_id",
        "kind",
        "currency",
        "bets",
        "staked",
        "given_back",
        "paid",
        "taken_back",
        "result",
        "movements",
    ),
    sums=("staked", "given_back", "paid", "taken_back", "result"),
    query=f"""
    WITH opened AS (
        SELECT DISTINCT m.player_id, m.event_id, e.is_streamer
        FROM movements m JOIN event_types e ON e.event_type = m.event_type
        WHERE m.ledger_time >= $2 AND m.ledger_time < $3 AND m.ledger_time <= $1
            AND m.event_id IS NOT NULL AND e.part <> 'none' AND m.decision = 'ACCEPTED'
    ), round AS (
        SELECT o.player_id, o.event_id, o.is_streamer, min(m.ledger_time) AS opened,
               max(m.ledger_time) AS latest, min(m.currency) AS currency, min(m.scale) AS scale,
               (array_agg(m.game_id ORDER BY m.position))[1] AS game_id,
               count(*) FILTER (WHERE e.part = 'bet') AS bets,
               coalesce(sum(m.amount) FILTER (WHERE e.part = 'bet' OR again.is_stake), 0) AS staked,
               coalesce(sum(m.amount) FILTER (WHERE e.part = 'abort'), 0) AS given_back,
               coalesce(sum(m.amount) FILTER (WHERE e.part = 'payment'), 0) AS paid,
               coalesce(sum(m.amount) FILTER (
                   WHERE e.part IN ('payment_abort', 'cancel') AND NOT again.is_stake), 0)
                   AS taken_back,
               -sum(m.real_delta + m.bonus_delta) AS result, count(*) AS movements
        FROM opened o
        JOIN movements m ON m.player_id = o.player_id AND m.event_id = o.event_id
        JOIN event_types e ON e.event_type = m.event_type AND e.is_streamer = o.is_streamer
        {STAKED_AGAIN}
        WHERE m.ledger_time <= $1 AND m.decision = 'ACCEPTED' AND e.part <> 'none'
        GROUP BY o.player_id, o.event_id, o.is_streamer
    )
    SELECT {moment("r.opened")}, {moment("r.latest")}, p.user_id, p.agent, r.event_id,
           r.game_id::text, CASE WHEN r.is_streamer THEN 'streamer' ELSE 'play' END, r.currency,
           r.bets::text, {amount("r.staked", "r.scale")}, {amount("r.given_back", "r.scale")},
           {amount("r.paid", "r.scale")}, {amount("r.taken_back", "r.scale")},
           {amount("r.result", "r.scale")}, r.movements::text,
           r.opened, r.player_id, r.event_id, r.is_streamer
    FROM round r
    JOIN players p ON p.player_id = r.player_id
    WHERE r.opened >= $2
    ORDER BY r.opened, r.player_id, r.event_id COLLATE "C", r.is_streamer
    """,  # noqa: S608 - composed of constants
)

# When a session ends may still change; when it began may not.
SESSIONS: Final = LedgerReport(
    name="sessions",
    columns=("issued", "user_id", "agent", "currency", "origin"),
    sums=(),
    query=f"""
    SELECT {moment("s.issued_at")}, p.user_id, p.agent, p.currency, s.origin,
           s.issued_at, p.user_id, s.token_hash
    FROM sessions s
    JOIN players p ON p.player_id = s.player_id
    WHERE s.issued_at >= $2 AND s.issued_at < $3 AND s.issued_at <= $1
    ORDER BY s.issued_at, p.user_id COLLATE "C", s.token_hash
    """,  # noqa: S608 - composed of constants
)

_KNOWN: Final = "SELECT EXISTS (SELECT FROM players WHERE user_id = $1)"


async def is_known(connections: Sequence[Connection], user_id: str) -> bool:
    """Whether there is such a player."""
    return any(await together(each.fetchval(_KNOWN, user_id) for each in connections))
