"""Two answers to one request compared: what differs, and by which cause.

Balances are compared by what each answer changed. After a difference the other wallet's balance is
taken as it is, so that one difference of a player is told once and not with every later answer.
Nor is an event told again whose first answers differed: what follows is counted.
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, NamedTuple

from app.takeover.traffic import Exchange
from app.wallet.money import AMOUNT_PATTERN

DUPLICATE: Final = 409
ACCEPTED: Final = 0
TWICE: Final = 2


class Cause(StrEnum):
    """Why two answers differ."""

    REPEAT_ACCEPTED = "repeat accepted there"
    NEW_CALLED_REPEAT = "new here, a repeat there"
    REFUSED_HERE = "refused here, accepted there"
    REFUSED_THERE = "accepted here, refused there"
    OTHER_CODE = "refused with another code"
    REPEAT_MOVED_MONEY = "a repeat moved money there"
    MOVED_NOTHING_THERE = "moved nothing there"
    MOVED_NOTHING_HERE = "moved nothing here"
    MOVED_TWICE = "moved twice there"
    ROUNDED = "rounded there"
    STARTED_APART = "balances differ from the start"
    OTHER_AMOUNT = "moved another amount"
    OTHER_POCKETS = "split otherwise between the pockets"
    OTHER_STATUS = "another HTTP status"
    UNREADABLE = "the answer there is no JSON"
    FOLLOWS = "follows an earlier difference of its event"


MEANINGS: Final[Mapping[Cause, str]] = {
    Cause.REPEAT_ACCEPTED: "a transactionId that was accepted before was accepted again",
    Cause.NEW_CALLED_REPEAT: "the id is not known here: is it missing in the state that came in?",
    Cause.REFUSED_HERE: "the code of this wallet says why",
    Cause.REFUSED_THERE: "the code of the other wallet says why",
    Cause.OTHER_CODE: "both refuse, and the game side hears another reason",
    Cause.REPEAT_MOVED_MONEY: "it was answered as a repeat, and the balance changed",
    Cause.MOVED_NOTHING_THERE: "it was accepted there, and the balance stayed",
    Cause.MOVED_NOTHING_HERE: "it was accepted here, and the balance stayed",
    Cause.MOVED_TWICE: "the balance there changed by twice the amount",
    Cause.ROUNDED: "decimals of the amount were left out, or it is a minor unit off",
    Cause.STARTED_APART: "the first answer of a player; is the state that came in of that moment?",
    Cause.OTHER_AMOUNT: "the balances changed by different amounts",
    Cause.OTHER_POCKETS: "the balance agrees, real and bonus do not",
    Cause.OTHER_STATUS: "the game side reads the status before the body",
    Cause.UNREADABLE: "nothing of it could be compared",
    Cause.FOLLOWS: "not listed one by one",
}


class Said(NamedTuple):
    """What an answer says, as far as it can be compared."""

    status: int
    code: int | None
    """0: accepted; None: the body is no answer of the contract"""
    balance: Decimal | None = None
    real: Decimal | None = None
    bonus: Decimal | None = None


class Difference(NamedTuple):
    """One exchange that two wallets answered differently."""

    line: int
    cause: Cause
    user_id: str
    event_type: str
    event_id: str
    transaction_id: str
    theirs: Said
    ours: Said


@dataclass(slots=True)
class _Player:
    """Where the two wallets stand about one player."""

    apart: Decimal = Decimal(0)
    """what the other wallet's balance is more than ours"""
    real_apart: Decimal = Decimal(0)
    theirs: Decimal | None = None
    ours: Decimal | None = None
    must_look_again: bool = False
    """an answer without a balance may have moved money on one side"""


@dataclass(slots=True)
class Comparison:
    """Everything that was compared so far."""

    compared: int = 0
    causes: Counter[Cause] = field(default_factory=Counter)
    players_apart: set[str] = field(default_factory=set)
    accepted: int = 0
    repeats_here: int = 0
    _players: dict[str, _Player] = field(default_factory=dict)
    _events: set[tuple[str, str]] = field(default_factory=set)

    @property
    def differences(self) -> int:
        """How many exchanges differ, those that follow an earlier one too."""
        return self.causes.total()

    def compare(self, exchange: Exchange, theirs: Said, ours: Said) -> Difference | None:
        """Compare the answers to one request; None: they agree, or follow an earlier difference."""
        self.compared += 1
        fields = exchange.fields
        user_id, event_id = fields.get("userId", ""), fields.get("eventId", "")
        known = self._players.get(user_id)
        player = known or self._players.setdefault(user_id, _Player())
        self.accepted += theirs.code == ACCEPTED
        self.repeats_here += theirs.code == ACCEPTED and ours.code == DUPLICATE
        cause = _of_codes(theirs, ours)
        if cause is None:
            cause = _of_balances(theirs, ours, player, is_first=known is None)
        elif (user_id, event_id) in self._events and event_id:
            cause = Cause.FOLLOWS
        else:
            self._events.add((user_id, event_id))
        _follow(theirs, ours, player, is_told=cause is not None)
        if cause is None:
            return None
        self.causes[cause] += 1
        self.players_apart.add(user_id)
        if cause is Cause.FOLLOWS:
            return None
        return Difference(
            exchange.line,
            cause,
            user_id,
            fields.get("eventType", ""),
            event_id,
            fields.get("transactionId", ""),
            theirs,
            ours,
        )


