"""A round's bets and payments, as its movements made and undid them.

1. A bet stands until an abort gives it back, and again when a SportBetCancel undoes the abort.
2. A payment belongs to the bet whose slip it names; else to the latest bet that stands.
3. A payment stands as long as any part of it was not taken back; one of 0, until a SportBetCancel
   re-opens its bet, or a rollback names it.
4. What a SportBetCancel took beyond all payments counts against the bet that it re-opened, so that
   the bets of a round add up to what the journal has of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple

from app.wallet.events import RULES, EventType, Figure, Part
from app.wallet.journal import Flag
from app.wallet.money import Minor
from app.wallet.slip_amounts import decimals_of
from app.wallet.slips import Betslip, Reading, Settlement, SlipFault, SlipText

MOVEMENTS_MAX: Final = 500
"""Of one round; a slip that is settled anew every hour for three weeks has fewer."""


PARTS: Final = {kind: rule.part for kind, rule in RULES.items() if not rule.is_streamer}
_BONUSES: Final = {kind for kind, rule in RULES.items() if rule.counts_as is Figure.BONUSES}
_NAMED: Final = {kind for kind, rule in RULES.items() if rule.is_named}
"""Undo what they name and nothing else; the other door's leave it unnamed."""


class MismatchKind(StrEnum):
    """Where a slip and the journal disagree."""

    OTHER_SLIP = "other_slip"
    """a settlement names another slip than the bet that it settled"""
    DOUBLE_CASH_OUT = "double_cash_out"
    """a bet was cashed out twice in the same words, or paid again after it"""
    SUM_DIFFERS = "sum_differs"
    """the slip's stake is not what was debited"""
    PAID_ABOVE_POTENTIAL = "paid_above_potential"
    """more stands paid than the slip could win"""
    CANCEL_BEYOND_PAID = "cancel_beyond_paid"
    """a SportBetCancel took more than was paid"""
    SAYS_OTHERWISE = "says_otherwise"
    """the settlement says won and paid nothing, or says lost and paid"""


class RoundMovement(NamedTuple):
    """An accepted movement of a round; amounts in minor units."""

    player_id: int
    position: int
    event_id: str
    event_type: EventType
    amount: Minor
    bonus_part: Minor
    """of the amount, what was the bonus pocket's"""
    reverses: str
    flags: str
    at: datetime
    source: str
    transaction_id: str
    game_id: int | None
    currency: str
    scale: int


class Mismatch(NamedTuple):
    """A movement that does not fit its bet's slip."""

    position: int
    bet_position: int
    kind: MismatchKind
    expected: str | None
    told: str | None
    at: datetime


@dataclass(slots=True)
class Payment:
    """A payment, and how much of it was not taken back."""

    movement: RoundMovement
    words: Settlement | None
    left: Minor
    is_bonus: bool
    """whether the journal itself counts it as a bonus, and not as a payment"""
    is_over: bool = False
    """of a payment of 0: whether its bet was re-opened since"""

    @property
    def stands(self) -> bool:
        """Whether any of it does."""
        return self.left > 0 or (self.movement.amount == 0 and not self.is_over)


@dataclass(slots=True)
class Bet:
    """A bet, and what was paid for it."""

    placed: RoundMovement
    slip: Betslip | None
    fault: SlipFault | None
    decimals: int | None
    """of the slip's whole numbers; None: its stake is not the journal's in any unit"""
    given_back_at: datetime | None = None
    payments: list[Payment] = field(default_factory=list)
    uncovered: Minor = 0
    reopenings: int = 0

    @classmethod
    def placed_by(
        cls, movement: RoundMovement, slip: Betslip | None, fault: SlipFault | None
    ) -> "Bet":
        """Place a bet, with its slip if it could be read."""
        total = None if slip is None else slip.total
        decimals = decimals_of(total, movement.amount, movement.scale)
        return cls(movement, slip, fault, decimals)

    @property
    def stands(self) -> bool:
        """Whether no abort gave it back."""
        return self.given_back_at is None


