"""A caller who also plays with Betby: the same wallet, under Betby's own contract and real JWTs.

What it knows of a bet are our ids, as they were answered. A call that was not answered is made
again, and a repeat must hear the first answer to the byte.
"""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from typing_extensions import override

from tests.model.betby_caller import ALGORITHMS, signed
from tests.model.caller import Reply
from tests.torture.caller import Caller
from tests.torture.player import Decided, Hand, Player

DISCARDED = "BetbyDiscard:credit"
"""What tells the journal's key of a discard from that of its bet."""

NO_MONEY, NOT_SIGNED, BAD_REQUEST = 2001, 2005, 2004
METHODS = ("make", "commit", "win", "lost", "refund", "rollback", "discard", "settlement")
STORIES = (
    *("win", "lost", "cash-outs", "refund", "two refunds", "discard", "discard at once"),
    *("discard too early", "chain", "refund undone"),
)


class Made(NamedTuple):
    """Something that Betby did and heard of."""

    our_id: str
    amount: int
    body: bytes


async def call(caller: Caller, method: str, payload: Mapping[str, Any]) -> Reply:
    """Call one of the methods, signed now."""
    body = signed(payload, datetime.now(UTC), ALGORITHMS[len(payload) % len(ALGORITHMS)])
    headers = {"Content-Type": "application/json"}
    return await caller.send("POST", f"/betby/bet/{method}", body, headers)


def making(player: Player, name: str, stake: int) -> dict[str, Any]:
    return {
        "amount": stake,
        "currency": "USD",
        "player_id": player.user_id,
        "session_id": player.token,
        "transaction": {"id": name, "ext_player_id": player.user_id},
        "betslip": {"id": name, "type": "1/1", "sum": stake, "k": "1.85", "bets": []},
    }


def discarding(player: Player, name: str) -> dict[str, Any]:
    return {"ext_player_id": player.user_id, "transaction_id": name, "reason": "x"}


