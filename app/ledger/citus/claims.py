"""Claims: which player may use a transaction id, where no index can see all buckets.

An id has a home: the bucket that its own hash names, whoever its player is. Before a batch is
recorded, each id that it is about to take is claimed there for its player, in a transaction of its
own. A movement that is refused without an outcome claims nothing, and only looks.

A claim without an entry is what a crash leaves, or a batch that found a fact stale: it never
answers that an id is taken. Whoever needs the id

1. *challenges* the claim: from then on its holder, who looks at their claims before each batch,
   records nothing under it;
2. *fences* the holder's wallet: raises its revision, so that nothing can be recorded any more that
   was decided before the challenge;
3. looks into the holder's bucket again. What is there now was recorded before, and nothing else
   will be: an entry ends the challenge, and the id is taken; without one
4. the claim is *taken over*, unless somebody has ended the challenge meanwhile.

Why it is sound: a batch is recorded only if, after its facts were read, all its ids were claimed by
its players and unchallenged. So a challenge either came first, and was seen, or came later, and the
fence later still: the batch was committed before the fence, and is found, or it fails for its
wallets' revisions. A challenge that its maker has left is ended by the next who comes.

A node that was restored by itself lacks claims. So nothing is claimed at a node before each of its
buckets is known to lack nothing, and after a yes they are rebuilt (`restoring`).
"""

import asyncio
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple, Protocol
from uuid import uuid4

from app.ledger.citus import Place
from app.ledger.errors import LedgerAwayError
from app.ledger.money.facts import Known
from app.ledger.retries import RunAgainError
from app.wallet.facts import SourceAndId
from app.wallet.journal import JournalEntry
from app.wallet.movement import Key, Movement
from app.wallet.outcomes import Declined, Posting, Receipt, Refused

if TYPE_CHECKING:
    import asyncpg

CLAIM: Final = "SELECT * FROM claim_transactions_v1($1, $2, $3, $4, $5::text[]::boolean[])"
"""Texts: what an array of booleans is, the driver would look up for seconds on a new connection."""

SETTLE_SECONDS: Final = 2
"""How long it may take to find out what became of the claims that a batch has met, each of which
takes some milliseconds: others in the batch wait for it. What is cut off is what a crash leaves."""

HOLDER: Final = """
SELECT user_id FROM transaction_claims
WHERE transaction_id = $2 AND source = $1 AND facet = ''
"""

CHALLENGE_OLD: Final = "1 second"
"""A challenge takes some milliseconds; one that is older was left by a process that is gone."""

CHALLENGE: Final = f"""
UPDATE transaction_claims SET challenge = $5, challenged_at = now()
WHERE source = $1 AND transaction_id = $2 AND facet = $3 AND user_id = $4
  AND (challenge IS NULL OR challenged_at < now() - interval '{CHALLENGE_OLD}')
RETURNING true
"""  # noqa: S608 - composed of constants

WITHDRAW: Final = """
UPDATE transaction_claims SET challenge = NULL, challenged_at = NULL
WHERE source = $1 AND transaction_id = $2 AND facet = $3 AND challenge = $4
"""

TAKE_OVER: Final = """
UPDATE transaction_claims SET user_id = $5, challenge = NULL, challenged_at = NULL
WHERE source = $1 AND transaction_id = $2 AND facet = $3 AND challenge = $4
"""

END_OLD: Final = f"""
UPDATE transaction_claims SET challenge = NULL, challenged_at = NULL
WHERE source = $1 AND transaction_id = $2 AND facet = $3 AND user_id = $4
  AND challenged_at < now() - interval '{CHALLENGE_OLD}'
"""  # noqa: S608 - composed of constants


class Ask(NamedTuple):
    """A movement's id, and whether it is about to be taken."""

    key: Key
    user_id: str
    is_wanted: bool


class Claim(NamedTuple):
    """A claim that is not simply the asking player's own and new."""

    key: Key
    user_id: str
    is_new: bool
    is_challenged: bool


class ClaimsAwayError(LedgerAwayError):
    """The node where these transaction ids are claimed cannot be reached; ask again."""

    def __init__(self, ids: Collection[SourceAndId]) -> None:
        super().__init__(ClaimsAwayError.__doc__)
        self.ids = frozenset(ids)


class ClaimedError(RunAgainError):
    """Another player may have an id, or somebody has challenged a claim: it must be settled."""

    reason: ClassVar = "an id is claimed"


