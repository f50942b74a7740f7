"""Laws of the operator's people: what they did is all there, and they are what it made of them.

An action belongs to no player. The ranges of a whole audit cover every number once, so each is
looked at in the range that contains its own number. An act on a player is also held against the
changes of that player's account.
"""

from datetime import timedelta
from typing import Final

from app.ledger.audit.scope import Check, Scope
from app.ledger.operator_actions import ACTS_ON_PLAYERS
from app.ledger.sealed_lists import GRACE

_CANONICAL: Final = """
    concat_ws('|', 'v1',
        a.action_id, (extract(epoch FROM a.ledger_time) * 1000000)::bigint,
        char_length(a.actor) || ':' || a.actor, a.is_verified, a.via,
        char_length(a.source) || ':' || a.source, a.action, a.subject_kind,
        char_length(a.subject) || ':' || a.subject,
        coalesce(char_length(a.reason) || ':' || a.reason, '-'), a.outcome,
        char_length(a.details) || ':' || a.details, replace(a.delivery::text, '-', ''))
"""
"""The text that a row `a` of operator_actions was hashed with."""


def checks(scope: Scope) -> tuple[Check, ...]:
    """Return the checks of what the scope looks at."""
    if scope.actions is None:
        return (_act_is_on_its_player(scope),)
    return (
        _is_chained(scope),
        _ends_at_its_head(scope),
        _user_is_as_noted(scope),
        _act_is_on_its_player(scope),
    )


def _is_chained(scope: Scope) -> Check:
    return Check.of_one(
        "action_is_chained",
        "every action of an operator has the hash of the one before it and of its own content",
        f"""
        SELECT a.action_id, a.actor, a.action, a.subject
        FROM operator_actions a
        LEFT JOIN operator_actions b ON b.action_id = a.action_id - 1
        WHERE {scope.actions}
          AND (a.action_id < 1 OR (a.action_id > 1 AND b.action_id IS NULL)
               OR a.chain <> sha256(coalesce(b.chain, decode(repeat('00', 32), 'hex'))
                                    || convert_to({_CANONICAL}, 'UTF8')))
        """,
    )


def _ends_at_its_head(scope: Scope) -> Check:
    return Check.of_one(
        "actions_end_at_their_head",
        "the last action of an operator is the one that was noted as the last",
        f"""
        SELECT h.last_action, l.action_id AS last_there
        FROM operator_actions_head h
        LEFT JOIN LATERAL (
            SELECT action_id, chain FROM operator_actions ORDER BY action_id DESC LIMIT 1
        ) l ON true
        WHERE {scope.head}
          AND (h.last_action, h.chain) IS DISTINCT FROM
              (coalesce(l.action_id, 0), coalesce(l.chain, decode(repeat('00', 32), 'hex')))
        """,
    )


def _user_is_as_noted(scope: Scope) -> Check:
    """Hold roles, and whether somebody may sign in, against the last change that was noted."""
    return Check.of_one(
        "user_is_as_noted",
        "a user has the roles, and may or may not sign in, as was noted last",
        f"""
        SELECT o.name, o.roles, o.disabled_at, s.details AS noted
        FROM operators o
        CROSS JOIN operator_actions_head h
        LEFT JOIN LATERAL (
            SELECT a.details FROM operator_actions a
            WHERE a.subject = o.name AND a.subject_kind = 'user' AND a.outcome = 'done'
              AND starts_with(a.details, '{{"roles"')
            ORDER BY a.action_id DESC LIMIT 1
        ) s ON true
        WHERE {scope.head}
          AND (to_jsonb(o.roles), o.disabled_at IS NOT NULL) IS DISTINCT FROM
              (s.details::jsonb -> 'roles', (s.details::jsonb ->> 'is_disabled')::boolean)
        """,
    )


_NAMES: Final = ", ".join(f"'{name}'" for name in ACTS_ON_PLAYERS)
_NEXT_STEP: Final = (
    "look at the player; if it is still wanted, do it again. That it was not done is noted by any"
    " serving process that reaches the player''s node within a week of it, and later by"
    " `wallet buckets settle`"
)


def _act_is_on_its_player(scope: Scope) -> Check:
    """Hold acts against the changes of accounts: where buckets are on nodes, a note can be alone.

    What is younger than any transaction of the service may still be under way.
    """
    noted = f"""
        a.subject_kind = 'player' AND a.outcome = 'done' AND a.action IN ({_NAMES})
        AND a.ledger_time < now() - interval '{GRACE // timedelta(seconds=1)} seconds'
        AND NOT EXISTS (SELECT FROM operator_actions r
                        WHERE r.subject = a.subject AND r.delivery = a.delivery
                          AND r.outcome = 'refused')
    """
    alone = f"""
        SELECT a.action_id, a.actor AS operator, a.action AS act, a.subject AS player,
               a.ledger_time AS at, '{_NEXT_STEP}' AS next_step
        FROM {{acts}} a JOIN players p ON p.user_id = a.subject
        WHERE {{condition}}
          AND NOT EXISTS (SELECT FROM account_changes c
                          WHERE c.player_id = p.player_id AND c.delivery = a.delivery)
    """
    of_whom = scope.actions or scope.players("p")
    on_nodes = alone.format(acts="act", condition="true" if scope.actions else of_whom)
    return Check.of_one(
        "act_is_on_its_player",
        "what was noted as done to a player was done, or is noted as not done",
        alone.format(acts="operator_actions", condition=f"{of_whom} AND {noted}"),
        # The coordinator's rows by themselves first, and then the bucket's beside them.
        f"""
        WITH act AS MATERIALIZED (
            SELECT * FROM operator_actions a WHERE {scope.actions or "true"} AND {noted}
        )
        {on_nodes}
        """,
    )
