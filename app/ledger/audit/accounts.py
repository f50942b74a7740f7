"""Laws of accounts: whose they are, what was settled about them, and what they used of limits."""

from typing import Final

from app.ledger.audit.scope import ABORTS, CANCELS, PAYMENT_ABORTS, Invariant, Scope, types
from app.wallet.events import LimitEffect, Part
from app.wallet.journal import CHAIN_START

_STAKES: Final = types(
    lambda rule: rule.part is Part.BET and rule.limit_effect is LimitEffect.STAKE
)
_TIPS: Final = types(lambda rule: rule.limit_effect is LimitEffect.TIP)
_WINNINGS: Final = types(
    lambda rule: rule.part in {Part.PAYMENT, Part.NONE} and rule.limit_effect is LimitEffect.PAYMENT
)

_CHAIN_START: Final = """
    sha256(convert_to(
        'opening|' || char_length(o.user_id) || ':' || o.user_id
        || '|' || char_length(o.agent) || ':' || o.agent
        || '|' || o.currency || '|' || o.scale, 'UTF8'))
"""
"""`chain_start` in SQL, of a row `o` of account_openings."""

_USAGE: Final = ("stake_day", "stake_week", "stake_month", "loss_day", "loss_week", "loss_month")


def laws(scope: Scope) -> tuple[Invariant, ...]:
    """Return the laws, for what the scope looks at."""
    return (
        _is_as_opened(scope),
        _is_as_its_trail_says(scope),
        _session_has_its_trail(scope),
        _usage_is_its_movements(scope),
    )


def _is_as_opened(scope: Scope) -> Invariant:
    return Invariant(
        "account_is_as_opened",
        "an account is still its player's, with their agent and currency, as it was opened",
        f"""
        SELECT player_id, p.user_id, p.agent, p.currency, o.user_id AS opened_for,
               o.agent AS opened_by, o.currency AS opened_in
        FROM (SELECT * FROM players p WHERE {scope.players("p")}) p
        FULL JOIN (SELECT * FROM account_openings o WHERE {scope.players("o")}) o USING (player_id)
        WHERE (p.user_id, p.agent, p.currency, p.scale)
              IS DISTINCT FROM (o.user_id, o.agent, o.currency, o.scale)
           OR o.chain_start NOT IN ('\\x{CHAIN_START.hex()}'::bytea, {_CHAIN_START})
        """,
    )


def _bounded(moment: str) -> str:
    """`clamped` in SQL: moments from before there were bounds stand as infinities."""
    return (
        f"CASE WHEN {moment} IS NOT NULL THEN least(greatest({moment}, "
        "timestamptz '1970-01-01 00:00:00Z'), timestamptz '9000-01-01 00:00:00Z') END"
    )


def _terms(limits: str, starts_at: str) -> str:
    """The limits of a player, whichever of the two forms they are kept in."""
    return f"""
        (SELECT coalesce(jsonb_object_agg(t.key, jsonb_build_array(
             t.value -> 'amount', t.value -> 'later', t.value -> '{starts_at}')), '{{}}')
         FROM jsonb_each({limits}) AS t)
    """


def _is_as_its_trail_says(scope: Scope) -> Invariant:
    """Hold block, exclusion and limits against what came of the last change of the account.

    An account that was never changed is active, without exclusion and limits.
    """
    return Invariant(
        "account_is_as_its_trail_says",
        "block, exclusion and limits of a player are those of the last change that was noted",
        f"""
        WITH said AS (
            SELECT DISTINCT ON (c.player_id) c.player_id, c.outcome::jsonb AS outcome
            FROM account_changes c
            WHERE {scope.players("c")} AND starts_with(c.outcome, '{{"status"')
            ORDER BY c.player_id, c.change_id DESC
        )
        SELECT w.player_id, w.blocked, w.excluded_until, w.limits::text, s.outcome::text AS noted
        FROM (SELECT * FROM wallets w WHERE {scope.players("w")}) w
        LEFT JOIN said s ON s.player_id = w.player_id
        WHERE (s.player_id IS NOT NULL OR w.blocked OR w.excluded_until IS NOT NULL
               OR w.limits IS NOT NULL)
          AND (w.blocked, {_bounded("w.excluded_until")}, {_terms("w.limits", "from")})
              IS DISTINCT FROM
              (coalesce(s.outcome ->> 'status' = 'blocked', false),
               {_bounded("(s.outcome ->> 'excluded_until')::timestamptz")},
               {_terms("s.outcome -> 'limits'", "starts_at")})
        """,
    )


