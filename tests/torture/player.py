"""A player, the callers that move their money, and the record of acknowledged movements.

A call that was not answered is made again under the same transaction id until it is decided. What
the callers were told is written down as operations, for the checker of histories.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from random import Random
from typing import Any

from tests.history.checker import Operation
from tests.model.caller import Reply
from tests.torture.caller import Caller, NoAnswerError

AGENT, AGENT_KEY = "north", bytes(range(32))

PAUSE_SECONDS_MAX = 0.02
AGAIN_SECONDS_MAX = 0.2
STUCK_SECONDS = 90
"""A call that is not decided this long is a failure of its own."""

CLOCKS_FAULTS = {5, 2005}
"""The codes, of the transfer API and of Betby's contract, of a request out of its time."""


class StuckError(Exception):
    """A movement was not decided, however often it was asked for."""


@dataclass
class Tally:
    """What happened to all players, for the report."""

    acknowledged: int = 0
    refused: int = 0
    calls: int = 0
    unanswered: int = 0
    unavailable: int = 0
    """answers of 503, or of code 103"""
    complaints: list[str] = field(default_factory=list)
    """what should not have been answered"""
    codes: Counter[str] = field(default_factory=Counter)
    slowest_503: float = 0.0


@dataclass
class Player:
    """One account and what its callers know of it; amounts are hundredths."""

    user_id: str
    token: str = ""
    expected: int = 0
    """what the balance must be when all is decided"""
    accepted: dict[str, int] = field(default_factory=dict)
    """by transaction id: what was acknowledged, and what it moved"""
    history: list[Operation] = field(default_factory=list)
    opening: int = 0
    """the balance when the history begins"""
    is_repeated: bool = False
    """half of the calls for this player are made twice at once"""

    def accept(self, operation: Operation) -> None:
        """Write down a movement that was acknowledged."""
        self.accepted[operation.name] = operation.change
        self.expected += operation.change
        self.history.append(operation)

    def begin_history(self) -> None:
        """Forget the history that was checked."""
        self.opening = self.expected
        self.history.clear()


@dataclass(frozen=True)
class Decided:
    """What became of a call."""

    begin: float
    """when it was first made"""
    sent: float
    """when it was made for the last time"""
    unheard: int
    """deliveries whose answer we never had, or that were told to ask again"""
    reply: Reply
    others: Sequence[Reply]
    """the answer to the second of two calls at once"""


def code_of(reply: Reply) -> int:
    """The code of an answer of any contract; 0 when it was accepted."""
    said = reply.said
    return int(said.get("errors", said).get("code", 0))


def hundredths(amount: Decimal) -> int:
    return int(amount * 100)


def text(amount: int) -> str:
    return f"{amount // 100}.{amount % 100:02}"


