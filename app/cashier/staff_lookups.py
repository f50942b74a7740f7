"""Lookups of support staff, on the console and in the back office: of every agent's players."""

from collections.abc import Sequence
from itertools import chain
from typing import Final, NamedTuple

from app.ledger.accounts import Account, find_account
from app.ledger.lookups import (
    AccountChangeNote,
    Links,
    OwnedEntry,
    RoundAccount,
    changes_of_delivery,
    entries_of_event,
    entries_of_transaction,
    entry_at,
    last_entries,
    links_of,
    refusals_of_delivery,
    refusals_of_transaction,
    rounds_of_event,
    transactions_of_delivery,
)
from app.ledger.money.book import Book
from app.ledger.people import user_ids_of_email
from app.ledger.slips.looking import (
    RoundOfSlip,
    ShownSlip,
    rounds_of_slip,
    slips_of_round,
)
from app.ledger.together import together
from app.ledger.transaction import Ledger
from app.wallet.buckets import bucket_of
from app.wallet.events import RULES, EventType, Part
from app.wallet.journal import JournalEntry
from app.wallet.named import Place
from app.wallet.refusal_record import RefusalRecord
from app.wallet.refusals import Refusal

REFUSALS_MAX: Final = 100
"""The most refusals listed for one transaction id: the latest ones."""


class MovementDetails(NamedTuple):
    """A movement with its place in the chain, and with its round."""

    owned: OwnedEntry
    links: Links
    round: RoundAccount | None
    """None: the movement belongs to no round"""
    beside: list[OwnedEntry]
    """all movements of its event, itself among them"""

    @property
    def hash_holds(self) -> bool:
        """Whether the stored hash is the hash of the stored row and of the movement before."""
        entry, before = self.owned.entry, self.links.before
        return before is not None and entry.chained(before).chain == entry.chain

    @property
    def reversed_by(self) -> list[JournalEntry]:
        """The movements that reversed this one, wholly or in part."""
        position = self.owned.entry.position
        return [
            other.entry
            for other in self.beside
            if other.entry.event_type is not EventType.BETBY_NO_EFFECT
            and any(reversal.position == position for reversal in other.entry.reverses)
        ]


class TransactionDetails(NamedTuple):
    """All movements and refusals under one transaction id, whoever sent them."""

    movements: list[MovementDetails]
    refusals: list[RefusalRecord]


class RoundDetails(NamedTuple):
    """A round, its movements, and what its bet slips say, where it is a sports bet."""

    account: RoundAccount
    entries: list[OwnedEntry]
    slips: list[ShownSlip]


class PlayerDetails(NamedTuple):
    """An account, and its last movements, the latest first."""

    account: Account
    entries: list[OwnedEntry]


async def look_up_transaction(ledger: Ledger, transaction_id: str) -> TransactionDetails:
    """Return all movements and refusals under a transaction id, of every source."""
    parts = await ledger.parts()

    async def work(book: Book) -> TransactionDetails:
        return await transaction_details(book, transaction_id)

    async def in_bucket(book: Book) -> list[MovementDetails]:
        return await _movements(book, transaction_id)

    async def above(book: Book) -> list[RefusalRecord]:
        return await refusals_of_transaction(book, transaction_id, REFUSALS_MAX)

    if not parts:
        return await ledger.read_only(work)
    # A bucket's movements are joined with their rounds at its node; refusals may name nobody.
    found = await together(part.read_only(in_bucket) for part in parts.values())
    movements = sorted(
        chain.from_iterable(found),
        key=lambda details: (
            details.owned.entry.ledger_time,
            details.owned.entry.player_id,
            details.owned.entry.position,
        ),
    )
    return TransactionDetails(movements, await ledger.read_only(above))


async def look_up_delivery(ledger: Ledger, delivery: bytes) -> dict[str, TransactionDetails]:
    """Return all under each transaction id that a request (its Request-Id) decided or asked."""

    async def work(book: Book) -> dict[str, TransactionDetails]:
        found = await transactions_of_delivery(book, delivery)
        return {each: await transaction_details(book, each) for each in found}

    async def above(book: Book) -> list[str]:
        return await transactions_of_delivery(book, delivery)

    if not await ledger.is_on_nodes():
        return await ledger.read_only(work)
    found = await ledger.read_only(above)
    return {each: await look_up_transaction(ledger, each) for each in found}


async def look_up_our_id(ledger: Ledger, text: str) -> dict[str, TransactionDetails]:
    """Return the movement of Betby's that has this id of ours, by Betby's id; none: nothing has it.

    Other contracts are not told such ids.
    """
    place = Place.of(text)
    if place is None:
        return {}

    async def work(book: Book) -> dict[str, TransactionDetails]:
        owned = await entry_at(book, *place)
        if owned is None or not RULES[owned.entry.event_type].is_named:
            return {}
        details = TransactionDetails([await _details(book, owned)], [])
        return {owned.entry.key.transaction_id: details}

    # A player's number does not tell their bucket, and one bucket at most has it.
    found = await together(ledger.read_only(work, of=of) for of in await ledger.apart())
    return dict(chain.from_iterable(each.items() for each in found))


