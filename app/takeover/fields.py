"""The members of one line of JSON, each taken once and checked; what is wrong is a sentence."""

import json
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Final

from app.wallet.events import RULES, EventType
from app.wallet.identifiers import ID_LENGTH_MAX, has_control_characters, is_identifier
from app.wallet.moments import FOREVER, FOREVER_TEXT, moment_from_text
from app.wallet.money import AMOUNT_PATTERN

TEXT_LENGTH_MAX: Final = 250
GAME_ID_MAX: Final = 10**18 - 1
DIGEST_LENGTH: Final = 64


EVENT_TYPES: Final = tuple(kind.value for kind, rule in RULES.items() if not rule.is_manual)
"""Those that a contract may name."""


class LineError(Exception):
    """A line cannot be read; the message goes after its number."""


def _once(pairs: Iterable[tuple[str, object]]) -> dict[str, object]:
    members: dict[str, object] = {}
    for name, value in pairs:
        if name in members:
            raise LineError(f"names {name} twice")
        members[name] = value
    return members


class _Number(str):
    """A number as it was written: none is ever made a float."""

    __slots__ = ()


def _no_constant(name: str) -> object:
    raise LineError(f"has {name}, which is no number")


def members_of(text: str) -> dict[str, object]:
    """Return the members of a JSON object; numbers keep the digits they were written with."""
    try:
        found = json.loads(
            text,
            parse_float=_Number,
            parse_int=_Number,
            parse_constant=_no_constant,
            object_pairs_hook=_once,
        )
    except (ValueError, RecursionError) as error:
        raise LineError("is no JSON object") from error
    if not isinstance(found, dict):
        raise LineError("is no JSON object")
    return found


def checked_amount(name: str, text: str, *, may_be_negative: bool = False) -> str:
    """Return an amount in major units; raise LineError if it is none."""
    digits = text.removeprefix("-") if may_be_negative else text
    if not AMOUNT_PATTERN.fullmatch(digits):
        raise LineError(f'must have {name} as a plain decimal such as "12.50"')
    return text


class Fields:
    """The members of a line, each taken once; what is left over is not known."""

    def __init__(self, members: dict[str, object]) -> None:
        self._members = members

    def end(self, kind: str) -> None:
        """Refuse what nobody took; a null says nothing."""
        for name, value in self._members.items():
            if value is not None:
                raise LineError(f"has {name}, which a {kind} does not have")

    def word(self, name: str) -> str:
        """Take a word, whatever it is; empty if it is none."""
        value = self._members.pop(name, None)
        return value if isinstance(value, str) else ""

    def has(self, name: str) -> bool:
        """Whether there is such a member, and it is not null."""
        return self._members.get(name) is not None

    def text(self, name: str, *, default: str | None = None) -> str:
        """Take a text."""
        value = self._members.pop(name, None)
        if value is None and default is not None:
            return default
        if (
            not isinstance(value, str)
            or isinstance(value, _Number)
            or not 1 <= len(value) <= TEXT_LENGTH_MAX
            or has_control_characters(value)
        ):
            raise LineError(f"must have {name}, a text of 1 to {TEXT_LENGTH_MAX} characters")
        if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
            raise LineError(f"has half a character in {name}")
        return value

    def optional_text(self, name: str) -> str | None:
        """Take a text that may be missing."""
        if self.has(name):
            return self.text(name)
        self._members.pop(name, None)
        return None

    def id(self, name: str) -> str:
        """Take an id."""
        value = self._members.pop(name, None)
        if (
            not isinstance(value, str)
            or isinstance(value, _Number)
            or is_identifier(value) is None
            or any("\ud800" <= character <= "\udfff" for character in value)
        ):
            raise LineError(f"must have {name}, a text of 1 to {ID_LENGTH_MAX} characters")
        return value

    def one_of(self, name: str, allowed: Collection[str], *, default: str | None = None) -> str:
        """Take one of some words."""
        value = self._members.pop(name, None)
        if value is None and default is not None:
            return default
        if not isinstance(value, str) or value not in allowed:
            raise LineError(f"must have {name}, one of {', '.join(map(str, allowed))}")
        return value

    def event_type(self, *, default: EventType | None = None) -> EventType:
        """Take an event type that a contract may name."""
        return EventType(self.one_of("event_type", EVENT_TYPES, default=default))

    def amount(
        self, name: str, *, default: str | None = None, may_be_negative: bool = False
    ) -> str:
        """Take an amount in major units, as a text or a number."""
        value = self._members.pop(name, None)
        if value is None and default is not None:
            return default
        text = value if isinstance(value, str) else ""
        return checked_amount(name, text, may_be_negative=may_be_negative)

    def whole(self, name: str, most: int) -> int | None:
        """Take a whole number; None: it is missing."""
        value = self._members.pop(name, None)
        if value is None:
            return None
        if not (isinstance(value, _Number) and value.isdigit() and len(value) <= len(str(most))):
            raise LineError(f"must have {name} as a whole number")
        number = int(value)
        if number > most:
            raise LineError(f"must have {name} of at most {most}")
        return number

    def game_id(self) -> int | None:
        """Take the game's number; None: it is not known."""
        return self.whole("game_id", GAME_ID_MAX)

    def flag(self, name: str) -> bool:
        """Take true or false; false if it is missing."""
        value = self._members.pop(name, None)
        if value not in (None, True, False):
            raise LineError(f"must have {name} as true or false")
        return value is True

    def moment(self, name: str, *, may_be_forever: bool = False) -> datetime | None:
        """Take a moment; None: it is missing."""
        text = self.optional_text(name)
        if text is None:
            return None
        if may_be_forever and text == FOREVER_TEXT:
            return FOREVER
        found = moment_from_text(text)
        if found is None:
            raise LineError(f"must have {name} as a moment such as 2026-11-27T03:00:00Z")
        return found

    def members(self, name: str) -> dict[str, str]:
        """Take an object of names and plain values; empty if it is missing."""
        value = self._members.pop(name, None) or {}
        if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
            raise LineError(f"must have {name} as an object of names and values")
        return {str(key): str(one) for key, one in value.items()}

    def digest(self, name: str) -> bytes:
        """Take a SHA-256 in hexadecimal digits."""
        text = self.text(name)
        try:
            found = bytes.fromhex(text)
        except ValueError:
            found = b""
        if len(text) != DIGEST_LENGTH or len(found) * 2 != DIGEST_LENGTH:
            raise LineError(f"must have {name} as 64 hexadecimal digits")
        return found
