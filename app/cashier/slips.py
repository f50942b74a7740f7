"""Bet slips for whoever projects them: read a batch, and write what was derived of it.

All of it is beside the money: what is read is a snapshot that writes nothing, and what is written
are tables that the money road does not know.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import TypeVar

from app.ledger.money.book import Book
from app.ledger.slips import figures, reading, writing
from app.ledger.slips.figures import SlipFigures
from app.ledger.slips.on_nodes import read_batch_on_nodes
from app.ledger.slips.reading import Batch, Behind, Progress, Round, RoundId
from app.ledger.slips.writing import Derived
from app.ledger.transaction import Ledger

__all__ = ["Batch", "Behind", "Derived", "Progress", "Round", "RoundId", "SlipFigures"]

T = TypeVar("T")


async def progress(ledger: Ledger) -> list[Behind]:
    """Return how far was read of everything; what nobody has read yet is begun."""

    async def work(book: Book) -> tuple[list[str], list[Behind]]:
        return await reading.new_agents(book), await reading.progresses(book)

    async def begin(book: Book) -> list[Behind]:
        await writing.open_progress(book, agents)
        return await reading.progresses(book)

    agents, behind = await ledger.read_only(work, confirmed=False)
    return await ledger.beside_money(begin) if agents else behind


async def read_next(ledger: Ledger, before: Progress, under_way: Collection[RoundId] = ()) -> Batch:
    """Look at what comes next; `under_way`: rounds of looks that may not be written yet."""
    parts = await ledger.parts()

    async def at(bucket: int, on_bucket: Callable[[Book], Awaitable[T]]) -> T:
        return await parts[bucket].read_only(on_bucket, confirmed=False)

    async def work(book: Book) -> Batch:
        if parts:
            return await read_batch_on_nodes(book, before, under_way, at, list(parts))
        return await reading.read_batch(book, before, under_way)

    return await ledger.read_only(work, confirmed=False)


async def write(ledger: Ledger, batch: Batch, derived: Derived) -> bool:
    """Write what was derived of a batch; False: somebody has written since it was read."""

    async def work(book: Book) -> bool:
        if not await writing.advance(book, batch):
            return False
        await writing.write(book, [round_.id for round_ in batch.rounds], derived)
        return True

    # It leaves a commit, which would wait for a standby that is away.
    ledger.standby.refuse_if_silent()
    return await ledger.beside_money(work)


async def count_liabilities(ledger: Ledger, alarms: Mapping[str, str]) -> None:
    """Count what open bets may win by outcome; `alarms`: of which amount, by currency, to tell."""

    async def work(book: Book) -> None:
        await figures.count_liabilities(book, alarms)

    ledger.standby.refuse_if_silent()
    await ledger.beside_money(work)


async def slip_figures(ledger: Ledger) -> SlipFigures:
    """Return how bet slips stand."""
    return await ledger.read_only(figures.slip_figures, confirmed=False)


async def begin_anew(ledger: Ledger) -> None:
    """Read everything again from the beginning."""
    await progress(ledger)
    await ledger.beside_money(writing.begin_anew)
