"""A dispute: everything that the ledger holds about one transaction id, gathered for others.

All of it is read in one snapshot, but for the proof, which has one of its own: the journal is only
added to, so the two agree. Where the buckets are on nodes, each look has its own. What the ledger
does not keep is not told as if it did; `NOT_KEPT` says what that is.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import Final, NamedTuple, Protocol, TypeVar

from app.cashier.move_funds import DECLINED_AGAIN
from app.cashier.staff_lookups import (
    MovementDetails,
    RoundDetails,
    TransactionDetails,
    event_details,
    look_up_event,
    look_up_transaction,
    transaction_details,
)
from app.ledger.disputes import (
    Aside,
    Handling,
    Unheard,
    asides_between,
    entries_around,
    handling_of,
    place_at,
    unheard_of,
)
from app.ledger.lookups import OwnedEntry
from app.ledger.money.book import Book
from app.ledger.request_archive import SealedRequest, archived_under
from app.ledger.transaction import Ledger
from app.wallet.journal import JournalEntry
from app.wallet.limits import LimitHit
from app.wallet.moments import EARLIEST, LATEST
from app.wallet.refusal_record import RefusalRecord
from app.wallet.refusals import Refusal

T = TypeVar("T")

PLAYERS_MAX: Final = 20
"""Time lines of one dispute; an id that more players used is no dispute about one of them."""

NOT_KEPT: Final = {
    "the request": "its bytes, its token and its signature, unless WALLET_REQUEST_KEYS is set. "
    "Whatever has a wrong signature is refused before anything is decided or written, so every "
    "entry here had a right one when it came. Who has the request as it was sent has its signature "
    "checked again with --request.",
    "repeats": "those with the same content are answered and leave no row; the log has a line of "
    "each.",
    "answers": "their bytes. The first answer to a decided movement follows from its entry alone, "
    "and is computed from it; of a refusal without an outcome the code and the words are known.",
}
"""What nobody finds in the ledger where no request under the id is archived."""


class Told(NamedTuple):
    """An answer by a contract."""

    code: int
    words: str
    """the code's meaning, or what went wrong"""
    body: str | None = None
    """exactly what was sent; None: it cannot be computed"""


class Shown(NamedTuple):
    """A request as somebody shows it."""

    is_signed: bool
    """whether the signature is that of its fields under one of our keys"""
    fields: dict[str, str]
    """as they are read here, without the token"""


class Contracts(Protocol):
    """What the contracts say about the past."""

    def first_answer(self, entry: JournalEntry, user_id: str, hit: LimitHit | None) -> Told | None:
        """Return the answer that followed from an entry; None: nobody outside asked for it."""

    def refusal_answer(self, kept: RefusalRecord, refusal: Refusal | None) -> Told:
        """Return the answer to a refusal without an outcome; None: it was not understood."""

    def read_request(
        self, sent: bytes, content_type: str | None, signature: str, keys: Sequence[str]
    ) -> Shown | str:
        """Read a request of the game side, and check its signature; or say why it is none."""


class TimeLine(NamedTuple):
    """A wallet's movements around one of them, and what else concerns its player meanwhile."""

    user_id: str
    entries: list[OwnedEntry]
    asides: list[Aside]


class DisputedMovement(NamedTuple):
    """A movement under the id, and whether its caller heard the answer."""

    details: MovementDetails
    unheard: Unheard | None


class Dispute(NamedTuple):
    """Everything about one transaction id."""

    transaction_id: str
    movements: list[DisputedMovement]
    refusals: list[RefusalRecord]
    """those without an outcome, oldest first"""
    rounds: list[RoundDetails]
    time_lines: list[TimeLine]
    handling: list[Handling]
    received: list[SealedRequest]
    """requests as they came, oldest first, where they are archived"""

    @property
    def is_known(self) -> bool:
        """Whether any request under the id was decided or refused here."""
        return bool(self.movements or self.refusals or self.received)