class Home(Protocol):
    """A bucket, as far as claims need it: some ids are at home there, and some players."""

    async def claim(self, asks: Sequence[Ask]) -> list[Claim]:
        """Claim what is wanted, commit, and return what is not the asking player's own and new."""

    async def on_claim(self, statement: str, *arguments: object) -> object:
        """Run a statement about one claim, commit, and return its first value."""

    async def fence_player(self, user_id: str) -> None:
        """Raise a player's revision, and commit."""

    async def entries_of_id(self, source: str, transaction_id: str) -> list[JournalEntry]:
        """Return the journal's entries under an id, in this bucket, confirmed."""

    async def has_request(self, agent: str, request_id: str) -> bool:
        """Whether a request under this id has taken effect in this bucket."""

    async def confirm(self) -> None:
        """Return when the standby, if there is one, has all that was visible before."""


class Homes(Protocol):
    """The buckets of a ledger."""

    def home_of(self, transaction_id: str) -> Home:
        """Return where an id is claimed."""

    def bucket_of(self, user_id: str) -> Home:
        """Return where a player is."""

    async def verify_at(self, place: Place) -> None:
        """Return when every bucket of a node is known to lack nothing; raises LedgerError."""

    def doubt_at(self, place: Place) -> None:
        """A connection to a node was opened: every bucket there must be looked at."""

    def are_in_doubt(self, place: Place) -> bool:
        """Whether some bucket of a node must be looked at."""


