"""A restored ledger: what it lacks, what to ask of others, and the yes that lets it be served.

1. A process that serves notices a restore (`ledger.timeline_guard`), or a person marks it.
2. `state` says what to ask, from which moment on.
3. `accept` is the yes of a named person, with a reason, to the time lines that they were shown: if
   one was noticed since, nothing is accepted. Every process goes on by itself after it. If the
   ledger was served between its restore and the yes, only people know what it was restored to: they
   name it, and it stands in the list as a time line of its own.
4. For a stated time from then on money is taken under unknown tokens, and flagged in the inbox.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import structlog

from app.cashier.permissions import Act
from app.ledger.citus import Place
from app.ledger.citus.restoring import Rebuilt
from app.ledger.errors import LedgerRestoredError
from app.ledger.event_log.voiding import Void, void
from app.ledger.exception_collection import OVERLAP
from app.ledger.money.book import Book
from app.ledger.restored import (
    OpenRounds,
    UnknownPlayer,
    count_pending_holds,
    open_rounds,
    unknown_players,
)
from app.ledger.seals import every_seal
from app.ledger.timelines import Timeline, answer, begin, list_timelines
from app.ledger.transaction import Ledger
from app.proof.seal import SignedSeal
from app.wallet.operators import Operator, Permission
from app.wallet.timelines import Beginning, TimelineKind

LISTED_MAX: Final = 50

SEALS: Final = "the file of seals"
"""Who noticed a restore, where no process could."""

NOBODY_WAITS: Final = "No time line waits for somebody: `wallet restored show` lists them."
ALREADY: Final = "The ledger is marked already: `wallet restored show`."
ALREADY_TO: Final = (
    "The ledger is marked already: `wallet restored accept` takes the moment it was restored to."
)

VOID_MAX: Final = timedelta(minutes=30)
"""How long the yes may take on nodes: what still holds of millions of events gets new numbers."""

logger: Final = structlog.get_logger("ledger")


class NotDone(NamedTuple):
    """Nothing was changed; the words are a sentence for people."""

    words: str


class RestoredState(NamedTuple):
    """The time lines, and what there is to ask."""

    timelines: list[Timeline]
    """the latest first"""
    ask_from: datetime | None
    """from when on the aggregator must be asked for everything; None: nothing was restored"""
    open_rounds: Sequence[OpenRounds]
    pending_holds: int
    unknown_players: Sequence[UnknownPlayer]

    @property
    def is_waiting(self) -> bool:
        """Whether nobody is served before somebody says yes."""
        return self.waiting is not None

    @property
    def waiting(self) -> int | None:
        """The latest time line that waits, by which the yes names what was shown."""
        return _waiting(self.timelines)


class Accepted(NamedTuple):
    """What may be served from now on."""

    numbers: list[int]
    """of its time lines"""
    claims: Rebuilt | None
    """what was made whole; None: all buckets are on one server"""
    voided: Sequence[Void]
    """events that hold no more, of each agent who was told some"""


class Marked(NamedTuple):
    """Nobody is served before somebody says yes."""

    number: int
    """of the time line that waits for it"""
    not_asked: Sequence[Place]
    """nodes that are away, and did not say how far they go"""


async def state(ledger: Ledger) -> RestoredState:
    """Return the time lines, and what must be asked of others about the last restore."""

    async def work(book: Book) -> RestoredState:
        timelines = await list_timelines(book, LISTED_MAX)
        last = next((one for one in timelines if one.kind is TimelineKind.RESTORED), None)
        if last is None:
            return RestoredState(timelines, None, (), 0, ())
        moment = last.last_movement_at
        if moment is None and last.is_waiting:
            # A node may have been away when somebody marked the ledger.
            nodes = await ledger.last_of_nodes()
            moment = None if nodes is None else nodes.moment
        # Where nothing is left, nothing tells how much is missing.
        moment = moment or timelines[-1].noticed_at
        return RestoredState(
            timelines,
            moment - OVERLAP,
            await open_rounds(book),
            await count_pending_holds(book),
            await unknown_players(book, LISTED_MAX),
        )

    return await ledger.read_only(work)


async def accept(
    ledger: Ledger,
    operator: Operator,
    shown: int,
    reason: str,
    money_for: timedelta,
    *,
    restored_to: datetime | None = None,
) -> Accepted | NotDone:
    """Say that the restored ledger may be served.

    `shown`: the latest time line that waited when the person looked. The yes is for it and for what
    waited before it; if another one was noticed since, nothing is accepted.

    Where buckets are on several nodes, what a node that was restored by itself lacks of others is
    made whole before. Raises LedgerError: nobody is served, and it may be said again.
    `restored_to`: named by people, since what was served after it has later movements.
    """
    act = Act(operator, "restore.accept")
    fault = await act.fault(ledger, Permission.RESTORE)
    if fault is not None:
        return NotDone(fault)

    async def known(book: Book) -> list[Timeline]:
        return await list_timelines(book, LISTED_MAX)

    timelines = await ledger.read_only(known, confirmed=False)
    fault = _fault_of(timelines, shown)
    if fault is not None:
        return NotDone(fault)
    said = [one.last_movement_at for one in timelines if one.is_waiting]
    claims = await ledger.rebuild_claims(_earliest(restored_to, *said))
    # A node that was away when somebody marked the ledger has been asked by now.
    ends_at = _earliest(restored_to, said[0] or (None if claims is None else claims.last))
    why = (
        f"{operator.name} says that it was restored to an earlier moment"
        if ends_at == restored_to
        else "every node has said by now how far it goes"
    )

    async def work(book: Book) -> Accepted | NotDone:
        # The list may have grown while claims were made again. One that is appended after this
        # snapshot is not in what is answered, and waits.
        fault = _fault_of(await known(book), shown)
        if fault is not None:
            return NotDone(fault)
        if ends_at != said[0]:
            await begin(book, Beginning(TimelineKind.RESTORED, why), operator.noted_as, ends_at)
        numbers = await answer(book, operator, reason, money_for)
        await act.note(book, reason, max(numbers))
        if claims is None:
            return Accepted(numbers, None, ())
        await book.connection.execute("SET LOCAL statement_timeout = 0")
        return Accepted(numbers, claims, await void(book, claims.lost, claims.ends))

    return await ledger.serializable(work, deadline=None if claims is None else VOID_MAX)


def _waiting(timelines: Sequence[Timeline]) -> int | None:
    return max((line.number for line in timelines if line.is_waiting), default=None)


def _fault_of(timelines: Sequence[Timeline], shown: int) -> str | None:
    """Return why a yes to the time line that was shown is not one to those that wait, if so."""
    waiting = _waiting(timelines)
    if waiting is None:
        return NOBODY_WAITS
    if waiting != shown:
        return (
            f"Nothing was accepted: the latest time line that waits is {waiting}, not {shown}; look"
            " again, `wallet restored show`."
        )
    return None


def _earliest(*moments: datetime | None) -> datetime | None:
    return min((each for each in moments if each is not None), default=None)


async def mark(
    ledger: Ledger, operator: Operator, reason: str, *, restored_to: datetime | None = None
) -> Marked | NotDone:
    """Mark the ledger as restored, where no process could notice it: all stop serving.

    A node that is away keeps nobody from it: how far it goes is asked with the yes.
    `restored_to`: named by people, if it was served since.
    """
    act = Act(operator, "restore.mark")
    fault = await act.fault(ledger, Permission.RESTORE)
    if fault is not None:
        return NotDone(fault)
    nodes = await ledger.last_of_nodes()
    ends_at = _earliest(None if nodes is None else nodes.moment, restored_to)

    async def work(book: Book) -> Marked | NotDone:
        if any(line.is_waiting for line in await list_timelines(book, LISTED_MAX)):
            return NotDone(ALREADY if restored_to is None else ALREADY_TO)
        begun = Beginning(TimelineKind.RESTORED, reason)
        number = await begin(book, begun, operator.noted_as, ends_at)
        await act.note(book, reason)
        return Marked(number, () if nodes is None else nodes.away)

    return await ledger.serializable(work)


async def look_at_seals(ledger: Ledger, outside: Sequence[SignedSeal]) -> None:
    """Begin a restored time line if the file of seals has one that the ledger lacks.

    PostgreSQL begins no timeline of its own where a disk, or a copy, is simply put back. Seals that
    were lost before somebody said yes are known. Raises LedgerError.
    """

    async def work(book: Book) -> str | None:
        known = {signed.hash for signed in await every_seal(book.connection)}
        ahead = [signed.seal for signed in outside if signed.hash not in known]
        if not ahead:
            return None
        for line in await list_timelines(book, LISTED_MAX):
            if line.is_waiting or (line.answered_at and line.answered_at > ahead[-1].sealed_at):
                return None
        why = f"the file of seals has the seal {ahead[-1].number}, which the ledger lacks"
        await begin(book, Beginning(TimelineKind.RESTORED, why), SEALS)
        return why

    why = await ledger.serializable(work)
    if why is not None:
        logger.warning("time line begins", kind=TimelineKind.RESTORED.value, why=why)


async def why_not_served(ledger: Ledger) -> str | None:
    """Return why a restored ledger may not be served yet, or None. Raises other LedgerErrors."""
    try:
        await ledger.verify_timeline()
    except LedgerRestoredError as error:
        return str(error)
    return None
