"""Betby's contract in the naive model: the same players, and bets that are named.

Written from the contract's text alone: an operation stands unless a rollback that stands names it,
and the money is where that puts it. It imports nothing of the wallet.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from typing_extensions import override

from tests.model.books import SCALES, Bet, Declined, Operation, Player, Slip
from tests.model.contract import DONE, Expected, Model, Pots, Refused, credit, draw, post

UNIT_DECIMALS = {"BTC": 5}
"""of Betby's unit, where it is not the currency's smallest one"""
DIGITS_MAX = 18
"""before the point"""
NO_DEBIT = {"freebet_refund", "freebet_freemoney"}
BONUS_TYPES = NO_DEBIT | {"no_risk", "snr", "comboboost"}
STATUSES = {"won", "lost", "canceled", "refund", "cashed out", "half-won", "half-lost"}
CODES = {
    400: 2004,
    402: 2001,
    404: 1006,
    405: 1005,
    406: 2003,
    410: 1007,
    417: 1007,
    456: 4001,
}
"""What the callback API's codes are called here."""
FOR_EVER = {405, 456, 402}


def decimals(currency: str) -> int:
    """Tell how many decimals Betby's unit has."""
    return UNIT_DECIMALS.get(currency, SCALES[currency])


def unit(currency: str) -> int:
    """Tell how many of the currency's smallest units Betby's unit is."""
    return int(10 ** (SCALES[currency] - decimals(currency)))


@dataclass
class Known(Declined):
    """What an id of Betby's was used for, and what was made by it."""

    made: Slip | Operation | None = None
    is_discarded: bool = False
    """whether it is the id of a bet that was discarded before it came"""