class RequestTraces(NamedTuple):
    """What a request left that has no transaction id."""

    refusals: list[RefusalRecord]
    changes: list[AccountChangeNote]


async def look_up_request(ledger: Ledger, delivery: bytes) -> RequestTraces:
    """Return what a request (its Request-Id) was refused, and which accounts it changed."""

    async def work(book: Book) -> RequestTraces:
        refusals = await refusals_of_delivery(book, delivery)
        return RequestTraces(refusals, await changes_of_delivery(book, delivery))

    return await ledger.read_only(work)


async def look_up_event(ledger: Ledger, event_id: str, user_id: str | None) -> list[RoundDetails]:
    """Return the rounds of an event: one for each player and kind of money (own or streamer)."""
    parts = await ledger.parts()

    async def work(book: Book) -> list[RoundDetails]:
        return await event_details(book, event_id, user_id)

    async def in_bucket(book: Book) -> list[RoundDetails]:
        return await _rounds(book, event_id, user_id)

    if not parts:
        return await ledger.read_only(work)
    of_user = [] if user_id is None else [parts[bucket_of(user_id, len(parts))]]
    asked = of_user or parts.values()
    found = await together(part.read_only(in_bucket) for part in asked)
    rounds = sorted(
        chain.from_iterable(found),
        key=lambda details: (details.account.opened_at, *details.account.key),
    )

    async def above(book: Book) -> list[RoundDetails]:
        return await _with_slips(book, rounds)

    return await ledger.read_only(above)


async def look_up_slip(ledger: Ledger, slip_id: str) -> list[RoundDetails]:
    """Return the rounds of a bet slip, by the sportsbook's number of it, of all players."""

    async def work(book: Book) -> list[RoundDetails]:
        return [
            details
            for found in await rounds_of_slip(book, slip_id)
            for details in await event_details(book, found.event_id, found.user_id)
        ]

    async def above(book: Book) -> list[RoundOfSlip]:
        return await rounds_of_slip(book, slip_id)

    if not await ledger.is_on_nodes():
        return await ledger.read_only(work)
    return [
        details
        for found in await ledger.read_only(above)
        for details in await look_up_event(ledger, found.event_id, found.user_id)
    ]


async def transaction_details(book: Book, transaction_id: str) -> TransactionDetails:
    """Return what `look_up_transaction` does, inside a transaction."""
    return TransactionDetails(
        await _movements(book, transaction_id),
        await refusals_of_transaction(book, transaction_id, REFUSALS_MAX),
    )


async def _movements(book: Book, transaction_id: str) -> list[MovementDetails]:
    entries = await entries_of_transaction(book, transaction_id)
    return [await _details(book, owned) for owned in entries]


async def event_details(book: Book, event_id: str, user_id: str | None) -> list[RoundDetails]:
    """Return what `look_up_event` does, inside a transaction."""
    return await _with_slips(book, await _rounds(book, event_id, user_id))


async def _rounds(book: Book, event_id: str, user_id: str | None) -> list[RoundDetails]:
    """Return an event's rounds with their movements."""
    return [
        RoundDetails(
            account,
            [
                owned
                for owned in await entries_of_event(book, account.key.player_id, event_id)
                if RULES[owned.entry.event_type].is_streamer == account.key.is_streamer
            ],
            [],
        )
        for account in await rounds_of_event(book, event_id, user_id)
    ]


async def _with_slips(book: Book, rounds: Sequence[RoundDetails]) -> list[RoundDetails]:
    """Return rounds with the slips of their bets, which streamer's have not."""
    return [
        details
        if (key := details.account.key).is_streamer
        else details._replace(slips=await slips_of_round(book, key.player_id, key.event_id))
        for details in rounds
    ]


async def look_up_player(ledger: Ledger, user_id: str, count: int) -> PlayerDetails | Refusal:
    """Return a player's account and their last `count` movements, or PLAYER_UNKNOWN."""

    async def work(book: Book) -> PlayerDetails | Refusal:
        account = await find_account(book, user_id)
        if account is None:
            return Refusal.PLAYER_UNKNOWN
        return PlayerDetails(account, await last_entries(book, account.player.player_id, count))

    return await ledger.read_only(work, of=user_id)


async def look_up_email(ledger: Ledger, email: str, count_max: int) -> list[str]:
    """Return the user ids of the players with this e-mail address."""

    async def work(book: Book) -> list[str]:
        return await user_ids_of_email(book, email, count_max)

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
