"""Reads what a movement's extraData says of a bet slip; whatever it is, it breaks nothing.

`read_slip` is the one place that knows how a slip is written: the sportsbook's own shape, which
both doors carry, and the older one ({status, placedBetId, result}). A text that is not about a slip
is None; one that is, and cannot be read, is the reason why. Of a name that is given twice the last
value counts, as in PHP and PostgreSQL. Numbers keep their digits: none passes through a binary
fraction.
"""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

import msgspec

from app.wallet.slips import (
    LEGS_MAX,
    WORD_LENGTH_MAX,
    Betslip,
    Leg,
    Pick,
    Reading,
    Settlement,
    SlipFault,
    SlipShape,
    SlipText,
)

MARKS: Final = ("betslip", "selections", "placedBetId")
"""A text that has none of these is not about a slip; the database looks for them first."""

NUMBER: Final = re.compile(r"[0-9]{1,18}(?:\.[0-9]{1,18})?", re.ASCII)
NUMBER_LENGTH_MAX: Final = 37
TYPE: Final = re.compile(r"([0-9]{1,3})/([0-9]{1,3})", re.ASCII)
TYPE_LENGTH_MAX: Final = 7

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
SECONDS_MAX: Final = 253_402_300_799
"""The last second of the year 9999, which is as far as a moment reaches."""

ID_MAX: Final = 10**30
"""Python prints no integer of more than a few thousand digits, and no id has as many as these."""

KNOWN_MAX: Final = 10_000
"""Odds, kick-offs and types that were read before: many bets name the same ones."""

COMPETITORS_MAX: Final = 64
BETWEEN: Final = " – "

_FLAGS: Final = {"true": True, "1": True, "True": True, "false": False, "0": False, "False": False}
"""Yes and no as they are written, in JSON or as text."""


class _Leg(msgspec.Struct):
    id: Any = None
    event_id: Any = None
    sport_id: Any = None
    category_id: Any = None
    tournament_id: Any = None
    sport_name: Any = None
    category_name: Any = None
    tournament_name: Any = None
    competitor_name: Any = None
    market_name: Any = None
    outcome_name: Any = None
    scheduled: Any = None
    live: Any = None
    odds: Any = None


class _Betslip(msgspec.Struct):
    id: Any = None
    type: Any = None
    sum: Any = None
    k: Any = None
    currency: Any = None
    is_quick_bet: Any = None
    bets: list[_Leg] | None = None


class _Selection(msgspec.Struct):
    id: Any = None
    event_id: Any = None
    odds: Any = None
    status: Any = None


class _Transaction(msgspec.Struct):
    operation: Any = None
    betslip_id: Any = None


class _Text(msgspec.Struct):
    betslip: _Betslip | None = None
    potential_win: Any = None
    potential_comboboost_win: Any = None
    bonus_id: Any = None
    bonus_type: Any = None
    odds: Any = None
    is_cashout: Any = None
    is_snr_lost: Any = None
    selections: list[_Selection] | None = None
    transaction: _Transaction | None = None
    betslip_id: Any = None
    placed_bet_id: Any = msgspec.field(name="placedBetId", default=None)
    result: Any = None


# A number with a fraction or an exponent stays the text that it was written as.
_DECODER: Final = msgspec.json.Decoder(_Text, float_hook=str)


class _UnreadableError(Exception):
    """Something in the text is not what it should be."""

    def __init__(self, fault: SlipFault) -> None:
        super().__init__(fault)
        self.fault = fault


def read_slip(text: str | None) -> Reading:
    """Read what a movement's extraData says of a slip."""
    if text is None or not any(mark in text for mark in MARKS):
        return None
    try:
        return _said(_DECODER.decode(text))
    except _UnreadableError as error:
        return error.fault
    except msgspec.ValidationError:
        return SlipFault.WRONG_TYPE
    except RecursionError:
        return SlipFault.TOO_DEEP
    except (msgspec.DecodeError, UnicodeError):
        return SlipFault.NOT_JSON


def _said(text: _Text) -> Reading:
    betslip, settlement = _betslip(text), _settlement(text)
    return SlipText(betslip, settlement) if betslip or settlement else None


def _betslip(text: _Text) -> Betslip | None:
    slip = text.betslip
    if slip is None:
        placed = _word(text.placed_bet_id)
        return Betslip(SlipShape.SHORT, placed) if placed is not None else None
    legs = slip.bets or ()
    if len(legs) > LEGS_MAX:
        raise _UnreadableError(SlipFault.TOO_MANY_LEGS)
    wins_needed, picks = _type(slip.type)
    return Betslip(
        SlipShape.BETSLIP,
        _word(slip.id),
        wins_needed,
        picks,
        _number(slip.sum),
        _number(slip.k),
        _word(slip.currency),
        _number(text.potential_win),
        _number(text.potential_comboboost_win),
        _word(text.bonus_type),
        _word(text.bonus_id),
        _flag(slip.is_quick_bet),
        tuple(map(_leg, legs)),
    )


