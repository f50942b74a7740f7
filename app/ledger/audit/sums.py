"""Laws of sums: wallets, house accounts and used limits, added up anew from the journal.

A look at whole players adds up every player's days once, and three laws hold what they look at
against that. Of what is recent, each law reads what it needs.
"""

from typing import Final

from app.ledger.audit.scope import ABORTS, CANCELS, PAYMENT_ABORTS, Check, Invariant, Scope, types
from app.ledger.limit_calendar import day_of
from app.wallet.events import LimitEffect, Part

_STAKES: Final = types(
    lambda rule: rule.part is Part.BET and rule.limit_effect is LimitEffect.STAKE
)
_UNCOUNTED: Final = types(
    lambda rule: rule.part is Part.BET and rule.limit_effect is LimitEffect.NONE
)
"""Bets that another wallet counted: whatever becomes of their stake counts in no limit here."""

_TIPS: Final = types(lambda rule: rule.limit_effect is LimitEffect.TIP)
_WINNINGS: Final = types(
    lambda rule: rule.part in {Part.PAYMENT, Part.NONE} and rule.limit_effect is LimitEffect.PAYMENT
)
_ON_THEIR_DAY: Final = f"{_STAKES}, {_TIPS}, {_WINNINGS}, {PAYMENT_ABORTS}"
"""What counts on the day of the movement; what undoes a bet counts on the day of the bet."""

_USAGE: Final = ("stake_day", "stake_week", "stake_month", "loss_day", "loss_week", "loss_month")

WALLET_IS_SUM: Final = Invariant("wallet_is_sum", "a wallet is the sum of all its movements")
TRIAL_BALANCE: Final = Invariant(
    "trial_balance",
    "in each currency, the wallets together hold what the house accounts gave",
)
USAGE: Final = Invariant(
    "usage_is_its_movements",
    "what a player has used of limits is what they staked and lost",
)


def checks(scope: Scope) -> tuple[Check, ...]:
    """Return the checks of what the scope looks at."""
    if scope.is_everything:
        return (_added_up(scope),)
    # `wallet_is_sum` says what the trial balance says, wallet by wallet.
    return (_recent_sum(scope), _recent_usage(scope))


def _windows(condition: str) -> str:
    """What wallets say was used, with the windows that contain the last day of play."""
    return f"""
        SELECT w.player_id, {", ".join(f"w.{name}" for name in _USAGE)},
               d.day AS day_from, d.day + 1 AS day_to,
               d.day - (w.usage_day - 1) % 7 AS week_from,
               d.day - (w.usage_day - 1) % 7 + 7 AS week_to,
               date_trunc('month', d.day::timestamp)::date AS month_from,
               (date_trunc('month', d.day::timestamp) + interval '1 month')::date AS month_to
        FROM wallets w
        CROSS JOIN LATERAL (SELECT date '0001-01-01' + (w.usage_day - 1) AS day) d
        WHERE {condition}
    """


def _days(condition: str) -> str:
    """What players gained, staked and lost on each day, and whether they played."""
    return f"""
        SELECT m.player_id, {day_of("m.ledger_time")} AS day,
               sum(m.real_delta) AS real, sum(m.bonus_delta) AS bonus,
               coalesce(sum(m.amount) FILTER (
                   WHERE m.decision = 'ACCEPTED' AND m.event_type IN ({_STAKES})), 0) AS stake,
               coalesce(sum(CASE m.direction WHEN 'debit' THEN m.amount ELSE -m.amount END) FILTER (
                   WHERE m.decision = 'ACCEPTED' AND m.event_type IN ({_ON_THEIR_DAY})), 0) AS loss,
               bool_or(m.decision = 'ACCEPTED'
                       AND m.event_type IN ({_ON_THEIR_DAY}, {ABORTS}, {CANCELS})) AS has_played
        FROM movements m
        WHERE {condition}
        GROUP BY 1, 2
    """


def _undone(condition: str) -> str:
    """What came back of bets, and stands again, on the days they were placed."""
    target = "nullif(split_part({}.reverses, '/', 1), '')::bigint"
    return f"""
        SELECT m.player_id,
               CASE WHEN m.event_type IN ({ABORTS}) THEN {day_of("t.ledger_time")}
                    WHEN b.player_id IS NOT NULL THEN {day_of("b.ledger_time")}
                    ELSE {day_of("m.ledger_time")} END AS day,
               CASE WHEN coalesce(b.event_type, t.event_type) IN ({_UNCOUNTED}) THEN 0
                    WHEN m.event_type IN ({ABORTS}) THEN -m.amount
                    WHEN b.player_id IS NOT NULL THEN m.amount ELSE 0 END AS stake,
               CASE WHEN coalesce(b.event_type, t.event_type) IN ({_UNCOUNTED}) THEN 0
                    WHEN m.event_type IN ({ABORTS}) THEN -m.amount ELSE m.amount END AS loss
        FROM movements m
        LEFT JOIN movements t ON t.player_id = m.player_id AND t.position = {target.format("m")}
        LEFT JOIN movements b ON b.player_id = t.player_id AND t.event_type IN ({ABORTS})
             AND b.position = {target.format("t")}
        WHERE {condition} AND m.decision = 'ACCEPTED' AND m.event_type IN ({ABORTS}, {CANCELS})
    """


