"""One endpoint's deliveries in one process: feed, send, take answers, and what is tried again.

1. `feed`      reads the next events of the shards that are held, a bounded number ahead
2. `dispatch`  sends as many as there are connections, one of each player
3. an answer   takes the event out, or puts it back, or sets its player aside
4. `progress`  what has changed, for the deliverer to write down

Everything but `feed` and the opening of connections is called by the event loop and returns at
once. Nothing is sent when the lease is about to end, and nothing while the endpoint has a pause.
"""

import asyncio
import ssl
import time
from collections import deque
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Final

import structlog

from app.cashier import deliveries
from app.cashier.deliveries import Endpoint, Progress, Shard, Told
from app.edges.event_json import event_body
from app.edges.webhooks.addresses import place_of
from app.edges.webhooks.attempts import NO_ANSWER, OUTCOMES, Counts
from app.edges.webhooks.connection import CLOSED, Connection
from app.edges.webhooks.endpoint import EndpointChoice
from app.edges.webhooks.health import (
    OF_THE_ENDPOINT,
    REFUSALS_ON_END_MAX,
    failed,
    succeeded,
)
from app.edges.webhooks.opening import opened_connection
from app.edges.webhooks.order import Item, Order
from app.edges.webhooks.set_aside import SetAside
from app.edges.webhooks.signing import Signer
from app.ledger.transaction import Ledger
from app.version import VERSION
from app.wallet.event_log import LoggedType, shard_of

logger: Final = structlog.get_logger("webhooks")

CONNECTIONS_MAX: Final = 32
"""Events under way to one endpoint: with an answer in 5 ms, more than 5,000 a second."""

AHEAD_MAX: Final = 2_000
"""Events that are read ahead of those that were delivered; each has some kilobytes."""

FED_MAX: Final = 500
RETRIES_MAX: Final = 10_000
"""Events that may be set aside for their players before no more are read."""

RETRIED_AT_ONCE: Final = 50
ANSWER_SECONDS_MAX: Final = 15
"""Standard Webhooks: a receiver takes an event within 15 to 30 seconds."""

DELIVERED: Final = range(200, 300)
REDIRECTS: Final = range(300, 400)


