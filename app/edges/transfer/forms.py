"""The form of an operation: which fields it has, of which JSON types, and how values are read.

Absent comes first (code 2), then the wrong JSON type (4), then a value that cannot be (100): so a
request with several faults always hears the same one. Unknown fields are tolerated, unread.
"""

import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Final, NamedTuple

from app.edges.transfer.codes import Code, RefusedError
from app.edges.wire import JsonValue, Member, NotUnderstoodError, Number, read_members
from app.wallet.identifiers import ID_LENGTH_MAX, has_control_characters
from app.wallet.journal import EPOCH
from app.wallet.moments import FOREVER, FOREVER_TEXT, moment_from_seconds, moment_from_text
from app.wallet.money import AMOUNT_PATTERN

SOURCE_LENGTH_MAX: Final = 300
"""How much of one field the refusal log stores of a refused request: any that is valid, and then
some (a valid one has at most 250 characters, a reason aside)."""

IAT: Final = "iat"
OP: Final = "op"
JTI: Final = "jti"
JTI_LENGTH_MAX: Final = 64
"""Transfer contract, section 1; a UUID has 36 characters."""


class Kind(Enum):
    """Which JSON types a field may have, in words."""

    TEXT = "a text"
    INTEGER = "a number"
    AMOUNT = "a number or a text"
    MOMENT = "a text or a number"
    OBJECT = "an object"
    TEXTS = "a list of texts"


class Field(NamedTuple):
    """One field of an operation."""

    kind: Kind
    what: str
    """for the documentation"""
    is_required: bool = True
    may_be_null: bool = False
    """whether null says something; else, in an optional field, it says nothing"""
    is_secret: bool = False
    """whether its value is never kept"""


Form = Mapping[str, Field]

HIDDEN: Final = '"***"'
"""What the lists keep of a secret field: that it was there."""


class Fields:
    """The fields of one request, of the right types; each is read once its value matters."""

    def __init__(self, members: Mapping[str, Member], form: Form) -> None:
        """Hold the request to its form; RefusedError with code 2 or 4."""
        for name, field in form.items():
            if field.is_required and name not in members:
                raise RefusedError(Code.MISSING, "is missing", name)
        for name, field in form.items():
            if name in members:
                _check_kind(name, field, members[name].value)
        self._members = members
        self._form = form

    def __contains__(self, name: str) -> bool:
        """Whether the field is one of the form, and says something."""
        if name not in self._members or name not in self._form:
            return False
        return self._members[name].value is not None or self._form[name].may_be_null

    def is_null(self, name: str) -> bool:
        """Whether the field is there, and null."""
        return self._members[name].value is None

    def text(self, name: str, *, length_max: int = ID_LENGTH_MAX, length_min: int = 1) -> str:
        """A text of a length that can be kept."""
        text = str(self._members[name].value)
        if not length_min <= len(text) <= length_max:
            raise RefusedError(
                Code.VALUE, f"must have {length_min} to {length_max} characters", name
            )
        if name in _IDENTIFIERS and has_control_characters(text):
            raise RefusedError(Code.VALUE, "must not have control characters", name)
        return text

    def text_or_none(self, name: str, *, length_max: int = ID_LENGTH_MAX) -> str | None:
        """An optional text."""
        return self.text(name, length_max=length_max) if name in self else None

    def amount(self, name: str) -> str:
        """A positive amount as written; its scale is checked once the currency is known."""
        text = amount_text(str(self._members[name].value), name)
        if not text.strip("0."):
            raise RefusedError(Code.VALUE, "must be more than 0", name)
        return text

    def integer(self, name: str, minimum: int, maximum: int) -> int:
        """A whole number within bounds."""
        text = str(self._members[name].value)
        if _INTEGER.fullmatch(text) and minimum <= int(text) <= maximum:
            return int(text)
        raise RefusedError(Code.VALUE, f"must be a whole number from {minimum} to {maximum}", name)

    def moment(self, name: str) -> datetime:
        """A moment: RFC 3339 text, a date (its first moment, UTC), or whole unix seconds."""
        return read_moment(self._members[name].value, name)

    def moment_to_come(self, name: str, now: datetime) -> datetime:
        """A moment that has not passed, or FOREVER."""
        value = self._members[name].value
        if value == FOREVER_TEXT:
            return FOREVER
        moment = self.moment(name)
        if moment <= now:
            raise RefusedError(Code.VALUE, "must not have passed", name)
        return moment

    def said(self) -> dict[str, JsonValue]:
        """The fields that say something, in the form's order."""
        return {name: self._members[name].value for name in self._form if name in self}

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts."""
        value = self._members[name].value
        return tuple(str(text) for text in value) if isinstance(value, list) else ()

    def members_of(self, name: str) -> dict[str, JsonValue]:
        """The members of an object."""
        value = self._members[name].value
        return value if isinstance(value, dict) else {}


_IDENTIFIERS: Final = frozenset({"user_id", "transaction_id", "nickname"})

_INTEGER: Final = re.compile(r"-?[0-9]{1,15}", re.ASCII)
_MOMENT: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?:T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:[0-9]{2}))?",
    re.ASCII,
)


def read_moment(value: JsonValue, name: str) -> datetime:
    """Read a moment: RFC 3339 text, a date (its first moment, UTC), or whole unix seconds."""
    moment = None
    if isinstance(value, Number):
        if _INTEGER.fullmatch(value):
            moment = moment_from_seconds(int(value))
    elif isinstance(value, str) and _MOMENT.fullmatch(value):
        moment = moment_from_text(value)
    if moment is None:
        raise RefusedError(
            Code.VALUE,
            "must be such as 2026-11-20T12:00:00Z, 2026-11-20 or 1795176000, "
            "from 1970 until the year 9000",
            name,
        )
    return moment


def amount_text(text: str, name: str) -> str:
    """An amount as written: plain decimals, no sign, no exponent."""
    if not AMOUNT_PATTERN.fullmatch(text):
        raise RefusedError(
            Code.VALUE, "must be a decimal such as 100.50, of at most 18 digits a side", name
        )
    return text


def read_plaintext(plaintext: bytes) -> dict[str, Member]:
    """The envelope's content: one JSON object; RefusedError with code 4 for anything else."""
    try:
        return read_members(plaintext)
    except NotUnderstoodError as error:
        raise RefusedError(Code.FORMAT, str(error)) from None