def is_sport(movements: Sequence[RoundMovement], readings: Sequence[Reading]) -> bool:
    """Whether a bet has a slip, readable or not, or a settlement tells of one."""
    for movement, reading in zip(movements, readings, strict=True):
        if isinstance(reading, SlipFault):
            return True
        if reading is not None and (
            reading.betslip is not None or PARTS.get(movement.event_type) is not Part.BET
        ):
            return True
    return False


class Replay:
    """A round's bets and payments, as its movements made and undid them."""

    def __init__(self) -> None:
        self.bets: list[Bet] = []
        self.mismatches: list[Mismatch] = []
        self._payments: dict[int, tuple[Bet, Payment]] = {}
        self._undone: dict[int, Payment] = {}
        """the payment that a movement took back, by that movement's position"""
        self._aborts: dict[int, Bet] = {}

    def follow(self, movement: RoundMovement, reading: Reading) -> None:
        """Apply one more movement, and what it says."""
        said = reading if isinstance(reading, SlipText) else None
        match PARTS.get(movement.event_type):
            case Part.BET:
                fault = reading if isinstance(reading, SlipFault) else None
                self.bets.append(Bet.placed_by(movement, said.betslip if said else None, fault))
            case Part.PAYMENT:
                self._pay(movement, said.settlement if said else None)
            case Part.ABORT:
                for position, _ in _reversals(movement.reverses):
                    bet = next((b for b in self.bets if b.placed.position == position), None)
                    if bet is not None:
                        bet.given_back_at = movement.at
                        self._aborts[movement.position] = bet
            case Part.PAYMENT_ABORT | Part.CANCEL:
                self._undo(movement)
            case _:
                pass

    def _pay(self, movement: RoundMovement, words: Settlement | None) -> None:
        if not self.bets:
            return
        again = [self._undone[at] for at, _ in _reversals(movement.reverses) if at in self._undone]
        # What stands again was settled in the words of the first time.
        words = words or (again[0].words if again else None)
        named = words.slip_id if words else None
        own = [b for b in self.bets if named is not None and b.slip and b.slip.slip_id == named]
        bet = next((b for b in reversed(own or self.bets) if b.stands), (own or self.bets)[-1])
        payment = Payment(movement, words, movement.amount, movement.event_type in _BONUSES)
        bet.payments.append(payment)
        self._payments[movement.position] = (bet, payment)
        known = bet.slip.slip_id if bet.slip else None
        if named is not None and known is not None and named != known:
            self._note(movement, bet, MismatchKind.OTHER_SLIP, known, named)

    def _undo(self, movement: RoundMovement) -> None:
        left, touched = movement.amount, []
        for position, amount in _reversals(movement.reverses):
            if position in self._aborts:
                self._aborts[position].given_back_at = None
                touched.append(self._aborts[position])
                left = 0
            elif position in self._payments:
                bet, payment = self._payments[position]
                payment.left -= amount
                payment.is_over = True
                self._undone[movement.position] = payment
                left -= amount
                touched.append(bet)
        if not self.bets:
            return
        bet = touched[0] if touched else self.bets[-1]
        if PARTS[movement.event_type] is Part.CANCEL:
            bet.reopenings += 1
            for payment in bet.payments if movement.event_type not in _NAMED else ():
                payment.is_over = True
        if movement.event_type not in _BONUSES:
            bet.uncovered += left
        if Flag.UNCOVERED.value in movement.flags.split(","):
            paid = str(movement.amount - left)
            self._note(movement, bet, MismatchKind.CANCEL_BEYOND_PAID, paid, str(movement.amount))

    def _note(
        self,
        movement: RoundMovement,
        bet: Bet,
        kind: MismatchKind,
        expected: str | None,
        told: str | None,
    ) -> None:
        self.mismatches.append(
            Mismatch(movement.position, bet.placed.position, kind, expected, told, movement.at)
        )


def _reversals(text: str) -> list[tuple[int, Minor]]:
    """Return the positions that a movement reversed, and how much of each."""
    if not text:
        return []
    parts = (part.split("/") for part in text.split(","))
    return [(int(position), int(real) + int(bonus)) for position, real, bonus in parts]
