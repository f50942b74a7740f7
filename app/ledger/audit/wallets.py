"""Laws of wallets: each is what its movements made of it, and all together hold what was given."""

from app.ledger.audit.scope import Invariant, Scope


def laws(scope: Scope) -> tuple[Invariant, ...]:
    """Return the laws, for what the scope looks at."""
    return (_is_last_movement(scope), _is_sum(scope), *_trial_balance(scope), _has_player(scope))


def _is_last_movement(scope: Scope) -> Invariant:
    return Invariant(
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


def _is_sum(scope: Scope) -> Invariant:
    # What happened before is part of an audit that looked at it; here it is where the first recent
    # movement began. From there on every movement counts, whatever a clock that stepped back says.
    recent = f"""
        SELECT w.player_id, w.real, w.bonus, s.real AS real_sum, s.bonus AS bonus_sum
        FROM (
            SELECT m.player_id, min(m.position) AS position
            FROM movements m WHERE {scope.movements} GROUP BY m.player_id
        ) f
        JOIN wallets w ON w.player_id = f.player_id
        JOIN movements b ON b.player_id = f.player_id AND b.position = f.position
        CROSS JOIN LATERAL (
            SELECT b.real_before + sum(real_delta) AS real,
                   b.bonus_before + sum(bonus_delta) AS bonus
            FROM movements WHERE player_id = f.player_id AND position >= f.position
        ) s
        WHERE (w.real, w.bonus) <> (s.real, s.bonus)
        """
    everything = f"""
        SELECT w.player_id, w.real, w.bonus, s.real AS real_sum, s.bonus AS bonus_sum
        FROM wallets w
        LEFT JOIN (
            SELECT m.player_id, sum(m.real_delta) AS real, sum(m.bonus_delta) AS bonus
            FROM movements m WHERE {scope.movements} GROUP BY m.player_id
        ) s ON s.player_id = w.player_id
        WHERE {scope.players("w")}
          AND (w.real, w.bonus) <> (coalesce(s.real, 0), coalesce(s.bonus, 0))
        """
    return Invariant(
        "wallet_is_sum",
        "a wallet is the sum of all its movements",
        everything if scope.is_everything else recent,
    )


def _trial_balance(scope: Scope) -> tuple[Invariant, ...]:
    # Of what is recent, `wallet_is_sum` says the same wallet by wallet.
    if not scope.is_everything:
        return ()
    return (
        Invariant(
            "trial_balance",
            "in each currency, the wallets together hold what the house accounts gave",
            f"""
            SELECT coalesce(w.currency, j.currency) AS currency, w.held, j.given
            FROM (SELECT p.currency, sum(w.real + w.bonus) AS held
                  FROM wallets w JOIN players p USING (player_id)
                  WHERE {scope.players("w")} GROUP BY p.currency) w
            FULL JOIN (SELECT m.currency, sum(m.real_delta + m.bonus_delta) AS given
                       FROM movements m
                       WHERE {scope.movements} AND m.decision = 'ACCEPTED'
                       GROUP BY m.currency) j ON j.currency = w.currency
            WHERE coalesce(w.held, 0) <> coalesce(j.given, 0)
            """,
        ),
    )


def _has_player(scope: Scope) -> Invariant:
    return Invariant(
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
