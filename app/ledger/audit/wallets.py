"""Laws of wallets: each is what its movements made of it, and all together hold what was given."""

from app.ledger.audit.scope import Check, Scope


def checks(scope: Scope) -> tuple[Check, ...]:
    """Return the checks of what the scope looks at; `sums.py` has the rest of a wallet's laws."""
    return (_is_last_movement(scope), _has_player(scope))


def _is_last_movement(scope: Scope) -> Check:
    return Check.of_one(
        "wallet_is_last_movement",
        "a wallet stands where its last movement left it",
        f"""
        SELECT w.player_id, w.position, w.real, w.bonus, m.real_after, m.bonus_after
        FROM wallets w
        LEFT JOIN movements m ON m.player_id = w.player_id AND m.position = w.position
        LEFT JOIN account_openings o ON o.player_id = w.player_id AND w.position = 0
        WHERE {scope.players("w")}
          AND (w.real, w.bonus, w.version, w.chain)
              IS DISTINCT FROM
              (coalesce(m.real_after, CASE WHEN w.position = 0 THEN 0 END),
               coalesce(m.bonus_after, CASE WHEN w.position = 0 THEN 0 END),
               coalesce(m.version, CASE WHEN w.position = 0 THEN 0 END),
               coalesce(m.chain, o.chain_start))
        """,
    )


def _has_player(scope: Scope) -> Check:
    return Check.of_one(
        "wallet_is_its_players",
        "a wallet carries the agent and the currency of its player",
        f"""
        SELECT w.player_id, w.agent, w.currency, p.agent AS player_agent,
               p.currency AS player_currency
        FROM wallets w JOIN players p ON p.player_id = w.player_id
        WHERE {scope.players("w")}
          AND (w.agent, w.currency, w.scale) <> (p.agent, p.currency, p.scale)
        """,
    )
