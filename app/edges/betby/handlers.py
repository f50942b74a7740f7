"""The methods of the contract, each a function from a verified call to an answer.

What refers to a bet looks it up by our id first; whether it stands is decided by the ledger. Only
the batcher moves money, and it writes refusals of movements to the refusal log in the same
transaction; `endpoint` writes every other refusal there.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, NamedTuple, TypeAlias

from app.cashier.batching import Batcher
from app.cashier.named_bets import NamedBet, find_bet, find_entry, note_commit, note_settlement
from app.cashier.players import find_account, token_hash
from app.edges.betby import log
from app.edges.betby.amounts import Units
from app.edges.betby.answers import (
    EMPTY,
    REPEATED_WORDS,
    Answer,
    difference,
    first_answer,
    refused,
    refused_by,
)
from app.edges.betby.codes import Code, RefusedError
from app.edges.betby.reading import Payload, checked_transaction_id
from app.edges.http import Arrival
from app.ledger.transaction import Ledger
from app.wallet.alarms import Alarm
from app.wallet.events import RULES, Direction, EventType
from app.wallet.journal import JournalEntry
from app.wallet.money import Currency
from app.wallet.movement import Key, Movement, Names, facet_of_type
from app.wallet.named import SETTLEMENT_STATUSES, Place, event_id_of, rollback_of
from app.wallet.outcomes import Declined, Posting, Receipt, Refused, Replay
from app.wallet.refusals import Refusal

BETBY_SOURCE: Final = "betby"
"""The source of Betby's movements in the journal."""

BONUS_TYPES: Final = frozenset(
    {"freebet_refund", "freebet_freemoney", "no_risk", "snr", "comboboost"}
)
"""The kinds of bonus that the contract names; the setting may add others that move nothing."""

_COMPARED: Final = frozenset({EventType.BETBY_MAKE, EventType.BETBY_WIN, EventType.BETBY_NO_RISK})
"""Those that ask for an amount; the others undo what is there."""


@dataclass(frozen=True, slots=True)
class Choices:
    """The operator's settings for this contract."""

    units: Units
    no_debit: frozenset[str]
    game_id: int | None = None
    bonus_wins_to_bonus: bool = False
    repeated_make_is_refused: bool = False


class Call(NamedTuple):
    """A verified call."""

    payload: Payload
    arrival: Arrival

    @property
    def delivery(self) -> bytes:
        """The 16 random bytes that name it."""
        return self.arrival.delivery

    @property
    def time_left(self) -> timedelta:
        """The time until the deadline, of which each step of a call leaves less to the next."""
        return self.arrival.time_left


Methods: TypeAlias = Mapping[str, Callable[[Call], Awaitable[Answer]]]


