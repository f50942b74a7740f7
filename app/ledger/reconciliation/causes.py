"""What explains a difference: joins of the comparison that look up what only a wallet knows.

Each is a lateral join onto `v`, a line or a movement that is being judged; $1 is the door.
"""

from typing import Final

# The refusal that a line met here, if it met one: the latest under its id and of its type.
REFUSED: Final = """
LEFT JOIN LATERAL (
    SELECT r.refusal, r.event_type FROM refusals r
    WHERE r.source = $1 AND r.transaction_id = v.transaction_id
        AND (r.event_type IS NULL OR EXISTS (
            SELECT FROM report_types t WHERE t.word = v.word AND t.event_type = r.event_type))
    ORDER BY r.ledger_time DESC, r.refusal_id DESC LIMIT 1
) refused ON v.decision IS NULL OR v.verdict IN ('player', 'type', 'amount', 'event')
"""

# Whether a later movement of the event took this one back, and of which part it is.
UNDONE: Final = """
LEFT JOIN LATERAL (
    SELECT e.part FROM movements later
    JOIN event_types e ON e.event_type = later.event_type
    WHERE later.player_id = v.player_id AND later.event_id = v.ours_event_id
        AND later.position > v.position AND later.decision = 'ACCEPTED'
        AND (',' || later.reverses) LIKE '%,' || v.position || '/%'
    ORDER BY later.position DESC LIMIT 1
) undone ON v.decision = 'ACCEPTED'
"""

# What two people moved for a movement that had moved by itself, only not as their books have it.
REPAIRED: Final = """
LEFT JOIN LATERAL (
    SELECT v.amount - CASE WHEN v.is_again THEN 0 ELSE coalesce(v.ours, 0) END
           = sum(a.real_delta + a.bonus_delta) AS is_whole
    FROM transaction_keys k
    JOIN movements a ON a.player_id = k.player_id AND a.position = k.position
    WHERE k.source = $1 AND k.transaction_id = v.transaction_id
        AND k.facet IN ('Adjustment:credit', 'Adjustment:debit') AND a.event_type = 'Adjustment'
) repaired ON v.verdict IN ('only_theirs', 'amount')
"""

UNHEARD: Final = """
LEFT JOIN unanswered u ON u.player_id = v.player_id AND u.position = v.position
    AND u.came_back_at IS NULL
"""
