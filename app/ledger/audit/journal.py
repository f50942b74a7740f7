"""Laws of the journal: each movement by itself, against the one before it, and against its key."""

from typing import Final

from app.ledger.audit.scope import Check, Invariant, Scope, types

_MAY_OVERDRAW: Final = types(lambda rule: rule.may_overdraw)
_MOVES_NO_POCKET: Final = types(lambda rule: rule.moves_from is not None)

_UNITS: Final = " ".join(f"WHEN {scale} THEN {10**scale}::numeric" for scale in range(9))
"""Minor units in a major unit, by scale: a lookup costs a tenth of raising 10 to a power."""


def _minor(column: str) -> str:
    return f"trunc({column} * CASE m.scale {_UNITS} END)::text"


def _moment(column: str) -> str:
    return f"(extract(epoch FROM {column}) * 1000000)::bigint::text"


def _text(column: str) -> str:
    return f"coalesce(char_length({column}) || ':' || {column}, '-')"


_FIELDS: Final = ", ".join(
    (
        "'v1'",
        "m.player_id",
        "m.position",
        "m.version",
        "encode(uuid_send(m.delivery), 'hex')",
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
CANONICAL: Final = f"concat_ws('|', {_FIELDS})"
"""`JournalEntry.canonical` in SQL, of a row `m` of movements.

One call that appends is cheaper than a chain of `||`, of which each copies what stands before it.
"""

_WALKED: Final = (
    Invariant(
        "entries_sum_to_zero",
        "what the pockets gained, the house account lost: the amount, in the direction asked",
    ),
    Invariant("one_currency", "a player's movements are in their currency"),
    Invariant("no_overdraft", "no pocket falls below zero, but real by the event types that may"),
    Invariant("refusals_moved_nothing", "a remembered refusal moved nothing"),
    Invariant(
        "no_movement_beyond_its_wallet",
        "every movement belongs to a wallet and lies within its chain",
    ),
    Invariant(
        "no_gaps",
        "positions and versions follow each other, and each movement begins where the last ended",
    ),
    Invariant(
        "chain_unbroken",
        "every movement's hash is that of what came before it and of its own content",
    ),
)
"""The laws of one walk through the journal, in the order of the conditions in `_walk`."""

_HAS_KEY: Final = Invariant(
    "movement_has_its_key", "every movement holds its transaction key, alone"
)
_HAS_MOVEMENT: Final = Invariant(
    "key_has_its_movement", "every transaction key names the movement of its id"
)

_SAME: Final = (
    "k.source = m.source AND k.transaction_id = m.transaction_id AND k.facet = m.facet"
    " AND k.player_id = m.player_id AND k.position = m.position"
)


def checks(scope: Scope) -> tuple[Check, ...]:
    """Return the checks of what the scope looks at."""
    return (_walk(scope), _keys(scope))


def _walk(scope: Scope) -> Check:
    """Look at every movement once, beside the one before it, its player and their wallet.

    The conditions that cost the least come first; all of them are looked at for a movement that
    breaks none.
    """
    # Of what is recent, the movement before may be older than what is looked at.
    before = f"WHERE {scope.movements('b')}" if scope.is_everything else ""
    whose = f"WHERE {scope.players('p')}" if scope.is_everything else ""
    conditions = (
        f"""
        m.decision = 'ACCEPTED'
        AND (m.real_after <> m.real_before + m.real_delta
             OR m.bonus_after <> m.bonus_before + m.bonus_delta
             OR (m.real_delta + m.bonus_delta
                 <> CASE m.direction WHEN 'credit' THEN m.amount ELSE -m.amount END
                 AND (m.event_type NOT IN ({_MOVES_NO_POCKET})
                      OR m.real_delta <> 0 OR m.bonus_delta <> 0)))
        """,
        "(m.currency, m.scale) <> (h.currency, h.scale)",
        f"""
        m.bonus_after < 0
        OR (m.real_after < 0 AND m.real_after < m.real_before
            AND m.event_type NOT IN ({_MAY_OVERDRAW}))
        """,
        """
        m.decision <> 'ACCEPTED'
        AND (m.real_delta, m.bonus_delta, m.real_after, m.bonus_after)
            <> (0, 0, m.real_before, m.bonus_before)
        """,
        "h.wallet_position IS NULL OR m.position > h.wallet_position",
        """
        (b.player_id IS NULL AND m.position <> 1)
        OR m.version <> coalesce(b.version, 0) + (m.decision = 'ACCEPTED')::integer
        OR m.real_before <> coalesce(b.real_after, 0)
        OR m.bonus_before <> coalesce(b.bonus_after, 0)
        """,
        f"""
        m.chain IS DISTINCT FROM sha256(
            coalesce(b.chain, CASE WHEN m.position = 1 THEN h.chain_start END)
            || convert_to({CANONICAL}, 'UTF8'))
        """,
    )
    named = ", ".join(
        f"('{law.name}', ({condition}))" for law, condition in zip(_WALKED, conditions, strict=True)
    )
    return Check(
        _WALKED,
        f"""
        SELECT broken.invariant, m.player_id, m.position, m.transaction_id, m.event_type,
               m.direction, m.decision, m.amount, m.real_before, m.bonus_before, m.real_after,
               m.bonus_after, m.version, b.version AS version_before,
               h.wallet_position, h.currency AS player_currency
        FROM movements m
        LEFT JOIN (SELECT b.player_id, b.position, b.version, b.real_after, b.bonus_after, b.chain
                   FROM movements b {before}) b
            ON b.player_id = m.player_id AND b.position = m.position - 1
        LEFT JOIN (SELECT p.player_id, p.currency, p.scale, w.position AS wallet_position,
                          o.chain_start
                   FROM players p
                   LEFT JOIN wallets w ON w.player_id = p.player_id
                   LEFT JOIN account_openings o ON o.player_id = p.player_id {whose}) h
            ON h.player_id = m.player_id
        CROSS JOIN LATERAL (VALUES {named}) AS broken (invariant, is_broken)
        WHERE {scope.movements("m")} AND (({") OR (".join(conditions)})) AND broken.is_broken
        """,
    )


def _keys(scope: Scope) -> Check:
    """Match keys and movements by id and by place at once, both ways.

    A key has no time, and is not found by its player, so only a look at everything finds one
    without its movement.
    """
    of_movement = "m.player_id, m.position, m.source, m.transaction_id, m.facet"
    if not scope.is_everybody:
        return Check(
            (_HAS_KEY,),
            f"""
            SELECT '{_HAS_KEY.name}' AS invariant, {of_movement}
            FROM movements m
            WHERE {scope.movements("m")}
              AND NOT EXISTS (SELECT FROM transaction_keys k WHERE {_SAME})
            """,
        )
    of_key = of_movement.replace("m.", "k.")
    either = ", ".join(
        f"coalesce({m}, {k}) AS {m.removeprefix('m.')}"
        for m, k in zip(of_movement.split(", "), of_key.split(", "), strict=True)
    )
    return Check(
        (_HAS_KEY, _HAS_MOVEMENT),
        f"""
        SELECT CASE WHEN k.player_id IS NULL THEN '{_HAS_KEY.name}'
                    ELSE '{_HAS_MOVEMENT.name}' END AS invariant, {either}
        FROM (SELECT {of_movement} FROM movements m WHERE {scope.movements("m")}) m
        FULL JOIN (SELECT {of_key} FROM transaction_keys k WHERE {scope.players("k")}) k
            ON {_SAME}
        WHERE k.player_id IS NULL OR m.player_id IS NULL
        """,
    )
