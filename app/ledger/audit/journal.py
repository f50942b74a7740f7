"""Laws of the journal: each movement by itself, against the one before it, and against its key."""

from typing import Final

from app.ledger.audit.scope import Invariant, Scope, types

_MAY_OVERDRAW: Final = types(lambda rule: rule.may_overdraw)

_UNITS: Final = " ".join(f"WHEN {scale} THEN {10**scale}::numeric" for scale in range(9))
"""Minor units in a major unit, by scale: a lookup costs a tenth of raising 10 to a power."""


def _minor(column: str) -> str:
    return f"trunc({column} * CASE m.scale {_UNITS} END)::text"


def _moment(column: str) -> str:
    return f"(extract(epoch FROM {column}) * 1000000)::bigint::text"


def _text(column: str) -> str:
    return f"coalesce(char_length({column}) || ':' || {column}, '-')"


CANONICAL: Final = " || '|' || ".join(
    (
        "'v1'",
        "m.player_id",
        "m.position",
        "m.version",
        "replace(m.delivery::text, '-', '')",
        "m.event_type",
        "m.direction",
        "m.decision",
        "m.currency",
        "m.scale",
        *map(
            _minor,
            ("m.amount", "m.real_before", "m.bonus_before", "m.real_delta", "m.bonus_delta"),
        ),
        "m.contra",
        "coalesce(m.game_id::text, '-')",
        "m.reverses",
        "m.flags",
        _moment("m.event_time"),
        _moment("m.ledger_time"),
        *map(
            _text,
            (
                "m.source",
                "m.transaction_id",
                "m.facet",
                "m.event_id",
                "m.bonus_code",
                "m.extra_data",
            ),
        ),
    )
)
"""`JournalEntry.canonical` in SQL, of a row `m` of movements."""


def laws(scope: Scope) -> tuple[Invariant, ...]:
    """Return the laws, for what the scope looks at."""
    return (*_by_itself(scope), *_in_its_chain(scope), *_keys(scope))


def _by_itself(scope: Scope) -> tuple[Invariant, ...]:
    return (
        Invariant(
            "entries_sum_to_zero",
            "what the pockets gained, the house account lost: the amount, in the direction asked",
            f"""
            SELECT m.player_id, m.position, m.direction, m.amount, m.real_delta, m.bonus_delta
            FROM movements m
            WHERE {scope.movements} AND m.decision = 'ACCEPTED'
              AND ((m.real_after - m.real_before) + (m.bonus_after - m.bonus_before)
                       + CASE m.direction WHEN 'credit' THEN -m.amount ELSE m.amount END <> 0
                   OR m.real_after - m.real_before <> m.real_delta
                   OR m.bonus_after - m.bonus_before <> m.bonus_delta)
            """,
        ),
        Invariant(
            "one_currency",
            "a player's movements are in their currency",
            f"""
            SELECT m.player_id, m.position, m.currency, p.currency AS player_currency
            FROM movements m JOIN players p ON p.player_id = m.player_id
            WHERE {scope.movements} AND (m.currency, m.scale) <> (p.currency, p.scale)
            """,
        ),
        Invariant(
            "no_overdraft",
            "no pocket falls below zero, but real by the event types that may",
            f"""
            SELECT m.player_id, m.position, m.event_type, m.real_before, m.real_after, m.bonus_after
            FROM movements m
            WHERE {scope.movements}
              AND (m.bonus_after < 0
                   OR (m.real_after < least(m.real_before, 0)
                       AND m.event_type NOT IN ({_MAY_OVERDRAW})))
            """,
        ),
        Invariant(
            "refusals_moved_nothing",
            "a remembered refusal moved nothing",
            f"""
            SELECT m.player_id, m.position, m.decision, m.real_delta, m.bonus_delta
            FROM movements m
            WHERE {scope.movements} AND m.decision <> 'ACCEPTED'
              AND (m.real_delta, m.bonus_delta, m.real_after, m.bonus_after)
                  <> (0, 0, m.real_before, m.bonus_before)
            """,
        ),
    )


def _in_its_chain(scope: Scope) -> tuple[Invariant, ...]:
    return (
        Invariant(
            "no_movement_beyond_its_wallet",
            "every movement belongs to a wallet and lies within its chain",
            f"""
            SELECT m.player_id, m.position, w.position AS wallet_position
            FROM movements m LEFT JOIN wallets w ON w.player_id = m.player_id
            WHERE {scope.movements} AND (w.player_id IS NULL OR m.position > w.position)
            """,
        ),
        Invariant(
            "no_gaps",
            "positions and versions follow each other, and each movement begins where the last"
            " ended",
            f"""
            SELECT m.player_id, m.position, m.version, b.version AS version_before
            FROM movements m
            LEFT JOIN movements b ON b.player_id = m.player_id AND b.position = m.position - 1
            WHERE {scope.movements}
              AND ((b.player_id IS NULL AND m.position <> 1)
                   OR m.version <> coalesce(b.version, 0) + (m.decision = 'ACCEPTED')::integer
                   OR m.real_before <> coalesce(b.real_after, 0)
                   OR m.bonus_before <> coalesce(b.bonus_after, 0))
            """,
        ),
        Invariant(
            "chain_unbroken",
            "every movement's hash is that of what came before it and of its own content",
            f"""
            SELECT m.player_id, m.position, m.transaction_id
            FROM movements m
            LEFT JOIN movements b ON b.player_id = m.player_id AND b.position = m.position - 1
            LEFT JOIN account_openings o ON o.player_id = m.player_id AND m.position = 1
            WHERE {scope.movements}
              AND m.chain IS DISTINCT FROM sha256(coalesce(b.chain, o.chain_start)
                                                  || convert_to({CANONICAL}, 'UTF8'))
            """,
        ),
    )


def _keys(scope: Scope) -> tuple[Invariant, ...]:
    """Match keys and movements by id and by place at once, both ways.

    A key has no time, so only a look at everything finds one without its movement.
    """
    same = (
        "k.source = m.source AND k.transaction_id = m.transaction_id AND k.facet = m.facet"
        " AND k.player_id = m.player_id AND k.position = m.position"
    )
    of_movements = Invariant(
        "movement_has_its_key",
        "every movement holds its transaction key, alone",
        f"""
        SELECT m.player_id, m.position, m.source, m.transaction_id, m.facet
        FROM movements m
        WHERE {scope.movements} AND NOT EXISTS (SELECT FROM transaction_keys k WHERE {same})
        """,
    )
    if not scope.is_everything:
        return (of_movements,)
    of_keys = Invariant(
        "key_has_its_movement",
        "every transaction key names the movement of its id",
        f"""
        SELECT k.player_id, k.position, k.source, k.transaction_id, k.facet
        FROM transaction_keys k
        WHERE {scope.players("k")} AND NOT EXISTS (SELECT FROM movements m WHERE {same})
        """,
    )
    return of_movements, of_keys
