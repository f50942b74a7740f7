"""A ledger whose buckets may be on several nodes: work is done where its player is."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import datetime, timedelta
from typing import Final, TypeVar

import structlog
from typing_extensions import override

from app.ledger.buckets.reading import count_buckets
from app.ledger.citus import Place
from app.ledger.citus.bucket import BucketLedger
from app.ledger.citus.places import find_places
from app.ledger.citus.request_claims import RequestClaim
from app.ledger.citus.restoring import LastOfNodes, Rebuilding, Rebuilt, last_of_all
from app.ledger.connections import PoolUse
from app.ledger.deadlines import within
from app.ledger.errors import LedgerAwayError, LedgerError
from app.ledger.money.book import AboveWork, Book, MoneyBook
from app.ledger.pools import ABOVE_NODES, WRITERS_MIN
from app.ledger.sqlstates import LOST
from app.ledger.standby import Standby
from app.ledger.together import together
from app.ledger.transaction import Ledger
from app.wallet.buckets import bucket_of, text_in

logger: Final = structlog.get_logger("ledger")

T = TypeVar("T")

ABOVE: Final = " SET LOCAL enable_hashjoin = on; SET LOCAL enable_mergejoin = on;"
"""How rows of other nodes are joined: best after they were fetched, each once."""

LOOK_SECONDS: Final = 0.4
"""The interval at which the buckets' places are read: a bucket that has moved is reached through
its old node meanwhile, at more cost, and at its own within a second."""

LOOK_SECONDS_MAX: Final = 2
"""How long a look may take; a coordinator that is away tells nothing new."""


class PlacedLedger(Ledger):
    """The ledger, above all its buckets; work that names a player is done in that one's bucket.

    Where the database is no Citus cluster, or has one bucket, it is a `Ledger` as any other.
    """

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = 10,
        read_connections: int = 1,
        deadline: timedelta = timedelta(seconds=10),
        clock: Callable[[], datetime] | None = None,
        serves: bool = False,
        buckets: int | None = None,
    ) -> None:
        """Prepare to connect, as `Ledger` does; `url` leads to the coordinator."""
        super().__init__(
            url,
            pool_size=pool_size,
            read_connections=read_connections,
            deadline=deadline,
            clock=clock,
            serves=serves,
            buckets=buckets,
            session={} if buckets == 1 else {"search_path": ABOVE_NODES},
        )
        self._url = url
        self._pool_size = pool_size
        self._places: Mapping[int, Place] | None = None
        """the node of each bucket; empty: this server has them all; None: it was not asked yet"""
        self._buckets: dict[int, BucketLedger] = {}
        self._left: set[asyncio.Task[None]] = set()
        self._looking: asyncio.Task[None] | None = None
        self._asking = asyncio.Lock()
        self._looking_above = self._pools.beside(1, was_opened=lambda: None)
        self._is_rebuilding = False
        """what lacks something is about to be made whole"""

    @property
    def places(self) -> Mapping[int, Place]:
        """The node of each bucket, as it was last read."""
        return self._places or {}

    @override
    def pool_use(self) -> PoolUse:
        uses = [super().pool_use(), *(part.pool_use() for part in self._buckets.values())]
        return PoolUse(*map(sum, zip(*uses, strict=True)))

    @property
    @override
    def commits_let_go(self) -> int:
        return super().commits_let_go + sum(p.commits_let_go for p in self._buckets.values())

    @override
    async def close(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait({self._looking})
        await asyncio.gather(
            super().close(), *(part.close() for part in self._buckets.values()), *self._left
        )
        await self._looking_above.close()

    @property
    @override
    def bucket_standbys(self) -> Mapping[int, Standby]:
        return {bucket: part.standby for bucket, part in self._buckets.items()}

    @override
    async def confirm(self, *, of: str | None = None) -> None:
        part = await self._part_of(of)
        if part is not None:
            await part.confirm()
            return
        async with within(self.deadline):
            await super().confirm()
            await together(each.confirm() for each in self._buckets.values())

    @override
    async def optimistic(
        self,
        work: Callable[[MoneyBook], Awaitable[T]],
        *,
        of: str | None = None,
        deadline: timedelta | None = None,
    ) -> T:
        part = await self._part_of(of)
        if part is None:
            return await super().optimistic(work, of=of, deadline=deadline)
        async with within(deadline or self.deadline):
            if self.timeline.is_in_doubt:
                await self.settle_doubt()
            return await part.optimistic(work, deadline=deadline)

    @override
    async def serializable(
        self,
        work: Callable[[Book], Awaitable[T]],
        *,
        of: str | None = None,
        deadline: timedelta | None = None,
    ) -> T:
        part = await self._part_of(of)
        if part is None:
            return await super().serializable(work, of=of, deadline=deadline)
        above = super().serializable
        is_done_above = False

        async def of_node(book: Book) -> T:
            nonlocal is_done_above
            first: list[AboveWork] = []
            book.first = first
            done = await work(book)
            # An attempt whose commit failed here has left it there.
            if not is_done_above:
                for each in first:
                    await above(each, deadline=deadline)
                is_done_above = bool(first)
            return done

        async with within(deadline or self.deadline):
            await self._verify_if_serving()
            return await part.serializable(of_node, deadline=deadline)

    @override
    async def read_only(
        self,
        work: Callable[[Book], Awaitable[T]],
        *,
        of: str | None = None,
        confirmed: bool = True,
    ) -> T:
        part = await self._part_of(of)
        if part is None:
            return await super().read_only(work, of=of, confirmed=confirmed)
        async with within(self.deadline):
            await self._verify_if_serving()
            return await part.read_only(work, confirmed=confirmed)

    @override
    async def beside_money(
        self, work: Callable[[Book], Awaitable[T]], *, verifies: bool = False
    ) -> T:
        await self._part_of(None)
        return await super().beside_money(work, verifies=verifies)

    @override
    async def placed(self, user_ids: Collection[str]) -> list[tuple[str | None, set[str]]]:
        if not user_ids or await self._part_of(next(iter(user_ids))) is None:
            return await super().placed(user_ids)
        count = await self.bucket_count()
        together: dict[int, set[str]] = {}
        for user_id in user_ids:
            together.setdefault(bucket_of(user_id, count), set()).add(user_id)
        return [(next(iter(users)), users) for users in together.values()]

    @override
    async def parts(self) -> Mapping[int, Ledger]:
        if self._places is None and self._bucket_count != 1:
            await self._look_first()
        return dict(self._buckets)

    @override
    async def holder_of(self, source: str, transaction_id: str) -> str | None:
        if await self._part_of(transaction_id) is None:
            return None
        holder = await self.home_of(transaction_id).claimant_of(source, transaction_id)
        # What nobody claims is nowhere: any bucket says so.
        return holder or transaction_id

    @override
    async def is_on_nodes(self) -> bool:
        return await self._part_of("") is not None

    @override
    async def apart(self) -> list[str | None]:
        if not await self.is_on_nodes():
            return await super().apart()
        count = await self.bucket_count()
        return [text_in(bucket, count) for bucket in range(count)]

    @override
    async def claim_request(self, agent: str, request_id: str, of: str) -> RequestClaim | None:
        if await self._part_of(of) is None:
            return None
        return RequestClaim(self, agent, request_id, of)

    @override
    async def last_of_nodes(self) -> LastOfNodes | None:
        return await last_of_all(self._buckets) if await self.is_on_nodes() else None

    @override
    async def rebuild_claims(self, restored_to: datetime | None) -> Rebuilt | None:
        if not await self.is_on_nodes():
            return None
        self._is_rebuilding = True
        try:
            return await Rebuilding(self, self._buckets).run(restored_to)
        finally:
            self._is_rebuilding = False

    async def verify_at(self, place: Place) -> None:
        """Return when every bucket of a node is known to lack nothing; raises LedgerError."""
        if not self._is_rebuilding:
            for part in self._at(place):
                if part.timeline.is_in_doubt:
                    await part.timeline.verify()

    def doubt_at(self, place: Place) -> None:
        """A connection to a node was opened: every bucket there must be looked at."""
        for part in self._at(place):
            part.timeline.doubt()

    def are_in_doubt(self, place: Place) -> bool:
        """Whether some bucket of a node must be looked at."""
        return any(part.timeline.is_in_doubt for part in self._at(place))

    def _at(self, place: Place) -> list[BucketLedger]:
        return [part for part in self._buckets.values() if part.place == place]

    def home_of(self, transaction_id: str) -> BucketLedger:
        """Return the bucket where an id is claimed."""
        return self.bucket_of(transaction_id)

    def bucket_of(self, user_id: str) -> BucketLedger:
        """Return the bucket of a player; the places are known."""
        return self._buckets[bucket_of(user_id, len(self._buckets))]

    async def _part_of(self, user_id: str | None) -> BucketLedger | None:
        """Return the bucket of a player; None: this server's connections reach it."""
        if self._bucket_count == 1:
            return None
        if self._places is None:
            await self._look_first()
        if user_id is None or not self._buckets:
            return None
        return self.bucket_of(user_id)

    async def _verify_if_serving(self) -> None:
        """Tell callers nothing of a bucket while a restore waits for somebody."""
        if self._serves and self.timeline.is_in_doubt:
            await self.settle_doubt()

    async def _look_first(self) -> None:
        async with within(self.deadline), self._asking:
            if self._places is not None:
                return
            if self._bucket_count is None:
                self._bucket_count = await super().read_only(count_buckets, confirmed=False)
            count = self._bucket_count
            places = await self._find_places() if count > 1 else {}
            if places and len(places) != count:
                raise LedgerAwayError("some buckets are on no node: wallet buckets show")
            self._take(places)
            if places:
                self._above = ABOVE
                self._looking = asyncio.create_task(self._look_again())

    async def _find_places(self) -> Mapping[int, Place]:
        return await super().read_only(find_places, confirmed=False)

    async def _look_again(self) -> None:
        """Follow the buckets, for as long as this ledger is open."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            # What is not heard leaves everything as it was, and no fault of ours may end this.
            try:
                async with asyncio.timeout(LOOK_SECONDS_MAX):
                    places = await self._find_places()
                if len(places) == len(self._buckets):
                    self._take(places)
            except (LedgerError, *LOST):
                pass
            except Exception as error:
                logger.exception("failed", error=type(error).__name__)

    def _take(self, places: Mapping[int, Place]) -> None:
        """Lead each bucket's work to its node; what is under way at another ends there."""
        for bucket, place in places.items():
            before = self._buckets.get(bucket)
            if before is not None and before.place == place:
                continue
            self._buckets[bucket] = BucketLedger(
                self._url,
                place,
                bucket,
                len(places),
                self,
                self,
                self._looking_above,
                pool_size=max(self._pool_size // len(places), WRITERS_MIN) + 1,
                deadline=self.deadline,
                clock=self._clock,
                serves=self._serves,
            )
            self._buckets[bucket].retries = self.retries
            if before is not None:
                self._buckets[bucket].timeline.succeed(before.timeline)
                logger.warning("bucket moved", bucket=bucket, host=place.host, port=place.port)
                leaving = asyncio.create_task(before.close())
                self._left.add(leaving)
                leaving.add_done_callback(self._left.discard)
        self._places = places
