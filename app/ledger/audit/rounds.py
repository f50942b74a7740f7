"""Laws of rounds: each is what its movements made of it, and nothing is undone twice."""

from app.ledger.audit.scope import (
    ABORTS,
    BETS,
    CANCELS,
    IN_ROUNDS,
    IS_STREAMER,
    PAYMENTS,
    Invariant,
    Scope,
)


def laws(scope: Scope) -> tuple[Invariant, ...]:
    """Return the laws, for what the scope looks at."""
    return (_movement_has_its_round(scope), _is_its_movements(scope), *_undoing(scope))


def _reversals(condition: str) -> str:
    """Every single reversal among the rows `m` of movements, in major units."""
    return f"""
        SELECT m.player_id, m.position, m.event_type, m.event_id, m.amount, m.contra,
               split_part(part, '/', 1)::bigint AS target,
               split_part(part, '/', 2)::numeric / 10::numeric ^ m.scale AS real,
               split_part(part, '/', 3)::numeric / 10::numeric ^ m.scale AS bonus
        FROM movements m CROSS JOIN LATERAL unnest(string_to_array(m.reverses, ',')) AS part
        WHERE {condition} AND m.reverses <> '' AND m.decision = 'ACCEPTED'
    """


def _movement_has_its_round(scope: Scope) -> Invariant:
    return Invariant(
        "movement_has_its_round",
        "no bet, payment, abort or cancel without its round",
        f"""
        SELECT m.player_id, m.position, m.event_type, m.event_id
        FROM movements m
        WHERE {scope.movements} AND m.decision = 'ACCEPTED' AND m.event_type IN ({IN_ROUNDS})
          AND NOT EXISTS (
              SELECT FROM rounds r
              WHERE r.player_id = m.player_id AND r.event_id = m.event_id
                AND r.is_streamer = ({IS_STREAMER}))
        """,
    )


def _is_its_movements(scope: Scope) -> Invariant:
    """Add up rounds anew, and see how each began and ended.

    Whether a round is settled is told by its last bet, cancel or payment. Its game and its times
    are those of its first and last movement, unless a refused abort may have come before or after
    it. The extremes of all movements are these nearly always; only where they are not, because a
    clock stepped back or the game side changed its game id, the first and the last are looked up.
    """
    of_round = (
        "movements m WHERE m.player_id = r.player_id AND m.event_id = r.event_id"
        f" AND ({IS_STREAMER}) = r.is_streamer AND m.decision = 'ACCEPTED'"
        f" AND m.event_type IN ({IN_ROUNDS}) ORDER BY m.position"
    )
    return Invariant(
        "round_is_its_movements",
        "no round that differs from what its movements made of it",
        f"""
        WITH reversal AS ({_reversals(scope.events("m"))}
        ), summed AS (
            SELECT m.player_id, m.event_id, {IS_STREAMER} AS is_streamer,
                   count(*) FILTER (WHERE m.event_type IN ({BETS})) AS bets_placed,
                   coalesce(sum(-m.real_delta) FILTER (WHERE m.event_type IN ({BETS})), 0)
                       AS stake_real,
                   coalesce(sum(-m.bonus_delta) FILTER (WHERE m.event_type IN ({BETS})), 0)
                       AS stake_bonus,
                   coalesce(sum(m.amount) FILTER (WHERE m.event_type IN ({BETS})), 0) AS staked,
                   coalesce(sum(m.amount) FILTER (WHERE m.event_type IN ({PAYMENTS})), 0) AS paid,
                   count(*) FILTER (WHERE m.event_type IN ({CANCELS})) AS cancels,
                   coalesce(sum(m.amount) FILTER (WHERE m.event_type IN ({CANCELS})), 0)
                       AS cancelled,
                   (max(m.position * 2 + (m.event_type IN ({PAYMENTS}))::integer)
                       FILTER (WHERE m.event_type IN ({BETS}, {PAYMENTS}, {CANCELS}))) % 2 = 1
                       AS settled,
                   min(m.ledger_time) AS opened_at, max(m.ledger_time) AS last_at,
                   min(m.game_id) AS game_id
            FROM movements m
            WHERE {scope.events("m")} AND m.decision = 'ACCEPTED' AND m.event_type IN ({IN_ROUNDS})
            GROUP BY 1, 2, 3
        ), undone AS (
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
        )
        SELECT r.player_id, r.event_id, r.is_streamer
        FROM (SELECT * FROM rounds r WHERE {scope.events("r")}) r
        LEFT JOIN summed s USING (player_id, event_id, is_streamer)
        LEFT JOIN undone u USING (player_id, event_id, is_streamer)
        WHERE (r.bets_placed, r.bets_standing, r.stake_real, r.stake_bonus, r.staked, r.paid,
               r.taken_back, r.cancels, r.remainder, r.settled)
           <> (coalesce(s.bets_placed, 0),
               coalesce(s.bets_placed, 0) - coalesce(u.given_back, 0) + coalesce(u.stand_again, 0),
               coalesce(s.stake_real, 0) - coalesce(u.real_back, 0),
               coalesce(s.stake_bonus, 0) - coalesce(u.bonus_back, 0),
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
        """,
    )


