"""Questions that change nothing: what became of a transaction, what a player has played."""

from datetime import datetime
from typing import NamedTuple

from app.ledger.history import PageKey, RoundState, RoundSummary, find_rounds
from app.ledger.money.book import Book
from app.ledger.players import find_player, user_id_of
from app.ledger.transaction import Ledger
from app.wallet.journal import JournalEntry
from app.wallet.movement import Key
from app.wallet.refusals import Refusal


class KnownMovement(NamedTuple):
    """A movement that was decided, and whose it was."""

    entry: JournalEntry
    user_id: str


class HistoryPage(NamedTuple):
    """Rounds, newest first, and where the next page begins; None: this was the last."""

    rounds: list[RoundSummary]
    next_key: PageKey | None


async def check_transaction(
    ledger: Ledger, source: str, transaction_id: str
) -> KnownMovement | None:
    """What the journal has under this id of this source; None is not final: it may be on its way.

    For the ids of an agent, and for the game side's where a transaction id alone is the key.
    """

    async def work(book: Book) -> KnownMovement | None:
        entries = await book.entries_of([Key(source, transaction_id, "")])
        if not entries:
            return None
        (entry,) = entries
        return KnownMovement(entry, await user_id_of(book, entry.player_id))

    return await ledger.read_only(work)


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
    """A page of an agent's rounds, or of one of his players', opened in [since, until).

    `after`: the `next_key` of the page before. PLAYER_UNKNOWN, ACCOUNT_OF_ANOTHER_AGENT.
    """
    before = PageKey(until, 0, "", False)  # noqa: FBT003 - before every round of that moment
    if after is not None:
        before = min(before, after)

    async def work(book: Book) -> HistoryPage | Refusal:
        if user_id is not None:
            player = await find_player(book, user_id)
            if player is None:
                return Refusal.PLAYER_UNKNOWN
            if player.agent != agent:
                return Refusal.ACCOUNT_OF_ANOTHER_AGENT
        rounds = await find_rounds(
            book,
            agent=agent,
            state=state,
            user_id=user_id,
            since=since,
            before=before,
            count_max=count_max + 1,
        )
        page = rounds[:count_max]
        return HistoryPage(page, page[-1].key if len(rounds) > count_max else None)

    return await ledger.read_only(work)