class Handlers:
    """The methods, with what they need."""

    def __init__(self, ledger: Ledger, batcher: Batcher, choices: Choices) -> None:
        self._ledger = ledger
        self._batcher = batcher
        self._choices = choices
        self.methods: Methods = {
            "make": self.make,
            "commit": self.commit,
            "win": self.win,
            "lost": self.lost,
            "refund": self.refund,
            "rollback": self.rollback,
            "discard": self.discard,
            "settlement": self.settlement,
        }

    def unheard(self, answer: Answer) -> None:
        """List a decided movement whose answer was not delivered as an unknown outcome."""
        if answer.decided is not None:
            self._batcher.unheard(*answer.decided)

    # --- bets --------------------------------------------------------------------------------

    async def make(self, call: Call) -> Answer:
        """Debit a stake."""
        payload, choices = call.payload, self._choices
        transaction_id, user_id = payload.transaction_id, payload.text("player_id")
        if payload.player_of_transaction not in {None, user_id}:
            raise _differs("transaction.ext_player_id", "player_id")
        code, asked = payload.text("currency"), payload.units("amount")
        theirs = None if choices.units.knows(code) else await self._currency_of(user_id)
        amount = choices.units.major(asked, code, theirs)
        bonus_type = payload.text_or_none("bonus_type")
        if bonus_type is not None:
            if bonus_type not in BONUS_TYPES | choices.no_debit:
                raise RefusedError(Code.BONUS, "bonus_type is none of this contract's")
            if bonus_type in choices.no_debit:
                amount = "0"
        movement = self._movement(call, EventType.BETBY_MAKE, Direction.DEBIT, amount)._replace(
            key=Key(BETBY_SOURCE, transaction_id, ""),
            user_id=user_id,
            token=token_hash(payload.text("session_id")),
            event_id=event_id_of(transaction_id),
            names=Names(),
            currency=code,
        )
        receipt = await self._move(call, movement)
        answer = await self._answer(call, movement, receipt)
        is_repeat = self._is_repeat(receipt) and answer.code is Code.DONE
        if is_repeat and choices.repeated_make_is_refused:
            answer = refused(Code.BAD_REQUEST, REPEATED_WORDS)
        return self._told(movement, receipt, answer)

    async def discard(self, call: Call) -> Answer:
        """Give a bet back if it was made; else see to it that it never is.

        The discard takes the bet's own key, so that of both at the same moment one finds the other.
        """
        payload = call.payload
        transaction_id = checked_transaction_id(payload.text("transaction_id"), "transaction_id")
        unborn = self._movement(call, EventType.BETBY_MAKE, Direction.DEBIT, "0")._replace(
            key=Key(BETBY_SOURCE, transaction_id, ""),
            user_id=payload.text("ext_player_id"),
            event_id=event_id_of(transaction_id),
            names=Names(is_discard=True),
        )
        receipt = await self._move(call, unborn)
        if not isinstance(receipt, Replay) or not receipt.entry.is_accepted:
            is_done = isinstance(receipt, Declined | Replay)
            answer = EMPTY if is_done else await self._answer(call, unborn, receipt)
            return self._told(unborn, receipt, answer)
        bet = receipt.entry
        kind = EventType.BETBY_DISCARD
        movement = unborn._replace(
            key=Key(BETBY_SOURCE, transaction_id, facet_of_type(kind, Direction.CREDIT)),
            event_type=kind,
            direction=Direction.CREDIT,
            amount=bet.currency.text(bet.amount),
            names=Names(bet.position),
        )
        receipt = await self._move(call, movement)
        is_done = isinstance(receipt, Posting | Replay)
        answer = EMPTY if is_done else await self._answer(call, movement, receipt)
        return self._told(movement, receipt, answer)

    async def commit(self, call: Call) -> Answer:
        """Note that Betby has accepted a bet."""
        bet = await self._bet(call.payload.place("bet_transaction_id"))
        await note_commit(self._ledger, bet, call.delivery)
        return EMPTY

    async def settlement(self, call: Call) -> Answer:
        """Note Betby's last word about a bet, and raise an alarm if it is not what was done."""
        status = call.payload.text("status").lower().replace("_", " ")
        status = status if status in SETTLEMENT_STATUSES else status.replace(" ", "-")
        if status not in SETTLEMENT_STATUSES:
            words = ", ".join(sorted(SETTLEMENT_STATUSES))
            raise RefusedError(Code.BAD_REQUEST, f"status must be one of {words}")
        bet = await self._bet(call.payload.place("bet_transaction_id"))
        differs = await note_settlement(self._ledger, bet, status, call.delivery)
        if differs is not None:
            self._alarm(
                Alarm.SETTLEMENT_DIFFERS,
                status=status,
                differs=differs,
                transaction_id=bet.entry.key.transaction_id,
                user_id=bet.user_id,
                delivery=call.delivery.hex(),
            )
        return EMPTY

    # --- settlements -------------------------------------------------------------------------

    async def win(self, call: Call) -> Answer:
        """Credit a payment to the bet named."""
        payload = call.payload
        kind = EventType.BETBY_NO_RISK if payload.flag("is_snr_lost") else EventType.BETBY_WIN
        bonus = payload.text_or_none("bonus_id") if self._choices.bonus_wins_to_bonus else None
        return await self._settle(call, kind, payload.units("amount"), bonus)

    async def lost(self, call: Call) -> Answer:
        """Settle the bet named without money."""
        units = call.payload.units("amount")
        if units.strip("0"):
            raise RefusedError(Code.BAD_REQUEST, "amount must be 0")
        return await self._settle(call, EventType.BETBY_LOST, units, None)

    async def refund(self, call: Call) -> Answer:
        """Give the bet named back."""
        bet = await self._bet_to_credit(call)
        return await self._undo(call, bet, EventType.BETBY_REFUND, bet.entry, None)

    async def rollback(self, call: Call) -> Answer:
        """Undo the operation named: a win, a lost, a refund, or an earlier rollback."""
        payload = call.payload
        place, parent = payload.place("bet_transaction_id"), payload.place("parent_transaction_id")
        if parent.player_id != place.player_id:
            raise _no_parent()
        bet = await self._bet_of_player(call, place, parent.position)
        kind = None if bet.parent is None else rollback_of(bet.parent, bet.target)
        if bet.parent is None or kind is None:
            raise _no_parent()
        return await self._undo(call, bet, kind, bet.parent, bet.parent.position)

    async def _settle(
        self, call: Call, kind: EventType, units: str, bonus_code: str | None
    ) -> Answer:
        currency = call.payload.text("currency")
        bet = await self._bet_to_credit(call)
        amount = self._choices.units.major(units, currency, bet.entry.currency)
        movement = self._of_bet(call, bet, kind, amount)
        return await self._moved(call, movement._replace(currency=currency, bonus_code=bonus_code))

    async def _undo(
        self, call: Call, bet: NamedBet, kind: EventType, undone: JournalEntry, parent: int | None
    ) -> Answer:
        """Undo a bet, or the operation at `parent`: all of its amount, in the other direction."""
        movement = self._of_bet(call, bet, kind, undone.currency.text(undone.amount))
        return await self._moved(call, movement._replace(names=Names(bet.entry.position, parent)))

    def _of_bet(self, call: Call, bet: NamedBet, kind: EventType, amount: str) -> Movement:
        (direction,) = RULES[kind].directions
        return self._movement(call, kind, direction, amount)._replace(
            key=Key(BETBY_SOURCE, call.payload.transaction_id, ""),
            user_id=bet.user_id,
            event_id=bet.entry.event_id,
            names=Names(bet.entry.position),
        )

    async def _moved(self, call: Call, movement: Movement) -> Answer:
        receipt = await self._move(call, movement)
        return self._told(movement, receipt, await self._answer(call, movement, receipt))

    # --- what they share ---------------------------------------------------------------------

    def _movement(self, call: Call, kind: EventType, direction: Direction, amount: str) -> Movement:
        return Movement(
            delivery=call.delivery,
            key=Key(BETBY_SOURCE, "", ""),
            user_id="",
            event_type=kind,
            direction=direction,
            amount=amount,
            received_at=call.arrival.received_at,
            game_id=self._choices.game_id,
            extra_data=call.payload.kept(),
        )

    async def _currency_of(self, user_id: str) -> Currency | None:
        player = await find_account(self._ledger, user_id)
        return None if isinstance(player, Refusal) else player.currency

    async def _bet(self, place: Place, parent: int | None = None) -> NamedBet:
        bet = await find_bet(self._ledger, place.player_id, place.position, parent)
        if bet is None:
            raise _no_parent()
        return bet

    async def _bet_of_player(self, call: Call, place: Place, parent: int | None = None) -> NamedBet:
        """Return the bet at this place, if the transaction names no other player."""
        bet = await self._bet(place, parent)
        if call.payload.player_of_transaction not in {None, bet.user_id}:
            raise _no_parent()
        return bet

    async def _bet_to_credit(self, call: Call) -> NamedBet:
        """Return the bet named; one that is not there is an alarm: somebody expects its money."""
        payload = call.payload
        try:
            return await self._bet_of_player(call, payload.place("bet_transaction_id"))
        except RefusedError as error:
            if error.code is Code.PARENT:
                self._alarm(
                    Alarm.CREDIT_WITHOUT_MATCH,
                    bet_transaction_id=payload.shown("bet_transaction_id"),
                    transaction_id=payload.shown_transaction(),
                    delivery=call.delivery.hex(),
                )
            raise

    async def _move(self, call: Call, movement: Movement) -> Receipt:
        return await self._batcher.move(movement, deadline=call.time_left)

    async def _answer(self, call: Call, movement: Movement, receipt: Receipt) -> Answer:
        """Return the answer to a receipt: a repeat hears the first one."""
        match receipt:
            case Refused(refusal):
                return refused_by(refusal)
            case Declined(_, refusal):
                return refused_by(refusal)
            case Posting(entry) | Replay(entry):
                # A discard that came before its bet has the bet's entry, and asked for nothing.
                is_compared = (
                    entry.event_type in _COMPARED and entry.refusal is not Refusal.BET_DISCARDED
                )
                if is_compared and self._is_repeat(receipt):
                    differs = difference(entry, call.payload.kept())
                    if differs is not None:
                        facts = movement.facts()
                        self._alarm(Alarm.OTHER_CONTENT, differs=differs, **facts)
                        return refused_by(Refusal.MOVEMENT_DIFFERS)
                if entry.refusal is not None:
                    return refused_by(entry.refusal)
                if entry.event_type is EventType.BETBY_NO_EFFECT:
                    because_of = entry.reverses[0].position
                    entry = await find_entry(self._ledger, entry.player_id, because_of)
                return first_answer(entry, movement.user_id, self._choices.units)

    def _is_repeat(self, receipt: Receipt) -> bool:
        return isinstance(receipt, Replay) and not receipt.is_own

    def _alarm(self, alarm: Alarm, **facts: object) -> None:
        self._batcher.batch_stats.alarms[alarm] += 1
        log.raise_alarm(alarm, **facts)

    def _told(self, movement: Movement, receipt: Receipt, answer: Answer) -> Answer:
        log.decided(movement, receipt, answer)
        return answer._replace(
            event_type=movement.event_type.value,
            decided=(movement, receipt),
            delivery=movement.delivery,
        )


def _differs(name: str, other: str) -> RefusedError:
    return RefusedError(Code.BAD_REQUEST, f"{name} differs from {other}")


def _no_parent() -> RefusedError:
    return RefusedError(Code.PARENT, "parent transaction not found")
