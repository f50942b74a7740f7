"""A projector that says each time when it is in the middle of writing, to be killed there."""

import asyncio
import sys

from app.ledger.money.book import Book
from app.ledger.slips import reading, writing
from app.ledger.slips.reading import Batch
from app.ledger.transaction import Ledger
from app.slips.projector import Projector

advance = writing.advance


async def advance_aloud(book: Book, batch: Batch) -> bool:
    """Say so between the first statement of a write and the others."""
    done = await advance(book, batch)
    sys.stdout.write("in the middle\n")
    sys.stdout.flush()
    return done


async def main(url: str) -> None:
    """Project a few events at a time."""
    ledger = Ledger(url)
    try:
        await Projector(ledger).look()
    finally:
        await ledger.close()


if __name__ == "__main__":
    reading.EVENTS_MAX = 4  # type: ignore[misc]
    writing.advance = advance_aloud
    asyncio.run(main(sys.argv[1]))
