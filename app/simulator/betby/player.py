"""One player at Betby: slips are opened, kept open side by side, settled, re-settled and undone.

Each call's answer is predicted from Betby's own books before it is sent. Repeats, late and lost
calls, calls in another order, and calls that must be refused are part of every life.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeAlias

from app.simulator.betby.books import Bet, Books, Operation
from app.simulator.betby.slips import BONUSES, FREE, draw_slip
from app.simulator.dice import Dice
from app.simulator.stage import StagePlayer

DAY_SECONDS: Final = 86400
SETTLED_AFTER_DAYS: Final = 30
CLOCK_START: Final = 1_795_000_000
OPEN_MAX: Final = 4
CHAIN: Final = 5

_NOT_OURS: Final = {"bet_transaction_id": "x", "parent_transaction_id": "y"}

Call: TypeAlias = Callable[[str, Mapping[str, object], "Due"], Awaitable[dict[str, object] | None]]
"""Sends a method's payload, judges the answer, and returns what it said."""


class Due:
    """The answer that is due: a refusal's code, an earlier answer, or members of a new one."""

    def __init__(
        self,
        code: int = 0,
        members: Mapping[str, object] | None = None,
        again: Mapping[str, object] | None = None,
    ) -> None:
        self.code = code
        self.members = members
        self.again = again


