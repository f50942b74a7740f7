"""Maintenance notices: JSON members in, notice out; only the status must be the contract's.

Everything else is for people to read, so it is stored as sent if it has the right JSON type.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from app.cashier.notices import Notice
from app.edges.callback.errors import FormatError
from app.edges.wire import JsonValue, Member, Number

STATUSES: Final = frozenset({"started", "test", "created", "finished", "failed", "canceled"})

_WHOLE_DIGITS_MAX: Final = 18
"""Longer whole numbers, and fractions, are stored as text, which no reader can round."""


def read_notice(members: Mapping[str, Member], body: str, received_at: datetime) -> Notice:
    """Read a notice; raise FormatError for a field of the wrong JSON type."""
    values = {name: member.value for name, member in members.items()}
    status = values.get("status")
    if not isinstance(status, str) or isinstance(status, Number) or status not in STATUSES:
        raise FormatError("status is none of the contract's")
    return Notice(
        status=status,
        batch_id=_text(values, "batchId"),
        game_ids=_list(values, "gameIds"),
        additions=_plain(values.get("additions")),
        brand_name=_text(values, "brandName"),
        countries=_list(values, "countries"),
        currencies=_list(values, "currencies"),
        provider_ids=_list(values, "providerIds"),
        received_at=received_at,
        body=body,
    )


def _text(values: Mapping[str, JsonValue], name: str) -> str | None:
    value = values.get(name)
    if value is None or isinstance(value, str):
        return None if value is None else str(value)
    raise FormatError(f"{name} is not text")


def _list(values: Mapping[str, JsonValue], name: str) -> list[object] | None:
    value = values.get(name)
    if value is None or isinstance(value, list):
        return None if value is None else [_plain(item) for item in value]
    raise FormatError(f"{name} is not a list")


def _plain(value: JsonValue) -> object:
    match value:
        case Number():
            digits = value.removeprefix("-")
            is_whole = digits.isdecimal() and len(digits) <= _WHOLE_DIGITS_MAX
            return int(value) if is_whole else str(value)
        case list():
            return [_plain(item) for item in value]
        case dict():
            return {name: _plain(item) for name, item in value.items()}
        case _:
            return value
