"""The log of refusals that were met outside the money transaction, kept for ever."""

from app.ledger.money.book import Book
from app.ledger.transaction import Ledger
from app.wallet.refusal_record import RefusalRecord


async def log_refusal(ledger: Ledger, record: RefusalRecord) -> None:
    """Append one refusal to the log: a request that never became a movement, or a question."""

    async def work(book: Book) -> None:
        await book.log_refusals([record])

    await ledger.serializable(work)
