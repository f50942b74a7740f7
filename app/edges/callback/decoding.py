"""Decoding: a form, a query or a JSON body in, fields as the aggregator's PHP sees them out.

The signature is computed over `Fields.texts`, and the handlers read the same texts, so a request
cannot be signed as one thing and interpreted as another. `extraData` is separate: it is not signed
(callback contract, section 2).
"""

import re
from binascii import a2b_qp
from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import unquote_to_bytes

from app.edges.callback.errors import EncodingError
from app.edges.callback.php_fields import Held, PhpArray, assign
from app.edges.wire import JsonValue, Member, NotUnderstoodError, Number, encode, read_members

EXTRA_DATA: Final = "extraData"

FIELDS_MAX: Final = 1000
"""PHP's max_input_vars: the aggregator's verifier would not see further fields."""

ARRAY_TEXT: Final = "Array"
"""The text of an array according to PHP's strval."""

_PLAIN_NAMES: Final = frozenset(
    {
        *("token", "userId", "gameId", EXTRA_DATA, "eventId", "bonusCode"),
        *("direction", "transactionId", "eventType", "amount"),
    }
)
"""The contract's names, which PHP leaves unchanged."""

_PLAIN_MEDIA_TYPES: Final = frozenset({b"application/x-www-form-urlencoded", b"application/json"})
"""As they are commonly written: there is nothing to fold."""

_NUMERIC_NAME: Final = re.compile(
    r"[ \t\n\r\v\f]*[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?[ \t\n\r\v\f]*",
    re.ASCII,
)
"""Names that PHP takes for numbers, and would renumber or sort differently."""


class Fields(NamedTuple):
    """The fields of one request."""

    texts: dict[str, str]
    """every field but extraData, as the signed text"""
    extra_data: str | None = None
    """as sent; None: absent"""
    numbers: frozenset[str] = frozenset()
    """fields that were JSON numbers"""
    others: frozenset[str] = frozenset()
    """fields that were arrays, objects, true or false"""


NO_FIELDS: Final = Fields({})


def read_fields(content_type: bytes | None, body: bytes, query: bytes) -> Fields:
    """Read the fields of a POST: its JSON members, its form, or its query if the body is empty.

    Raises EncodingError if they cannot be read.
    """
    media_type = _media_type(content_type)
    if media_type.startswith(b"multipart/"):
        raise EncodingError("a multipart body is not understood here")
    if not body:
        return read_form(query)
    if media_type == b"application/json":
        return read_json(body)
    return read_form(body)


def read_form(raw: bytes) -> Fields:
    """Read a form or a query as PHP's `$_POST` or `$_GET` would."""
    if raw.count(b"&") >= FIELDS_MAX:
        raise EncodingError("too many fields")
    # Latin-1 maps each byte to one character, whatever the bytes mean.
    pairs = raw.decode("latin-1").split("&")
    is_plain = raw.isascii() and b"\0" not in raw
    try:
        texts = _known(pairs) if is_plain else None
        return _folded(pairs) if texts is None else Fields(texts, texts.pop(EXTRA_DATA, None))
    except UnicodeDecodeError:
        raise EncodingError("a field is not UTF-8") from None


def _known(pairs: list[str]) -> dict[str, str] | None:
    """Read pairs whose names are all the contract's own; None: there is another name."""
    texts: dict[str, str] = {}
    for pair in pairs:
        name, _, value = pair.partition("=")
        if name not in _PLAIN_NAMES:
            return None
        texts[name] = _decoded(value) if "%" in value or "+" in value else value
    return texts


def _folded(pairs: list[str]) -> Fields:
    """Read pairs of any names, by PHP's rules."""
    held: dict[str, Held] = {}
    for pair in pairs:
        name, _, value = pair.partition("=")
        assign(held, _decoded(name), _decoded(value))
    extra = held.pop(EXTRA_DATA, None)
    for name in held:
        _check_name(name)
    arrays = frozenset(name for name, value in held.items() if isinstance(value, PhpArray))
    texts = {
        name: ARRAY_TEXT if isinstance(value, PhpArray) else value for name, value in held.items()
    }
    if isinstance(extra, PhpArray):
        extra = encode(extra.plain()).decode()
    return Fields(texts, extra, others=arrays)


def read_json(body: bytes) -> Fields:
    """Read the members of a JSON object, each as the text PHP's strval would make of it."""
    return fields_of(members_of(body))


def members_of(body: bytes) -> dict[str, Member]:
    """Read the members of a JSON object as they are."""
    try:
        members = read_members(body)
    except NotUnderstoodError as error:
        raise EncodingError(str(error)) from None
    if len(members) > FIELDS_MAX:
        raise EncodingError("too many fields")
    return members


def fields_of(members: Mapping[str, Member]) -> Fields:
    """Turn JSON members into fields."""
    named = {name: member.value for name, member in members.items() if name != EXTRA_DATA}
    for name in named:
        _check_name(name)
    extra = members.get(EXTRA_DATA)
    return Fields(
        {name: _text(value) for name, value in named.items()},
        None if extra is None else _extra_data(extra),
        frozenset(name for name, value in named.items() if isinstance(value, Number)),
        frozenset(name for name, value in named.items() if isinstance(value, (bool, list, dict))),
    )


def _media_type(content_type: bytes | None) -> bytes:
    if content_type in _PLAIN_MEDIA_TYPES:
        return content_type
    return (content_type or b"").partition(b";")[0].strip().lower()


def _decoded(written: str) -> str:
    raw = _unquoted(written.replace("+", " ").encode("latin-1"))
    if b"\0" in raw:
        raise EncodingError("NUL in a field")
    return raw.decode()


def _unquoted(raw: bytes) -> bytes:
    """Decode percent-encoding.

    Quoted-printable is the same encoding with `=` for `%`, and Python decodes it in C. They differ
    only in a sign that no two digits follow.
    """
    if _LONE_PERCENT.search(raw):
        return unquote_to_bytes(raw)
    return a2b_qp(raw.replace(b"=", b"%3D").replace(b"%", b"="))


_LONE_PERCENT: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")


def _check_name(name: str) -> None:
    if _NUMERIC_NAME.fullmatch(name):
        raise EncodingError("a field's name is a number")


def _text(value: JsonValue) -> str:
    match value:
        case str():
            return str(value)
        case True:
            return "1"
        case None | False:
            return ""
        case list() | dict():
            return ARRAY_TEXT


def _extra_data(member: Member) -> str:
    """Return the text of a JSON string, or any other member as it was written."""
    value = member.value
    return value if isinstance(value, str) and not isinstance(value, Number) else member.source