class Hand:
    """One of the callers who act for a player, one call after the other."""

    def __init__(
        self, player: Player, number: int, caller: Caller, dice: Random, tally: Tally
    ) -> None:
        self.player = player
        self.caller = caller
        self.twin = Caller(caller.ports, dice)
        """makes the second of two calls at once"""
        self.dice = dice
        self.tally = tally
        self.name = f"{player.user_id}-{number}"
        self.count = 0

    def close(self) -> None:
        """Hang up."""
        self.caller.close()
        self.twin.close()

    async def open_account(self, amount: int) -> None:
        """Open the account, pay in, launch a game."""
        user_id = self.player.user_id
        fields = {"user_id": user_id, "currency": "USD", "nickname": user_id, "language": "en"}
        await self._operate_until("account/init", fields)
        await self.transfer("account/deposit", amount)
        launch = {"user_id": user_id, "jti": self.new_id("launch")}
        data = await self._operate_until("account/session", launch)
        self.player.token = data["token"]

    async def play(self, goes_on: Callable[[], bool]) -> None:
        """Play one story after the other."""
        while goes_on():
            await self.story()
            await asyncio.sleep(self.dice.random() * PAUSE_SECONDS_MAX)

    async def story(self) -> None:
        """Bet and settle in one of the usual ways; pay in and out; ask for the balance."""
        dice = self.dice
        if dice.random() < 0.2:
            await self.ask_balance()
        if dice.random() < 0.1:
            operation = dice.choice(("account/deposit", "account/withdraw"))
            await self.transfer(operation, dice.randint(1, 3000))
        if dice.random() < 0.1:
            await self.move("Tip", "debit", "tips", dice.randint(0, 300))
        event, stake = self.new_id("event"), dice.randint(0, 2000)
        if not await self.move("BetPlacing", "debit", event, stake):
            return
        match dice.choice(("win", "lose", "abort", "two bets", "payed abort", "reopened")):
            case "win":
                await self.move("Win", "credit", event, dice.randint(0, 4000))
            case "lose":
                await self.move("Lose", "credit", event, 0)
            case "abort":
                await self.move("BetPlacingAbort", "credit", event, stake)
            case "two bets":
                await self.move("BetPlacing", "debit", event, stake)
                await self.move("Win", "credit", event, stake)
            case "payed abort":
                await self.move("Win", "credit", event, stake + 1)
                await self.move("BetPayedAbort", "debit", event, stake + 1)
            case _:
                await self.move("Win", "credit", event, 2 * stake + 1)
                await self.move("SportBetCancel", "debit", event, 2 * stake + 1)
                await self.move("Lose", "credit", event, 0)

    def new_id(self, word: str) -> str:
        self.count += 1
        return f"{self.name}-{word}-{self.count}"

    async def ask_balance(self) -> None:
        """Ask once; no answer says nothing."""
        begin = time.monotonic()
        fields = {"token": self.player.token, "userId": self.player.user_id}
        self.tally.calls += 1
        try:
            reply = await self.caller.ask("getBalance", fields)
        except NoAnswerError:
            self.tally.unanswered += 1
            return
        if reply.status != 200:
            self._not_available(reply, time.monotonic() - begin)
        elif reply.code:
            self.tally.complaints.append(f"getBalance of {self.player.user_id}: {reply.body!r}")
        else:
            shown = hundredths(reply.said["balance"])
            self._note_balance("getBalance", begin, 0, shown)

    async def move(self, kind: str, direction: str, event: str, amount: int) -> bool:
        """Move funds through the callback API; say whether they moved."""
        transaction_id = self.new_id(kind)
        fields = {
            "token": self.player.token,
            "userId": self.player.user_id,
            "gameId": "7",
            "extraData": "{}",
            "eventId": event,
            "direction": direction,
            "transactionId": transaction_id,
            "eventType": kind,
            "amount": text(amount),
        }
        change = amount if direction == "credit" else -amount
        decided = await self._decided(transaction_id, lambda caller: caller.move_funds(fields))
        begin, reply = decided.begin, decided.reply
        code = reply.code
        self.tally.codes[f"{kind} {code}"] += 1
        shown = hundredths(reply.said["balance"]) if "balance" in reply.said else None
        if code == 0:
            self._accept(transaction_id, begin, change, shown)
        elif code == 409 and decided.unheard:
            # It was decided by a delivery whose answer we never had; the balance is today's.
            self._accept(transaction_id, begin, change, None)
            self._note_balance(f"{transaction_id} again", decided.sent, 0, shown)
        elif code == 402 and kind != "SportBetCancel" and direction == "debit":
            self.tally.refused += 1
            # Refused for ever, perhaps by a delivery whose answer we never had. Then the balance
            # told is today's or that of the refusal, by setting: it says nothing here.
            told = None if decided.unheard or decided.others else shown
            self._note_balance(transaction_id, begin, 0, told, below=amount)
        else:
            self.tally.complaints.append(f"{fields}, {decided.unheard} unheard: {reply.body!r}")
        for other in decided.others:
            self._judge_repeat(transaction_id, decided, other)
        return code == 0 or (code == 409 and decided.unheard > 0)

    def _judge_repeat(self, transaction_id: str, decided: Decided, other: Reply) -> None:
        """Hold the second answer to a call made twice at once against the first."""
        if decided.reply.code == 0 and other.code == 409:
            self._note_balance(
                f"{transaction_id} twice", decided.sent, 0, hundredths(other.said["balance"])
            )
        elif other.code != decided.reply.code or (other.code == 0 and other != decided.reply):
            words = f"{transaction_id} made twice: {decided.reply.body!r} and {other.body!r}"
            self.tally.complaints.append(words)

    async def transfer(self, operation: str, amount: int) -> None:
        """Pay in or out through the transfer API; a repeat gets the first answer."""
        transaction_id = self.new_id("pay")
        fields = {
            "user_id": self.player.user_id,
            "transaction_id": transaction_id,
            "amount": text(amount),
        }
        decided = await self._decided(
            transaction_id, lambda caller: self._operate(caller, operation, fields)
        )
        said = decided.reply.said
        if any(other != decided.reply for other in decided.others):
            self.tally.complaints.append(f"{operation} {fields} made twice: {decided}")
        self.tally.codes[f"{operation} {said['code']}"] += 1
        if said["code"] == 0:
            change = amount if operation == "account/deposit" else -amount
            shown = hundredths(said["data"]["balance"])
            self._accept(transaction_id, decided.begin, change, shown)
        elif said["code"] == 102 and operation == "account/withdraw":
            self.tally.refused += 1
        else:
            self.tally.complaints.append(f"{operation} {fields}: {decided.reply.body!r}")

    async def _operate_until(self, operation: str, fields: dict[str, str]) -> dict[str, Any]:
        decided = await self._decided(
            operation, lambda caller: self._operate(caller, operation, fields)
        )
        said = decided.reply.said
        assert said["code"] == 0, decided.reply.body
        data = said["data"]
        assert isinstance(data, dict)
        return data

    @staticmethod
    async def _operate(caller: Caller, operation: str, fields: dict[str, str]) -> Reply:
        members = {"iat": int(datetime.now(UTC).timestamp()), "op": operation, **fields}
        return await caller.operate(operation, members, AGENT, AGENT_KEY)

    async def _decided(
        self,
        name: str,
        call: Callable[[Caller], Awaitable[Reply]],
        *,
        hand: Caller | None = None,
        decides: Collection[int] = (200, 202),
    ) -> Decided:
        """Ask, once or twice at once, until it is decided.

        `hand`: the one connection to use; `decides`: the HTTP statuses of what is decided.
        """
        begin = time.monotonic()
        unheard = 0
        while (sent := time.monotonic()) - begin < STUCK_SECONDS:
            is_twice = hand is None and self.player.is_repeated and self.dice.random() < 0.5
            callers = (self.caller, self.twin) if is_twice else (hand or self.caller,)
            heard = [
                reply
                for reply in await asyncio.gather(
                    *(self._heard(call, at, decides) for at in callers)
                )
                if reply is not None
            ]
            unheard += len(callers) - len(heard)
            if heard:
                reply, *others = sorted(heard, key=code_of)
                return Decided(begin, sent, unheard, reply, others)
            await asyncio.sleep(self.dice.random() * AGAIN_SECONDS_MAX)
        raise StuckError(f"{name}: {unheard} calls in {STUCK_SECONDS} s, and never decided")

    async def _heard(
        self,
        call: Callable[[Caller], Awaitable[Reply]],
        caller: Caller,
        decides: Collection[int],
    ) -> Reply | None:
        """Call once; None unless the answer says what was decided."""
        sent = time.monotonic()
        self.tally.calls += 1
        try:
            reply = await call(caller)
        except NoAnswerError:
            self.tally.unanswered += 1
            return None
        if reply.status not in decides:
            self._not_available(reply, time.monotonic() - sent)
            return None
        return None if self._is_clocks_fault(reply) else reply

    @staticmethod
    def _is_clocks_fault(reply: Reply) -> bool:
        """Say whether a request came too early or too late for a clock that jumps."""
        return reply.said.get("code") in CLOCKS_FAULTS

    def _not_available(self, reply: Reply, seconds: float) -> None:
        """An answer that nobody knows: it must say so in the contract's words."""
        self.tally.unavailable += 1
        self.tally.slowest_503 = max(self.tally.slowest_503, seconds)
        is_callback = reply.status == 503 and reply.said.get("errors", {}).get("code") == 400
        is_transfer = reply.status == 500 and reply.said.get("code") == 103
        is_betby = reply.status == 503 and reply.said.get("code") == 503
        if not (is_callback or is_transfer or is_betby):
            self.tally.complaints.append(f"an answer of HTTP {reply.status}: {reply.body!r}")

    def _accept(self, transaction_id: str, begin: float, change: int, shown: int | None) -> None:
        self.tally.acknowledged += 1
        end = time.monotonic()
        self.player.accept(Operation(transaction_id, begin, end, change, shown))

    def _note_balance(
        self, name: str, begin: float, change: int, shown: int | None, below: int | None = None
    ) -> None:
        end = time.monotonic()
        self.player.history.append(Operation(name, begin, end, change, shown, below))
