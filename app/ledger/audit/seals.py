"""The law of sealed heads: each chain still goes through where it stood when it was sealed."""

from app.ledger.audit.scope import Check, Scope


def checks(scope: Scope) -> tuple[Check, ...]:
    """Return the check of what the scope looks at."""
    return (
        Check.of_one(
            "sealed_head_stands",
            "every chain still goes through where it stood when it was sealed",
            f"""
            SELECT h.player_id, h.position, h.number AS seal
            FROM sealed_heads h
            LEFT JOIN movements m ON m.player_id = h.player_id AND m.position = h.position
            LEFT JOIN account_openings o ON o.player_id = h.player_id AND h.position = 0
            WHERE {scope.players("h")}
              AND h.chain IS DISTINCT FROM coalesce(m.chain, o.chain_start)
            """,
        ),
    )
