"""Laws of adjustments: behind each stand two people, and behind two people stands one movement."""

from app.ledger.audit.scope import Check, Scope
from app.wallet.adjustments import SOURCE


def checks(scope: Scope) -> tuple[Check, ...]:
    """Return the checks of what the scope looks at."""
    return (_has_its_two_people(scope), _approval_has_its_movement(scope))


def _has_its_two_people(scope: Scope) -> Check:
    """Hold every adjustment against its request and its approval.

    One person is enough for an amount that one person could move alone when it was approved.
    """
    return Check.of_one(
        "adjustment_has_its_two_people",
        "an adjustment is what one person asked for and another one approved",
        f"""
        SELECT m.player_id, m.position, m.source, m.transaction_id, m.amount, a.adjustment_id,
               a.proposed_by, d.decided_by
        FROM movements m
        LEFT JOIN adjustment_decisions d ON d.player_id = m.player_id AND d.position = m.position
             AND d.decision = 'approved'
        LEFT JOIN adjustments a ON a.adjustment_id = d.adjustment_id
        WHERE {scope.movements("m")} AND m.event_type = 'Adjustment'
          AND (a.adjustment_id IS NULL OR m.decision <> 'ACCEPTED'
               OR (a.player_id, a.direction, a.amount, a.currency)
                  <> (m.player_id, m.direction, m.amount, m.currency)
               OR CASE a.pocket WHEN 'real' THEN m.bonus_delta ELSE m.real_delta END <> 0
               OR (m.source, m.transaction_id, m.facet)
                  <> (coalesce(a.source, '{SOURCE}'),
                      coalesce(a.transaction_id, 'adjustment-' || a.adjustment_id),
                      coalesce(a.facet, ''))
               OR d.decided_at <> m.ledger_time OR a.expires_at <= d.decided_at
               OR (a.amount > d.solo_max
                   AND (a.proposed_by = d.decided_by
                        OR NOT (a.proposed_is_verified AND d.decided_is_verified))))
        """,
    )


def _approval_has_its_movement(scope: Scope) -> Check:
    return Check.of_one(
        "approval_has_its_movement",
        "no approval of an adjustment without its movement",
        f"""
        SELECT d.adjustment_id, d.player_id, d.position, d.decided_by
        FROM adjustment_decisions d
        LEFT JOIN movements m ON m.player_id = d.player_id AND m.position = d.position
             AND m.event_type = 'Adjustment'
        WHERE d.decision = 'approved' AND {scope.players("d")} AND m.player_id IS NULL
        """,
    )
