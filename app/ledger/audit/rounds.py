"""The invariants of rounds: their sums, and the movements that undo others."""

from typing import Final

from app.ledger.audit.invariant import RANGE, Invariant
from app.wallet.events import RULES, Part


def _types(part: Part) -> str:
    return ", ".join(f"'{kind}'" for kind, rule in RULES.items() if rule.part is part)


_BETS: Final = _types(Part.BET)
_PAYMENTS: Final = _types(Part.PAYMENT)
_ABORTS: Final = _types(Part.ABORT)
_PAYMENT_ABORTS: Final = _types(Part.PAYMENT_ABORT)
_CANCELS: Final = _types(Part.CANCEL)
_IN_ROUNDS: Final = f"{_BETS}, {_PAYMENTS}, {_ABORTS}, {_PAYMENT_ABORTS}, {_CANCELS}"

_REVERSALS: Final = """
    SELECT m.player_id, m.position, m.event_type, m.event_id, m.amount, m.contra,
           split_part(part, '/', 1)::bigint AS target,
           split_part(part, '/', 2)::numeric / 10::numeric ^ m.scale AS real,
           split_part(part, '/', 3)::numeric / 10::numeric ^ m.scale AS bonus
    FROM movements m CROSS JOIN LATERAL unnest(string_to_array(m.reverses, ',')) AS part
    WHERE m.player_id >= $1 AND m.player_id < $2
      AND m.reverses <> '' AND m.decision = 'ACCEPTED'
"""
"""Every reversal, in major units; not limited in time, since the reversed movement may be older."""

