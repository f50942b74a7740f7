"""Laws of the inbox: no exception is taken or closed but by a step that is written down."""

from app.ledger.audit.scope import Check, Scope


def checks(scope: Scope) -> tuple[Check, ...]:
    """Return the check of what the scope looks at."""
    return (
        Check.of_one(
            "exception_is_as_its_steps_say",
            "an exception of the inbox is as the last step about it left it",
            f"""
            SELECT e.player_id, e.exception_id, e.state, e.taken_by, e.closed_by, s.step, s.by
            FROM (SELECT exception_id, state, taken_by, closed_by, closed_at,
                         coalesce(player_id, 0) AS player_id FROM exceptions) e
            LEFT JOIN LATERAL (
                SELECT step, by, at FROM exception_steps
                WHERE exception_id = e.exception_id ORDER BY step_id DESC LIMIT 1
            ) s ON true
            WHERE {scope.players("e")}
              AND CASE coalesce(s.step, 'released')
                  WHEN 'released' THEN e.state <> 'open' OR e.taken_by IS NOT NULL
                  WHEN 'taken' THEN (e.state, e.taken_by) IS DISTINCT FROM ('taken', s.by)
                  ELSE (e.state, e.closed_by, e.closed_at) IS DISTINCT FROM (s.step, s.by, s.at)
                  END
            """,
        ),
    )
