"""One bucket, on the node that owns it: connections, standby and outage of its own."""

import asyncio
import json
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import structlog
from typing_extensions import override

from app.database_url import node_url
from app.ledger.citus import Place
from app.ledger.citus.claims import (
    CLAIM,
    HOLDER,
    Ask,
    Claim,
    Claims,
    Homes,
    claim_of,
    columns_of,
)
from app.ledger.citus.node_guard import NodeGuard
from app.ledger.connections import Connections
from app.ledger.errors import LedgerAwayError, LedgerError
from app.ledger.lending import lent
from app.ledger.money.book import Book
from app.ledger.money.rows import entry_of_json
from app.ledger.money.statements import ENTRIES_OF_ID, OF_NODE, Statements
from app.ledger.pools import WHOLE_LEDGER
from app.ledger.request_ids import find_request
from app.ledger.sqlstates import LOST, is_away
from app.ledger.standby import IS_WANTED
from app.ledger.transaction import Ledger
from app.wallet.buckets import schema_of
from app.wallet.journal import JournalEntry

if TYPE_CHECKING:
    import asyncpg

logger: Final = structlog.get_logger("ledger")

CLAIMING: Final = 4
"""Connections to a node for claims: as many as a lane has batches under way."""

AWAY_SECONDS: Final = 0.2
"""The interval at which a node that was found away is asked again. Nothing is claimed there
meanwhile: every batch has some ids there, and each would wait for it."""

CLAIM_SECONDS: Final = 1
"""How long a claim may take, a hundred times what it needs; those who have no id there wait for it,
too, if they are in the same batch."""


LOOK_SECONDS_MAX: Final = 3
"""The same where the node is looked at before, over new connections."""


