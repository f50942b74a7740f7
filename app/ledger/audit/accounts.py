"""Laws of accounts: whose they are, and what was settled about them."""

from typing import Final

from app.ledger.audit.scope import Check, Scope
from app.ledger.citus import NUMBER_BITS
from app.wallet.journal import CHAIN_START

_CHAIN_START: Final = """
    sha256(convert_to(
        'opening|' || char_length(o.user_id) || ':' || o.user_id
        || '|' || char_length(o.agent) || ':' || o.agent
        || '|' || o.currency || '|' || o.scale, 'UTF8'))
"""
"""`chain_start` in SQL, of a row `o` of account_openings."""


def checks(scope: Scope) -> tuple[Check, ...]:
    """Return the checks of what the scope looks at."""
    return (
        _is_as_opened(scope),
        _is_as_its_trail_says(scope),
        _session_has_its_trail(scope),
    )


def _is_as_opened(scope: Scope) -> Check:
    return Check.of_one(
        "account_is_as_opened",
        "an account is still its player's, with their agent and currency, as it was opened",
        f"""
        SELECT player_id, p.user_id, p.agent, p.currency, o.user_id AS opened_for,
               o.agent AS opened_by, o.currency AS opened_in
        FROM (SELECT * FROM players p WHERE {scope.players("p")}) p
        FULL JOIN (SELECT * FROM account_openings o WHERE {scope.players("o")}) o USING (player_id)
        WHERE (p.user_id, p.agent, p.currency, p.scale)
              IS DISTINCT FROM (o.user_id, o.agent, o.currency, o.scale)
           OR o.chain_start NOT IN ('\\x{CHAIN_START.hex()}'::bytea, {_CHAIN_START})
        """,
    )


def _bounded(moment: str) -> str:
    """`clamped` in SQL: moments from before there were bounds stand as infinities."""
    return (
        f"CASE WHEN {moment} IS NOT NULL THEN least(greatest({moment}, "
        "timestamptz '1970-01-01 00:00:00Z'), timestamptz '9000-01-01 00:00:00Z') END"
    )


def _terms(limits: str, starts_at: str, confirm: str) -> str:
    """The limits of a player, whichever of the two forms they are kept in."""
    return f"""
        (SELECT coalesce(jsonb_object_agg(t.key, jsonb_build_array(
             t.value -> 'amount', t.value -> 'later', t.value -> '{starts_at}',
             coalesce(t.value -> '{confirm}', 'false'))), '{{}}')
         FROM jsonb_each({limits}) AS t)
    """


def _is_as_its_trail_says(scope: Scope) -> Check:
    """Hold block, exclusion and limits against what came of the last change of the account.

    An account that was never changed is active, without exclusion and limits. Numbers that one node
    has given are in the order of the changes; those of several are not, and moments decide.
    """
    return Check.of_one(
        "account_is_as_its_trail_says",
        "block, exclusion and limits of a player are those of the last change that was noted",
        f"""
        WITH last_of_node AS (
            SELECT DISTINCT ON (c.player_id, c.change_id >> {NUMBER_BITS})
                   c.player_id, c.ledger_time, c.outcome
            FROM account_changes c
            WHERE {scope.players("c")} AND starts_with(c.outcome, '{{"status"')
            ORDER BY c.player_id, c.change_id >> {NUMBER_BITS}, c.change_id DESC
        ), said AS (
            SELECT DISTINCT ON (player_id) player_id, outcome::jsonb AS outcome
            FROM last_of_node ORDER BY player_id, ledger_time DESC
        )
        SELECT w.player_id, w.blocked, w.excluded_until, w.limits::text, s.outcome::text AS noted
        FROM (SELECT * FROM wallets w WHERE {scope.players("w")}) w
        LEFT JOIN said s ON s.player_id = w.player_id
        WHERE (s.player_id IS NOT NULL OR w.blocked OR w.excluded_until IS NOT NULL
               OR w.limits IS NOT NULL)
          AND (w.blocked, {_bounded("w.excluded_until")}, {_terms("w.limits", "from", "confirm")})
              IS DISTINCT FROM
              (coalesce(s.outcome ->> 'status' = 'blocked', false),
               {_bounded("(s.outcome ->> 'excluded_until')::timestamptz")},
               {_terms("s.outcome -> 'limits'", "starts_at", "needs_confirmation")})
        """,
    )


def _session_has_its_trail(scope: Scope) -> Check:
    """Hold tokens that an agent asked for against the list of changes.

    Tokens of the other origins leave no note: the game side's own, the platform's, the console's.
    """
    return Check.of_one(
        "session_has_its_trail",
        "a token that an agent was given is noted at its moment",
        f"""
        SELECT s.player_id, s.issued_at, s.expires_at
        FROM sessions s
        WHERE {scope.players("s")} AND s.origin = 'transfer'
          AND NOT EXISTS (
              SELECT FROM account_changes c
              WHERE c.player_id = s.player_id AND c.ledger_time = s.issued_at
                AND starts_with(c.outcome, '{{"expires_at"'))
        """,
    )