class BetbyHand(Hand):
    """A caller whose stories are partly Betby's."""

    betby_share = 0.5
    """of the stories"""

    @override
    async def story(self) -> None:
        if self.dice.random() < self.betby_share:
            await self.slip()
        else:
            await super().story()

    async def slip(self) -> None:
        """Bet with Betby, and settle, undo or discard in one of the usual ways."""
        dice = self.dice
        if dice.random() < 0.2:
            await self.ask_balance()
        story, stake, name = dice.choice(STORIES), dice.randint(0, 2000), self.new_id("slip")
        if story == "discard too early":
            await self._discard_too_early(name, stake)
            return
        if story == "discard at once":
            await self._discard_at_once(name, stake)
            return
        bet = await self._make(name, stake)
        if bet is None:
            return
        await self._note("commit", bet, {})
        match story:
            case "win":
                await self._settle(bet, "win", dice.randint(0, 4000))
            case "lost":
                await self._settle(bet, "lost", 0)
            case "cash-outs":
                await self._settle(bet, "win", dice.randint(0, 500))
                await self._settle(bet, "win", dice.randint(0, 500))
            case "refund":
                await self._refund(bet, bet.amount)
            case "two refunds":
                await self._at_once_refunds(bet)
            case "discard":
                await self._discard(name, bet.amount)
            case "chain":
                await self._chain(bet, await self._settle(bet, "win", dice.randint(1, 4000)))
            case _:
                refund = await self._refund(bet, bet.amount)
                await self._roll_back(bet, refund, -bet.amount)
                await self._settle(bet, "lost", 0)
        await self._note("settlement", bet, {"status": "won"})

    # --- bets -----------------------------------------------------------------------------------

    async def _make(self, name: str, stake: int) -> Made | None:
        """Take a stake; None: there is not the money."""
        decided = await self._call("make", name, making(self.player, name, stake))
        code = self._code(decided)
        if code == NO_MONEY:
            self.tally.refused += 1
            self._note_balance(name, decided.begin, 0, None, below=stake)
            return None
        return self._moved(name, decided, -stake, stake)

    async def _settle(self, bet: Made, method: str, amount: int) -> Made:
        named = {"amount": amount, "currency": "USD", "selections": []}
        return await self._act(method, bet, amount, named)

    async def _refund(self, bet: Made, change: int) -> Made:
        return await self._act("refund", bet, change, {"reason": "canceled"})

    async def _roll_back(self, bet: Made, parent: Made, change: int) -> Made:
        return await self._act("rollback", bet, change, {"parent_transaction_id": parent.our_id})

    async def _chain(self, bet: Made, win: Made) -> None:
        """Undo a win, undo that, and so on; each once, whoever asks again."""
        last, change = win, -win.amount
        for _ in range(self.dice.randint(1, 4)):
            undo = await self._roll_back(bet, last, change)
            again = await self._roll_back(bet, last, 0)
            if again.body != undo.body:
                self.tally.complaints.append(f"undone twice: {undo.body!r} and {again.body!r}")
            last, change = undo, -change

    async def _at_once_refunds(self, bet: Made) -> None:
        """Two refunds at once: the stake comes back by one, and the other hears its answer."""
        names = [self.new_id("refund") for _ in range(2)]
        told = await asyncio.gather(
            *(
                self._call("refund", name, self._naming(bet, name, {"reason": "x"}), hand=caller)
                for name, caller in zip(names, (self.caller, self.twin), strict=True)
            )
        )
        if len({each.reply.body for each in told}) != 1:
            self.tally.complaints.append(f"given back twice: {[each.reply.body for each in told]}")
            return
        by = str(told[0].reply.said["ext_transaction_id"])
        for name, decided in zip(names, told, strict=True):
            self._moved(name, decided, bet.amount if name == by else 0, bet.amount)

    # --- discards -------------------------------------------------------------------------------

    async def _discard(self, name: str, change: int | None) -> Decided:
        """Discard a bet; `change`: what comes back, None: it is not known yet."""
        asked = discarding(self.player, name)
        decided = await self._call("discard", name, asked, hand=self.twin)
        if decided.reply.body != b"{}":
            self.tally.complaints.append(f"discard of {name}: {decided.reply.body!r}")
        if change is not None:
            self._accept(f"{name} {DISCARDED}", decided.begin, change, None)
        return decided

    async def _discard_too_early(self, name: str, stake: int) -> None:
        await self._discard(name, None)
        decided = await self._call("make", name, making(self.player, name, stake))
        if self._code(decided) != BAD_REQUEST:
            self.tally.complaints.append(f"made after its discard: {decided.reply.body!r}")

    async def _discard_at_once(self, name: str, stake: int) -> None:
        """A bet and its discard at once: whichever came first, no stake is kept."""
        asked = making(self.player, name, stake)
        made, discarded = await asyncio.gather(
            self._call("make", name, asked, hand=self.caller), self._discard(name, None)
        )
        code = self._code(made)
        if code == 0:
            self._moved(name, made, -stake, stake)
            # Nobody says when the stake came back: after the bet, and by the discard's answer.
            self._accept(f"{name} {DISCARDED}", discarded.begin, stake, None)
        elif code == NO_MONEY:
            self._note_balance(name, made.begin, 0, None, below=stake)
        elif code != BAD_REQUEST:
            self.tally.complaints.append(f"make of {name}: {made.reply.body!r}")

    # --- what they share ------------------------------------------------------------------------

    @staticmethod
    def _naming(bet: Made, name: str, more: Mapping[str, Any]) -> dict[str, Any]:
        return {"bet_transaction_id": bet.our_id, "transaction": {"id": name}, **more}

    async def _act(self, method: str, bet: Made, change: int, more: Mapping[str, Any]) -> Made:
        name = self.new_id(method)
        decided = await self._call(method, name, self._naming(bet, name, more))
        made = self._moved(name, decided, change, abs(change))
        assert made is not None
        return made

    async def _note(self, method: str, bet: Made, more: Mapping[str, Any]) -> None:
        named = {"bet_transaction_id": bet.our_id, **more}
        decided = await self._call(method, bet.our_id, named)
        if decided.reply.body != b"{}":
            self.tally.complaints.append(f"{method} of {bet.our_id}: {decided.reply.body!r}")

    async def _call(
        self, method: str, name: str, payload: Mapping[str, Any], hand: Caller | None = None
    ) -> Decided:
        """Call until it is decided; two answers to one call must be the same."""
        decided = await self._decided(
            name, lambda caller: call(caller, method, payload), hand=hand, decides={200, 400}
        )
        self.tally.codes[f"{method} {self._code(decided)}"] += 1
        if any(other != decided.reply for other in decided.others):
            words = f"{method} {name} made twice: {decided.reply.body!r} and {decided.others}"
            self.tally.complaints.append(words)
        return decided

    @staticmethod
    def _code(decided: Decided) -> int:
        return int(decided.reply.said.get("code", 0))

    def _moved(self, name: str, decided: Decided, change: int, amount: int) -> Made | None:
        """Write down what was acknowledged; another call's answer tells no balance of this one."""
        said = decided.reply.said
        if self._code(decided) != 0:
            self.tally.complaints.append(f"{name} {change}: {decided.reply.body!r}")
            raise AssertionError(decided.reply.body)
        is_own = said["ext_transaction_id"] == name
        shown = int(said["balance"]) if is_own else None
        self._accept(name, decided.begin, change, shown)
        return Made(str(said["id"]), amount, decided.reply.body)