class BucketLedger(Ledger):
    """The ledger of one bucket's players, where the bucket is."""

    def __init__(
        self,
        url: str,
        place: Place,
        bucket: int,
        count: int,
        homes: Homes,
        above: Ledger,
        looking_above: Connections,
        *,
        pool_size: int,
        deadline: timedelta,
        clock: Callable[[], datetime] | None,
        serves: bool,
    ) -> None:
        """Prepare to connect to the bucket's node; `url` leads to the coordinator, as `above`."""
        super().__init__(
            node_url(url, place.host, place.port),
            pool_size=pool_size,
            deadline=deadline,
            clock=clock,
            serves=serves,
            buckets=1,
            session={
                "search_path": f"{schema_of(bucket, count)}, {WHOLE_LEDGER}",
                # A generic plan cannot be made of a statement that may be another node's.
                "plan_cache_mode": "auto",
            },
        )
        self.place = place
        self._looking = self._pools.beside(1, was_opened=lambda: None)
        self.timeline = self._guard = NodeGuard(
            bucket, place, lambda: lent(self._looking), lambda: lent(looking_above), above
        )
        self._homes = homes
        self.claiming = self._pools.beside(CLAIMING)
        self._returning: asyncio.Task[None] | None = None
        """until it is over, the node is away"""

    @override
    async def close(self) -> None:
        if self._returning is not None:
            self._returning.cancel()
            await asyncio.wait({self._returning})
        await asyncio.gather(super().close(), self.claiming.close(), self._looking.close())

    @override
    def _was_opened(self) -> None:
        # Whatever is on this node may be on another one now, and each bucket has what tells so.
        self._homes.doubt_at(self.place)

    @override
    async def _statements_of(self, user_id: str | None) -> Statements:
        return OF_NODE

    @override
    def _begin_claims(self) -> Claims:
        return Claims(self._homes)

    @override
    async def confirm_here(self) -> None:
        if self.standby.must_look:
            await self._of_claims("SELECT 1", verifies=False)
        await super().confirm_here()

    async def claim(self, asks: Sequence[Ask]) -> list[Claim]:
        """Claim what is wanted, commit, and return what is not the asking player's own and new."""
        if self._returning is not None:
            raise LedgerAwayError
        self.standby.refuse_if_silent()
        seconds = LOOK_SECONDS_MAX if self._homes.are_in_doubt(self.place) else CLAIM_SECONDS
        try:
            async with asyncio.timeout(seconds):
                rows = await self._of_claims(CLAIM, *columns_of(asks))
        except TimeoutError as error:
            self._is_away()
            raise LedgerAwayError from error
        except LedgerAwayError:
            self._is_away()
            raise
        claims = [claim_of(row) for row in rows]
        met = {claim.key for claim in claims}
        self._guard.claimed.extend(a.key for a in asks if a.is_wanted and a.key not in met)
        return claims

    async def on_claim(self, statement: str, *arguments: object) -> object:
        """Run a statement about one claim, commit, and return its first value."""
        rows = await self._of_claims(statement, *arguments)
        return rows[0][0] if rows else None

    async def claim_again(self, asks: Sequence[Ask]) -> list[Claim]:
        """Do the same of many that were recorded, while nobody is served."""
        return [claim_of(row) for row in await self._of_claims(CLAIM, *columns_of(asks))]

    async def claimant_of(self, source: str, transaction_id: str) -> str | None:
        """Return who has claimed an id that is at home here; None: nobody."""
        rows = await self._of_claims(HOLDER, source, transaction_id, verifies=self._serves)
        return rows[0][0] if rows else None

    async def _of_claims(
        self, statement: str, *arguments: object, verifies: bool = True
    ) -> "list[asyncpg.Record]":
        """Run a statement that commits by itself, beside the lanes, within the ledger's deadline.

        Raises LedgerError. Its wait for a standby is not cancelled, as that of no commit is.
        `verifies`: not before the node is known to lack nothing, to which a new connection may
        lead.
        """
        try:
            # A node that hangs ends no statement, whatever its own limit is.
            async with (
                asyncio.timeout(self.deadline.total_seconds()),
                lent(self.claiming) as raw,
            ):
                if verifies:
                    await self._homes.verify_at(self.place)
                if self.standby.must_look:
                    self.standby.note(is_wanted=await raw.fetchval(IS_WANTED))
                sent = raw.fetch(statement, *arguments)
                if not self.standby.may_be_wanted:
                    return await sent
                return await self.claiming.uncancelled(raw, sent)
        except LOST as error:
            if is_away(error):
                raise LedgerAwayError from error
            raise

    def _is_away(self) -> None:
        """Have nobody wait for claims here until the node answers again."""
        if self._returning is None:
            self._returning = asyncio.create_task(self._return())

    async def _return(self) -> None:
        """Return when claims can be made here again."""
        while True:
            await asyncio.sleep(AWAY_SECONDS)
            # It is away until this has ended well: no fault of ours may end it otherwise.
            try:
                async with asyncio.timeout(CLAIM_SECONDS):
                    await self._of_claims("SELECT 1", verifies=False)
                    await self.confirm_here()
            except (LedgerError, *LOST):
                continue
            except Exception as error:
                logger.exception("failed", error=type(error).__name__)
            else:
                self._returning = None
                return

    async def fence_player(self, user_id: str) -> None:
        """Raise a player's revision, and commit."""

        async def work(book: Book) -> None:
            await book.fence([user_id])

        await self.serializable(work)

    async def has_request(self, agent: str, request_id: str) -> bool:
        """Whether a request under this id has taken effect in this bucket."""

        async def work(book: Book) -> bool:
            return await find_request(book, agent, request_id) is not None

        return await self.read_only(work, confirmed=False)

    async def entries_of_id(self, source: str, transaction_id: str) -> list[JournalEntry]:
        """Return the journal's entries under an id, in this bucket, confirmed."""

        async def work(book: Book) -> list[JournalEntry]:
            rows = await book.connection.fetch(ENTRIES_OF_ID, source, transaction_id)
            return [entry_of_json(json.loads(row[0])) for row in rows]

        return await self.read_only(work)