class Answer(NamedTuple):
    """An answer to a request under the id."""

    at: datetime | None
    what: str
    told: Told | None
    """None: it was none of a contract"""
    note: str | None = None


def answers_told(dispute: Dispute, contracts: Contracts) -> list[Answer]:
    """Return every answer that the ledger knows of, oldest first."""
    answers = []
    for each in dispute.movements:
        owned = each.details.owned
        entry = owned.entry
        told = contracts.first_answer(entry, owned.user_id, owned.limit_hit)
        what = f"{entry.event_type} {entry.direction}"
        answers.append(Answer(entry.ledger_time, what, told, _unheard(each.unheard)))
    for kept in dispute.refusals:
        what = " ".join(filter(None, (kept.event_type or kept.operation, kept.direction)))
        told = contracts.refusal_answer(kept, _refusal_told(dispute, kept))
        note = None if kept.reason == told.words else kept.reason
        answers.append(Answer(kept.ledger_time, what, told, note))
    return sorted(answers, key=lambda answer: answer.at or EARLIEST)


def _unheard(unheard: Unheard | None) -> str | None:
    if unheard is None:
        return None
    at = unheard.told_at.isoformat(sep=" ", timespec="microseconds").replace("+00:00", "Z")
    if unheard.came_back_at is None:
        return f"its caller was told 503 at {at}, and has not asked again"
    back = unheard.came_back_at.isoformat(sep=" ", timespec="microseconds").replace("+00:00", "Z")
    return f"its caller was told 503 at {at}, and asked again by {back}"


def _refusal_told(dispute: Dispute, kept: RefusalRecord) -> Refusal | None:
    """Return the refusal that a request heard; a declined movement's repeat hears it again."""
    if kept.reason == DECLINED_AGAIN:
        for each in dispute.movements:
            entry = each.details.owned.entry
            if entry.key.source == kept.source and entry.refusal is not None:
                return entry.refusal
    return Refusal.__members__.get(kept.refusal)


class _Place(NamedTuple):
    """Where in a wallet's chain a time line is centred."""

    user_id: str
    player_id: int
    position: int
    moment: datetime


class _Looks(Protocol):
    """How a dispute's parts are read, each where its rows are."""

    async def transaction(self, transaction_id: str) -> TransactionDetails:
        """Return all under a transaction id."""

    async def event(self, event_id: str, user_id: str | None) -> list[RoundDetails]:
        """Return the rounds of an event."""

    async def of(self, user_id: str | None, work: Callable[[Book], Awaitable[T]]) -> T:
        """Read what is a player's, or (None) nobody's."""


class _OneSnapshot(NamedTuple):
    """All in one transaction, of the one server that has everything."""

    book: Book

    async def transaction(self, transaction_id: str) -> TransactionDetails:
        return await transaction_details(self.book, transaction_id)

    async def event(self, event_id: str, user_id: str | None) -> list[RoundDetails]:
        return await event_details(self.book, event_id, user_id)

    async def of(self, _user_id: str | None, work: Callable[[Book], Awaitable[T]]) -> T:
        return await work(self.book)


class _OnNodes(NamedTuple):
    """Each look at the node that has the player."""

    ledger: Ledger

    async def transaction(self, transaction_id: str) -> TransactionDetails:
        return await look_up_transaction(self.ledger, transaction_id)

    async def event(self, event_id: str, user_id: str | None) -> list[RoundDetails]:
        return await look_up_event(self.ledger, event_id, user_id)

    async def of(self, user_id: str | None, work: Callable[[Book], Awaitable[T]]) -> T:
        return await self.ledger.read_only(work, of=user_id)


async def gather(ledger: Ledger, transaction_id: str, around: int) -> Dispute:
    """Gather a dispute; `around`: how many movements before and after belong to a time line."""

    async def work(book: Book) -> Dispute:
        return await _gathered(_OneSnapshot(book), transaction_id, around)

    if await ledger.is_on_nodes():
        return await _gathered(_OnNodes(ledger), transaction_id, around)
    return await ledger.read_only(work)


