"""Betby's bets by the ids that we gave them: looked up before they are moved, and noted about.

A journal entry never changes, so what is read here holds for the movement that is decided later;
whether a bet stands is decided with it.
"""

from typing import NamedTuple

from app.ledger.exceptions import open_exception
from app.ledger.money.book import Book
from app.ledger.named_bets import entries_at, keep_note, round_of
from app.ledger.players import user_id_of
from app.ledger.transaction import Ledger
from app.wallet.events import RULES, Part
from app.wallet.inbox import ExceptionKind
from app.wallet.journal import JournalEntry
from app.wallet.named import NamedRound, settlement_difference

COMMIT = "commit"
SETTLEMENT = "settlement"


class NamedBet(NamedTuple):
    """A bet of Betby's, and the operation of its round that a rollback names."""

    entry: JournalEntry
    user_id: str
    parent: JournalEntry | None = None
    target: JournalEntry | None = None
    """the entry whose money the parent moved, if that is a rollback"""


async def find_bet(
    ledger: Ledger, player_id: int, position: int, parent: int | None = None
) -> NamedBet | None:
    """Return the bet at this place, with the operation at `parent` if one is named.

    None: there is no such bet, or the operation is not of its round.
    """

    async def work(book: Book) -> NamedBet | None:
        return await _find(book, player_id, position, parent)

    # Not confirmed: what names them commits later, and so waits for the same standby.
    return await ledger.read_only(work, confirmed=False)


async def _find(book: Book, player_id: int, position: int, parent: int | None) -> NamedBet | None:
    places = [position] if parent is None else [position, parent]
    found = await entries_at(book, player_id, places)
    bet = found.get(position)
    if bet is None or not _is_bet(bet):
        return None
    named = NamedBet(bet, await user_id_of(book, player_id))
    if parent is None:
        return named
    operation = found.get(parent)
    if operation is None or operation.event_id != bet.event_id or operation is bet:
        return None
    if RULES[operation.event_type].part is not Part.CANCEL:
        return named._replace(parent=operation)
    target = operation.reverses[0].position
    targets = await entries_at(book, player_id, [target])
    return named._replace(parent=operation, target=targets[target])


async def find_entry(ledger: Ledger, player_id: int, position: int) -> JournalEntry:
    """Return an accepted entry that the journal itself names."""

    async def work(book: Book) -> JournalEntry:
        return (await entries_at(book, player_id, [position]))[position]

    return await ledger.read_only(work)


async def note_commit(ledger: Ledger, bet: NamedBet, delivery: bytes) -> None:
    """Note that Betby has accepted a bet."""

    async def work(book: Book) -> None:
        await keep_note(book, bet.entry, COMMIT, "", None, delivery)

    await ledger.serializable(work)


async def note_settlement(
    ledger: Ledger, bet: NamedBet, status: str, delivery: bytes
) -> str | None:
    """Note how Betby settled a bet; return how that differs from what was done, the first time.

    What differs is listed in the inbox, in the same transaction.
    """
    entry = bet.entry

    async def work(book: Book) -> str | None:
        event_id = entry.event_id or ""
        history = await round_of(book, entry.player_id, event_id)
        differs = settlement_difference(status, NamedRound.after(history))
        is_new = await keep_note(book, entry, SETTLEMENT, status, differs, delivery)
        if differs is None or not is_new:
            return None
        await open_exception(
            book,
            ExceptionKind.SETTLEMENT_DIFFERS,
            f"{entry.player_id}|{entry.position}|{status}",
            summary=f"settled as {status}, but {differs}",
            happened_at=entry.ledger_time,
            user_id=bet.user_id,
            source=entry.key.source,
            transaction_id=entry.key.transaction_id,
            event_type=entry.event_type.value,
            direction=entry.direction.value,
            event_id=event_id,
            amount=entry.currency.text(entry.amount),
            currency=entry.currency.code,
        )
        return differs

    return await ledger.serializable(work)


def _is_bet(entry: JournalEntry) -> bool:
    rule = RULES[entry.event_type]
    return rule.is_named and rule.part is Part.BET
