"""Laws of wallets: each is what its movements made of it, and all together hold what was given."""

from app.ledger.audit.scope import Check, Scope
from app.ledger.buckets import TABLES


def checks(scope: Scope) -> tuple[Check, ...]:
    """Return the checks of what the scope looks at; `sums.py` has the rest of a wallet's laws."""
    return (_is_last_movement(scope), _has_player(scope), _is_in_its_bucket(scope))


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


def _is_in_its_bucket(scope: Scope) -> Check:
    """With one bucket the query asks for that once, and reads no row.

    On a node a bucket has nothing to inherit from, and a row that is not in its player's bucket is
    of nobody there.
    """

    def rows(place: str) -> str:
        return " UNION ALL ".join(
            f"SELECT player_id, {place.format(table)} AS place FROM {table} t"
            f" WHERE {scope.players('t')}"
            for table in TABLES
            if table != "players"
        )

    return Check.of_one(
        "rows_are_in_their_bucket",
        "every row of a player is in the bucket that the player is in",
        f"""
        SELECT DISTINCT t.player_id, t.place::regclass::text AS place
        FROM ({rows("tableoid")}) AS t
        JOIN players p ON p.player_id = t.player_id
        JOIN pg_class here ON here.oid = t.place
        JOIN pg_class there ON there.oid = p.tableoid
        WHERE EXISTS (SELECT FROM pg_inherits WHERE inhparent = to_regclass('public.rounds'))
          AND here.relnamespace <> there.relnamespace
        """,
        f"""
        SELECT DISTINCT t.player_id, t.place FROM ({rows("'{}'")}) AS t
        WHERE NOT EXISTS (SELECT FROM players p WHERE p.player_id = t.player_id)
        """,
    )
