"""Group commit: movements that arrive together leave together, one lane per player.

A lone movement starts at once. What arrives while a lane's batch is being read and decided waits
and goes in the next one: one serializable transaction, one commit, then everybody is answered. Two
transactions of this process never fight over a wallet, because a player belongs to one lane and to
one batch at a time; other processes may, and then the wallet's lock and the retry decide.
"""

import asyncio
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Final
from zlib import crc32

import structlog

from app.cashier.batch_stats import BatchStats, Waiting
from app.cashier.in_doubt import InDoubt
from app.cashier.move_funds import move_funds
from app.cashier.policy import LedgerUnfitError, PolicyInForce
from app.cashier.queue import Patience, Queue, Ticket
from app.ledger.errors import LedgerBusyError, LedgerError, SettingsDifferError
from app.ledger.transaction import Ledger
from app.wallet.facts import Policy
from app.wallet.movement import Movement
from app.wallet.outcomes import Declined, Posting, Receipt, Replay

logger: Final = structlog.get_logger("batching")

LANES: Final = 1
"""One lane has several batches under way already; two would make each of them smaller."""

BATCH_MAX: Final = 128
"""Movements in one transaction: beyond this a batch gains nothing and delays its first."""

BATCH_WHOLE: Final = 24
"""So many movements that wait go together; of more, half: the others are decided meanwhile."""

BATCH_BYTES_MAX: Final = 1 << 20
"""Free text in one transaction; a single movement brings at most 256 KiB."""

UNDER_WAY_MAX: Final = 4
"""Batches of one lane: one is read and decided, the others are written."""

BESIDE_MIN: Final = 8
"""So many must wait before a batch begins beside another: in a quiet house it soon ends, and the
many small commits that batches are there to save are not made."""

PATIENCE_SECONDS: Final = 0.05
"""And no longer than this, for a batch may have met a wallet that another process holds."""

QUEUE_MAX: Final = 2048
"""Movements waiting in one lane; beyond it a caller hears "busy" at once.

With nothing half-done.
"""


