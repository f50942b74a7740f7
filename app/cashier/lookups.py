"""What became of a transaction id, an event, a player's money: everything there is to be told.

For people who ask on somebody's behalf, whoever's player it is; nothing is changed.
"""

from collections.abc import Collection
from typing import Final, NamedTuple

from app.ledger.accounts import Account, find_account
from app.ledger.lookups import (
    Links,
    OwnedEntry,
    RoundAccount,
    agent_beside,
    entries_of_event,
    entries_of_transaction,
    last_entries,
    links_of,
    refusals_of_transaction,
    rounds_of_event,
)
from app.ledger.money.book import Book
from app.ledger.transaction import Ledger
from app.wallet.events import RULES, Part
from app.wallet.journal import JournalEntry
from app.wallet.refusal_record import RefusalRecord
from app.wallet.refusals import Refusal

REFUSALS_MAX: Final = 100
"""Of a transaction id; the latest are told."""


class MovementDetails(NamedTuple):
    """A movement with its place in the chain, and with its round."""

    owned: OwnedEntry
    links: Links
    round: RoundAccount | None
    """None: it belongs to no round"""
    beside: list[OwnedEntry]
    """all movements of its event, itself among them"""

    @property
    def hash_holds(self) -> bool:
        """Whether the hash is that of the row as it is now, chained to the one before."""
        entry, before = self.owned.entry, self.links.before
        return before is not None and entry.chained(before).chain == entry.chain

    @property
    def reversed_by(self) -> list[JournalEntry]:
        """The movements that gave or took this one back, wholly or in part."""
        position = self.owned.entry.position
        return [
            other.entry
            for other in self.beside
            if any(reversal.position == position for reversal in other.entry.reverses)
        ]


class TransactionDetails(NamedTuple):
    """All that happened under a transaction id."""

    movements: list[MovementDetails]
    refusals: list[RefusalRecord]


class RoundDetails(NamedTuple):
    """A round, and its movements."""

    account: RoundAccount
    entries: list[OwnedEntry]


class PlayerDetails(NamedTuple):
    """An account, and its last movements, the latest first."""

    account: Account
    entries: list[OwnedEntry]


async def look_up_transaction(ledger: Ledger, transaction_id: str) -> TransactionDetails:
    """Tell what became of a transaction id, whoever used it."""

    async def work(book: Book) -> TransactionDetails:
        entries = await entries_of_transaction(book, transaction_id)
        return TransactionDetails(
            [await _details(book, owned) for owned in entries],
            await refusals_of_transaction(book, transaction_id, REFUSALS_MAX),
        )

    return await ledger.read_only(work)


async def look_up_event(ledger: Ledger, event_id: str, user_id: str | None) -> list[RoundDetails]:
    """Tell what was played in an event: one round for each player, streamer money apart."""

    async def work(book: Book) -> list[RoundDetails]:
        return [
            RoundDetails(
                account,
                [
                    owned
                    for owned in await entries_of_event(book, account.key.player_id, event_id)
                    if RULES[owned.entry.event_type].is_streamer == account.key.is_streamer
                ],
            )
            for account in await rounds_of_event(book, event_id, user_id)
        ]

    return await ledger.read_only(work)


async def look_up_player(ledger: Ledger, user_id: str, count: int) -> PlayerDetails | Refusal:
    """Tell what a player has, and his last movements. PLAYER_UNKNOWN."""

    async def work(book: Book) -> PlayerDetails | Refusal:
        account = await find_account(book, user_id)
        if account is None:
            return Refusal.PLAYER_UNKNOWN
        return PlayerDetails(account, await last_entries(book, account.player.player_id, count))

    return await ledger.read_only(work)


async def find_agent_beside(ledger: Ledger, agents: Collection[str]) -> str | None:
    """Tell whose players are here beside those of the agents named; None: nobody's."""

    async def work(book: Book) -> str | None:
        return await agent_beside(book, agents)

    return await ledger.read_only(work)


async def _details(book: Book, owned: OwnedEntry) -> MovementDetails:
    entry, links = owned.entry, await links_of(book, owned.entry)
    if entry.event_id is None:
        return MovementDetails(owned, links, None, [])
    beside = await entries_of_event(book, entry.player_id, entry.event_id)
    rule = RULES[entry.event_type]
    rounds = await rounds_of_event(book, entry.event_id, owned.user_id)
    round_ = next(
        (
            account
            for account in rounds
            if rule.part is not Part.NONE and account.key.is_streamer == rule.is_streamer
        ),
        None,
    )
    return MovementDetails(owned, links, round_, beside)
