"""The refusal log: appends refusals that were made outside the money transaction."""

from app.ledger.money.book import Book
from app.ledger.transaction import Ledger
from app.wallet.refusal_record import RefusalRecord


async def log_refusal(ledger: Ledger, record: RefusalRecord) -> None:
    """Append the refusal of a malformed request, or of one that moves no money."""

    async def work(book: Book) -> None:
        await book.log_refusals([record])

    await ledger.serializable(work)
