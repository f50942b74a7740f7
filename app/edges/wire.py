"""JSON in and out, with every number exactly as it is written.

`read_members` reads one JSON object from raw bytes. Numbers stay text, so that no digit is lost to
a binary fraction and a signature can be computed over the text that was sent. It refuses a name
given twice (at any depth), NaN and Infinity, text that PostgreSQL cannot store (NUL, half a
surrogate pair), nesting deeper than DEPTH_MAX, and anything that is not UTF-8.
`encode` writes compact JSON; `number` makes a member that is printed without quotes, and `rfc3339`
writes moments.
"""

import base64
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec

DEPTH_MAX: Final = 64
"""How deep arrays and objects may nest: as deep as PHP's form fields (max_input_nesting_level)."""


class WireError(Exception):
    """The bytes cannot be read."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())


class NotUnderstoodError(WireError):
    """The bytes are not in the promised encoding."""


# --- JSON in ---------------------------------------------------------------------------------


class Number(str):
    """A JSON number, exactly as written."""

    __slots__ = ()


JsonValue: TypeAlias = (
    "str | Number | bool | list[JsonValue] | dict[str, JsonValue] | None"  # Number is a str, too
)


class Member(NamedTuple):
    """A member of a JSON object: its value, and the text that it was written as."""

    value: JsonValue
    source: str


def read_members(body: bytes) -> dict[str, Member]:
    """Read one JSON object; raise NotUnderstoodError for anything else."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise NotUnderstoodError("the body is not UTF-8") from None
    _check_depth(text)
    try:
        members = _object(text)
    except (ValueError, IndexError, RecursionError):
        # IndexError: the text is incomplete.
        raise NotUnderstoodError("the body is not a JSON object") from None
    if "\\u" in text:
        for name, member in members.items():
            check_text(name)
            _check_texts(member.value)
    return members


def b64url(text: str) -> bytes:
    """Decode base64url without padding; raise ValueError for any other text."""
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def check_text(text: str) -> None:
    """Refuse text that PostgreSQL cannot store: NUL, or half of a surrogate pair."""
    if _UNSTORABLE.search(text):
        raise NotUnderstoodError("NUL or half a surrogate pair in a text")


_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")
_SPACE: Final = re.compile(r"[ \t\n\r]*")
_STRING_OR_BRACKET: Final = re.compile(r'"(?:[^"\\]|\\.)*"?|[\[{]|[\]}]', re.DOTALL)


def _pairs(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise NotUnderstoodError("a name is given twice in a JSON object")
    return members


def _constant(name: str) -> JsonValue:
    raise NotUnderstoodError(f"{name} is not JSON")


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_float=Number, parse_int=Number, parse_constant=_constant
)


def _object(text: str) -> dict[str, Member]:
    """Read the outermost object token by token, so that each member's text is known."""
    at = _skip(text, 0)
    _expect(text, at, "{")
    at = _skip(text, at + 1)
    members: dict[str, Member] = {}
    more = text[at] != "}"
    while more:
        _expect(text, at, '"')
        name, at = _value(text, at)
        at = _skip(text, at)
        _expect(text, at, ":")
        start = _skip(text, at + 1)
        value, end = _value(text, start)
        if name in members:
            raise NotUnderstoodError("a name is given twice in a JSON object")
        members[name] = Member(value, text[start:end])
        at = _skip(text, end)
        more = text[at] == ","
        if more:
            at = _skip(text, at + 1)
    _expect(text, at, "}")
    if _skip(text, at + 1) != len(text):
        raise ValueError
    return members


def _value(text: str, at: int) -> tuple[Any, int]:
    return _DECODER.raw_decode(text, at)


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _expect(text: str, at: int, character: str) -> None:
    if text[at] != character:
        raise ValueError


def _check_depth(text: str) -> None:
    if text.count("[") + text.count("{") <= DEPTH_MAX:
        return
    depth = 0
    for match in _STRING_OR_BRACKET.finditer(text):
        found = match[0]
        depth += (found in "[{") - (found in "]}")
        if depth > DEPTH_MAX:
            raise NotUnderstoodError("the JSON is nested too deep")


def _check_texts(value: JsonValue) -> None:
    match value:
        case str():
            check_text(value)
        case list():
            for item in value:
                _check_texts(item)
        case dict():
            for name, item in value.items():
                check_text(name)
                _check_texts(item)
        case _:
            pass


# --- JSON out --------------------------------------------------------------------------------

_ENCODER: Final = msgspec.json.Encoder()


def number(text: str) -> msgspec.Raw:
    """Return a JSON number that is printed exactly as `text`."""
    return msgspec.Raw(text.encode())


def encode(value: Mapping[str, object] | list[object]) -> bytes:
    """Write compact JSON."""
    return _ENCODER.encode(value)


def rfc3339(value: datetime) -> str:
    """Format a moment by RFC 3339, UTC, with microseconds: `2026-11-20T12:00:00.000000Z`."""
    return value.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"
