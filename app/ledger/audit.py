"""The audit: each invariant of the ledger is one query that returns the offenders.

A query looks at the players from $1 up to, not including, $2, and at what happened at or after $3
(everything, if that is minus infinity). It trusts nothing that was stored where it can be computed
again: the chain is hashed anew, rounds are added up anew from the journal.
"""

from typing import Final, NamedTuple

from app.wallet.events import RULES, Part
from app.wallet.journal import CHAIN_START

OFFENDERS_MAX: Final = 100
"""Of one invariant among one range of players; beyond it a list helps nobody."""


class Invariant(NamedTuple):
    """A law of the ledger, and the query that finds who breaks it."""

    name: str
    law: str
    query: str


def _types(part: Part) -> str:
    return ", ".join(f"'{kind}'" for kind, rule in RULES.items() if rule.part is part)


_BETS: Final = _types(Part.BET)
_PAYMENTS: Final = _types(Part.PAYMENT)
_ABORTS: Final = _types(Part.ABORT)
_PAYMENT_ABORTS: Final = _types(Part.PAYMENT_ABORT)
_CANCELS: Final = _types(Part.CANCEL)
_IN_ROUNDS: Final = f"{_BETS}, {_PAYMENTS}, {_ABORTS}, {_PAYMENT_ABORTS}, {_CANCELS}"
_MAY_OVERDRAW: Final = ", ".join(f"'{kind}'" for kind, rule in RULES.items() if rule.may_overdraw)

_RANGE: Final = "m.player_id >= $1 AND m.player_id < $2 AND m.ledger_time >= $3"

_WALLETS: Final = """
    FROM wallets w
    LEFT JOIN movements m ON m.player_id = w.player_id AND m.position = w.position
    WHERE w.player_id >= $1 AND w.player_id < $2
      AND (w.position = 0 OR m.player_id IS NULL OR m.ledger_time >= $3)
"""


def _minor(column: str) -> str:
    return f"trunc({column} * 10::numeric ^ m.scale)::text"


def _moment(column: str) -> str:
    return f"(extract(epoch FROM {column}) * 1000000)::bigint::text"


def _text(column: str) -> str:
    return f"coalesce(char_length({column}) || ':' || {column}, '-')"


CANONICAL: Final = " || '|' || ".join(
    (
        "'v1'",
        "m.player_id",
        "m.position",
        "m.version",
        "replace(m.delivery::text, '-', '')",
        "m.event_type",
        "m.direction",
        "m.decision",
        "m.currency",
        "m.scale",
        *map(
            _minor,
            ("m.amount", "m.real_before", "m.bonus_before", "m.real_delta", "m.bonus_delta"),
        ),
        "m.contra",
        "coalesce(m.game_id::text, '-')",
        "m.reverses",
        "m.flags",
        _moment("m.event_time"),
        _moment("m.ledger_time"),
        *map(
            _text,
            (
                "m.source",
                "m.transaction_id",
                "m.facet",
                "m.event_id",
                "m.bonus_code",
                "m.extra_data",
            ),
        ),
    )
)
"""`JournalEntry.canonical` in SQL, of a row `m` of movements."""

_REVERSALS: Final = """
    SELECT m.player_id, m.position, m.event_type, m.event_id, m.amount, m.contra,
           split_part(part, '/', 1)::bigint AS target,
           split_part(part, '/', 2)::numeric / 10::numeric ^ m.scale AS real,
           split_part(part, '/', 3)::numeric / 10::numeric ^ m.scale AS bonus
    FROM movements m CROSS JOIN LATERAL unnest(string_to_array(m.reverses, ',')) AS part
    WHERE m.player_id >= $1 AND m.player_id < $2
      AND m.reverses <> '' AND m.decision = 'ACCEPTED'
"""
"""Every single reversal, in major units. Not limited in time: what is undone may be older."""