class Lane:
    """One queue; one batch is read and decided while those before it are written.

    No player is in two of them, so that none waits for another's wallets.
    """

    def __init__(
        self, ledger: Ledger, policy: PolicyInForce, batch_stats: BatchStats, in_doubt: InDoubt
    ) -> None:
        """A lane of the ledger under the operator's policy."""
        self.queue = Queue()
        self._ledger = ledger
        self._policy = policy
        self._batch_stats = batch_stats
        self._in_doubt = in_doubt
        self._under_way: set[asyncio.Task[None]] = set()
        self._players_under_way: set[str] = set()
        self._reading: list[Ticket] | None = None
        """the batch that is being read and decided; the next one waits for that"""
        self._will_begin = False
        self._last_began = 0.0

    def submit(self, ticket: Ticket) -> None:
        """Queue a ticket, and start serving unless enough is under way."""
        if len(self.queue) >= QUEUE_MAX:
            raise LedgerBusyError
        self.queue.append(ticket)
        self._begin_soon()

    async def finish(self) -> None:
        """Wait until everything that was taken is done."""
        while self._under_way or self._will_begin:
            await (asyncio.wait(self._under_way) if self._under_way else asyncio.sleep(0))

    def _begin_soon(self) -> None:
        """Begin a batch once this turn of the loop is over: who else arrives in it comes along."""
        if not (self._will_begin or self._reading or self._should_wait()):
            self._will_begin = True
            asyncio.get_running_loop().call_soon(self._begin)

    def _should_wait(self) -> bool:
        """Whether the next batch waits for one that is under way."""
        under_way = len(self._under_way)
        if under_way == 0 or under_way >= UNDER_WAY_MAX:
            return under_way > 0
        is_fresh = asyncio.get_running_loop().time() - self._last_began < PATIENCE_SECONDS
        return is_fresh and len(self.queue) < BESIDE_MIN

    def _begin(self) -> None:
        self._will_begin = False
        waiting = len(self.queue)
        # Half of many, but no player is in two batches: where few ask for much, all go together.
        count = waiting // 2 if self.queue.players * 2 > waiting else waiting
        count = min(max(BATCH_WHOLE, count), BATCH_MAX)
        batch = self.queue.take_batch(count, BATCH_BYTES_MAX, self._players_under_way)
        if batch:
            loop = asyncio.get_running_loop()
            self._reading, self._last_began = batch, loop.time()
            loop.call_later(PATIENCE_SECONDS, self._begin_soon)
            task = loop.create_task(self._serve_safely(batch))
            self._under_way.add(task)
            task.add_done_callback(self._is_done)

    def _is_done(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._begin_soon()

    def _has_read(self, batch: list[Ticket]) -> None:
        if self._reading is batch:
            self._reading = None
            self._begin_soon()

    async def _serve_safely(self, batch: list[Ticket]) -> None:
        """Serve a batch; a fault of our own after the commit must not stop the lane."""
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
        """Who waits in this lane, and how long the first of them has."""
        oldest = self.queue.oldest()
        waited = 0 if oldest is None else time.perf_counter_ns() - oldest
        return Waiting(len(self.queue), waited)

    async def _serve(self, batch: list[Ticket]) -> None:
        """Decide a batch and answer it; where it meets a fault of ours, one movement at a time."""
        began = time.perf_counter_ns()
        self._batch_stats.waits.add(began - batch[0].queued_at)
        try:
            receipts = await self._move(batch)
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
        """Move a batch by the policy in force; once more where an upgrade has just changed it."""
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
        """Ask the ledger which rules it follows now; False: ours are not among them."""
        try:
            return await self._policy.renew(self._ledger, used)
        except LedgerUnfitError as error:
            logger.critical("nothing is recorded", reason=str(error))
            return False

    def _answer(self, decided: Sequence[tuple[Ticket, Receipt]], began: int) -> None:
        """Hand over the receipts of one commit, and count them."""
        batch_stats, unheard = self._batch_stats, []
        for ticket, receipt in decided:
            if not ticket.answer(receipt) and _is_ours(receipt):
                unheard.append(ticket.movement)
            batch_stats.count(ticket.movement, receipt)
        batch_stats.batches.add(len(decided))
        batch_stats.transactions.add(time.perf_counter_ns() - began)
        self._in_doubt.forget(r.entry.key for _, r in decided if isinstance(r, Replay))
        if unheard:
            batch_stats.unheard += len(unheard)
            self._in_doubt.keep(unheard)
            ids = [movement.key.transaction_id for movement in unheard]
            logger.warning("decided after its caller gave up", transaction_ids=ids)

    def _fail(self, batch: Sequence[Ticket], error: LedgerError) -> None:
        """Tell everybody that the ledger could not answer; what became of it is looked up later."""
        self._batch_stats.failures[type(error).__name__] += len(batch)
        self._in_doubt.keep([ticket.movement for ticket in batch])
        for ticket in batch:
            ticket.fail(error)


class Batcher:
    """The lanes of this process."""

    def __init__(self, ledger: Ledger, policy: PolicyInForce, *, lanes: int = LANES) -> None:
        """Open the lanes; each takes a connection only while it serves."""
        self._deadline = ledger.deadline
        self.batch_stats = BatchStats()
        self._in_doubt = InDoubt(ledger)
        self._lanes = [Lane(ledger, policy, self.batch_stats, self._in_doubt) for _ in range(lanes)]
        self._patience = Patience()
        self._is_open = True

    def waiting(self) -> list[Waiting]:
        """Who waits, lane by lane."""
        return [lane.waiting() for lane in self._lanes]

    async def move(self, movement: Movement, *, deadline: timedelta | None = None) -> Receipt:
        """Move funds, and return the receipt after its commit.

        A movement not begun by the deadline is dropped for good; one begun is decided, and its
        outcome kept. Raises DeadlineError, LedgerBusyError, LedgerAwayError.
        """
        if not self._is_open:
            raise LedgerBusyError("the service is stopping")
        ticket = Ticket(movement, deadline or self._deadline)
        self._lane_of(movement.user_id).submit(ticket)
        self._patience.watch(ticket)
        try:
            return await ticket.receipt
        except asyncio.CancelledError:
            # The caller gave up in the moment between the receipt and its being read.
            receipt = ticket.receipt
            if receipt.done() and not receipt.cancelled() and receipt.exception() is None:
                self.unheard(movement, receipt.result())
            raise

    def unheard(self, movement: Movement, receipt: Receipt) -> None:
        """Keep a movement whose receipt its caller did not hear among the unknown outcomes."""
        if _is_ours(receipt):
            self.batch_stats.unheard += 1
            self._in_doubt.keep([movement])

    def _lane_of(self, user_id: str) -> Lane:
        lanes = self._lanes
        return lanes[0] if len(lanes) == 1 else lanes[crc32(user_id.encode()) % len(lanes)]

    async def close(self) -> None:
        """Accept nothing new, and finish what was taken."""
        self._is_open = False
        await asyncio.gather(*(lane.finish() for lane in self._lanes))
        await self._in_doubt.finish()


def _is_ours(receipt: Receipt) -> bool:
    """Whether this delivery wrote an entry, be it seen only at a second look."""
    match receipt:
        case Posting() | Declined():
            return True
        case Replay():
            return receipt.is_own
        case _:
            return False
