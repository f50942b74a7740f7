"""The law of imports: money that came in from another wallet came in by a file that was noted."""

from app.ledger.audit.scope import Check, Scope, types
from app.wallet.events import HouseAccount
from app.wallet.imports import OPERATION

_IMPORTED = types(lambda rule: rule.contra is HouseAccount.IMPORTS)


def checks(scope: Scope) -> tuple[Check, ...]:
    """Return the check of what the scope looks at."""
    return (
        Check.of_one(
            "imported_money_has_its_import",
            "what came in from another wallet, or was decided there, came in by an import",
            f"""
            SELECT m.player_id, m.position, m.event_type, m.decision, m.amount, m.transaction_id
            FROM movements m
            WHERE {scope.movements("m")}
              AND (m.event_type IN ({_IMPORTED}) OR m.decision = 'DECIDED_ELSEWHERE')
              AND NOT EXISTS (
                  SELECT FROM account_changes c
                  JOIN imports i ON i.imported_at = c.ledger_time AND i.by = c.source
                  WHERE c.player_id = m.player_id AND c.operation = '{OPERATION}'
                    AND c.delivery = m.delivery AND c.ledger_time = m.ledger_time OFFSET 0)
            """,
        ),
    )
