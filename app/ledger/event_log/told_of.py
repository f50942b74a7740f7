"""Which events rows of the ledger tell of: of each row, which type, and what comes first.

The rows are those that a look has found new: `m_fresh` of movements, `o_fresh` of openings,
`c_fresh` of changes, `x_fresh` of exceptions. Each query has the columns xid, player_id, kind,
place, rank, type, occurred_at, by the first five of which the events of one look are ordered.
"""

from typing import Final

from app.wallet.events import RULES, Part

_OF_ROUNDS: Final = ", ".join(
    f"'{kind}'"
    for kind, rule in RULES.items()
    if rule.part in {Part.BET, Part.PAYMENT, Part.CANCEL}
)
_PAYMENTS: Final = ", ".join(f"'{k}'" for k, rule in RULES.items() if rule.part is Part.PAYMENT)
_ABORTS: Final = ", ".join(f"'{k}'" for k, rule in RULES.items() if rule.part is Part.ABORT)
_BETS: Final = ", ".join(f"'{k}'" for k, rule in RULES.items() if rule.part is Part.BET)
_CANCELS: Final = ", ".join(f"'{k}'" for k, rule in RULES.items() if rule.part is Part.CANCEL)

_BEFORE: Final = f"""
LEFT JOIN LATERAL (
    SELECT b.event_type FROM movements b
    WHERE m.decision = 'ACCEPTED' AND m.event_type IN ({_PAYMENTS}, {_ABORTS})
      AND b.player_id = m.player_id AND b.event_id = m.event_id AND b.position < m.position
      AND b.decision = 'ACCEPTED' AND b.event_type IN ({_OF_ROUNDS})
      AND starts_with(b.event_type, 'PromoStreamers') = starts_with(m.event_type, 'PromoStreamers')
    ORDER BY b.position DESC LIMIT 1
) before ON true
"""
"""What the round's last bet, payment or cancel before a movement was."""

_BETS_OPEN: Final = f"""
(SELECT count(*) FILTER (WHERE b.event_type IN ({_BETS}))
        - count(*) FILTER (WHERE b.event_type IN ({_ABORTS}))
        + count(*) FILTER (WHERE b.event_type IN ({_CANCELS}) AND EXISTS (
              SELECT FROM movements a
              WHERE a.player_id = b.player_id AND a.event_type IN ({_ABORTS})
                AND a.position = nullif(split_part(b.reverses, '/', 1), '')::bigint))
 FROM movements b
 WHERE b.player_id = m.player_id AND b.event_id = m.event_id AND b.position <= m.position
   AND b.decision = 'ACCEPTED'
   AND starts_with(b.event_type, 'PromoStreamers') = starts_with(m.event_type, 'PromoStreamers'))
"""

OF_MOVEMENTS: Final = f"""
SELECT m.xid, m.player_id, 3 AS kind, m.position AS place, told.rank, told.type,
       m.ledger_time AS occurred_at
FROM m_fresh m
{_BEFORE}
CROSS JOIN LATERAL (
    SELECT 1 AS rank, CASE m.decision WHEN 'ACCEPTED' THEN 'movement.posted'
                                      ELSE 'movement.declined' END AS type
    UNION ALL
    SELECT 2, 'limit.hit'
    WHERE EXISTS (
        SELECT FROM limit_hits h
        WHERE m.decision <> 'ACCEPTED' AND h.player_id = m.player_id AND h.position = m.position
        OFFSET 0)
    UNION ALL
    SELECT 3, 'round.settled'
    WHERE before.event_type IS NOT NULL AND before.event_type NOT IN ({_PAYMENTS})
      AND (m.event_type IN ({_PAYMENTS}) OR {_BETS_OPEN} = 0)
) told
"""
"""A round is settled by a payment after its latest bet or cancel, or by the abort of its last
bet, unless a payment had settled it already: the `END` of the contract's history."""

OF_ACCOUNTS: Final = """
SELECT o.xid, o.player_id, 1, 0::bigint, 1, 'account.opened', p.created_at
FROM o_fresh o
CROSS JOIN LATERAL (SELECT created_at FROM players WHERE player_id = o.player_id LIMIT 1) p
UNION ALL
SELECT c.xid, c.player_id, 2, c.change_id, 1, 'account.updated', c.ledger_time FROM c_fresh c
WHERE c.operation NOT IN ('account/init', 'account/session')
"""

OF_ALARMS: Final = """
SELECT x.xid, x.player_id, 4 AS kind, x.exception_id AS place, 1 AS rank, 'alarm.raised' AS type,
       x.opened_at AS occurred_at
FROM x_fresh x WHERE x.player_id IS NOT NULL
"""
