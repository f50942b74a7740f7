"""Repairs of a reconciliation, asked for as adjustments that two people decide about.

A repair takes a key under the id of the report, so there is at most one of it for ever. A request
that waits, or was approved, is not made again; one that was rejected, or that nobody decided in
time, is.
"""

from collections.abc import Sequence
from enum import StrEnum
from itertools import chain
from typing import Final, NamedTuple

from app.cashier.adjustments import NOT_FINISHED
from app.cashier.permissions import Act
from app.cashier.policy import policy_of_ledger
from app.ledger.adjustments import Wanted, keep_request, request_with_key
from app.ledger.money.book import Book
from app.ledger.players import Player, find_player
from app.ledger.together import together
from app.ledger.transaction import Ledger
from app.wallet.adjustments import LIFE, AdjustmentReason, RefusedMovement
from app.wallet.events import Direction, EventType, Pocket
from app.wallet.facts import RuleVersion
from app.wallet.journal import JournalEntry
from app.wallet.movement import Key, facet_of_type
from app.wallet.operators import Operator, Permission

PROPOSED_MAX: Final = 1000
"""Repairs of one run: beyond it the profile is wrong, or a conversation is due before money."""


class WantedRepair(NamedTuple):
    """A repair as a run of reconciliation proposes it."""

    repair_id: str
    user_id: str
    direction: Direction
    amount: str
    """in major units"""
    currency: str
    event_id: str | None
    source: str
    transaction_id: str
    facet: str | None
    """what its key has beside the id; None: nobody can say"""
    note: str


class ProposalState(StrEnum):
    """What has become of a repair."""

    PROPOSED = "proposed"
    KNOWN = "known"
    """it was proposed before, and waits or was approved"""
    NOT_PROPOSED = "not_proposed"


class Proposal(NamedTuple):
    """A repair, and its adjustment."""

    repair: WantedRepair
    state: ProposalState
    adjustment_id: int | None
    words: str


class NotProposedError(Exception):
    """Nothing was proposed at all; the message is a sentence."""


async def propose_repairs(
    ledger: Ledger, operator: Operator, repairs: Sequence[WantedRepair]
) -> list[Proposal]:
    """Ask for an adjustment for each repair that can be one; nothing moves.

    Each is a transaction of its own: a run that is cut off goes on where it was.
    """
    act = Act(operator, "adjustment.propose")
    fault = await act.fault(ledger, Permission.ADJUST)
    if fault is not None:
        raise NotProposedError(fault)
    if (await policy_of_ledger(ledger)).rule_version is not RuleVersion.CURRENT:
        raise NotProposedError(NOT_FINISHED)
    return [await _propose(ledger, operator, repair) for repair in repairs[:PROPOSED_MAX]]


async def _propose(ledger: Ledger, operator: Operator, repair: WantedRepair) -> Proposal:
    # On snapshots, which keep no movement from committing.
    wanted = await _wanted(ledger, repair)
    if isinstance(wanted, Proposal):
        return wanted

    async def work(book: Book) -> Proposal:
        known = await _known(book, repair, wanted)
        if known is not None:
            return known
        number = await keep_request(book, wanted, operator, LIFE)
        act = Act(operator, "adjustment.propose", number)
        await act.note(book, f"{wanted.reason.value}: {wanted.ticket}", number)
        return Proposal(repair, ProposalState.PROPOSED, number, f"adjustment {number}")

    return await ledger.serializable(work)


async def _wanted(ledger: Ledger, repair: WantedRepair) -> Wanted | Proposal:
    if repair.facet is None:
        return _not(repair, "the report's word stands for several event types: say which by hand")

    async def find(book: Book) -> Player | None:
        return await find_player(book, repair.user_id)

    player = await ledger.read_only(find, of=repair.user_id)
    if player is None:
        return _not(repair, f"there is no player {repair.user_id}")
    if player.currency.code != repair.currency:
        return _not(repair, f"{repair.user_id} has {player.currency.code}")
    amount = player.currency.minor(repair.amount)
    if amount is None:
        return _not(repair, f"the amount is finer than {player.currency.scale} decimals")
    facet = await _free_facet(ledger, repair, repair.facet)
    if facet is None:
        return _not(repair, "the movement was accepted, or settled by hand, since the run")
    key = Key(repair.source, repair.transaction_id, facet)
    return Wanted(
        player.player_id,
        repair.direction,
        Pocket.REAL,
        amount,
        player.currency,
        AdjustmentReason.RECONCILIATION,
        repair.repair_id,
        repair.note,
        RefusedMovement(key, repair.event_id),
    )


async def _known(book: Book, repair: WantedRepair, wanted: Wanted) -> Proposal | None:
    """Return what was asked for before under the key, or None."""
    if wanted.settles is None:
        raise AssertionError("a repair names its key")
    known = await request_with_key(book, wanted.settles.key)
    if known is None:
        return None
    words = f"adjustment {known.adjustment_id}, {known.state.value}"
    return Proposal(repair, ProposalState.KNOWN, known.adjustment_id, words)


async def _free_facet(ledger: Ledger, repair: WantedRepair, facet: str) -> str | None:
    """Return what the key has beside the id, or None if there is nothing to repair any more.

    A movement that was refused for ever under this very key keeps it; the repair then has a key
    beside it, and a later delivery hears the first refusal again.
    """
    beside = facet_of_type(EventType.ADJUSTMENT, repair.direction)
    if facet == beside:
        return facet
    keys = [Key(repair.source, repair.transaction_id, each) for each in ("", facet)]

    async def look(book: Book) -> list[JournalEntry]:
        return await book.entries_of(keys)

    # The id may be another player's, whose bucket is elsewhere.
    found = await together(ledger.read_only(look, of=of) for of in await ledger.apart())
    for entry in chain.from_iterable(found):
        if entry.is_accepted and entry.event_type is not EventType.ADJUSTMENT:
            return None
        if entry.key.facet == facet and not entry.is_accepted:
            return beside
    return facet


def _not(repair: WantedRepair, words: str) -> Proposal:
    return Proposal(repair, ProposalState.NOT_PROPOSED, None, words)