def _session_has_its_trail(scope: Scope) -> Invariant:
    """Hold tokens that an agent asked for against the list of changes.

    Tokens of the other origins leave no note: the game side's own, the platform's, the console's.
    """
    return Invariant(
        "session_has_its_trail",
        "a token that an agent was given is noted at its moment",
        f"""
        SELECT s.player_id, s.issued_at, s.expires_at
        FROM sessions s
        WHERE {scope.players("s")} AND s.origin = 'transfer'
          AND NOT EXISTS (
              SELECT FROM account_changes c
              WHERE c.player_id = s.player_id AND c.ledger_time = s.issued_at
                AND starts_with(c.outcome, '{{"expires_at"'))
        """,
    )


def _usage_is_its_movements(scope: Scope) -> Invariant:
    """Add up anew what was staked and lost in the windows that contain the last day of play.

    A bet that is given back, or stands again, counts on the day it was placed; everything else
    on its own day. Of what is recent, only players with limits are looked at: it takes a month of
    their movements to know what they used.
    """
    limited = "" if scope.is_everything else "AND w.limits IS NOT NULL"
    undone = "nullif(split_part({}.reverses, '/', 1), '')::bigint"
    day = "({}.ledger_time AT TIME ZONE 'UTC')::date"
    counts = (
        "m.player_id = h.player_id AND m.decision = 'ACCEPTED' AND m.ledger_time >="
        " least(h.week_from, h.month_from)::timestamp AT TIME ZONE 'UTC'"
    )
    sums = ", ".join(
        f"coalesce(sum(e.{what}) FILTER (WHERE e.day >= h.{window}_from AND e.day < h.{window}_to),"
        f" 0) AS {what}_{window}"
        for what, window in (name.split("_") for name in _USAGE)
    )
    kept = ", ".join(f"h.{name}" for name in _USAGE)
    anew = ", ".join(f"u.{name}" for name in _USAGE)
    return Invariant(
        "usage_is_its_movements",
        "what a player has used of limits is what they staked and lost",
        f"""
        WITH held AS MATERIALIZED (
            SELECT w.player_id, {", ".join(f"w.{name}" for name in _USAGE)},
                   d.day AS day_from, d.day + 1 AS day_to,
                   d.day - (w.usage_day - 1) % 7 AS week_from,
                   d.day - (w.usage_day - 1) % 7 + 7 AS week_to,
                   date_trunc('month', d.day::timestamp)::date AS month_from,
                   (date_trunc('month', d.day::timestamp) + interval '1 month')::date AS month_to
            FROM wallets w
            CROSS JOIN LATERAL (SELECT date '0001-01-01' + (w.usage_day - 1) AS day) d
            WHERE {scope.players("w")} {limited}
        ), effect AS (
            SELECT m.player_id, {day.format("m")} AS today, {day.format("m")} AS day,
                   CASE WHEN m.event_type IN ({_STAKES}) THEN m.amount ELSE 0 END AS stake,
                   CASE WHEN m.event_type IN ({_WINNINGS}) THEN -m.amount ELSE m.amount END AS loss
            FROM held h JOIN movements m ON {counts}
            WHERE m.event_type IN ({_STAKES}, {_TIPS}, {_WINNINGS}, {PAYMENT_ABORTS})
            UNION ALL
            SELECT m.player_id, {day.format("m")},
                   CASE WHEN m.event_type IN ({ABORTS}) THEN {day.format("t")}
                        WHEN b.player_id IS NOT NULL THEN {day.format("b")}
                        ELSE {day.format("m")} END,
                   CASE WHEN m.event_type IN ({ABORTS}) THEN -m.amount
                        WHEN b.player_id IS NOT NULL THEN m.amount ELSE 0 END,
                   CASE WHEN m.event_type IN ({ABORTS}) THEN -m.amount ELSE m.amount END
            FROM held h JOIN movements m ON {counts}
            LEFT JOIN movements t ON t.player_id = m.player_id AND t.position = {undone.format("m")}
            LEFT JOIN movements b ON b.player_id = t.player_id AND t.event_type IN ({ABORTS})
                 AND b.position = {undone.format("t")}
            WHERE m.event_type IN ({ABORTS}, {CANCELS})
        ), used AS (
            SELECT h.player_id, coalesce(max(e.today), date '0001-01-01') AS day, {sums}
            FROM held h LEFT JOIN effect e ON e.player_id = h.player_id
            GROUP BY h.player_id
        )
        SELECT h.player_id, h.day_from AS kept_until, u.day AS last_day, {kept},
               {", ".join(f"u.{name} AS {name}_anew" for name in _USAGE)}
        FROM held h JOIN used u ON u.player_id = h.player_id
        WHERE (h.day_from, {kept}) <> (u.day, {anew})
        """,
    )