def _undoing(scope: Scope) -> tuple[Invariant, ...]:
    return (
        Invariant(
            "abort_has_its_bet",
            "no abort without its bet of the same event and amount, before it",
            f"""
            SELECT m.player_id, m.position, m.event_type, m.amount, b.amount AS bet_amount
            FROM movements m
            LEFT JOIN movements b ON b.player_id = m.player_id
                 AND b.position = split_part(m.reverses, '/', 1)::bigint
            WHERE {scope.movements} AND m.decision = 'ACCEPTED' AND m.event_type IN ({ABORTS})
              AND (b.player_id IS NULL OR b.decision <> 'ACCEPTED' OR b.event_type NOT IN ({BETS})
                   OR b.event_id <> m.event_id OR b.contra <> m.contra OR b.position >= m.position
                   OR b.amount <> m.amount OR position(',' IN m.reverses) > 0)
            """,
        ),
        Invariant(
            "bet_given_back_once",
            "no bet is given back twice, unless a cancel let it stand again between",
            f"""
            WITH reversal AS ({_reversals(scope.events("m"))})
            SELECT v.player_id, v.target AS position, count(*) AS aborts, count(c.target) AS undone
            FROM reversal v
            LEFT JOIN reversal c ON c.player_id = v.player_id AND c.target = v.position
            WHERE v.event_type IN ({ABORTS})
            GROUP BY v.player_id, v.target
            HAVING count(*) - count(c.target) NOT IN (0, 1)
            """,
        ),
        Invariant(
            "payment_taken_back_within",
            "no more is taken back of a payment than went there, pocket by pocket",
            f"""
            WITH reversal AS ({_reversals(scope.events("m"))})
            SELECT t.player_id, t.position, t.amount, sum(v.real + v.bonus) AS taken_back
            FROM reversal v
            JOIN movements t ON t.player_id = v.player_id AND t.position = v.target
            WHERE t.event_type IN ({PAYMENTS})
            GROUP BY t.player_id, t.position, t.amount, t.real_delta, t.bonus_delta
            HAVING sum(v.real) > t.real_delta OR sum(v.bonus) > t.bonus_delta
            """,
        ),
        Invariant(
            "reversal_has_its_target",
            "whatever undoes something names an accepted movement of its own event, before it",
            f"""
            WITH reversal AS ({_reversals(scope.movements)})
            SELECT v.player_id, v.position, v.event_type, v.target
            FROM reversal v
            LEFT JOIN movements t ON t.player_id = v.player_id AND t.position = v.target
            WHERE t.player_id IS NULL OR t.decision <> 'ACCEPTED' OR t.event_id <> v.event_id
               OR t.contra <> v.contra OR t.position >= v.position
            """,
        ),
    )