async def _gathered(looks: _Looks, transaction_id: str, around: int) -> Dispute:
    details = await looks.transaction(transaction_id)
    movements = [await _disputed(looks, each) for each in details.movements]
    refusals = details.refusals[::-1]
    return Dispute(
        transaction_id,
        movements,
        refusals,
        await _rounds(looks, movements, refusals),
        await _time_lines(looks, movements, refusals, around),
        await looks.of(None, lambda book: handling_of(book, transaction_id)),
        await looks.of(None, lambda book: archived_under(book, transaction_id)),
    )


async def _disputed(looks: _Looks, details: MovementDetails) -> DisputedMovement:
    owned = details.owned
    place = (owned.entry.player_id, owned.entry.position)
    return DisputedMovement(
        details, await looks.of(owned.user_id, lambda book: unheard_of(book, *place))
    )


async def _rounds(
    looks: _Looks, movements: Iterable[DisputedMovement], refusals: Iterable[RefusalRecord]
) -> list[RoundDetails]:
    """Return the rounds of all events that were named under the id, each once."""
    decided = (each.details.owned for each in movements)
    named = [(owned.entry.event_id, owned.user_id) for owned in decided]
    named += [(kept.event_id, kept.user_id) for kept in refusals]
    return [
        account
        for event_id, user_id in dict.fromkeys(named)
        if event_id is not None
        for account in await looks.event(event_id, user_id)
    ]


async def _time_lines(
    looks: _Looks,
    movements: Sequence[DisputedMovement],
    refusals: Sequence[RefusalRecord],
    around: int,
) -> list[TimeLine]:
    lines: list[TimeLine] = []
    places = [_place(each.details.owned) for each in movements]
    places += await _refused_at(looks, movements, refusals)
    for place in places[:PLAYERS_MAX]:
        if not any(_is_on(line, place) for line in lines):
            lines.append(await looks.of(place.user_id, partial(_time_line, place, around)))
    return lines


async def _time_line(place: _Place, around: int, book: Book) -> TimeLine:
    first, last = place.position - around, place.position + around
    entries = await entries_around(book, place.player_id, first, last)
    since, until = _span(entries, first, last)
    asides = await asides_between(book, place.user_id, place.player_id, since, until, place.moment)
    return TimeLine(place.user_id, entries, asides)


def _place(owned: OwnedEntry) -> _Place:
    entry = owned.entry
    return _Place(owned.user_id, entry.player_id, entry.position, entry.ledger_time)


async def _refused_at(
    looks: _Looks, movements: Iterable[DisputedMovement], refusals: Iterable[RefusalRecord]
) -> list[_Place]:
    """Return where those players stood who were refused, and have no movement under the id."""
    seen = {each.details.owned.user_id for each in movements}
    places = []
    for kept in refusals:
        if kept.user_id in seen or kept.ledger_time is None:
            continue
        seen.add(kept.user_id)
        look = partial(place_at, user_id=kept.user_id, at=kept.ledger_time)
        place = await looks.of(kept.user_id, look)
        if place is not None:
            places.append(_Place(kept.user_id, *place, kept.ledger_time))
    return places


def _is_on(line: TimeLine, place: _Place) -> bool:
    positions = {owned.entry.position for owned in line.entries}
    return line.user_id == place.user_id and place.position in positions


def _span(entries: Sequence[OwnedEntry], first: int, last: int) -> tuple[datetime, datetime]:
    """Return the moments that a time line spans; it is open where the wallet's chain ends."""
    if not entries:
        return EARLIEST, LATEST
    oldest, latest = entries[0].entry, entries[-1].entry
    since = oldest.ledger_time if oldest.position == first else EARLIEST
    return since, latest.ledger_time if latest.position == last else LATEST
