"""Group commit: movements that arrive together are decided in one transaction.

A lone movement starts at once. Movements that arrive while a lane's batch is being read and decided
form the next batch: one serializable transaction, one commit, then all callers are answered. Two
transactions of this process never conflict on a wallet, because a player belongs to one lane and to
one batch at a time. Those of other processes may, and are resolved by the revision and the retry.

A ledger with several buckets has a lane for each: a player's lane is given by the same hash.
"""

import asyncio
import time
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Final

import structlog

from app.cashier.batch_stats import BatchStats, Waiting
from app.cashier.in_doubt import InDoubt
from app.cashier.move_funds import move_funds
from app.cashier.policy import LedgerUnfitError, PolicyInForce
from app.cashier.queue import Patience, Queue, Ticket
from app.cashier.turns import Turns
from app.cashier.unheard_log import log_unheard
from app.ledger.citus.claims import ClaimsAwayError
from app.ledger.errors import LedgerBusyError, LedgerError, SettingsDifferError
from app.ledger.transaction import Ledger
from app.wallet.buckets import bucket_of
from app.wallet.facts import Policy
from app.wallet.movement import Movement
from app.wallet.outcomes import Declined, Posting, Receipt, Replay

logger: Final = structlog.get_logger("batching")

LANES: Final = 1
"""One lane runs several batches at a time; a second lane would make each batch smaller."""

BATCH_MAX: Final = 128
"""The most movements in one transaction; larger ones gain nothing and delay their first caller."""

BATCH_WHOLE: Final = 24
"""Up to so many waiting movements form one batch; of more, half, while the rest is decided next."""

BATCH_BYTES_MAX: Final = 1 << 20
"""The bound on free text in one transaction; a single movement has at most 256 KiB."""

UNDER_WAY_MAX: Final = 4
"""Concurrent batches of one lane: one is read and decided, the others are written."""

BESIDE_MIN: Final = 8
"""How many movements must wait before a batch begins beside another. At low load the other one ends
soon, and waiting for it saves a commit."""

PATIENCE_SECONDS: Final = 0.05
"""How long they wait at most, since a batch may be blocked by another process's lock."""

GATHER_SHARE: Final = 0.5
"""How long a process that gathers waits at most for the callers that it has just answered, in
proportion to the time of their batch: the slower the machine, the later they come back."""

GATHER_SECONDS_MAX: Final = 0.02
"""The bound of that wait: a batch may have been held up by another process's lock."""

GATHER_MIN: Final = 4
"""Of fewer callers none is waited for: they may be alone."""

QUEUE_MAX: Final = 2048
"""The bound of a lane's queue; beyond it a movement is refused as busy before it is begun."""


