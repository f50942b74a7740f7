"""Laws of rounds: each is what its movements made of it, and nothing is undone twice."""

from typing import Final

from app.ledger.audit.scope import (
    ABORTS,
    BETS,
    CANCELS,
    IN_ROUNDS,
    IS_STREAMER,
    PAYMENTS,
    Check,
    Invariant,
    Scope,
    types,
)
from app.wallet.events import EventType, HoldPart, HouseAccount

HAS_ROUND: Final = Invariant(
    "movement_has_its_round", "no bet, payment, abort or cancel without its round"
)
IS_ITS_MOVEMENTS: Final = Invariant(
    "round_is_its_movements", "no round that differs from what its movements made of it"
)
ABORT_HAS_BET: Final = Invariant(
    "abort_has_its_bet", "no abort without its bet of the same event and amount, before it"
)
GIVEN_BACK_ONCE: Final = Invariant(
    "bet_given_back_once", "no bet is given back twice, unless a cancel let it stand again between"
)
TAKEN_BACK_WITHIN: Final = Invariant(
    "payment_taken_back_within",
    "no more is taken back of a payment than went there, pocket by pocket",
)
HAS_TARGET: Final = Invariant(
    "reversal_has_its_target",
    "whatever undoes something names an accepted movement of its own event, before it",
)


_NAMED: Final = types(lambda rule: rule.is_named)
_SETTLES: Final = types(lambda rule: rule.hold is HoldPart.SETTLE)
_IMPORTED: Final = types(lambda rule: rule.contra is HouseAccount.IMPORTS)
"""What came in from another wallet; games pay and take back what follows from it."""


def checks(scope: Scope) -> tuple[Check, ...]:
    """Return the check of what the scope looks at."""
    laws = (
        HAS_ROUND,
        IS_ITS_MOVEMENTS,
        ABORT_HAS_BET,
        GIVEN_BACK_ONCE,
        TAKEN_BACK_WITHIN,
        HAS_TARGET,
    )
    parts = (_rounds(scope), *_undoing())
    if not scope.is_everything:
        parts += (_without_event(scope),)
    return (
        Check(
            laws,
            f"WITH {_UNDOING.format(condition=scope.events('m'))} {' UNION ALL '.join(parts)}",
        ),
    )


_UNDOING: Final = f"""
    undoing AS MATERIALIZED (
        SELECT m.player_id, m.position, m.event_type, m.event_id, m.amount, m.contra, m.scale,
               m.reverses
        FROM movements m
        WHERE {{condition}} AND m.decision = 'ACCEPTED'
          AND (m.reverses <> '' OR m.event_type IN ({ABORTS}))
          AND m.event_type <> '{EventType.BETBY_NO_EFFECT}'
    ), reversal AS MATERIALIZED (
        SELECT u.player_id, u.position, u.event_type, u.event_id, u.amount, u.contra,
               split_part(part, '/', 1)::bigint AS target,
               split_part(part, '/', 2)::numeric / 10::numeric ^ u.scale AS real,
               split_part(part, '/', 3)::numeric / 10::numeric ^ u.scale AS bonus
        FROM undoing u
        CROSS JOIN LATERAL unnest(string_to_array(u.reverses, ',')) WITH ORDINALITY AS a (part, n)
        WHERE u.reverses <> '' AND (a.n = 1 OR u.event_type NOT IN ({_NAMED}))
    )
"""
"""Whatever undoes something, and every single reversal, in major units.

Of Betby's, the first part names the money; what follows only names the operation that was meant.
"""


_PARTS: Final = f"""
    SELECT m.player_id, m.event_id, {IS_STREAMER} AS is_streamer, m.position, m.ledger_time,
           m.game_id, m.amount, m.real_delta,
           CASE WHEN m.event_type IN ({BETS}) THEN 'b' WHEN m.event_type IN ({PAYMENTS}) THEN 'p'
                WHEN m.event_type IN ({CANCELS}) THEN 'c' ELSE '' END::"char" AS part
    FROM movements m
    WHERE {{condition}} AND m.decision = 'ACCEPTED' AND m.event_type IN ({IN_ROUNDS})
    OFFSET 0
"""
"""What every movement is to its round; OFFSET keeps it from being asked once for each sum."""


