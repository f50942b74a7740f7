"""The text of a movement that its hash covers, composed in SQL from the stored row."""

from typing import Final


def _minor(column: str) -> str:
    return f"trunc({column} * 10::numeric ^ m.scale)::text"


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