class BetbyPlayer:
    """A player, their slips and their books."""

    def __init__(
        self, player: StagePlayer, units: int, dice: Dice, run_id: str, call: Call, *, replays: bool
    ) -> None:
        """`units`: what the player has, in Betby's units."""
        self.player = player
        self.books = Books(units)
        self._dice = dice
        self._prefix = f"{run_id}-{player.user_id}"
        self._call = call
        #: Whether a repeated bet hears the first answer again.
        self._replays = replays
        self._numbers = 0
        #: Betby's own clock; it moves by hours between slips, and by thirty days at the end.
        self._clock = CLOCK_START
        self._open: list[Bet] = []

    # --- a slip -------------------------------------------------------------------------------

    async def event(self) -> None:
        """Play one event: a slip is opened, and some that are open go on with their lives."""
        self._clock += self._dice.between(60, DAY_SECONDS // 4)
        manner = self._dice.between(1, 100)
        if manner <= 8:  # noqa: PLR2004 - shares of a hundred
            await self._discard_before_make()
        elif manner <= 14:  # noqa: PLR2004
            await self._refused_calls()
        else:
            await self._open_slip()
        while len(self._open) > OPEN_MAX or (self._open and self._dice.chance(50)):
            bet = self._dice.pick(self._open)
            await self._live_on(bet)
            if self._dice.chance(60):
                self._open.remove(bet)

    async def settle_all(self) -> None:
        """Let thirty days pass, and say the last word about every bet."""
        self._clock += SETTLED_AFTER_DAYS * DAY_SECONDS
        for bet in self.books.bets:
            if not bet.operations:
                await self._lost(bet)
            payload = {"bet_transaction_id": bet.our_id, "status": bet.expects()}
            await self._call("settlement", payload, Due(members={}))
            if self._dice.chance(10):
                await self._call("settlement", payload, Due(members={}))

    async def _open_slip(self) -> None:
        bonus = self._dice.pick(BONUSES)
        is_free = bonus in FREE
        balance = max(self.books.balance, 0)
        asked = self._dice.between(1, max(balance // 5, 1))
        payload = self._making(asked, bonus)
        if not is_free and asked > balance:
            await self._call("make", payload, Due(2001))
            await self._call("make", payload, Due(2001))
            return
        bet = Bet(self._id_of(payload), asked, 0 if is_free else asked)
        self.books.bets.append(bet)
        due = Due(members=self._told("bet", bet.transaction_id, None, asked))
        bet.answer = await self._call("make", payload, due) or {}
        if not bet.answer:
            return
        if self._dice.chance(20):
            again = Due(again=bet.answer) if self._replays else Due(2004)
            await self._call("make", payload, again)
        if self._dice.chance(6):
            await self._call("make", {**payload, "amount": asked + 1}, Due(2004))
        if self._dice.chance(10):
            # Betby never heard the answer.
            await self._discard(bet)
            return
        await self._call("commit", {"bet_transaction_id": bet.our_id}, Due(members={}))
        self._open.append(bet)

    async def _live_on(self, bet: Bet) -> None:
        """Settle a bet in one of the ways there are."""
        manner = self._dice.between(1, 100)
        if manner <= 25:  # noqa: PLR2004
            await self._lost(bet)
        elif manner <= 50:  # noqa: PLR2004
            await self._win(bet, self._payout(bet))
        elif manner <= 65:  # noqa: PLR2004
            for _ in range(self._dice.between(2, 3)):
                await self._win(bet, self._payout(bet) // 3, is_cashout=True)
        elif manner <= 75:  # noqa: PLR2004
            await self._refund(bet)
            await self._refund(bet)
            await self._overtaking_win(bet)
        elif manner <= 90:  # noqa: PLR2004
            await self._resettle(bet)
        else:
            await self._undo_undone(bet)

    async def _resettle(self, bet: Bet) -> None:
        """Settle, roll back, settle otherwise: a chain of five."""
        for step in range(CHAIN):
            if step % 2 and bet.operations:
                await self._rollback(bet, len(bet.operations) - 1)
            elif self._dice.chance(60):
                await self._win(bet, self._payout(bet))
            else:
                await self._lost(bet)

    async def _undo_undone(self, bet: Bet) -> None:
        """Roll back whatever there is, rollbacks among it."""
        await self._win(bet, self._payout(bet))
        for _ in range(CHAIN):
            if bet.operations:
                await self._rollback(bet, self._dice.between(0, len(bet.operations) - 1))

    async def _overtaking_win(self, bet: Bet) -> None:
        """A win comes before the rollback of the refund, is refused, and comes again."""
        refund = bet.given_back_by
        if refund is None or bet.operations[refund].what == "discard":
            return
        payload = self._winning(bet, self._payout(bet))
        await self._call("win", payload, Due(2003))
        await self._rollback(bet, refund)
        await self._pay(bet, payload)

    # --- operations ---------------------------------------------------------------------------

    async def _win(self, bet: Bet, amount: int, *, is_cashout: bool = False) -> None:
        payload = self._winning(bet, amount, is_cashout=is_cashout)
        if bet.given_back_by is not None:
            await self._call("win", payload, Due(2003))
            return
        await self._pay(bet, payload)

    async def _pay(self, bet: Bet, payload: Mapping[str, object]) -> None:
        amount = payload["amount"]
        if not isinstance(amount, int):
            raise TypeError("an amount is a whole number")
        operation = Operation("win", amount)
        await self._done(bet, operation, "win", payload, amount)
        if operation.answer and self._dice.chance(5):
            await self._call("win", {**payload, "amount": amount + 1}, Due(2004))

    async def _lost(self, bet: Bet) -> None:
        payload = {**self._winning(bet, 0), "transaction": self._transaction("lost")}
        if bet.given_back_by is not None:
            await self._call("lost", payload, Due(2003))
            return
        await self._done(bet, Operation("lost", 0), "lost", payload, None)

    async def _refund(self, bet: Bet) -> None:
        payload: Mapping[str, object] = {
            "bet_transaction_id": bet.our_id,
            "reason": "canceled",
            "transaction": self._transaction("refund"),
        }
        before = bet.given_back_by
        if before is not None:
            if bet.operations[before].what != "discard":
                await self._call("refund", payload, Due(again=bet.operations[before].answer))
            return
        await self._done(bet, Operation("refund", bet.stake), "refund", payload, bet.stake)

    async def _rollback(self, bet: Bet, parent: int) -> None:
        operation = bet.operations[parent]
        if operation.what == "discard":
            return
        payload: Mapping[str, object] = {
            "bet_transaction_id": bet.our_id,
            "parent_transaction_id": operation.answer["id"],
            "transaction": self._transaction("rollback"),
        }
        by = bet.undone_by(parent)
        if by is not None:
            await self._call("rollback", payload, Due(again=bet.operations[by].answer))
            return
        if self._gives_twice(bet, parent):
            return
        amount = operation.amount
        await self._done(bet, Operation("rollback", amount, parent), "rollback", payload, amount)

    def _gives_twice(self, bet: Bet, parent: int) -> bool:
        """Whether undoing a rollback would bring back a stake that came back otherwise."""
        before = bet.gained
        trial = Bet(bet.transaction_id, bet.asked, bet.stake, {}, [*bet.operations])
        trial.operations.append(Operation("rollback", 0, parent))
        # What changes no money is answered by the operation that did; books alone cannot say which.
        return trial.gained == before and bet.operations[parent].amount > 0

    async def _discard(self, bet: Bet) -> None:
        payload: Mapping[str, object] = {
            "ext_player_id": self.player.user_id,
            "transaction_id": bet.transaction_id,
            "reason": "timeout",
        }
        bet.operations.append(Operation("discard", bet.stake))
        for _ in range(2):
            await self._call("discard", payload, Due(members={}))

    async def _discard_before_make(self) -> None:
        """A discard comes first, is answered, and its bet is refused when it comes."""
        payload = self._making(self._dice.between(1, 100), None)
        discard: Mapping[str, object] = {
            "ext_player_id": self.player.user_id,
            "transaction_id": self._id_of(payload),
            "reason": "timeout",
        }
        await self._call("discard", discard, Due(members={}))
        for _ in range(2):
            await self._call("make", payload, Due(2004))
        await self._call("discard", discard, Due(members={}))

    async def _refused_calls(self) -> None:
        """Call what must be refused, and moves nothing."""
        payload = self._making(1, None)
        wrong: tuple[tuple[str, Mapping[str, object], int], ...] = (
            ("make", {**payload, "session_id": "no such session"}, 1007),
            ("make", {**payload, "session_id": self.player.expired_token}, 1007),
            ("make", {**payload, "currency": "XAU"}, 2002),
            ("make", {**payload, "bonus_type": "unheard-of"}, 3001),
            ("make", {**payload, "amount": "1"}, 2004),
            ("win", {**payload, "bet_transaction_id": "9999999999-1"}, 2003),
            (
                "rollback",
                {**payload, "bet_transaction_id": "x", "parent_transaction_id": "y"},
                2003,
            ),
        )
        method, asked, code = self._dice.pick(wrong)
        await self._call(method, asked, Due(code))

    async def _done(
        self,
        bet: Bet,
        operation: Operation,
        method: str,
        payload: Mapping[str, object],
        amount: int | None,
    ) -> None:
        """Do an operation, and repeat it at times."""
        bet.operations.append(operation)
        transaction_id = self._id_of(payload)
        due = Due(members=self._told(method, transaction_id, bet.our_id, amount))
        operation.answer = await self._call(method, payload, due) or {}
        if operation.answer and self._dice.chance(20):
            await self._call(method, payload, Due(again=operation.answer))

    # --- what is written ----------------------------------------------------------------------

    def _told(
        self, operation: str, transaction_id: str, bet: str | None, amount: int | None
    ) -> dict[str, object]:
        money: dict[str, object] = (
            {} if amount is None else {"amount": amount, "currency": self.player.currency}
        )
        return {
            "ext_transaction_id": transaction_id,
            "parent_transaction_id": bet,
            "user_id": self.player.user_id,
            "operation": operation,
            "balance": self.books.balance,
            **money,
        }

    def _making(self, asked: int, bonus: str | None) -> dict[str, object]:
        player = self.player
        named = {} if bonus is None else {"bonus_type": bonus, "bonus_id": self._new_id("bonus")}
        slip_id = self._new_id("slip")
        return {
            "amount": asked,
            "currency": player.currency,
            "player_id": player.user_id,
            "session_id": player.token,
            "transaction": self._transaction("bet"),
            "betslip": draw_slip(self._dice, slip_id, asked, player.currency, self._clock),
            "potential_win": asked * 2,
            **named,
        }

    def _winning(self, bet: Bet, amount: int, *, is_cashout: bool = False) -> dict[str, object]:
        return {
            "bet_transaction_id": bet.our_id,
            "amount": amount,
            "currency": self.player.currency,
            "is_cashout": is_cashout,
            "transaction": self._transaction("win"),
            "selections": [],
        }

    def _transaction(self, operation: str) -> dict[str, object]:
        return {
            "id": self._new_id(operation),
            "ext_player_id": self.player.user_id,
            "operation": operation,
            "timestamp": self._clock,
            "currency": self.player.currency,
        }

    def _payout(self, bet: Bet) -> int:
        return max(bet.asked * self._dice.pick((30, 110, 185, 320)) // 100, 1)

    def _new_id(self, kind: str) -> str:
        self._numbers += 1
        return f"{self._prefix}-{kind}-{self._numbers}"

    @staticmethod
    def _id_of(payload: Mapping[str, object]) -> str:
        transaction = payload["transaction"]
        if not isinstance(transaction, dict):
            raise TypeError("a call has its transaction")
        return str(transaction["id"])