def _rounds(scope: Scope) -> str:
    """Add up rounds anew, and see how each began and ended.

    Whether a round is settled is told by its last bet, cancel or payment. Its game and its times
    are those of its first and last movement, unless a refused abort may have come before or after
    it. The extremes of all movements are these nearly always; only where they are not, because a
    clock stepped back or the game side changed its game id, the first and the last are looked up.

    What was staked and did not come from the real pocket came from the other: that the two make up
    the amount of each bet is a law of the journal.
    """
    of_round = (
        "movements m WHERE m.player_id = r.player_id AND m.event_id = r.event_id"
        f" AND ({IS_STREAMER}) = r.is_streamer AND m.decision = 'ACCEPTED'"
        f" AND m.event_type IN ({IN_ROUNDS}) ORDER BY m.position"
    )
    return f"""
        SELECT CASE WHEN r.player_id IS NULL THEN '{HAS_ROUND.name}'
                    ELSE '{IS_ITS_MOVEMENTS.name}' END AS invariant,
               coalesce(r.player_id, s.player_id) AS player_id, NULL::bigint AS position,
               coalesce(r.event_id, s.event_id) AS event_id,
               coalesce(r.is_streamer, s.is_streamer) AS is_streamer
        FROM (SELECT * FROM rounds r WHERE {scope.events("r")}) r
        FULL JOIN (
            SELECT m.player_id, m.event_id, m.is_streamer,
                   count(*) FILTER (WHERE m.part = 'b') AS bets_placed,
                   coalesce(-sum(m.real_delta) FILTER (WHERE m.part = 'b'), 0) AS stake_real,
                   coalesce(sum(m.amount) FILTER (WHERE m.part = 'b'), 0) AS staked,
                   coalesce(sum(m.amount) FILTER (WHERE m.part = 'p'), 0) AS paid,
                   count(*) FILTER (WHERE m.part = 'c') AS cancels,
                   coalesce(sum(m.amount) FILTER (WHERE m.part = 'c'), 0) AS cancelled,
                   (max(m.position * 2 + (m.part = 'p')::integer) FILTER (WHERE m.part <> ''))
                       % 2 = 1 AS settled,
                   min(m.ledger_time) AS opened_at, max(m.ledger_time) AS last_at,
                   min(m.game_id) AS game_id
            FROM ({_PARTS.format(condition=scope.events("m"))}) m
            GROUP BY 1, 2, 3
        ) s ON s.player_id = r.player_id AND s.event_id = r.event_id
               AND s.is_streamer = r.is_streamer
        LEFT JOIN (
            SELECT v.player_id, v.event_id, v.contra = 'house:streamers' AS is_streamer,
                   count(*) FILTER (WHERE t.event_type IN ({BETS})) AS given_back,
                   count(*) FILTER (WHERE t.event_type IN ({ABORTS})) AS stand_again,
                   coalesce(sum(v.real) FILTER (WHERE t.event_type IN ({BETS})), 0)
                       - coalesce(sum(b.real), 0) AS real_back,
                   coalesce(sum(v.bonus) FILTER (WHERE t.event_type IN ({BETS})), 0)
                       - coalesce(sum(b.bonus), 0) AS bonus_back,
                   coalesce(sum(v.real + v.bonus) FILTER (WHERE t.event_type IN ({PAYMENTS})), 0)
                       AS taken_back,
                   coalesce(sum(v.real + v.bonus) FILTER (WHERE v.event_type IN ({CANCELS})), 0)
                       AS uncancelled
            FROM reversal v
            JOIN movements t ON t.player_id = v.player_id AND t.position = v.target
            LEFT JOIN reversal b ON b.player_id = t.player_id AND b.position = t.position
                 AND t.event_type IN ({ABORTS})
            GROUP BY 1, 2, 3
        ) u ON u.player_id = r.player_id AND u.event_id = r.event_id
               AND u.is_streamer = r.is_streamer
        WHERE r.player_id IS NULL
           OR (r.bets_placed, r.bets_standing, r.stake_real, r.stake_bonus, r.staked, r.paid,
               r.taken_back, r.cancels, r.remainder, r.settled)
           <> (coalesce(s.bets_placed, 0),
               coalesce(s.bets_placed, 0) - coalesce(u.given_back, 0) + coalesce(u.stand_again, 0),
               coalesce(s.stake_real, 0) - coalesce(u.real_back, 0),
               coalesce(s.staked - s.stake_real, 0) - coalesce(u.bonus_back, 0),
               coalesce(s.staked, 0), coalesce(s.paid, 0), coalesce(u.taken_back, 0),
               coalesce(s.cancels, 0), coalesce(s.cancelled, 0) - coalesce(u.uncancelled, 0),
               coalesce(s.settled, false))
           OR (NOT r.has_early_aborts AND cardinality(r.refused_aborts) = 0
               AND (r.opened_at, r.last_at, r.game_id)
                   IS DISTINCT FROM (s.opened_at, s.last_at, s.game_id)
               AND NOT (
                   EXISTS (SELECT FROM (SELECT m.ledger_time, m.game_id FROM {of_round} LIMIT 1) f
                           WHERE f.ledger_time = r.opened_at
                             AND f.game_id IS NOT DISTINCT FROM r.game_id)
                   AND r.last_at IS NOT DISTINCT FROM
                       (SELECT m.ledger_time FROM {of_round} DESC LIMIT 1)))
    """


