"""Rebuilds what a node restored by itself lacks of others: claims of ids that are at home there.

A claim that was lost would let a second player have an id whose movement is recorded on a node that
was not restored. So before a restored ledger is served, every entry since a moment before the
restored one is claimed again for its player, at its id's home; what is claimed already stays.

1. The moment: the last movement that each node has. A restored one that was not served has none
   that is later than what it was restored to; of one that was, only people know the moment, and may
   name it. The earliest of all these counts, less a margin.
2. The entries of each bucket, the latest first, by the transactions that wrote them; those of
   imports, if there was one since, and the ids of requests.
3. Where another player has the claim, their bucket is looked at, as for any claim. Without an entry
   the claim is taken over. With one, the id was given to two players before anybody noticed the
   restore: it is named.

Claims whose movements were lost stay: whoever needs such an id takes the claim over. While this is
done nobody is served, so nobody claims; it may be cut off, and done again.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Final, NamedTuple
from uuid import uuid4

from app.ledger.citus import XID_BITS, Place
from app.ledger.citus.claims import CHALLENGE, TAKE_OVER, Ask, Claims
from app.ledger.errors import LedgerAwayError, LedgerBusyError, LedgerError
from app.ledger.event_log.told import LoggedEvent
from app.ledger.event_log.voiding import (
    EVENTS_AT_ONCE,
    Lost,
    before,
    end_at,
    heads,
    highest_told,
    missing_of,
    pass_over,
)
from app.ledger.request_ids import claimed_by
from app.ledger.timelines import LAST_OF_BUCKET
from app.ledger.together import together
from app.wallet.buckets import text_in
from app.wallet.movement import Key

if TYPE_CHECKING:
    import asyncpg

    from app.ledger.citus.bucket import BucketLedger
    from app.ledger.citus.ledger import PlacedLedger
    from app.ledger.money.book import Book

MARGIN: Final = timedelta(minutes=10)
"""How much later than its claim a movement may have been decided by its clock, and nodes' clocks
may be apart; sixty times the usual deadline."""

PAGE: Final = 5_000
"""Entries at once: some tenths of a second's work, and more than one transaction writes."""

PLAYERS_AT_ONCE: Final = 200

TRIES_MAX: Final = 40
TRY_EVERY_SECONDS: Final = 0.1
"""Longer than a challenge stands that its maker has left."""

_ENTRIES: Final = """
SELECT m.xid::text, m.ledger_time, m.source, m.transaction_id, m.facet, p.user_id
FROM (
    SELECT * FROM movements WHERE xid IS NOT NULL AND xid <= $1::text::xid8
    ORDER BY xid DESC LIMIT $2
) m
CROSS JOIN LATERAL (SELECT user_id FROM players WHERE player_id = m.player_id LIMIT 1) p
ORDER BY m.xid DESC
"""

_IMPORTED: Final = """
SELECT p.player_id, m.source, m.transaction_id, m.facet, p.user_id
FROM (SELECT player_id, user_id FROM players WHERE player_id > $1 ORDER BY player_id LIMIT $2) p
LEFT JOIN LATERAL (
    SELECT * FROM movements WHERE player_id = p.player_id AND xid IS NULL OFFSET 0
) m ON true
ORDER BY p.player_id
"""

_REQUESTS: Final = """
SELECT agent, request_id, ledger_time FROM request_ids WHERE (agent, request_id) > ($1, $2)
ORDER BY agent, request_id LIMIT $3
"""

_WAS_IMPORT: Final = "SELECT EXISTS (SELECT FROM imports WHERE imported_at >= $1)"

_XID_LAST: Final = 2**63 - 1


class Twice(NamedTuple):
    """An id that two players have: a restored node gave it away before anybody had noticed."""

    source: str
    transaction_id: str
    user_ids: tuple[str, str]


class Rebuilt(NamedTuple):
    """What was looked at, and what came of it."""

    last: datetime | None
    """up to when no node lacks anything; None: one has nothing at all"""
    since: datetime | None
    """None: everything was looked at"""
    entries: int
    claimed: int
    """claims that were missing"""
    twice: Sequence[Twice]
    lost: Mapping[str, Sequence[Lost]]
    """events that were told and whose rows are not there, by agent"""
    ends: Mapping[int, int]
    """of each node, below which of its transactions nothing can be new"""


