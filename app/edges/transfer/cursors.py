"""The cursors of pages: opaque texts, each the place where the page before ended."""

import base64
from collections.abc import Mapping
from typing import Final

from app.edges.transfer.codes import Code, RefusedError
from app.edges.wire import JsonValue, NotUnderstoodError, Number, encode, read_members
from app.ledger.history import PageKey
from app.wallet.journal import EPOCH, MICROSECOND, microseconds
from app.wallet.moments import is_within_bounds

CURSOR_LENGTH_MAX: Final = 2048
"""An event id or a user id of 250 characters, escaped and encoded, fits."""

_DIGITS_MAX: Final = 18
"""Any number of 18 digits fits PostgreSQL's bigint."""


def rounds_cursor(key: PageKey) -> str:
    """Return the cursor of a page of rounds."""
    return _text(
        {
            "t": microseconds(key.opened_at),
            "p": key.player_id,
            "e": key.event_id,
            "s": key.is_streamer,
        }
    )


def read_rounds_cursor(text: str) -> PageKey:
    """Read the cursor of a page of rounds; RefusedError for a text that is none."""
    try:
        at, player_id, event_id, is_streamer = _values(text, "tpes")
        if isinstance(is_streamer, bool):
            opened_at = EPOCH + _whole(at) * MICROSECOND
            if is_within_bounds(opened_at):
                return PageKey(opened_at, _whole(player_id), _words(event_id), is_streamer)
    except (ValueError, KeyError, OverflowError, NotUnderstoodError):
        pass
    raise _not_a_cursor()


def statement_cursor(user_id: str, position: int) -> str:
    """Return the cursor of a page of a player's statement."""
    return _text({"u": user_id, "p": position})


def read_statement_cursor(text: str, user_id: str) -> int:
    """Read the cursor of a page of this player's statement: a position.

    RefusedError for a text that is none, and for another player's.
    """
    try:
        owner, position = _values(text, "up")
        if _words(owner) == user_id:
            return _whole(position)
    except (ValueError, KeyError, NotUnderstoodError):
        pass
    raise _not_a_cursor()


def _not_a_cursor() -> RefusedError:
    return RefusedError(Code.VALUE, "is not a cursor of an earlier answer", "cursor")


def _text(members: Mapping[str, object]) -> str:
    return base64.urlsafe_b64encode(encode(members)).decode().rstrip("=")


def _values(text: str, names: str) -> list[JsonValue]:
    padded = text.encode("ascii") + b"=" * (-len(text) % 4)
    members = read_members(base64.b64decode(padded, altchars=b"-_", validate=True))
    return [members[name].value for name in names]


def _whole(value: JsonValue) -> int:
    if (
        isinstance(value, Number)
        and value.isascii()
        and value.isdigit()
        and len(value) <= _DIGITS_MAX
    ):
        return int(str(value))
    raise ValueError


def _words(value: JsonValue) -> str:
    if isinstance(value, str) and not isinstance(value, Number):
        return str(value)
    raise ValueError