class Stream:
    """The deliveries to one endpoint."""

    def __init__(
        self, ledger: Ledger, choice: EndpointChoice, counts: Counts, tls: ssl.SSLContext
    ) -> None:
        self.agent = choice.agent
        self._ledger = ledger
        self._choice = choice
        self._counts = counts
        self._tls = tls
        place = place_of(choice.url)
        self._signer = Signer(choice.secrets)
        self._head = (
            f"POST {place.target} HTTP/1.1\r\nhost: {place.authority}\r\n"
            f"user-agent: wallet/{VERSION}\r\ncontent-type: application/json\r\n"
        ).encode("ascii")
        self.order = Order()
        self.endpoint: Endpoint | None = None
        self.news = asyncio.Event()
        """there may be something to feed"""
        self._set_aside = SetAside()
        self._due: deque[Item] = deque()
        self._is_endpoint_changed = False
        self._written: dict[int, int] = {}
        self._refused_on_end = 0
        self._idle: list[Connection] = []
        self._busy: dict[Connection, Item] = {}
        self._opening: set[asyncio.Task[None]] = set()
        self._may_send_until = 0

    # --- shards ------------------------------------------------------------------------------

    async def hold(self, shards: Sequence[Shard]) -> None:
        """Begin with shards, once it is known what is tried again of their players."""
        await self._read_set_aside(self.order.shards | {shard.shard for shard in shards})
        for _, shard, delivered_to in shards:
            self.order.hold(shard, delivered_to)
            self._written[shard] = delivered_to
        self.news.set()

    def drop(self, shards: Collection[int]) -> None:
        """End with shards."""
        for shard in shards:
            self.order.drop(shard)
            self._written.pop(shard, None)
        self._set_aside.keep_only(lambda player_id: shard_of(player_id) not in shards)
        self._due = deque(i for i in self._due if shard_of(i.event.player_id) not in shards)

    async def read_again(self) -> None:
        """Read anew what is tried again: a person has moved it."""
        await self._read_set_aside(self.order.shards)

    async def _read_set_aside(self, shards: Collection[int]) -> None:
        found, epoch = await deliveries.retries_of(self._ledger, self.agent, shards)
        self._set_aside.read(found, epoch)

    def stands(self, endpoint: Endpoint) -> bool:
        """Take over how the endpoint stands; return whether a person has moved what is set aside.

        They have until it was read again: the database may be away at this moment.
        """
        before = self.endpoint
        is_moved = before is not None and before.epoch != endpoint.epoch
        if is_moved or not self._is_endpoint_changed:
            self.endpoint, self._is_endpoint_changed = endpoint, False
        return bool(self.order.shards) and self._set_aside.epoch != endpoint.epoch

    def lease(self, until: int) -> None:
        """Hold the shards until a moment of the monotonic clock, in nanoseconds."""
        self._may_send_until = until - ANSWER_SECONDS_MAX * 10**9

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way."""
        return not self._busy

    # --- feed --------------------------------------------------------------------------------

    async def feed(self) -> bool:
        """Read some of the next events; return whether there may be more at once."""
        reading = self.order.reading()
        is_full = max(self.order.waiting, len(self._set_aside) - RETRIES_MAX) >= AHEAD_MAX
        if reading is None or is_full or self._is_parked:
            return False
        fed = await deliveries.feed(
            self._ledger, self.agent, reading.after, frozenset(reading.lines), FED_MAX
        )
        for event in fed.events:
            if self.order.wants(reading, event.number, event.player_id):
                self._take(event)
        self.order.reached(reading, fed.reached)
        self.dispatch()
        return not fed.is_all

    def _take(self, event: Told) -> None:
        if event.type not in {*self._choice.types, LoggedType.EVENTS_VOIDED}:
            return
        if self._set_aside.holds(event.player_id):
            self._set_aside.wait_behind(event)
        else:
            self.order.add(Item(event, event_body(event)))

    # --- send --------------------------------------------------------------------------------

    @property
    def _is_parked(self) -> bool:
        return self.endpoint is None or self.endpoint.is_parked

    def _may_send(self, now: int) -> bool:
        endpoint = self.endpoint
        if endpoint is None or endpoint.is_parked or now >= self._may_send_until:
            return False
        if endpoint.failures == 0:
            return True
        # One event at a time shows whether the endpoint is back.
        is_due = endpoint.next_attempt_at is None or endpoint.next_attempt_at <= _now()
        return is_due and not self._busy and not self._opening

    def dispatch(self) -> None:
        """Send what can be sent."""
        now = time.monotonic_ns()
        while self._may_send(now):
            if not self._idle:
                self._open_another()
                return
            item = self._due.popleft() if self._due else self.order.next()
            if item is None:
                return
            self._send(self._idle.pop(), item, now)

    def _send(self, connection: Connection, item: Item, now: int) -> None:
        body = item.body
        signed = self._signer.headers(item.event.id, _now(), body.decode())
        self._busy[connection] = item
        connection.send(
            b"%b%bcontent-length: %d\r\n\r\n%b" % (self._head, signed, len(body), body), now
        )

    def _open_another(self) -> None:
        wanted = min(self.order.waiting + len(self._due), CONNECTIONS_MAX)
        open_now = len(self._busy) + len(self._opening)
        if wanted > open_now and not self._opening:
            task = asyncio.create_task(self._open())
            self._opening.add(task)
            task.add_done_callback(self._opened)

    def _opened(self, task: asyncio.Task[None]) -> None:
        self._opening.discard(task)
        if not task.cancelled():
            self.dispatch()

    async def _open(self) -> None:
        opened = await opened_connection(self._choice, self._tls, self._answered, self._lost)
        if isinstance(opened, Connection):
            self._idle.append(opened)
        else:
            self._not_connected(opened)

    def _not_connected(self, outcome: str) -> None:
        if not self._busy:
            self._counts.attempts[self.agent, outcome] += 1
            self._endpoint_failed(outcome)

    # --- answers -----------------------------------------------------------------------------

    def _answered(self, connection: Connection, status: int) -> None:
        item = self._busy.pop(connection, None)
        now = time.monotonic_ns()
        self._counts.seconds[self.agent].add(now - connection.sent_at)
        if connection.is_open:
            self._idle.append(connection)
        if item is not None:
            if status in DELIVERED:
                self._counts.attempts[self.agent, "delivered"] += 1
                self._delivered(item, status)
            else:
                kind = "redirected" if status in REDIRECTS else "refused"
                self._counts.attempts[self.agent, kind] += 1
                self._refused(item, status)
        self.dispatch()

    def _delivered(self, item: Item, status: int) -> None:
        self._refused_on_end = 0
        endpoint = self.endpoint
        if endpoint is not None:
            if endpoint.failing_since is not None:
                logger.info("webhooks taken again", agent=self.agent)
                self._is_endpoint_changed = True
            self.endpoint = succeeded(endpoint, str(status), _now())
        if item.retry is None:
            self.order.done(item)
        else:
            self._set_aside.taken(item.retry, str(status))

    def _refused(self, item: Item, status: int) -> None:
        outcome = str(status)
        if item.retry is None:
            self._refused_on_end += 1
        is_of_endpoint = (
            status in OF_THE_ENDPOINT or status in REDIRECTS
        ) or self._refused_on_end >= REFUSALS_ON_END_MAX
        is_failing = self.endpoint is not None and self.endpoint.failures > 0
        if is_of_endpoint or (is_failing and item.retry is None):
            self._put_back(item)
            self._endpoint_failed(outcome)
        elif item.retry is None:
            self._put_aside(item, outcome)
        elif self._set_aside.refuse_again(item.retry, outcome, may_give_up=not is_failing):
            logger.error(
                "webhook parked", agent=self.agent, number=item.event.number, outcome=outcome
            )

    def _put_back(self, item: Item) -> None:
        """Leave an event where it was."""
        if item.retry is None:
            self.order.again(item)
        else:
            self._set_aside.let_go(item.retry)

    def _put_aside(self, item: Item, outcome: str) -> None:
        """Let a player's events wait, and everybody else's go on."""
        events = [waiting.event for waiting in self.order.set_aside(item.event.player_id)]
        # Nothing, where its shard is another process's by now.
        if events[:1] == [item.event]:
            self._set_aside.refuse(events, outcome)
            logger.warning(
                "webhook refused", agent=self.agent, event_id=item.event.id, outcome=outcome
            )

    def _lost(self, connection: Connection, reason: str) -> None:
        item = self._busy.pop(connection, None)
        if connection in self._idle:
            self._idle.remove(connection)
        if item is None:
            return
        # A server that ends an idle connection at the moment of a request has not refused it.
        was_idle_too_long = connection.answers > 0 and not connection.has_answer_begun
        is_quiet = reason == CLOSED and was_idle_too_long
        if not is_quiet:
            outcome = reason if reason in OUTCOMES else "answer unusable"
            self._counts.attempts[self.agent, outcome] += 1
        self._put_back(item)
        if not is_quiet:
            self._endpoint_failed(reason)
        self.dispatch()

    def _endpoint_failed(self, outcome: str) -> None:
        endpoint, now = self.endpoint, _now()
        if endpoint is None:
            return
        if endpoint.next_attempt_at is not None and endpoint.next_attempt_at > now:
            # Others of those that were under way had already said so.
            return
        self._refused_on_end = 0
        self.endpoint = failed(endpoint, outcome, now)
        self._is_endpoint_changed = True
        if self.endpoint.is_parked:
            logger.error("webhooks parked", agent=self.agent, outcome=outcome)
        else:
            logger.warning(
                "webhooks failing",
                agent=self.agent,
                outcome=outcome,
                failures=self.endpoint.failures,
                next_attempt_at=self.endpoint.next_attempt_at,
            )

    # --- time --------------------------------------------------------------------------------

    async def tick(self) -> None:
        """Give up what was not answered in time, and begin what is due."""
        late = time.monotonic_ns() - ANSWER_SECONDS_MAX * 10**9
        for connection in [c for c in self._busy if c.sent_at <= late]:
            connection.give_up(NO_ANSWER)
        await self._begin_retries()
        self.dispatch()

    async def _begin_retries(self) -> None:
        if not self._may_send(time.monotonic_ns()):
            return
        due = self._set_aside.begin_due(RETRIED_AT_ONCE, self.order.is_busy)
        if not due:
            return
        by_number = {retry.number: retry for retry in due}
        try:
            events = await deliveries.tell_again(self._ledger, self.agent, list(by_number))
        except BaseException:
            for retry in due:
                self._set_aside.let_go(retry)
            raise
        held = self.order.shards
        for event in events:
            if shard_of(event.player_id) in held:
                self._due.append(Item(event, event_body(event), by_number[event.number]))

    # --- what is written down ----------------------------------------------------------------

    def progress(self, *, is_whole: bool) -> Progress | None:
        """Return what has changed since it was last written; `is_whole`: everything, to renew."""
        shards = [
            Shard(self.agent, shard, delivered_to)
            for shard, delivered_to in self.order.positions()
            if is_whole or self._written.get(shard) != delivered_to
        ]
        endpoint = self.endpoint if self._is_endpoint_changed or (is_whole and shards) else None
        if not shards and not self._set_aside.changed and endpoint is None:
            return None
        if self._set_aside.changed and not is_whole:
            # What is tried again is written together with the positions that have passed it.
            shards = [Shard(self.agent, *position) for position in self.order.positions()]
        retries = list(self._set_aside.changed.values())
        self._is_endpoint_changed = False
        return Progress(self.agent, shards, retries, endpoint)

    def was_written(self, progress: Progress) -> None:
        """Forget what is written down by now."""
        for _, shard, delivered_to in progress.shards:
            if shard in self._written:
                self._written[shard] = delivered_to
        self._set_aside.was_written(progress.retries)

    def was_not_written(self, progress: Progress) -> None:
        """Write it with the next."""
        self._is_endpoint_changed |= progress.endpoint is not None

    async def close(self) -> None:
        """Close all connections; what is under way is delivered again by whoever comes next."""
        for task in list(self._opening):
            task.cancel()
        await asyncio.gather(*self._opening, return_exceptions=True)
        for connection in [*self._idle, *self._busy]:
            connection.close()


def _now() -> datetime:
    return datetime.now(UTC)