class LastOfNodes(NamedTuple):
    """How far the nodes go."""

    moment: datetime | None
    """up to when none lacks anything; None: one has nothing at all, or did not say"""
    away: Sequence[Place]
    """those that did not answer"""


async def last_of_all(parts: "Mapping[int, BucketLedger]") -> LastOfNodes:
    """Ask each node for its last movement."""

    async def latest(book: "Book") -> datetime | None:
        moment: datetime | None = await book.connection.fetchval(LAST_OF_BUCKET)
        return moment

    moments: dict[Place, list[datetime]] = {part.place: [] for part in parts.values()}
    away: set[Place] = set()

    async def ask(part: "BucketLedger") -> None:
        try:
            moment = await part.read_only(latest)
        except LedgerError:
            away.add(part.place)
        else:
            moments[part.place] += () if moment is None else (moment,)

    await together(map(ask, parts.values()))
    known = not away and all(moments.values())
    return LastOfNodes(min(map(max, moments.values())) if known else None, sorted(away))


class Rebuilding:
    """One rebuilding of the claims of a ledger."""

    def __init__(self, ledger: "PlacedLedger", parts: "Mapping[int, BucketLedger]") -> None:
        """`parts`: the buckets."""
        self._ledger = ledger
        self._parts = parts
        self._entries = self._claimed = 0
        self._lowest: dict[int, int] = {}
        """of each node's transactions, the first whose rows were looked at"""
        self._twice: list[Twice] = []

    async def run(self, restored_to: datetime | None) -> Rebuilt:
        """Claim again what is claimed no more. Raises LedgerError.

        `restored_to`: a moment that people name; None: none but what the nodes tell.
        """
        last, away = await last_of_all(self._parts)
        if away:
            raise LedgerAwayError(f"{away[0]} does not answer, and every node has to")
        if last is not None and restored_to is not None:
            last = min(last, restored_to)
        since = None if last is None else last - MARGIN
        lost = await self._lost_events(since)
        was_import = since is None or await self._was_import(since)
        for bucket, part in self._parts.items():
            await self._entries_of(part, since)
            await self._requests_of(bucket, part, since)
            if was_import:
                await self._imported_in(part)
        ends = await self._pass_over()
        return Rebuilt(last, since, self._entries, self._claimed, self._twice, lost, ends)

    async def _lost_events(self, since: datetime | None) -> dict[str, list[Lost]]:
        """Find out which of the events since a moment have no row any more."""
        lost: dict[str, list[Lost]] = {}
        for agent, last in (await self._ledger.read_only(heads)).items():
            number = last + 1
            while True:
                look = partial(before, agent=agent, number=number)
                events = await self._ledger.read_only(look)
                recent = [e for e in events if since is None or e.occurred_at >= since]
                for bucket, of_it in _by_bucket(recent).items():
                    gone = await self._parts[bucket].read_only(partial(missing_of, events=of_it))
                    if gone:
                        lost.setdefault(agent, []).extend(gone)
                if len(events) < EVENTS_AT_ONCE or not recent:
                    break
                number = events[-1].number
        return lost

    async def _pass_over(self) -> dict[int, int]:
        """Have each node count on beyond what it gave out; return what is new of each."""
        ends: dict[int, int] = {}
        for part in self._parts.values():
            node, end = await part.read_only(end_at)
            if node not in ends:
                told = await self._ledger.read_only(partial(highest_told, node=node))
                await part.beside_money(partial(pass_over, told=told))
            ends[node] = min(end, self._lowest.get(node, end), ends.get(node, end))
        return ends

    async def _was_import(self, since: datetime) -> bool:
        async def work(book: "Book") -> bool:
            return bool(await book.connection.fetchval(_WAS_IMPORT, since))

        return await self._ledger.read_only(work)

    async def _entries_of(self, part: "BucketLedger", since: datetime | None) -> None:
        last = _XID_LAST
        while True:
            rows = await _page(part, _ENTRIES, str(last), PAGE)
            recent = [row for row in rows if since is None or row["ledger_time"] >= since]
            await self._claim([_ask(row) for row in recent])
            for row in recent:
                node, xid = divmod(int(row["xid"]), 1 << XID_BITS)
                self._lowest[node] = min(xid, self._lowest.get(node, xid))
            if len(rows) < PAGE:
                return
            lowest = int(rows[-1]["xid"])
            # Ids of another node are below those of this one, and say nothing of when.
            last = min(last - 1, lowest) if recent else (lowest >> XID_BITS << XID_BITS) - 1

    async def _imported_in(self, part: "BucketLedger") -> None:
        after = -1
        while rows := await _page(part, _IMPORTED, after, PLAYERS_AT_ONCE):
            await self._claim([_ask(row) for row in rows if row["source"] is not None])
            after = rows[-1]["player_id"]

    async def _requests_of(self, bucket: int, part: "BucketLedger", since: datetime | None) -> None:
        """Claim ids of requests for whoever of the bucket: its player is looked up there."""
        somebody = text_in(bucket, len(self._parts))
        agent = request_id = ""
        while rows := await _page(part, _REQUESTS, agent, request_id, PAGE):
            agent, request_id = rows[-1]["agent"], rows[-1]["request_id"]
            keys = (
                Key(claimed_by(row["agent"]), row["request_id"], "")
                for row in rows
                if since is None or row["ledger_time"] >= since
            )
            await self._claim([Ask(key, somebody, is_wanted=True) for key in keys])

    async def _claim(self, asks: Sequence[Ask]) -> None:
        at_home: dict[BucketLedger, list[Ask]] = {}
        for ask in asks:
            at_home.setdefault(self._ledger.home_of(ask.key.transaction_id), []).append(ask)
        self._entries += len(asks)
        met = await together(self._claim_at(*home) for home in at_home.items())
        for ask, holder in chain.from_iterable(met):
            await self._settle(ask, holder)

    async def _claim_at(self, home: "BucketLedger", asks: Sequence[Ask]) -> list[tuple[Ask, str]]:
        """Claim at one home; return what others have, with its holder."""
        before = {
            claim.key: claim.user_id for claim in await home.claim_again(asks) if not claim.is_new
        }
        self._claimed += sum(ask.key not in before for ask in asks)
        return [(ask, before[ask.key]) for ask in asks if before.get(ask.key, ask[1]) != ask[1]]

    async def _settle(self, ask: Ask, holder: str) -> None:
        """Have the claim be that of whose entry there is."""
        home = self._ledger.home_of(ask.key.transaction_id)
        for _ in range(TRIES_MAX):
            if await self._is_twice(home, ask, holder):
                self._twice.append(Twice(*ask.key[:2], (ask.user_id, holder)))
                return
            claimed = await self._claim_at(home, [ask])
            if not claimed or self._is_request_of_bucket(*claimed[0]):
                return
            holder = claimed[0][1]
            await asyncio.sleep(TRY_EVERY_SECONDS)
        raise LedgerBusyError

    async def _is_twice(self, home: "BucketLedger", ask: Ask, holder: str) -> bool:
        """Take a claim over for whose entry there is, unless its holder has one, too."""
        theirs = self._ledger.bucket_of(holder)
        if theirs is not self._ledger.bucket_of(ask.user_id):
            entries = await Claims(self._ledger).of_holder(ask.key, ask, holder)
            return any(entry.key == ask.key for entry in entries)
        # The bucket's own index has one entry of the key, which is the asking player's.
        challenge = uuid4()
        if not self._is_request_of_bucket(ask, holder) and await home.on_claim(
            CHALLENGE, *ask.key, holder, challenge
        ):
            await theirs.fence_player(holder)
            await home.on_claim(TAKE_OVER, *ask.key, challenge, ask.user_id)
        return False

    def _is_request_of_bucket(self, ask: Ask, holder: str) -> bool:
        """Whether a claim is of the request itself: of the bucket where its row is."""
        is_one_bucket = self._ledger.bucket_of(holder) is self._ledger.bucket_of(ask.user_id)
        return is_one_bucket and ask.key.source.startswith(claimed_by(""))


async def _page(part: "BucketLedger", statement: str, *arguments: object) -> "list[asyncpg.Record]":
    async def work(book: "Book") -> "list[asyncpg.Record]":
        return await book.connection.fetch(statement, *arguments)

    return await part.read_only(work)


def _by_bucket(events: Sequence[LoggedEvent]) -> dict[int, list[LoggedEvent]]:
    found: dict[int, list[LoggedEvent]] = {}
    for event in events:
        if event.bucket is not None:
            found.setdefault(event.bucket, []).append(event)
    return found


def _ask(row: "asyncpg.Record") -> Ask:
    key = Key(row["source"], row["transaction_id"], row["facet"])
    return Ask(key, row["user_id"], is_wanted=True)