def _without_event(scope: Scope) -> str:
    """Find what belongs to a round and names no event: by its event it would not be looked at."""
    return f"""
        SELECT '{HAS_ROUND.name}', m.player_id, m.position, m.event_id, {IS_STREAMER}
        FROM movements m
        WHERE {scope.movements("m")} AND m.decision = 'ACCEPTED' AND m.event_id IS NULL
          AND m.event_type IN ({IN_ROUNDS})
    """


def _undoing() -> tuple[str, ...]:
    streamer = "house:streamers"
    return (
        f"""
        SELECT '{ABORT_HAS_BET.name}', m.player_id, m.position, m.event_id,
               m.contra = '{streamer}'
        FROM undoing m
        LEFT JOIN movements b ON b.player_id = m.player_id
             AND b.position = nullif(split_part(m.reverses, '/', 1), '')::bigint
        WHERE m.event_type IN ({ABORTS})
          AND (b.player_id IS NULL OR b.decision <> 'ACCEPTED' OR b.event_type NOT IN ({BETS})
               OR b.event_id <> m.event_id OR b.position >= m.position
               OR m.contra <> CASE WHEN b.event_type IN ({_IMPORTED}) THEN '{HouseAccount.GAMES}'
                                   ELSE b.contra END
               OR b.amount <> m.amount
               OR (position(',' IN m.reverses) > 0 AND m.event_type NOT IN ({_NAMED})))
        """,
        f"""
        SELECT '{GIVEN_BACK_ONCE.name}', v.player_id, v.target, min(v.event_id),
               bool_or(v.contra = '{streamer}')
        FROM reversal v
        LEFT JOIN reversal c ON c.player_id = v.player_id AND c.target = v.position
        WHERE v.event_type IN ({ABORTS})
        GROUP BY v.player_id, v.target
        HAVING count(*) - count(c.target) NOT IN (0, 1)
        """,
        f"""
        SELECT '{TAKEN_BACK_WITHIN.name}', t.player_id, t.position, t.event_id,
               t.contra = '{streamer}'
        FROM reversal v
        JOIN movements t ON t.player_id = v.player_id AND t.position = v.target
        WHERE t.event_type IN ({PAYMENTS})
        GROUP BY t.player_id, t.position, t.event_id, t.contra, t.real_delta, t.bonus_delta
        HAVING sum(v.real) > t.real_delta OR sum(v.bonus) > t.bonus_delta
        """,
        f"""
        SELECT '{HAS_TARGET.name}', v.player_id, v.position, v.event_id,
               v.contra = '{streamer}'
        FROM reversal v
        LEFT JOIN movements t ON t.player_id = v.player_id AND t.position = v.target
        WHERE t.player_id IS NULL OR t.decision <> 'ACCEPTED' OR t.event_id <> v.event_id
           OR v.contra <> CASE WHEN v.event_type IN ({_SETTLES}) THEN '{HouseAccount.CASHIER}'
                               WHEN t.event_type IN ({_IMPORTED}) THEN '{HouseAccount.GAMES}'
                               ELSE t.contra END
           OR (v.event_type IN ({_SETTLES}) AND t.contra <> '{HouseAccount.PENDING}')
           OR t.position >= v.position
        """,
    )