def check_age(members: Mapping[str, Member], now: datetime, window: timedelta) -> None:
    """Hold `iat` (unix seconds) to our clock; RefusedError with code 2, 4 or 5.

    Exact for whatever number JSON can write: compared, never converted.
    """
    if IAT not in members:
        raise RefusedError(Code.MISSING, "is missing", IAT)
    value = members[IAT].value
    if not isinstance(value, Number):
        raise RefusedError(Code.FORMAT, "must be a number", IAT)
    try:
        iat = Decimal(value)
    except InvalidOperation:
        raise RefusedError(Code.EXPIRED, "is beyond all clocks", IAT) from None
    earliest, latest = _seconds(now - window), _seconds(now + window)
    if not earliest <= iat <= latest:
        raise RefusedError(Code.EXPIRED, "is too far from the server's clock", IAT)


def check_operation(
    members: Mapping[str, Member], operation: str, *, is_required: bool = True
) -> None:
    """Hold `op` to the path's operation; RefusedError with code 2 or 4."""
    if OP not in members:
        if is_required:
            raise RefusedError(Code.MISSING, "is missing", OP)
        return
    value = members[OP].value
    if not isinstance(value, str) or isinstance(value, Number):
        raise RefusedError(Code.FORMAT, "must be a text", OP)
    if value != operation:
        raise RefusedError(Code.FORMAT, "must be the operation of the path", OP)


def request_id_of(members: Mapping[str, Member], *, is_required: bool = True) -> str | None:
    """The `jti`; RefusedError with code 2, 4 or 100. None: there is none, and need not be."""
    if JTI not in members:
        if is_required:
            raise RefusedError(Code.MISSING, "is missing", JTI)
        return None
    value = members[JTI].value
    if not isinstance(value, str) or isinstance(value, Number):
        raise RefusedError(Code.FORMAT, "must be a text", JTI)
    if not 1 <= len(value) <= JTI_LENGTH_MAX:
        raise RefusedError(Code.VALUE, f"must have 1 to {JTI_LENGTH_MAX} characters", JTI)
    if has_control_characters(value):
        raise RefusedError(Code.VALUE, "must not have control characters", JTI)
    return value


def asked_of(members: Mapping[str, Member], form: Form) -> str:
    """What the lists keep of a request: one JSON object of the fields its form knows, as sent.

    A value that is too long is kept as text, cut; of a secret one only that it was there.
    """
    kept = (
        f"{json.dumps(name)}:{HIDDEN if field.is_secret else _bounded(members[name].source)}"
        for name, field in form.items()
        if name in members
    )
    return f"{{{','.join(kept)}}}"


def id_of(members: Mapping[str, Member], name: str) -> str | None:
    """Return an id for the refusal log, if the field holds one."""
    value = members[name].value if name in members else None
    return value[:ID_LENGTH_MAX] if isinstance(value, str) else None


def _bounded(source: str) -> str:
    return source if len(source) <= SOURCE_LENGTH_MAX else json.dumps(source[:SOURCE_LENGTH_MAX])


def _seconds(moment: datetime) -> Decimal:
    return Decimal((moment - EPOCH) // timedelta(microseconds=1)).scaleb(-6)


def _check_kind(name: str, field: Field, value: JsonValue) -> None:
    if value is None:
        fits = field.may_be_null or not field.is_required
    else:
        fits = _has_kind(field.kind, value)
    if not fits:
        raise RefusedError(Code.FORMAT, f"must be {field.kind.value}", name)


def _has_kind(kind: Kind, value: JsonValue) -> bool:
    match kind:
        case Kind.TEXT:
            return isinstance(value, str) and not isinstance(value, Number)
        case Kind.INTEGER:
            return isinstance(value, Number)
        case Kind.AMOUNT | Kind.MOMENT:
            return isinstance(value, str)
        case Kind.OBJECT:
            return isinstance(value, dict)
        case Kind.TEXTS:
            return isinstance(value, list) and all(
                isinstance(text, str) and not isinstance(text, Number) for text in value
            )