class Lane:
    """One queue; a batch is read and decided while those before it are written.

    No player is in two concurrent batches, so that none waits for another's wallets.
    """

    def __init__(
        self,
        ledger: Ledger,
        policy: PolicyInForce,
        batch_stats: BatchStats,
        in_doubt: InDoubt,
        turns: Turns | None = None,
        *,
        gathers: bool = False,
    ) -> None:
        """Make a lane that decides by this policy; None: it takes no turns with others."""
        self._turns = turns
        self._gathers = gathers
        self._expected = 0
        """the callers who may ask again: those just answered, and those who wait"""
        self._gathers_until = 0.0
        self.queue = Queue()
        self._ledger = ledger
        self._policy = policy
        self._batch_stats = batch_stats
        self._in_doubt = in_doubt
        self._under_way: set[asyncio.Task[None]] = set()
        self._players_under_way: set[str] = set()
        self._reading: list[Ticket] | None = None
        """the batch that is being read and decided; the next one waits for it"""
        self._will_begin = False
        self._last_began = 0.0

    def submit(self, ticket: Ticket) -> None:
        """Queue a ticket, and begin a batch unless enough are running."""
        if len(self.queue) >= QUEUE_MAX:
            raise LedgerBusyError
        self.queue.append(ticket)
        self.begin_soon()

    async def finish(self) -> None:
        """Wait until every queued movement is answered."""
        while self._under_way or self._will_begin or len(self.queue):
            await (asyncio.wait(self._under_way) if self._under_way else asyncio.sleep(0))

    def begin_soon(self) -> None:
        """Begin a batch at the end of this turn of the loop, with all that arrive during it."""
        if self._will_begin or self._reading or self._should_wait():
            return
        if not self.queue.has_any(self._players_under_way):
            return
        if self._turns is None or self._turns.take(self):
            self._will_begin = True
            asyncio.get_running_loop().call_soon(self._begin)

    def _should_wait(self) -> bool:
        """Whether the next batch waits for one that is running."""
        under_way = len(self._under_way)
        if under_way >= UNDER_WAY_MAX:
            return True
        now = asyncio.get_running_loop().time()
        if under_way == 0:
            return len(self.queue) < self._expected and now < self._gathers_until
        is_alone = self._turns is not None or self._gathers
        is_fresh = now - self._last_began < PATIENCE_SECONDS
        return is_fresh and (is_alone or len(self.queue) < BESIDE_MIN)

    def _begin(self) -> None:
        self._will_begin = False
        waiting = len(self.queue)
        # Half of many; few players with many movements go together: a player is in one batch only.
        halves = self._turns is None and self.queue.players * 2 > waiting
        count = waiting // 2 if halves else waiting
        count = min(max(BATCH_WHOLE, count), BATCH_MAX)
        batch = self.queue.take_batch(count, BATCH_BYTES_MAX, self._players_under_way)
        if batch:
            loop = asyncio.get_running_loop()
            self._reading, self._last_began = batch, loop.time()
            loop.call_later(PATIENCE_SECONDS, self.begin_soon)
            task = loop.create_task(self._serve_safely(batch))
            self._under_way.add(task)
            task.add_done_callback(partial(self._is_done, len(batch)))
        elif self._turns is not None:
            # Nobody waits any more: the turn is the next lane's.
            self._turns.has_read(self)
            if not self._under_way:
                self._turns.is_done(self)

    def _is_done(self, size: int, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        if self._gathers and not self._under_way:
            self._gather(size)
        if self._turns is not None and not self._under_way:
            self._turns.is_done(self)
        self.begin_soon()

    def _gather(self, answered: int) -> None:
        """Wait a moment for callers who were answered, so that all go together in one batch."""
        expected = min(answered + len(self.queue), BATCH_MAX)
        self._expected = expected if expected >= GATHER_MIN else 0
        if self._expected:
            loop = asyncio.get_running_loop()
            took = loop.time() - self._last_began
            self._gathers_until = loop.time() + min(took * GATHER_SHARE, GATHER_SECONDS_MAX)
            # A timer may be early by the resolution of its clock.
            loop.call_at(self._gathers_until + 0.001, self.begin_soon)

    def _has_read(self, batch: list[Ticket]) -> None:
        if self._reading is batch:
            self._reading = None
            if self._turns is not None:
                self._turns.has_read(self)
            self.begin_soon()

    async def _serve_safely(self, batch: list[Ticket]) -> None:
        """Serve a batch; an unexpected error after the commit must not stop the lane."""
        players = {ticket.movement.user_id for ticket in batch}
        self._players_under_way |= players
        try:
            await self._serve(batch)
        except Exception as error:
            logger.exception("batch failed", error=type(error).__name__)
            for ticket in batch:
                ticket.fail(error)
        finally:
            self._players_under_way -= players
            self._has_read(batch)

    def waiting(self) -> Waiting:
        """The length of the queue, and how long its first ticket has waited."""
        oldest = self.queue.oldest()
        waited = 0 if oldest is None else time.perf_counter_ns() - oldest
        return Waiting(len(self.queue), waited)

    async def _serve(self, batch: list[Ticket]) -> None:
        """Decide a batch and answer it; after an unexpected error, one movement at a time."""
        began = time.perf_counter_ns()
        self._batch_stats.waits.add(began - batch[0].queued_at)
        try:
            receipts = await self._move(batch)
        except ClaimsAwayError as error:
            # Those whose ids are claimed elsewhere are not held up by a node that is away.
            held = [ticket for ticket in batch if ticket.movement.key[:2] in error.ids]
            self._fail(held, error)
            others = [ticket for ticket in batch if ticket not in held]
            if held and others:
                await self._serve(others)
            else:
                self._fail(others, error)
        except LedgerError as error:
            self._fail(batch, error)
        except Exception as error:  # noqa: BLE001 - told to the caller, who logs it with its key
            if len(batch) == 1:
                self._batch_stats.failures[type(error).__name__] += 1
                batch[0].fail(error)
                return
            logger.warning(
                "batch failed, its movements are tried alone", error=type(error).__name__
            )
            for ticket in batch:
                await self._serve([ticket])
        else:
            self._answer(list(zip(batch, receipts, strict=True)), began)

    async def _move(self, batch: list[Ticket]) -> list[Receipt]:
        """Move a batch by the policy in force; again if an upgrade has just changed the policy."""
        movements = [ticket.movement for ticket in batch]

        async def move(policy: Policy) -> list[Receipt]:
            return await move_funds(
                self._ledger,
                movements,
                policy,
                has_decided=lambda: self._has_read(batch),
            )

        used = self._policy.policy
        try:
            return await move(used)
        except SettingsDifferError:
            if await self._renew_policy(used):
                return await move(self._policy.policy)
            raise

    async def _renew_policy(self, used: Policy) -> bool:
        """Read the ledger's rule version again; return False if this process cannot follow it."""
        try:
            return await self._policy.renew(self._ledger, used)
        except LedgerUnfitError as error:
            logger.critical("nothing is recorded", reason=str(error))
            return False

    def _answer(self, decided: Sequence[tuple[Ticket, Receipt]], began: int) -> None:
        """Answer the callers of one commit, and count the receipts."""
        batch_stats, unheard = self._batch_stats, []
        for ticket, receipt in decided:
            if not ticket.answer(receipt):
                unheard.append((ticket.movement, receipt))
            batch_stats.count(ticket.movement, receipt)
        batch_stats.batches.add(len(decided))
        batch_stats.transactions.add(time.perf_counter_ns() - began)
        self._in_doubt.forget(r.entry.key for _, r in decided if isinstance(r, Replay))
        ours = [movement for movement, receipt in unheard if _is_ours(receipt)]
        if ours:
            batch_stats.unheard += len(ours)
            self._in_doubt.keep(ours)
        # Last: a log that cannot be written must not keep anybody from an answer, or from the list.
        for movement, receipt in unheard:
            log_unheard(movement, receipt)

    def _fail(self, batch: Sequence[Ticket], error: LedgerError) -> None:
        """Fail the callers of a batch; its movements in doubt are looked up later."""
        self._batch_stats.failures[type(error).__name__] += len(batch)
        self._in_doubt.keep([ticket.movement for ticket in batch])
        for ticket in batch:
            ticket.fail(error)


class Batcher:
    """The lanes of a process."""

    def __init__(
        self,
        ledger: Ledger,
        policy: PolicyInForce,
        *,
        lanes: int = LANES,
        take_turns: bool = False,
        gathers: bool = False,
    ) -> None:
        """Make the lanes; each takes a connection only while it serves.

        `take_turns`: there are as many because there are as many buckets, and not for speed.
        `gathers`: other processes serve on this machine, too, and use its cores meanwhile.
        """
        self._deadline = ledger.deadline
        self.batch_stats = BatchStats()
        self._in_doubt = InDoubt(ledger)
        turns = Turns() if take_turns else None
        self._lanes = [
            Lane(ledger, policy, self.batch_stats, self._in_doubt, turns, gathers=gathers)
            for _ in range(lanes)
        ]
        self._patience = Patience()
        self._is_open = True

    def waiting(self) -> list[Waiting]:
        """The state of each lane's queue."""
        return [lane.waiting() for lane in self._lanes]

    async def move(self, movement: Movement, *, deadline: timedelta | None = None) -> Receipt:
        """Move funds, and return the receipt after its commit.

        A movement not begun by the deadline is dropped and never executed; one that was begun is
        decided, and its outcome stored. Raises DeadlineError, LedgerBusyError, LedgerAwayError.
        """
        if not self._is_open:
            raise LedgerBusyError("the service is stopping")
        ticket = Ticket(movement, deadline or self._deadline)
        self._lane_of(movement.user_id).submit(ticket)
        self._patience.watch(ticket)
        try:
            return await ticket.receipt
        except asyncio.CancelledError:
            # The caller gave up after the receipt was set and before it was read.
            receipt = ticket.receipt
            if receipt.done() and not receipt.cancelled() and receipt.exception() is None:
                self.unheard(movement, receipt.result())
                log_unheard(movement, receipt.result())
            raise

    def unheard(self, movement: Movement, receipt: Receipt) -> None:
        """List a movement whose receipt did not reach its caller as an unknown outcome."""
        if _is_ours(receipt):
            self.batch_stats.unheard += 1
            self._in_doubt.keep([movement])

    def _lane_of(self, user_id: str) -> Lane:
        lanes = self._lanes
        return lanes[0] if len(lanes) == 1 else lanes[bucket_of(user_id, len(lanes))]

    async def close(self) -> None:
        """Accept no new movement, and finish those that are queued."""
        self._is_open = False
        await asyncio.gather(*(lane.finish() for lane in self._lanes))
        await self._in_doubt.finish()


def _is_ours(receipt: Receipt) -> bool:
    """Whether this delivery wrote an entry, in this attempt or in an earlier one."""
    match receipt:
        case Posting() | Declined():
            return True
        case Replay():
            return receipt.is_own
        case _:
            return False
