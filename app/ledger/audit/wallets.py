"""The invariants of wallets and movements: sums, positions, hashes, keys, overdrafts."""

from typing import Final

from app.ledger.audit.canonical import CANONICAL
from app.ledger.audit.invariant import RANGE, Invariant
from app.wallet.events import RULES
from app.wallet.journal import CHAIN_START

_MAY_OVERDRAW: Final = ", ".join(f"'{kind}'" for kind, rule in RULES.items() if rule.may_overdraw)

_WALLETS: Final = """
    FROM wallets w
    LEFT JOIN movements m ON m.player_id = w.player_id AND m.position = w.position
    WHERE w.player_id >= $1 AND w.player_id < $2
      AND (w.position = 0 OR m.player_id IS NULL OR m.ledger_time >= $3)
"""

WALLET_INVARIANTS: Final = (
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
        WHERE {RANGE} AND (w.player_id IS NULL OR m.position > w.position)
        """,
    ),
    Invariant(
        "entries_sum_to_zero",
        "what the pockets gained, the house account lost: the amount, in the direction asked",
        f"""
        SELECT m.player_id, m.position, m.direction, m.amount, m.real_delta, m.bonus_delta
        FROM movements m
        WHERE {RANGE} AND m.decision = 'ACCEPTED'
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
        "a player's movements are in the player's currency",
        f"""
        SELECT m.player_id, m.position, m.currency, p.currency AS player_currency
        FROM movements m JOIN players p ON p.player_id = m.player_id
        WHERE {RANGE} AND (m.currency, m.scale) <> (p.currency, p.scale)
        """,
    ),
    Invariant(
        "no_gaps",
        "positions and versions follow each other, and each movement begins where the last ended",
        f"""
        SELECT m.player_id, m.position, m.version, b.version AS version_before
        FROM movements m
        LEFT JOIN movements b ON b.player_id = m.player_id AND b.position = m.position - 1
        WHERE {RANGE}
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
        WHERE {RANGE}
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
        WHERE {RANGE}
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
        "no_overdraft",
        "no pocket falls below zero, but real by the event types that may",
        f"""
        SELECT m.player_id, m.position, m.event_type, m.real_before, m.real_after, m.bonus_after
        FROM movements m
        WHERE {RANGE}
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
        WHERE {RANGE} AND m.decision <> 'ACCEPTED'
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
)