INVARIANTS: Final = (
    Invariant(
        "wallet_is_last_movement",
        "a wallet stands where its last movement left it",
        f"""
        SELECT w.player_id, w.position, w.real, w.bonus, m.real_after, m.bonus_after
        {_WALLETS}
          AND (w.real, w.bonus, w.version, w.chain)
              IS DISTINCT FROM
              (coalesce(m.real_after, CASE WHEN w.position = 0 THEN 0 END),
               coalesce(m.bonus_after, CASE WHEN w.position = 0 THEN 0 END),
               coalesce(m.version, CASE WHEN w.position = 0 THEN 0 END),
               coalesce(m.chain,
                        CASE WHEN w.position = 0 THEN '\\x{CHAIN_START.hex()}'::bytea END))
        """,
    ),
    Invariant(
        "wallet_is_sum",
        "a wallet is the sum of all its movements",
        f"""
        SELECT w.player_id, w.real, w.bonus, s.real AS real_sum, s.bonus AS bonus_sum
        FROM (SELECT w.* {_WALLETS}) w
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(real_delta), 0) AS real, coalesce(sum(bonus_delta), 0) AS bonus
            FROM movements WHERE player_id = w.player_id
        ) s
        WHERE (w.real, w.bonus) <> (s.real, s.bonus)
        """,
    ),
    Invariant(
        "no_movement_beyond_its_wallet",
        "every movement belongs to a wallet and lies within its chain",
        f"""
        SELECT m.player_id, m.position, w.position AS wallet_position
        FROM movements m LEFT JOIN wallets w ON w.player_id = m.player_id
        WHERE {_RANGE} AND (w.player_id IS NULL OR m.position > w.position)
        """,
    ),
    Invariant(
        "entries_sum_to_zero",
        "what the pockets gained, the house account lost: the amount, in the direction asked",
        f"""
        SELECT m.player_id, m.position, m.direction, m.amount, m.real_delta, m.bonus_delta
        FROM movements m
        WHERE {_RANGE} AND m.decision = 'ACCEPTED'
          AND ((m.real_after - m.real_before) + (m.bonus_after - m.bonus_before)
                   + CASE m.direction WHEN 'credit' THEN -m.amount ELSE m.amount END <> 0
               OR m.real_after - m.real_before <> m.real_delta
               OR m.bonus_after - m.bonus_before <> m.bonus_delta)
        """,
    ),
    Invariant(
        "trial_balance",
        "in each currency, the wallets together hold what the house accounts gave",
        """
        SELECT coalesce(w.currency, j.currency) AS currency, w.held, j.given
        FROM (SELECT p.currency, sum(w.real + w.bonus) AS held
              FROM wallets w JOIN players p USING (player_id)
              WHERE w.player_id >= $1 AND w.player_id < $2 GROUP BY p.currency) w
        FULL JOIN (SELECT m.currency, sum(m.real_delta + m.bonus_delta) AS given
                   FROM movements m
                   WHERE m.player_id >= $1 AND m.player_id < $2 AND m.decision = 'ACCEPTED'
                   GROUP BY m.currency) j ON j.currency = w.currency
        WHERE coalesce(w.held, 0) <> coalesce(j.given, 0) AND $3::timestamptz IS NOT NULL
        """,
    ),
    Invariant(
        "one_currency",
        "a player's movements are in his currency",
        f"""
        SELECT m.player_id, m.position, m.currency, p.currency AS player_currency
        FROM movements m JOIN players p ON p.player_id = m.player_id
        WHERE {_RANGE} AND (m.currency, m.scale) <> (p.currency, p.scale)
        """,
    ),
    Invariant(
        "no_gaps",
        "positions and versions follow each other, and each movement begins where the last ended",
        f"""
        SELECT m.player_id, m.position, m.version, b.version AS version_before
        FROM movements m
        LEFT JOIN movements b ON b.player_id = m.player_id AND b.position = m.position - 1
        WHERE {_RANGE}
          AND ((b.player_id IS NULL AND m.position <> 1)
               OR m.version <> coalesce(b.version, 0) + (m.decision = 'ACCEPTED')::integer
               OR m.real_before <> coalesce(b.real_after, 0)
               OR m.bonus_before <> coalesce(b.bonus_after, 0))
        """,
    ),
    Invariant(
        "chain_unbroken",
        "every movement's hash is that of the movement before and of its own content",
        f"""
        SELECT m.player_id, m.position, m.transaction_id
        FROM movements m
        LEFT JOIN movements b ON b.player_id = m.player_id AND b.position = m.position - 1
        WHERE {_RANGE}
          AND m.chain <> sha256(coalesce(b.chain, '\\x{CHAIN_START.hex()}'::bytea)
                                || convert_to({CANONICAL}, 'UTF8'))
        """,
    ),
    Invariant(
        "movement_has_its_key",
        "every movement holds its transaction key, alone",
        f"""
        SELECT m.player_id, m.position, m.source, m.transaction_id, m.facet
        FROM movements m
        LEFT JOIN transaction_keys k ON k.source = m.source
             AND k.transaction_id = m.transaction_id AND k.facet = m.facet
        WHERE {_RANGE}
          AND (k.player_id, k.position) IS DISTINCT FROM (m.player_id, m.position)
        """,
    ),
    Invariant(
        "key_has_its_movement",
        "every transaction key names a movement that is there",
        """
        SELECT k.player_id, k.position, k.source, k.transaction_id, k.facet
        FROM transaction_keys k
        LEFT JOIN movements m ON m.player_id = k.player_id AND m.position = k.position
        WHERE k.player_id >= $1 AND k.player_id < $2
          AND (m.player_id IS NULL OR $3::timestamptz IS NULL)
        """,
    ),
    Invariant(
        "movement_has_its_round",
        "no bet, payment, abort or cancel without its round",
        f"""
        SELECT m.player_id, m.position, m.event_type, m.event_id
        FROM movements m
        LEFT JOIN rounds r ON r.player_id = m.player_id AND r.event_id = m.event_id
             AND r.is_streamer = (m.contra = 'house:streamers')
        WHERE {_RANGE} AND m.decision = 'ACCEPTED' AND m.event_type IN ({_IN_ROUNDS})
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
        WHERE {_RANGE} AND m.decision = 'ACCEPTED' AND m.event_type IN ({_ABORTS})
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
        "no_overdraft",
        "no pocket falls below zero, but real by the event types that may",
        f"""
        SELECT m.player_id, m.position, m.event_type, m.real_before, m.real_after, m.bonus_after
        FROM movements m
        WHERE {_RANGE}
          AND (m.bonus_after < 0
               OR (m.real_after < least(m.real_before, 0)
                   AND m.event_type NOT IN ({_MAY_OVERDRAW})))
        """,
    ),
    Invariant(
        "refusals_moved_nothing",
        "a remembered refusal moved nothing",
        f"""
        SELECT m.player_id, m.position, m.decision, m.real_delta, m.bonus_delta
        FROM movements m
        WHERE {_RANGE} AND m.decision <> 'ACCEPTED'
          AND (m.real_delta, m.bonus_delta, m.real_after, m.bonus_after)
              <> (0, 0, m.real_before, m.bonus_before)
        """,
    ),
    Invariant(
        "wallet_is_its_players",
        "a wallet carries the agent and the currency of its player",
        """
        SELECT w.player_id, w.agent, w.currency, p.agent AS player_agent,
               p.currency AS player_currency
        FROM wallets w JOIN players p ON p.player_id = w.player_id
        WHERE w.player_id >= $1 AND w.player_id < $2 AND $3::timestamptz IS NOT NULL
          AND (w.agent, w.currency, w.scale) <> (p.agent, p.currency, p.scale)
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
"""Every law, in the order in which a reader would want to hear of a breach."""

LAST_PLAYER: Final = """
SELECT coalesce(max(player_id), 0) AS player_id
FROM (SELECT max(player_id) AS player_id FROM players
      UNION ALL SELECT max(player_id) FROM movements) p
"""