def said_by(status: int, body: str) -> Said:
    """Read what can be compared out of an answer."""
    try:
        members: Any = json.loads(body, parse_float=Decimal, parse_int=Decimal)
    except (ValueError, RecursionError):
        return Said(status, None)
    if not isinstance(members, dict):
        return Said(status, None)
    errors = members.get("errors")
    code: Decimal | None = None
    if members.get("status") is True:
        code = Decimal(ACCEPTED)
    elif isinstance(errors, dict):
        code = _number(errors.get("code"))
    balances = [_number(members.get(name)) for name in ("balance", "realBalance", "bonusBalance")]
    return Said(status, None if code is None else int(code), *balances)


def _number(value: object) -> Decimal | None:
    if isinstance(value, Decimal):
        return value
    if isinstance(value, str) and AMOUNT_PATTERN.fullmatch(value.removeprefix("-")):
        return Decimal(value)
    return None


def _of_codes(theirs: Said, ours: Said) -> Cause | None:
    if theirs.code is None and ours.code is not None:
        return Cause.UNREADABLE
    if theirs.status != ours.status:
        return Cause.OTHER_STATUS
    if theirs.code == ours.code:
        return None
    if theirs.code == ACCEPTED:
        return Cause.REPEAT_ACCEPTED if ours.code == DUPLICATE else Cause.REFUSED_HERE
    if ours.code == ACCEPTED:
        return Cause.NEW_CALLED_REPEAT if theirs.code == DUPLICATE else Cause.REFUSED_THERE
    return Cause.OTHER_CODE


def _of_balances(theirs: Said, ours: Said, player: _Player, *, is_first: bool) -> Cause | None:
    if theirs.balance is None or ours.balance is None or player.must_look_again:
        return None
    step = theirs.balance - ours.balance - player.apart
    if step:
        return _of_step(theirs, ours, player, step, is_first=is_first)
    if theirs.real is None or ours.real is None or theirs.real - ours.real == player.real_apart:
        return None
    return Cause.STARTED_APART if is_first else Cause.OTHER_POCKETS


def _of_step(theirs: Said, ours: Said, player: _Player, step: Decimal, *, is_first: bool) -> Cause:
    if theirs.balance is None or ours.balance is None:
        raise AssertionError("a step is between two balances")
    exponent = ours.balance.as_tuple().exponent
    unit = Decimal(1).scaleb(exponent if isinstance(exponent, int) else 0)
    if abs(step) <= unit:
        return Cause.ROUNDED
    if is_first or player.theirs is None or player.ours is None:
        return Cause.STARTED_APART
    moved_there, moved_here = theirs.balance - player.theirs, ours.balance - player.ours
    if theirs.code == DUPLICATE:
        return Cause.REPEAT_MOVED_MONEY
    if not moved_there:
        return Cause.MOVED_NOTHING_THERE
    if not moved_here:
        return Cause.MOVED_NOTHING_HERE
    if moved_there == moved_here * TWICE:
        return Cause.MOVED_TWICE
    if _is_rounded(moved_there, moved_here):
        return Cause.ROUNDED
    return Cause.OTHER_AMOUNT


def _is_rounded(there: Decimal, here: Decimal) -> bool:
    """Whether one amount is the other with decimals left out, up or down."""
    places = -int(there.normalize().as_tuple().exponent)
    return abs(there - here) < Decimal(1).scaleb(-max(places, 0))


def _follow(theirs: Said, ours: Said, player: _Player, *, is_told: bool) -> None:
    """Take both wallets as they stand now."""
    if theirs.balance is None or ours.balance is None:
        player.must_look_again |= is_told
        return
    player.must_look_again = False
    player.apart = theirs.balance - ours.balance
    player.theirs, player.ours = theirs.balance, ours.balance
    if theirs.real is not None and ours.real is not None:
        player.real_apart = theirs.real - ours.real
