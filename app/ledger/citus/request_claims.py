"""Claims of requests' one-time ids: whose request may use an id, where no index sees all buckets.

A claim of an id is made as one of a transaction id is (`claims`): at the id's home, by itself, and
only when the request's outcome takes its id. What takes it is the row in its player's bucket.

1. The request's work is done in its open transaction, which reads the player's revision.
2. The id is claimed. A claim of another player, or one that somebody has challenged, ends the
   transaction with nothing done.
3. The wallet is locked at that revision, which nobody may have raised since; the row of the id
   follows, and the commit.

A claim whose holder has no such row is what a crash leaves, or a request that is under way. It is
challenged, its holder's wallet is fenced, and their bucket looked at again: a row that is there now
has taken the id; without one the claim is taken over. Why it is sound: a request is committed only
if it saw its claim unchallenged after it had read the revision. A challenge that it did not see
came later, and the fence later still: the fence found the wallet locked, and waited for the commit,
or it came before the lock, which then does not find the revision. An attempt that failed leaves a
claim of its own player, which is no obstacle to them.
"""

import asyncio
from collections.abc import Awaitable, Callable
from random import SystemRandom
from typing import Final, TypeVar
from uuid import uuid4

from app.ledger.citus.claims import (
    CHALLENGE,
    END_OLD,
    TAKE_OVER,
    WITHDRAW,
    Ask,
    Homes,
)
from app.ledger.errors import LedgerBusyError
from app.ledger.money.book import Book
from app.ledger.request_ids import RequestTakenError, claimed_by
from app.ledger.retries import NothingStandsError, RunAgainError
from app.wallet.movement import Key

T = TypeVar("T")

ATTEMPTS_MAX: Final = 40
WAIT_MAX_MS: Final = 100
"""Two seconds on average: longer than a challenge stands that its maker has left."""

_jitter: Final = SystemRandom()

_REVISION: Final = """
SELECT w.revision FROM players p JOIN wallets w ON w.player_id = p.player_id WHERE p.user_id = $1
"""

_LOCK: Final = """
SELECT true FROM wallets
WHERE player_id = (SELECT player_id FROM players WHERE user_id = $1) AND revision = $2
FOR NO KEY UPDATE
"""


class ContestedError(NothingStandsError):
    """Another player's claim, or somebody's challenge, stands in the way."""


class RequestClaim:
    """The claim of one request's id, over all its attempts."""

    def __init__(self, homes: Homes, agent: str, request_id: str, user_id: str) -> None:
        """Claim nothing yet."""
        self._homes = homes
        self._agent = agent
        self._request_id = request_id
        self._user_id = user_id
        self._key = Key(claimed_by(agent), request_id, "")
        self._home = homes.home_of(request_id)
        self._holder: str | None = None
        """another player, whose claim was met"""

    async def take(self, book: Book) -> None:
        """Take the id in the work's transaction, before its row is written; else end the work."""
        revision = await book.connection.fetchval(_REVISION, self._user_id)
        claims = await self._home.claim([Ask(self._key, self._user_id, is_wanted=True)])
        for claim in claims:
            if claim.user_id != self._user_id:
                self._holder = claim.user_id
            if claim.user_id != self._user_id or claim.is_challenged:
                raise ContestedError
            # It was written by an attempt whose commit nobody may have waited for.
            await self._home.confirm()
        if not await book.connection.fetchval(_LOCK, self._user_id, revision):
            raise RunAgainError

    async def hold(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Run the work, and again when it is known what stood in the way.

        Raises RequestTakenError, where another player's request has the id, or a LedgerError: as
        with an attempt of its own, it is unknown whether it was committed.
        """
        for _ in range(ATTEMPTS_MAX):
            try:
                return await attempt()
            except ContestedError:
                await self._settle()
            await asyncio.sleep(_jitter.uniform(0, WAIT_MAX_MS) / 1000)
        raise LedgerBusyError

    async def _settle(self) -> None:
        """Find out what became of what stands in the way, outside of any transaction."""
        holder, self._holder = self._holder, None
        if holder is None:
            await self._home.on_claim(END_OLD, *self._key, self._user_id)
            return
        bucket = self._homes.bucket_of(holder)
        if await bucket.has_request(self._agent, self._request_id):
            raise RequestTakenError
        challenge = uuid4()
        if not await self._home.on_claim(CHALLENGE, *self._key, holder, challenge):
            # Somebody else is at it, or the claim is another's by now: the next attempt sees.
            return
        await bucket.fence_player(holder)
        if await bucket.has_request(self._agent, self._request_id):
            await self._home.on_claim(WITHDRAW, *self._key, challenge)
            raise RequestTakenError
        await self._home.on_claim(TAKE_OVER, *self._key, challenge, self._user_id)
