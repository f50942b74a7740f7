"""Laws of aborts that came early: each was refused once, and is what has become of it since."""

from app.ledger.audit.scope import ABORTS, BETS, IS_STREAMER, Check, Scope

_AMOUNT_ASKED = r"CASE WHEN f.amount ~ '^\d{1,18}(\.\d{1,18})?$' THEN f.amount::numeric END"
"""Of a row `f` of refusals, which keeps amounts as they were asked."""


def checks(scope: Scope) -> tuple[Check, ...]:
    """Return the checks of what the scope looks at."""
    return (
        _overtaken_bet_has_its_abort(scope),
        _has_its_round(scope),
        _was_refused(scope),
        _is_in_its_state(scope),
        _remembered_amount_was_refused(scope),
    )


def _overtaken_bet_has_its_abort(scope: Scope) -> Check:
    return Check.of_one(
        "overtaken_bet_has_its_abort",
        "a bet is refused as overtaken once for each early abort that was used up",
        f"""
        SELECT a.player_id, a.event_id, a.is_streamer, a.used, b.refused
        FROM (SELECT player_id, event_id, is_streamer,
                     count(*) FILTER (WHERE state = 'used') AS used,
                     count(*) FILTER (WHERE state IN ('used', 'settled')) AS gone
              FROM early_aborts a WHERE {scope.events("a")}
              GROUP BY player_id, event_id, is_streamer) a
        FULL JOIN (SELECT m.player_id, m.event_id, {IS_STREAMER} AS is_streamer,
                          count(*) AS refused
                   FROM movements m
                   WHERE {scope.events("m")} AND m.decision = 'BET_OVERTAKEN'
                   GROUP BY 1, 2, 3) b
            USING (player_id, event_id, is_streamer)
        WHERE NOT coalesce(b.refused, 0) BETWEEN coalesce(a.used, 0) AND coalesce(a.gone, 0)
        """,
    )


def _has_its_round(scope: Scope) -> Check:
    return Check.of_one(
        "early_abort_has_its_round",
        "a round knows that it has early aborts exactly if it has",
        f"""
        SELECT player_id, event_id, is_streamer, r.has_early_aborts
        FROM (SELECT DISTINCT player_id, event_id, is_streamer FROM early_aborts a
              WHERE {scope.events("a")}) a
        FULL JOIN (SELECT player_id, event_id, is_streamer, has_early_aborts
                   FROM rounds r WHERE {scope.events("r")} AND has_early_aborts) r
            USING (player_id, event_id, is_streamer)
        WHERE a.player_id IS NULL OR r.player_id IS NULL
        """,
    )


def _was_refused(scope: Scope) -> Check:
    return Check.of_one(
        "early_abort_was_refused",
        "an early abort is an abort that was refused at its moment, for its amount",
        f"""
        SELECT a.player_id, a.event_id, a.is_streamer, a.transaction_id, a.amount, a.first_at
        FROM early_aborts a
        LEFT JOIN players p ON p.player_id = a.player_id
        WHERE {scope.events("a")}
          AND NOT EXISTS (
              SELECT FROM refusals f
              WHERE f.transaction_id = a.transaction_id AND f.user_id = p.user_id
                AND f.event_id = a.event_id AND f.event_type IN ({ABORTS})
                AND f.ledger_time = a.first_at AND {_AMOUNT_ASKED} = a.amount)
          AND NOT EXISTS (
              SELECT FROM movements m
              WHERE m.player_id = a.player_id AND m.event_id = a.event_id
                AND m.transaction_id = a.transaction_id AND m.decision <> 'ACCEPTED'
                AND m.event_type IN ({ABORTS}) AND ({IS_STREAMER}) = a.is_streamer
                AND m.ledger_time = a.first_at AND m.amount = a.amount)
        """,
    )


def _is_in_its_state(scope: Scope) -> Check:
    """Hold states against the journal.

    An abort that is settled has an outcome under its own id. Each declined bet of an amount absorbs
    the next early abort of that amount, no other: so at its moment there had been no more
    absorbed ones than declined bets, and no other came while a declined bet had absorbed none.
    """
    declined = f"""
        SELECT count(*) FROM movements m
        WHERE m.player_id = a.player_id AND m.event_id = a.event_id
          AND ({IS_STREAMER}) = a.is_streamer AND m.event_type IN ({BETS})
          AND m.decision NOT IN ('ACCEPTED', 'DECIDED_ELSEWHERE') AND m.amount = a.amount
    """
    absorbed = """
        SELECT count(*) FROM early_aborts e
        WHERE e.player_id = a.player_id AND e.event_id = a.event_id
          AND e.is_streamer = a.is_streamer AND e.amount = a.amount AND e.state = 'absorbed'
    """
    return Check.of_one(
        "early_abort_is_in_its_state",
        "what is said to have become of an early abort is what the journal says",
        f"""
        SELECT a.player_id, a.event_id, a.is_streamer, a.transaction_id, a.state
        FROM early_aborts a
        WHERE {scope.events("a")}
          AND CASE a.state
              WHEN 'settled' THEN NOT EXISTS (
                  SELECT FROM movements m
                  WHERE m.player_id = a.player_id AND m.event_id = a.event_id
                    AND m.transaction_id = a.transaction_id)
              WHEN 'absorbed' THEN ({absorbed} AND e.first_at <= a.first_at)
                   > ({declined} AND m.ledger_time <= a.first_at)
              ELSE ({declined} AND m.ledger_time < a.first_at)
                   > ({absorbed} AND e.first_at <= a.first_at)
              END
        """,
    )


def _remembered_amount_was_refused(scope: Scope) -> Check:
    return Check.of_one(
        "remembered_amount_was_refused",
        "a round remembers no amount but those of aborts that were refused in it",
        f"""
        SELECT r.player_id, r.event_id, r.is_streamer, r.amount
        FROM (SELECT r.player_id, r.event_id, r.is_streamer, p.user_id,
                     unnest(r.refused_aborts) AS amount
              FROM rounds r JOIN players p ON p.player_id = r.player_id
              WHERE {scope.events("r")} AND cardinality(r.refused_aborts) > 0) r
        WHERE NOT EXISTS (
                SELECT FROM refusals f
                WHERE f.user_id = r.user_id AND f.event_id = r.event_id
                  AND f.event_type IN ({ABORTS}) AND {_AMOUNT_ASKED} = r.amount)
          AND NOT EXISTS (
                SELECT FROM movements m
                WHERE m.player_id = r.player_id AND m.event_id = r.event_id
                  AND m.event_type IN ({ABORTS}) AND m.decision <> 'ACCEPTED'
                  AND m.amount = r.amount)
        """,
    )