ROUND_INVARIANTS: Final = (
    Invariant(
        "movement_has_its_round",
        "no bet, payment, abort or cancel without its round",
        f"""
        SELECT m.player_id, m.position, m.event_type, m.event_id
        FROM movements m
        LEFT JOIN rounds r ON r.player_id = m.player_id AND r.event_id = m.event_id
             AND r.is_streamer = (m.contra = 'house:streamers')
        WHERE {RANGE} AND m.decision = 'ACCEPTED' AND m.event_type IN ({_IN_ROUNDS})
          AND r.player_id IS NULL
        """,
    ),
    Invariant(
        "round_is_its_movements",
        "no round whose totals differ from its movements",
        f"""
        WITH changed AS (
            SELECT * FROM rounds r
            WHERE r.player_id >= $1 AND r.player_id < $2 AND r.last_at >= $3
        ), reversal AS ({_REVERSALS}
        ), summed AS (
            SELECT m.player_id, m.event_id, m.contra = 'house:streamers' AS is_streamer,
                   count(*) FILTER (WHERE m.event_type IN ({_BETS})) AS bets_placed,
                   coalesce(sum(-m.real_delta) FILTER (WHERE m.event_type IN ({_BETS})), 0)
                       AS stake_real,
                   coalesce(sum(-m.bonus_delta) FILTER (WHERE m.event_type IN ({_BETS})), 0)
                       AS stake_bonus,
                   coalesce(sum(m.amount) FILTER (WHERE m.event_type IN ({_BETS})), 0) AS staked,
                   coalesce(sum(m.amount) FILTER (WHERE m.event_type IN ({_PAYMENTS})), 0) AS paid,
                   count(*) FILTER (WHERE m.event_type IN ({_CANCELS})) AS cancels,
                   coalesce(sum(m.amount) FILTER (WHERE m.event_type IN ({_CANCELS})), 0)
                       AS cancelled
            FROM movements m
            WHERE m.player_id >= $1 AND m.player_id < $2 AND m.decision = 'ACCEPTED'
              AND m.event_type IN ({_IN_ROUNDS})
            GROUP BY 1, 2, 3
        ), undone AS (
            SELECT v.player_id, v.event_id, v.contra = 'house:streamers' AS is_streamer,
                   count(*) FILTER (WHERE t.event_type IN ({_BETS})) AS given_back,
                   count(*) FILTER (WHERE t.event_type IN ({_ABORTS})) AS stand_again,
                   coalesce(sum(v.real) FILTER (WHERE t.event_type IN ({_BETS})), 0)
                       - coalesce(sum(b.real), 0) AS real_back,
                   coalesce(sum(v.bonus) FILTER (WHERE t.event_type IN ({_BETS})), 0)
                       - coalesce(sum(b.bonus), 0) AS bonus_back,
                   coalesce(sum(v.real + v.bonus) FILTER (WHERE t.event_type IN ({_PAYMENTS})), 0)
                       AS taken_back,
                   coalesce(sum(v.real + v.bonus) FILTER (WHERE v.event_type IN ({_CANCELS})), 0)
                       AS uncancelled
            FROM reversal v
            JOIN movements t ON t.player_id = v.player_id AND t.position = v.target
            LEFT JOIN reversal b ON b.player_id = t.player_id AND b.position = t.position
                 AND t.event_type IN ({_ABORTS})
            GROUP BY 1, 2, 3
        )
        SELECT r.player_id, r.event_id, r.is_streamer
        FROM changed r
        LEFT JOIN summed s USING (player_id, event_id, is_streamer)
        LEFT JOIN undone u USING (player_id, event_id, is_streamer)
        WHERE (r.bets_placed, r.bets_standing, r.stake_real, r.stake_bonus, r.staked, r.paid,
               r.taken_back, r.cancels, r.remainder)
           <> (coalesce(s.bets_placed, 0),
               coalesce(s.bets_placed, 0) - coalesce(u.given_back, 0) + coalesce(u.stand_again, 0),
               coalesce(s.stake_real, 0) - coalesce(u.real_back, 0),
               coalesce(s.stake_bonus, 0) - coalesce(u.bonus_back, 0),
               coalesce(s.staked, 0), coalesce(s.paid, 0), coalesce(u.taken_back, 0),
               coalesce(s.cancels, 0), coalesce(s.cancelled, 0) - coalesce(u.uncancelled, 0))
        """,
    ),
    Invariant(
        "abort_has_its_bet",
        "no abort without its bet of the same event and amount, before it",
        f"""
        SELECT m.player_id, m.position, m.event_type, m.amount, b.amount AS bet_amount
        FROM movements m
        LEFT JOIN movements b ON b.player_id = m.player_id
             AND b.position = split_part(m.reverses, '/', 1)::bigint
        WHERE {RANGE} AND m.decision = 'ACCEPTED' AND m.event_type IN ({_ABORTS})
          AND (b.player_id IS NULL OR b.decision <> 'ACCEPTED' OR b.event_type NOT IN ({_BETS})
               OR b.event_id <> m.event_id OR b.contra <> m.contra OR b.position >= m.position
               OR b.amount <> m.amount OR position(',' IN m.reverses) > 0)
        """,
    ),
    Invariant(
        "bet_given_back_once",
        "no bet is given back twice, unless a cancel let it stand again between",
        f"""
        WITH reversal AS ({_REVERSALS})
        SELECT v.player_id, v.target AS position, count(*) AS aborts, count(c.target) AS undone
        FROM reversal v
        LEFT JOIN reversal c ON c.player_id = v.player_id AND c.target = v.position
        WHERE v.event_type IN ({_ABORTS}) AND $3::timestamptz IS NOT NULL
        GROUP BY v.player_id, v.target
        HAVING count(*) - count(c.target) NOT IN (0, 1)
        """,
    ),
    Invariant(
        "payment_taken_back_within",
        "no more is taken back of a payment than went there, pocket by pocket",
        f"""
        WITH reversal AS ({_REVERSALS})
        SELECT t.player_id, t.position, t.amount, sum(v.real + v.bonus) AS taken_back
        FROM reversal v
        JOIN movements t ON t.player_id = v.player_id AND t.position = v.target
        WHERE t.event_type IN ({_PAYMENTS}) AND $3::timestamptz IS NOT NULL
        GROUP BY t.player_id, t.position, t.amount, t.real_delta, t.bonus_delta
        HAVING sum(v.real) > t.real_delta OR sum(v.bonus) > t.bonus_delta
        """,
    ),
    Invariant(
        "reversal_has_its_target",
        "whatever undoes something names an accepted movement of its own event, before it",
        f"""
        WITH reversal AS ({_REVERSALS})
        SELECT v.player_id, v.position, v.event_type, v.target
        FROM reversal v
        LEFT JOIN movements t ON t.player_id = v.player_id AND t.position = v.target
        WHERE $3::timestamptz IS NOT NULL
          AND (t.player_id IS NULL OR t.decision <> 'ACCEPTED' OR t.event_id <> v.event_id
               OR t.contra <> v.contra OR t.position >= v.position)
        """,
    ),
    Invariant(
        "overtaken_bet_has_its_abort",
        "a bet is refused as overtaken once for each early abort that was used up",
        """
        SELECT a.player_id, a.event_id, a.is_streamer, a.used, b.refused
        FROM (SELECT player_id, event_id, is_streamer,
                     count(*) FILTER (WHERE state = 'used') AS used,
                     count(*) FILTER (WHERE state IN ('used', 'settled')) AS gone
              FROM early_aborts WHERE player_id >= $1 AND player_id < $2
              GROUP BY player_id, event_id, is_streamer) a
        FULL JOIN (SELECT player_id, event_id, contra = 'house:streamers' AS is_streamer,
                          count(*) AS refused
                   FROM movements
                   WHERE player_id >= $1 AND player_id < $2 AND decision = 'BET_OVERTAKEN'
                   GROUP BY player_id, event_id, contra = 'house:streamers') b
            USING (player_id, event_id, is_streamer)
        WHERE $3::timestamptz IS NOT NULL
          AND NOT coalesce(b.refused, 0) BETWEEN coalesce(a.used, 0) AND coalesce(a.gone, 0)
        """,
    ),
    Invariant(
        "early_abort_has_its_round",
        "an early abort belongs to a round that knows it has one",
        """
        SELECT a.player_id, a.event_id, a.is_streamer, a.transaction_id
        FROM early_aborts a
        LEFT JOIN rounds r ON r.player_id = a.player_id AND r.event_id = a.event_id
             AND r.is_streamer = a.is_streamer
        WHERE a.player_id >= $1 AND a.player_id < $2 AND $3::timestamptz IS NOT NULL
          AND r.has_early_aborts IS NOT TRUE
        """,
    ),
)