def _used() -> str:
    """Add `days` and `undone` up within the windows of `held`, and compare."""
    sums = ", ".join(
        f"coalesce(sum(e.{what}) FILTER (WHERE e.day >= h.{window}_from AND e.day < h.{window}_to),"
        f" 0) AS {what}_{window}"
        for what, window in (name.split("_") for name in _USAGE)
    )
    kept = ", ".join(f"h.{name}" for name in _USAGE)
    anew = ", ".join(f"u.{name}" for name in _USAGE)
    return f"""
        SELECT h.player_id, h.day_from AS kept_until, u.day AS last_day, {kept},
               {", ".join(f"u.{name} AS {name}_anew" for name in _USAGE)}
        FROM held h
        JOIN (SELECT h.player_id, coalesce(max(e.day) FILTER (WHERE e.has_played),
                                           date '0001-01-01') AS day, {sums}
              FROM held h
              LEFT JOIN (SELECT player_id, day, stake, loss, has_played FROM days
                         UNION ALL SELECT player_id, day, stake, loss, false FROM undone) e
                  ON e.player_id = h.player_id
              GROUP BY h.player_id) u ON u.player_id = h.player_id
        WHERE (h.day_from, {kept}) <> (u.day, {anew})
    """


def _added_up(scope: Scope) -> Check:
    """Hold wallets, house accounts and used limits against every player's days.

    The trial balance takes the player's currency: that their movements are in it is another law.
    """
    trial = f"""
        UNION ALL
        SELECT '{TRIAL_BALANCE.name}', jsonb_build_object(
            'currency', coalesce(w.currency, j.currency), 'held', w.held, 'given', j.given)
        FROM (SELECT p.currency, sum(w.real + w.bonus) AS held
              FROM wallets w JOIN players p USING (player_id)
              WHERE {scope.players("w")} GROUP BY p.currency) w
        FULL JOIN (SELECT coalesce(p.currency, '?') AS currency, sum(d.real + d.bonus) AS given
                   FROM total d
                   LEFT JOIN (SELECT * FROM players p WHERE {scope.players("p")}) p
                       ON p.player_id = d.player_id
                   GROUP BY 1) j ON j.currency = w.currency
        WHERE coalesce(w.held, 0) <> coalesce(j.given, 0)
    """
    return Check(
        (WALLET_IS_SUM, *((TRIAL_BALANCE,) if scope.is_everybody else ()), USAGE),
        f"""
        WITH days AS MATERIALIZED ({_days(scope.movements("m"))}
        ), total AS MATERIALIZED (
            SELECT player_id, sum(real) AS real, sum(bonus) AS bonus FROM days GROUP BY player_id
        ), held AS MATERIALIZED ({_windows(scope.players("w"))}
        ), undone AS MATERIALIZED ({_undone(scope.movements("m"))})
        SELECT '{WALLET_IS_SUM.name}' AS invariant, jsonb_build_object(
            'player_id', w.player_id, 'real', w.real, 'bonus', w.bonus, 'real_sum', s.real,
            'bonus_sum', s.bonus) AS offender
        FROM wallets w LEFT JOIN total s ON s.player_id = w.player_id
        WHERE {scope.players("w")}
          AND (w.real, w.bonus) <> (coalesce(s.real, 0), coalesce(s.bonus, 0))
        UNION ALL
        SELECT '{USAGE.name}', to_jsonb(o) FROM ({_used()}) AS o
        {trial if scope.is_everybody else ""}
        """,
    )


def _recent_sum(scope: Scope) -> Check:
    """Begin where the first recent movement of each wallet began.

    What happened before is part of an audit that looked at it. From there on every movement
    counts, whatever a clock that stepped back says.
    """
    return Check.of_one(
        *WALLET_IS_SUM,
        f"""
        SELECT w.player_id, w.real, w.bonus, s.real AS real_sum, s.bonus AS bonus_sum
        FROM (
            SELECT m.player_id, min(m.position) AS position
            FROM movements m WHERE {scope.movements("m")} GROUP BY m.player_id
        ) f
        JOIN wallets w ON w.player_id = f.player_id
        JOIN movements b ON b.player_id = f.player_id AND b.position = f.position
        CROSS JOIN LATERAL (
            SELECT b.real_before + sum(real_delta) AS real,
                   b.bonus_before + sum(bonus_delta) AS bonus
            FROM movements WHERE player_id = f.player_id AND position >= f.position
        ) s
        WHERE (w.real, w.bonus) <> (s.real, s.bonus)
        """,
    )


def _recent_usage(scope: Scope) -> Check:
    """Look only at players who have limits: what they used takes a month of movements to know."""
    limited = "m.player_id IN (SELECT player_id FROM held)"
    return Check.of_one(
        *USAGE,
        f"""
        WITH held AS MATERIALIZED (
            {_windows(f"{scope.players('w')} AND w.limits IS NOT NULL")}
        ), days AS MATERIALIZED ({_days(limited)}
        ), undone AS MATERIALIZED ({_undone(limited)})
        {_used()}
        """,
    )
