"""Lookups of the transfer contract: questions that change nothing, of one agent's players only.

Those of support staff are in `staff_lookups`.
"""

from collections.abc import Collection
from datetime import datetime
from heapq import merge
from itertools import islice
from typing import NamedTuple

from app.ledger.account_statement import find_movements
from app.ledger.deadlines import within
from app.ledger.errors import LedgerError
from app.ledger.event_log.told import MovementTold
from app.ledger.history import PageKey, RoundState, RoundSummary, find_rounds
from app.ledger.lookups import agent_beside
from app.ledger.money.book import Book
from app.ledger.players import Player, find_player, user_id_of
from app.ledger.together import together
from app.ledger.transaction import Ledger
from app.wallet.events import RULES, HoldPart
from app.wallet.journal import JournalEntry
from app.wallet.limits import LimitHit
from app.wallet.movement import Key
from app.wallet.refusals import Refusal


class KnownMovement(NamedTuple):
    """A decided movement, and the user id of its player."""

    entry: JournalEntry
    user_id: str
    limit_hit: LimitHit | None = None
    """which limit refused it"""


class HistoryPage(NamedTuple):
    """One page of rounds, newest first."""

    rounds: list[RoundSummary]
    next_key: PageKey | None
    """where the next page begins; None: this is the last page"""


class StatementPage(NamedTuple):
    """One page of a player's movements, newest first."""

    movements: list[MovementTold]
    next_position: int | None
    """before which the next page begins; None: this is the last page"""


async def check_transaction(
    ledger: Ledger, source: str, transaction_id: str
) -> KnownMovement | None:
    """Return what the journal has under this transaction id of this source; None: nothing yet.

    None is not final: a request with this id may still be on its way, and one that was committed is
    not told before a synchronous standby, if there is one, has it. The lookup is by the whole key,
    so it serves the ids of an agent (transfer contract, transaction/check), and the callback's ids
    only where the transaction id alone is the key. All of it ends within the ledger's deadline.
    """

    async def work(book: Book) -> KnownMovement | None:
        return await _known_movement(book, source, transaction_id)

    async with within(ledger.deadline):
        of = await ledger.holder_of(source, transaction_id)
        known = await ledger.read_only(work, of=of, confirmed=False)
        if known is not None:
            try:
                await ledger.confirm(of=of)
            except LedgerError:
                return None
    return known


async def _known_movement(book: Book, source: str, transaction_id: str) -> KnownMovement | None:
    entries = await book.entries_of([Key(source, transaction_id, "")])
    if not entries:
        return None
    (entry,) = entries
    hit = None if entry.is_accepted else await book.limit_hit_of(entry)
    return KnownMovement(entry, await user_id_of(book, entry.player_id), hit)


async def find_hold(ledger: Ledger, source: str, hold_id: str) -> KnownMovement | None:
    """Return the accepted hold under this transaction id of an agent; None: there is none."""

    async def work(book: Book) -> KnownMovement | None:
        return await _known_movement(book, source, hold_id)

    # Not confirmed: what settles or releases it commits later, and so waits for the same standby.
    of = await ledger.holder_of(source, hold_id)
    known = await ledger.read_only(work, of=of, confirmed=False)
    if known is None or not known.entry.is_accepted:
        return None
    return known if RULES[known.entry.event_type].hold is HoldPart.OPEN else None


async def history(
    ledger: Ledger,
    *,
    agent: str,
    state: RoundState,
    user_id: str | None,
    since: datetime,
    until: datetime,
    after: PageKey | None,
    count_max: int,
) -> HistoryPage | Refusal:
    """Return one page of an agent's rounds, or of one of their players', opened in [since, until).

    `after` is the `next_key` of the page before; None asks for the first page. The page has at most
    `count_max` rounds. Refusals: PLAYER_UNKNOWN, ACCOUNT_OF_ANOTHER_AGENT (transfer contract,
    history).
    """
    before = PageKey(until, 0, "", False)  # noqa: FBT003 - before every round of that moment
    if after is not None:
        before = min(before, after)

    async def work(book: Book) -> list[RoundSummary] | Refusal:
        if user_id is not None:
            player = await _player_of(book, agent, user_id)
            if isinstance(player, Refusal):
                return player
        return await find_rounds(
            book,
            agent=agent,
            state=state,
            user_id=user_id,
            since=since,
            before=before,
            count_max=count_max + 1,
        )

    places = await ledger.apart() if user_id is None else [user_id]
    found = await together(ledger.read_only(work, of=of) for of in places)
    pages: list[list[RoundSummary]] = []
    for each in found:
        if isinstance(each, Refusal):
            return each
        pages.append(each)
    # Rounds of one moment and one player are in one bucket, which has them in order.
    rounds = list(islice(merge(*pages, key=_newest_first, reverse=True), count_max + 1))
    page = rounds[:count_max]
    return HistoryPage(page, page[-1].key if len(rounds) > count_max else None)


async def statement(
    ledger: Ledger,
    *,
    agent: str,
    user_id: str,
    since: datetime,
    until: datetime,
    before: int | None,
    count_max: int,
) -> StatementPage | Refusal:
    """Return one page of a player's movements, accepted and declined, decided in [since, until).

    `before` is the `next_position` of the page before; None asks for the first page. The page has
    at most `count_max` movements. Refusals: PLAYER_UNKNOWN, ACCOUNT_OF_ANOTHER_AGENT (transfer
    contract, account/statement).
    """

    async def work(book: Book) -> StatementPage | Refusal:
        player = await _player_of(book, agent, user_id)
        if isinstance(player, Refusal):
            return player
        lines = await find_movements(
            book,
            player.player_id,
            since=since,
            until=until,
            before=before,
            count_max=count_max + 1,
        )
        page = lines[:count_max]
        return StatementPage(
            [line.movement for line in page],
            page[-1].position if len(lines) > count_max else None,
        )

    return await ledger.read_only(work, of=user_id)


async def _player_of(book: Book, agent: str, user_id: str) -> Player | Refusal:
    player = await find_player(book, user_id)
    if player is None:
        return Refusal.PLAYER_UNKNOWN
    return player if player.agent == agent else Refusal.ACCOUNT_OF_ANOTHER_AGENT


def _newest_first(of: RoundSummary) -> tuple[datetime, int]:
    return of.key.opened_at, of.key.player_id


async def find_agent_beside(ledger: Ledger, agents: Collection[str]) -> str | None:
    """Return an agent that has players here and is not one of those named; None: there is none."""

    async def work(book: Book) -> str | None:
        return await agent_beside(book, agents)

    return await ledger.read_only(work, confirmed=False)
