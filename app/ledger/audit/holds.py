"""Laws of holds: each is an accepted movement, and is closed once at most, by what names it."""

from typing import Final

from app.ledger.audit.scope import Check, Invariant, Scope, types
from app.wallet.events import HoldPart

_OPENS: Final = types(lambda rule: rule.hold is HoldPart.OPEN)
_CLOSES: Final = types(lambda rule: rule.hold in {HoldPart.SETTLE, HoldPart.RELEASE})
_SETTLES: Final = types(lambda rule: rule.hold is HoldPart.SETTLE)

_IS_MOVEMENT: Final = Invariant(
    "hold_is_its_movement",
    "every accepted hold is listed, with its id and amount, and nothing else is",
)
_CLOSED_ONCE: Final = Invariant(
    "hold_is_closed_once",
    "a hold is closed by the one movement that names it, for its whole amount",
)


def checks(scope: Scope) -> tuple[Check, ...]:
    """Return the check of what the scope looks at.

    A hold has no movement's time, so only a look at everything finds one without its movement.
    """
    join = "LEFT JOIN holds"
    if scope.is_everything:
        join = f"FULL JOIN (SELECT * FROM holds h WHERE {scope.players('h')})"
    return (
        Check(
            (_IS_MOVEMENT, _CLOSED_ONCE),
            f"""
            SELECT CASE WHEN m.is_closing THEN '{_CLOSED_ONCE.name}'
                        ELSE '{_IS_MOVEMENT.name}' END AS invariant,
                   coalesce(m.player_id, h.player_id) AS player_id,
                   coalesce(m.position, h.position) AS position, m.event_type, m.amount,
                   h.amount AS listed, h.state, h.closed_position
            FROM (
                SELECT m.*, m.event_type IN ({_CLOSES}) AS is_closing,
                       CASE WHEN m.event_type IN ({_OPENS}) THEN m.position
                            ELSE nullif(split_part(m.reverses, '/', 1), '')::bigint END AS held_at
                FROM movements m
                WHERE {scope.movements("m")} AND m.decision = 'ACCEPTED'
                  AND m.event_type IN ({_OPENS}, {_CLOSES})
            ) m
            {join} h ON h.player_id = m.player_id AND h.position = m.held_at
            WHERE CASE WHEN m.is_closing THEN
                (h.amount, h.closed_position, h.state)
                IS DISTINCT FROM (m.amount, m.position,
                    CASE WHEN m.event_type IN ({_SETTLES}) THEN 'settled' ELSE 'released' END)
            ELSE
                (m.source, m.transaction_id, m.amount)
                IS DISTINCT FROM (h.source, h.transaction_id, h.amount)
            END
            """,
        ),
    )
