"""Laws of holds: each is an accepted movement, and is closed once at most, by what names it."""

from typing import Final

from app.ledger.audit.scope import Invariant, Scope, types
from app.wallet.events import HoldPart

_OPENS: Final = types(lambda rule: rule.hold is HoldPart.OPEN)
_CLOSES: Final = types(lambda rule: rule.hold in {HoldPart.SETTLE, HoldPart.RELEASE})
_SETTLES: Final = types(lambda rule: rule.hold is HoldPart.SETTLE)


def laws(scope: Scope) -> tuple[Invariant, ...]:
    """Return the laws, for what the scope looks at.

    A hold has no movement's time, so only a look at everything finds one without its movement.
    """
    join = "LEFT JOIN holds"
    if scope.is_everything:
        join = f"FULL JOIN (SELECT * FROM holds h WHERE {scope.players('h')})"
    return (
        Invariant(
            "hold_is_its_movement",
            "every accepted hold is listed, with its id and amount, and nothing else is",
            f"""
            SELECT coalesce(m.player_id, h.player_id) AS player_id,
                   coalesce(m.position, h.position) AS position, m.amount, h.amount AS listed
            FROM (
                SELECT * FROM movements m
                WHERE {scope.movements} AND m.decision = 'ACCEPTED' AND m.event_type IN ({_OPENS})
            ) m
            {join} h
                ON h.player_id = m.player_id AND h.position = m.position
            WHERE (m.source, m.transaction_id, m.amount)
                  IS DISTINCT FROM (h.source, h.transaction_id, h.amount)
            """,
        ),
        Invariant(
            "hold_is_closed_once",
            "a hold is closed by the one movement that names it, for its whole amount",
            f"""
            SELECT m.player_id, m.position, m.event_type, m.amount, h.state, h.closed_position
            FROM movements m
            LEFT JOIN holds h ON h.player_id = m.player_id
                AND h.position = nullif(split_part(m.reverses, '/', 1), '')::bigint
            WHERE {scope.movements} AND m.decision = 'ACCEPTED' AND m.event_type IN ({_CLOSES})
              AND (h.amount, h.closed_position, h.state)
                  IS DISTINCT FROM (m.amount, m.position,
                      CASE WHEN m.event_type IN ({_SETTLES}) THEN 'settled' ELSE 'released' END)
            """,
        ),
    )