def _leg(leg: _Leg) -> Leg:
    return Leg(
        _word(leg.id),
        _word(leg.event_id),
        _word(leg.sport_id),
        _word(leg.category_id),
        _word(leg.tournament_id),
        _word(leg.sport_name),
        _word(leg.category_name),
        _word(leg.tournament_name),
        _names(leg.competitor_name),
        _word(leg.market_name),
        _word(leg.outcome_name),
        _number(leg.odds),
        _moment(leg.scheduled),
        _flag(leg.live),
    )


def _settlement(text: _Text) -> Settlement | None:
    if (
        text.transaction is None
        and text.selections is None
        and text.placed_bet_id is None
        and text.betslip_id is None
        and text.result is None
        and text.odds is None
        and text.is_cashout is None
        and text.is_snr_lost is None
    ):
        return None
    selections, transaction = text.selections or (), text.transaction
    if len(selections) > LEGS_MAX:
        raise _UnreadableError(SlipFault.TOO_MANY_LEGS)
    slip_id = _word(text.placed_bet_id) or _word(text.betslip_id)
    said = _word(text.result)
    if transaction is not None:
        slip_id = slip_id or _word(transaction.betslip_id)
        said = said or _word(transaction.operation)
    settlement = Settlement(
        slip_id,
        said,
        _number(text.odds),
        bool(_flag(text.is_cashout)) or said == "cash_out",
        bool(_flag(text.is_snr_lost)),
        tuple(
            Pick(_word(s.id), _word(s.event_id), _number(s.odds), _word(s.status))
            for s in selections
        ),
    )
    return None if settlement == _NOTHING else settlement


_NOTHING: Final = Settlement()


def _word(value: Any) -> str | None:  # noqa: ANN401 - what JSON can hold
    """Return a name or an id as text; a number is one, too."""
    if type(value) is str:
        if "\0" in value:
            raise _UnreadableError(SlipFault.BAD_TEXT)
        return value[:WORD_LENGTH_MAX] or None
    if value is None:
        return None
    if type(value) is int and abs(value) < ID_MAX:
        return str(value)
    raise _UnreadableError(SlipFault.WRONG_TYPE)


def _names(value: Any) -> str | None:  # noqa: ANN401 - what JSON can hold
    if type(value) is not list:
        return _word(value)
    joined = BETWEEN.join(filter(None, map(_word, value[:COMPETITORS_MAX])))
    return joined[: 2 * WORD_LENGTH_MAX] or None


def _number(value: Any) -> str | None:  # noqa: ANN401 - what JSON can hold
    """Return a decimal number, written as a number or as text, as it was written."""
    if value is None or value == "":
        return None
    if type(value) is int and 0 <= value < 10**18:
        return str(value)
    if type(value) is not str or len(value) > NUMBER_LENGTH_MAX or not _is_number(value):
        raise _UnreadableError(SlipFault.BAD_NUMBER)
    return value


@lru_cache(KNOWN_MAX)
def _is_number(text: str) -> bool:
    return NUMBER.fullmatch(text) is not None


def _moment(value: Any) -> datetime | None:  # noqa: ANN401 - what JSON can hold
    """Return a moment from seconds of the Unix epoch; a fraction of a second is left out."""
    try:
        text = _number(value)
    except _UnreadableError:
        raise _UnreadableError(SlipFault.BAD_TIME) from None
    if text is None:
        return None
    seconds = int(text.partition(".")[0])
    if seconds > SECONDS_MAX:
        raise _UnreadableError(SlipFault.BAD_TIME)
    return _moment_at(seconds)


@lru_cache(KNOWN_MAX)
def _moment_at(seconds: int) -> datetime:
    return EPOCH + timedelta(seconds=seconds)


def _flag(value: Any) -> bool | None:  # noqa: ANN401 - what JSON can hold
    if value is None or value == "":
        return None
    if type(value) is bool:
        return value
    if type(value) in {int, str} and str(value) in _FLAGS:
        return _FLAGS[str(value)]
    raise _UnreadableError(SlipFault.WRONG_TYPE)


def _type(value: Any) -> tuple[int | None, int | None]:  # noqa: ANN401 - what JSON can hold
    """Return the k and the n of `k/n`."""
    word = _word(value)
    if word is None:
        return None, None
    if len(word) > TYPE_LENGTH_MAX:
        raise _UnreadableError(SlipFault.BAD_NUMBER)
    return _named_type(word)


@lru_cache(KNOWN_MAX)
def _named_type(word: str) -> tuple[int, int]:
    match = TYPE.fullmatch(word)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise _UnreadableError(SlipFault.BAD_NUMBER)
    return int(match[1]), int(match[2])
