"""Parsing: fields in, movements and questions out; every field is checked as text.

The formats are those of the callback contract, section 1. A FormatError names the field and never
quotes its value.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Final, NamedTuple

from app.edges.callback.decoding import EXTRA_DATA, Fields
from app.edges.callback.errors import FormatError
from app.edges.wire import encode
from app.wallet.events import GAME_EVENT_TYPES, Direction, is_allowed
from app.wallet.identifiers import ID_LENGTH_MAX, is_identifier
from app.wallet.money import AMOUNT_PATTERN
from app.wallet.movement import Key, KeyScope, Movement, facet_of
from app.wallet.named import ROUND_PREFIX

CALLBACK_SOURCE: Final = "callback"
"""The source of the game side's movements; an agent's movements have the agent's id."""

ASKED_CHARACTERS_MAX: Final = 4000
"""How much of a refused request is stored; a valid one has at most about 1,500 characters."""

VALUE_CHARACTERS_MAX: Final = ID_LENGTH_MAX
"""How much of each of its fields is stored: the length of the longest identifier."""

_GAME_ID: Final = re.compile(r"[0-9]{1,18}", re.ASCII)

_EVENT_TYPES: Final = {kind.value: kind for kind in GAME_EVENT_TYPES}
_DIRECTIONS: Final = {direction.value: direction for direction in Direction}

_MAY_BE_NUMBERS: Final = frozenset({"gameId", "amount"})
"""In JSON these two may be numbers or text; every other field of the contract is text."""

_NAMES: Final = frozenset(
    {
        "token",
        "userId",
        "gameId",
        "eventId",
        "bonusCode",
        "direction",
        "transactionId",
        "eventType",
        "amount",
    }
)


class Question(NamedTuple):
    """The player and token of a GET request."""

    user_id: str
    token: bytes
    """SHA-256 of the session token"""


def read_movement(
    fields: Fields, *, delivery: bytes, key_scope: KeyScope, received_at: datetime
) -> Movement:
    """Read the fields of moveFunds; raise FormatError for the first that is malformed."""
    texts = fields.texts
    _check_types(fields)
    event_type = _EVENT_TYPES.get(_present(texts, "eventType"))
    direction = _DIRECTIONS.get(_present(texts, "direction"))
    if event_type is None:
        raise FormatError("eventType is none of the contract's")
    if direction is None:
        raise FormatError("direction is neither debit nor credit")
    amount = _present(texts, "amount")
    if not AMOUNT_PATTERN.fullmatch(amount):
        raise FormatError("amount is not a plain decimal of up to 18 and 18 digits")
    if not is_allowed(event_type, direction, amount_is_zero=not amount.strip("0.")):
        raise FormatError("eventType and direction do not go together for this amount")
    game_id = _present(texts, "gameId")
    if not _GAME_ID.fullmatch(game_id):
        raise FormatError("gameId is not a whole number of 1 to 18 digits")
    event_id = _identifier(texts, "eventId")
    if event_id.startswith(ROUND_PREFIX):
        raise FormatError(f"eventId begins with {ROUND_PREFIX}, as rounds of another contract do")
    transaction_id = _identifier(texts, "transactionId")
    return Movement(
        delivery,
        Key(CALLBACK_SOURCE, transaction_id, facet_of(event_type, direction, key_scope)),
        _identifier(texts, "userId"),
        event_type,
        direction,
        amount,
        received_at,
        _token(texts),
        event_id,
        int(game_id),
        _bonus_code(texts),
        fields.extra_data,
    )


def is_unknown_credit(fields: Fields) -> bool:
    """Whether a refused request was a credit of an unknown event type, and so raises an alarm.

    A player may be owed the money: it may be a supplier's new type, or one of an older method.
    """
    texts = fields.texts
    is_credit = texts.get("direction") == Direction.CREDIT.value
    return is_credit and texts.get("eventType") not in _EVENT_TYPES


def read_question(fields: Fields) -> Question:
    """Read the fields of a method about a session."""
    _check_types(fields)
    return Question(_identifier(fields.texts, "userId"), _token(fields.texts))


def read_user_id(fields: Fields) -> str:
    """Read the one field of getUserToken."""
    _check_types(fields)
    return _identifier(fields.texts, "userId")


def redacted_request(fields: Fields) -> str:
    """Return the request as JSON text without the token, truncated, for the refusal log."""
    kept = {name: text[:VALUE_CHARACTERS_MAX] for name, text in fields.texts.items()}
    kept.pop("token", None)
    if fields.extra_data is not None:
        kept[EXTRA_DATA] = fields.extra_data[:VALUE_CHARACTERS_MAX]
    text = encode(kept).decode()
    if len(text) <= ASKED_CHARACTERS_MAX:
        return text
    return encode({"cut": text[:ASKED_CHARACTERS_MAX]}).decode()


def truncated(texts: Mapping[str, str], name: str) -> str | None:
    """Return a field as the refusal log stores it, truncated."""
    text = texts.get(name)
    return None if text is None else text[:VALUE_CHARACTERS_MAX]


def _check_types(fields: Fields) -> None:
    if not fields.numbers and not fields.others:
        return
    for name in sorted((fields.others | (fields.numbers - _MAY_BE_NUMBERS)) & _NAMES):
        raise FormatError(f"{name} is not text")


def _present(texts: dict[str, str], name: str) -> str:
    text = texts.get(name)
    if text is None:
        raise _missing(name)
    return text


def _missing(name: str) -> FormatError:
    return FormatError(f"{name} is missing")


def _identifier(texts: dict[str, str], name: str) -> str:
    text = texts.get(name)
    if text is None:
        raise _missing(name)
    if not is_identifier(text):
        raise FormatError(f"{name} is not a text of 1 to 250 printable characters")
    return text


def _token(texts: dict[str, str]) -> bytes:
    return sha256(_identifier(texts, "token").encode()).digest()


def _bonus_code(texts: dict[str, str]) -> str | None:
    """Read the code of free spins: absent, blank, or an identifier."""
    code = texts.get("bonusCode")
    return code if code is None or code.strip() == "" else _identifier(texts, "bonusCode")
