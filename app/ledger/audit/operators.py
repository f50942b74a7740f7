"""Laws of the operator's people: what they did is all there, and they are what it made of them.

An action belongs to no player. The ranges of a whole audit cover every number once, so each is
looked at in the range that contains its own number.
"""

from typing import Final

from app.ledger.audit.scope import Check, Scope

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
        return ()
    return (_is_chained(scope), _ends_at_its_head(scope), _user_is_as_noted(scope))


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