class Claims:
    """What one batch knows of its ids in other buckets, over all its attempts."""

    def __init__(self, homes: Homes) -> None:
        """Nothing is known yet."""
        self._homes = homes
        self._elsewhere: dict[SourceAndId, tuple[JournalEntry, ...]] = {}
        """entries of other buckets' players; empty: it was looked, and there is none"""
        self._foreign: dict[Key, tuple[Ask, str]] = {}
        """claims of others that stand in the way: who asks, and who holds"""
        self._challenged: set[Ask] = set()
        """claims of ours that somebody has challenged"""

    def beside(self, known: Known) -> Known:
        """Return the facts with what other buckets have under these ids."""
        found = {each: entries for each, entries in self._elsewhere.items() if entries}
        if not found:
            return known
        taken = dict(known.facts.taken)
        for each, entries in found.items():
            taken[each] = (*taken.get(each, ()), *entries)
        return known._replace(facts=replace(known.facts, taken=taken))

    async def take(self, movements: Sequence[Movement], receipts: Sequence[Receipt]) -> None:
        """Claim the ids that are about to be taken.

        Raises ClaimedError, where another player may have one: `settle` comes first; and
        ClaimsAwayError.
        """
        asks: dict[Home, list[Ask]] = {}
        for ask in self._asks(movements, receipts):
            asks.setdefault(self._homes.home_of(ask.key.transaction_id), []).append(ask)
        if not asks:
            return
        answers = await asyncio.gather(
            *(home.claim(some) for home, some in asks.items()), return_exceptions=True
        )
        away: list[SourceAndId] = []
        for (home, some), answer in zip(asks.items(), answers, strict=True):
            if isinstance(answer, LedgerAwayError):
                away += [ask.key[:2] for ask in some]
            elif isinstance(answer, BaseException):
                raise answer
            else:
                await self._heed(home, some, answer)
        if away:
            raise ClaimsAwayError(away)
        if self._foreign or self._challenged:
            raise ClaimedError

    async def settle(self) -> None:
        """Find out what became of the claims that stand in the way, outside of any transaction.

        Raises ClaimsAwayError for those of which that cannot be found out now.
        """
        away: set[SourceAndId] = set()
        ends_at = asyncio.get_running_loop().time() + SETTLE_SECONDS
        challenged, self._challenged = self._challenged, set()
        for ask in challenged:
            home = self._homes.home_of(ask.key.transaction_id)
            try:
                async with asyncio.timeout_at(ends_at):
                    await home.on_claim(END_OLD, *ask.key, ask.user_id)
            except (LedgerAwayError, TimeoutError):
                away.add(ask.key[:2])
        foreign, self._foreign = self._foreign, {}
        found: dict[SourceAndId, dict[Key, JournalEntry]] = {}
        for key, (ask, holder) in foreign.items():
            try:
                async with asyncio.timeout_at(ends_at):
                    entries = await self.of_holder(key, ask, holder)
            except (LedgerAwayError, TimeoutError):
                away.add(ask.key[:2])
                continue
            found.setdefault(key[:2], {}).update({entry.key: entry for entry in entries})
        for each, entries_by_key in found.items():
            known = {entry.key: entry for entry in self._elsewhere.get(each, ())}
            self._elsewhere[each] = tuple((known | entries_by_key).values())
        if away:
            raise ClaimsAwayError(away)

    async def of_holder(self, key: Key, ask: Ask, holder: str) -> list[JournalEntry]:
        """Return the holder's entries under an id; if the key is not among them, take it over."""
        bucket = self._homes.bucket_of(holder)
        entries = await bucket.entries_of_id(*key[:2])
        if not ask.is_wanted or any(entry.key == key for entry in entries):
            return entries
        home, challenge = self._homes.home_of(key.transaction_id), uuid4()
        if not await home.on_claim(CHALLENGE, *key, holder, challenge):
            # Somebody else is at it, or the claim is another's by now: the next attempt sees.
            return entries
        await bucket.fence_player(holder)
        entries = await bucket.entries_of_id(*key[:2])
        if any(entry.key == key for entry in entries):
            await home.on_claim(WITHDRAW, *key, challenge)
        else:
            await home.on_claim(TAKE_OVER, *key, challenge, ask.user_id)
        return entries

    def _asks(self, movements: Sequence[Movement], receipts: Sequence[Receipt]) -> Iterable[Ask]:
        for movement, receipt in zip(movements, receipts, strict=True):
            if isinstance(receipt, (Posting, Declined)):
                yield Ask(receipt.entry.key, movement.user_id, is_wanted=True)
            elif (
                isinstance(receipt, Refused)
                and receipt.pockets is not None
                and movement.key[:2] not in self._elsewhere
            ):
                # An id that another player has is refused before anything else is.
                yield Ask(movement.key, movement.user_id, is_wanted=False)

    async def _heed(self, home: Home, asks: Sequence[Ask], claims: Sequence[Claim]) -> None:
        """Note the claims that stand in the way of these asks."""
        mine = {(ask.key, ask.user_id) for ask in asks if ask.is_wanted}
        of_id: dict[SourceAndId, list[Claim]] = {}
        for claim in claims:
            of_id.setdefault(claim.key[:2], []).append(claim)
        is_older = False
        for ask in asks:
            for claim in of_id.get(ask.key[:2], ()):
                if claim.user_id == ask.user_id:
                    is_older |= not claim.is_new
                    if ask.is_wanted and claim.is_challenged and claim.key == ask.key:
                        self._challenged.add(ask)
                elif not ask.is_wanted and (claim.key, claim.user_id) in mine:
                    # Refused for what this batch is about to record under the id, with it or never.
                    continue
                elif self._is_in_the_way(ask, claim):
                    self._foreign[claim.key] = (ask, claim.user_id)
        if is_older:
            # It was written by an attempt whose commit nobody may have waited for.
            await home.confirm()

    def _is_in_the_way(self, ask: Ask, claim: Claim) -> bool:
        """Whether another player's claim may hold what is asked for.

        Where the id alone was the key once, such an entry holds it for its event type, which the
        decision knows as soon as it has seen the entry.
        """
        if claim.key == ask.key and ask.is_wanted:
            return True
        is_related = claim.key == ask.key or "" in {claim.key.facet, ask.key.facet}
        return is_related and ask.key[:2] not in self._elsewhere


def claim_of(row: "asyncpg.Record") -> Claim:
    """Convert a row of CLAIM."""
    key = Key(row["source"], row["transaction_id"], row["facet"])
    return Claim(key, row["user_id"], row["is_new"], row["is_challenged"])


def columns_of(asks: Iterable[Ask]) -> tuple[list[object], ...]:
    """Return the arguments of CLAIM, in one order for all: rivals wait, and never in a circle."""
    rows = sorted((ask.key, ask.user_id, ask.is_wanted) for ask in asks)
    return (
        [key.transaction_id for key, _, _ in rows],
        [key.source for key, _, _ in rows],
        [key.facet for key, _, _ in rows],
        [user_id for _, user_id, _ in rows],
        [str(is_wanted) for _, _, is_wanted in rows],
    )