class WholeModel(Model):
    """One wallet, as all three contracts describe it."""

    def __init__(self, *, duplicate_reply: str, stake_order: str, **choice: Any) -> None:  # noqa: ANN401
        super().__init__(duplicate_reply=duplicate_reply, stake_order=stake_order, **choice)
        # The service under each choice has these settings of Betby's.
        self.repeats_make = duplicate_reply == "replay"
        self.wins_to_bonus = stake_order == "bonus_first"
        self.known: dict[str, Known] = {}
        self.discards: set[str] = set()
        """the ids whose bet was there, and given back or found to be"""
        self.by_our_id: dict[str, Slip | Operation] = {}
        self.methods: dict[str, Callable[[Mapping[str, Any], datetime], Expected]] = {
            "make": self._make,
            "commit": self._commit,
            "win": self._win,
            "lost": self._lost,
            "refund": self._refund,
            "rollback": self._rollback,
            "discard": self._discard,
            "settlement": self._settlement,
        }

    def betby(self, method: str, payload: Mapping[str, Any], now: datetime) -> Expected:
        """Answer a call of Betby's: a code, or the answer's members but for our id."""
        try:
            return self.methods[method](payload, now)
        except Refused as refused:
            return Expected(refused.code)

    def learn(self, known: Declined, our_id: str) -> None:
        """Take note of our id of what a call made: an id names one thing."""
        assert isinstance(known, Known)
        if known.made is not None:
            self.name(known.made, our_id)

    def name(self, made: Slip | Operation, our_id: str) -> None:
        assert self.by_our_id.setdefault(our_id, made) is made, f"{our_id} is another's"
        made.our_id = our_id

    # --- the methods ----------------------------------------------------------------------------

    def _make(self, payload: Mapping[str, Any], now: datetime) -> Expected:
        transaction_id = payload["transaction"]["id"]
        currency, bonus_type = payload["currency"], payload.get("bonus_type")
        if currency in SCALES and payload["amount"] >= 10 ** (DIGITS_MAX + decimals(currency)):
            raise Refused(2004)
        if bonus_type not in {None, *BONUS_TYPES}:
            raise Refused(3001)
        player = self.players.get(payload["player_id"])
        if player is None:
            raise Refused(1006)
        asked = payload["amount"]
        content = {
            "method": "make",
            "user_id": player.user_id,
            "currency": currency,
            "amount": asked,
            "bonus_type": bonus_type,
            "bonus_id": payload.get("bonus_id"),
        }
        known = self.known.get(transaction_id)
        if known is not None:
            self._use_token(player.user_id, payload["session_id"], now)
            if known.is_discarded or known.content != content:
                raise Refused(2004)
            if known.code != DONE:
                return Expected(known.code, is_repeat_of=known)
            return Expected(DONE, is_repeat_of=known) if self.repeats_make else Expected(2004)
        if currency != player.currency:
            raise Refused(2002)
        amount = 0 if bonus_type in NO_DEBIT else asked * unit(currency)
        try:
            pots = self._place(player, amount, payload["session_id"], now)
        except Refused as refused:
            code = CODES[refused.code]
            first = Known(content, code)
            if refused.code in FOR_EVER:
                self.known[transaction_id] = first
            return Expected(code, is_first_of=first)
        slip = Slip(player, Bet(transaction_id, amount, -pots.real, -pots.bonus, now))
        player.slips.append(slip)
        self.known[transaction_id] = first = Known(content, DONE, made=slip)
        members = self._members(slip, transaction_id, "bet", asked)
        if pots.bonus:
            members["operator_bonus_amount"] = -pots.bonus // unit(currency)
        return Expected(DONE, data=members, is_first_of=first)

    def _place(self, player: Player, amount: int, session: str, now: datetime) -> Pots:
        """Take a stake, or refuse it in the callback API's order and codes."""
        self._check_token(player.user_id, session, now, live=True)
        self._use_token(player.user_id, session, now)
        if player.blocked(now):
            raise Refused(405)
        if player.exceeds(amount, now, is_stake=True):
            raise Refused(456)
        return self._stake(player, amount)

    def _win(self, payload: Mapping[str, Any], now: datetime) -> Expected:
        slip = self._slip(payload)
        is_snr_lost = bool(payload.get("is_snr_lost"))
        content = {
            "method": "no-risk win" if is_snr_lost else "win",
            "bet": slip.our_id,
            "currency": payload["currency"],
            "amount": payload["amount"],
            "bonus_type": payload.get("bonus_type"),
            "bonus_id": payload.get("bonus_id"),
        }
        return self._settle(slip, payload, content, now)

    def _lost(self, payload: Mapping[str, Any], now: datetime) -> Expected:
        if payload["amount"]:
            raise Refused(2004)
        slip = self._slip(payload)
        content = {"method": "lost", "bet": slip.our_id, "currency": payload["currency"]}
        return self._settle(slip, payload, content, now)

    def _settle(
        self, slip: Slip, payload: Mapping[str, Any], content: dict[str, Any], now: datetime
    ) -> Expected:
        player, bet = slip.player, slip.bet
        transaction_id = payload["transaction"]["id"]
        known = self._repeat_of(transaction_id, content)
        if known is not None:
            return known
        if payload["currency"] != player.currency:
            raise Refused(2002)
        if not bet.stands:
            raise Refused(2003)
        amount = payload["amount"] * unit(player.currency)
        is_lost = content["method"] == "lost"
        in_bonus = not is_lost and self.wins_to_bonus and (payload.get("bonus_id") or "").strip()
        bonus = amount if in_bonus else amount * bet.bonus // bet.amount if bet.amount else 0
        operation = Operation("lost" if is_lost else "win", [], amount=amount)
        self._give(slip, operation, amount - bonus, bonus, now)
        members = self._members(slip, transaction_id, operation.what, payload["amount"])
        if is_lost:
            del members["amount"], members["currency"]
        return self._first(transaction_id, content, operation, members)

    def _refund(self, payload: Mapping[str, Any], now: datetime) -> Expected:
        slip, transaction_id = self._slip(payload), payload["transaction"]["id"]
        content = {"method": "refund", "bet": slip.our_id}
        known = self._repeat_of(transaction_id, content)
        if known is not None:
            return known
        given_back_by = slip.given_back_by
        if given_back_by is not None:
            return self._without_effect(transaction_id, content, given_back_by)
        operation = Operation("refund", [], amount=slip.bet.amount)
        self._give(slip, operation, slip.bet.real, slip.bet.bonus, now)
        amount = slip.bet.amount // unit(slip.player.currency)
        members = self._members(slip, transaction_id, "refund", amount)
        return self._first(transaction_id, content, operation, members)

    def _rollback(self, payload: Mapping[str, Any], now: datetime) -> Expected:
        slip, transaction_id = self._slip(payload), payload["transaction"]["id"]
        parent = self.by_our_id.get(payload["parent_transaction_id"])
        if not isinstance(parent, Operation) or parent not in slip.operations:
            raise Refused(2003)
        if parent.what == "discard":
            raise Refused(2003)
        content = {"method": "rollback", "bet": slip.our_id, "parent": parent.our_id}
        known = self._repeat_of(transaction_id, content)
        if known is not None:
            return known
        line, first = parent.line, parent.line[0]
        undone_by = slip.undone_by(parent)
        if undone_by is not None:
            return self._without_effect(transaction_id, content, undone_by)
        operation = Operation("rollback", line, parent, amount=first.amount)
        stood = slip.stands(first)
        slip.operations.append(operation)
        stands = slip.stands(first)
        slip.operations.remove(operation)
        if stands is stood:
            return self._without_effect(transaction_id, content, line[-1])
        if stands and first.what == "refund" and slip.given_back_by is not None:
            return self._without_effect(transaction_id, content, slip.given_back_by)
        if stands:
            of_bet = first.what == "refund"
            parts = slip.bet if of_bet else parent
            self._give(slip, operation, parts.real, parts.bonus, now)
        else:
            self._take(slip, operation, now)
        amount = first.amount // unit(slip.player.currency)
        members = self._members(slip, transaction_id, "rollback", amount)
        return self._first(transaction_id, content, operation, members)

    def _discard(self, payload: Mapping[str, Any], now: datetime) -> Expected:
        transaction_id = payload["transaction_id"]
        player = self.players.get(payload["ext_player_id"])
        if player is None:
            raise Refused(1006)
        content = {"method": "make", "user_id": player.user_id}
        known = self.known.get(transaction_id)
        if known is None:
            self.known[transaction_id] = Known(content, 2004, is_discarded=True)
            return Expected(DONE, data={})
        if any(known.content.get(name) != value for name, value in content.items()):
            raise Refused(2004)
        slip = known.made
        if known.code == DONE and transaction_id not in self.discards:
            assert isinstance(slip, Slip)
            if slip.given_back_by is None:
                operation = Operation("discard", [], amount=slip.bet.amount)
                self._give(slip, operation, slip.bet.real, slip.bet.bonus, now)
                amount = slip.bet.amount // unit(player.currency)
                data = self._members(slip, transaction_id, "refund", amount)
                # Nobody has heard it yet; a refund will.
                operation.answer = Known(data, DONE, made=operation)
            self.discards.add(transaction_id)
        return Expected(DONE, data={})

    def _commit(self, payload: Mapping[str, Any], _now: datetime) -> Expected:
        self._slip(payload)
        return Expected(DONE, data={})

    def _settlement(self, payload: Mapping[str, Any], _now: datetime) -> Expected:
        if payload["status"] not in STATUSES:
            raise Refused(2004)
        self._slip(payload)
        return Expected(DONE, data={})

    # --- what they share ------------------------------------------------------------------------

    def _slip(self, payload: Mapping[str, Any]) -> Slip:
        slip = self.by_our_id.get(payload["bet_transaction_id"])
        if not isinstance(slip, Slip):
            raise Refused(2003)
        if payload.get("transaction", {}).get("ext_player_id") not in {None, slip.player.user_id}:
            raise Refused(2003)
        return slip

    def _repeat_of(self, transaction_id: str, content: dict[str, Any]) -> Expected | None:
        """Answer an id that was used: the first answer, if it was used for the same."""
        known = self.known.get(transaction_id)
        if known is None:
            return None
        if known.content != content:
            raise Refused(2004)
        return Expected(DONE, is_repeat_of=known)

    def _without_effect(
        self, transaction_id: str, content: dict[str, Any], because_of: Operation
    ) -> Expected:
        """Nothing is left to undo: this id hears for ever what that operation was answered."""
        assert because_of.answer is not None
        self.known[transaction_id] = first = Known(content, DONE)
        return Expected(DONE, is_repeat_of=because_of.answer, is_first_of=first)

    def _first(
        self,
        transaction_id: str,
        content: dict[str, Any],
        operation: Operation,
        members: dict[str, Any],
    ) -> Expected:
        self.known[transaction_id] = first = Known(content, DONE, made=operation)
        operation.answer = first
        return Expected(DONE, data=members, is_first_of=first)

    @staticmethod
    def _members(slip: Slip, transaction_id: str, what: str, amount: int) -> dict[str, Any]:
        player = slip.player
        return {
            "ext_transaction_id": transaction_id,
            "parent_transaction_id": None if what == "bet" else slip.our_id,
            "user_id": player.user_id,
            "operation": what,
            "amount": amount,
            "currency": player.currency,
            "balance": player.balance // unit(player.currency),
        }

    def _give(self, slip: Slip, operation: Operation, real: int, bonus: int, now: datetime) -> None:
        """Pay, or give the stake back; a debt is paid first."""
        pots = _or_too_large(lambda: credit(slip.player, real, bonus))
        operation.real, operation.bonus = pots.real, pots.bonus
        self._follow(slip, operation)
        if operation.line[0].what in {"win", "lost"}:
            slip.player.losses.append((now, -operation.amount))
            slip.settled = True
        else:
            slip.bet.stands = False

    def _take(self, slip: Slip, operation: Operation, now: datetime) -> None:
        """Take back what the line gave last, even where a debt comes of it."""
        gave = operation.line[-1]
        player = slip.player
        pots, missing = draw(player, gave.real, gave.bonus)
        _or_too_large(lambda: post(player, pots.real - missing, pots.bonus))
        operation.real, operation.bonus = gave.real, gave.bonus
        self._follow(slip, operation)
        slip.settled = False
        if operation.line[0].what in {"win", "lost"}:
            player.losses.append((now, operation.amount))
        else:
            slip.bet.stands = True

    @staticmethod
    def _follow(slip: Slip, operation: Operation) -> None:
        operation.line.append(operation)
        slip.operations.append(operation)

    @override
    def history(self, user_id: str, kind: str) -> dict[tuple[str, bool], tuple[Any, ...]]:
        told = super().history(user_id, kind)
        for slip in self.players[user_id].slips:
            bet = slip.bet
            ended = "END" if slip.settled or not bet.stands else "ING"
            if kind in {"ALL", ended}:
                returns = 0 if bet.stands else bet.amount
                net = slip.paid + returns - bet.amount
                told[f"betby:{bet.transaction_id}", False] = (
                    *(bet.amount, slip.paid, returns, net),
                    ended,
                )
        return told


def _or_too_large(move: Callable[[], Any]) -> Any:  # noqa: ANN401 - what it returns
    """Move pockets, or say in this contract's code that a balance would become too large."""
    try:
        return move()
    except Refused as refused:
        raise Refused(CODES[refused.code]) from None
