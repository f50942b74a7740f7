"""The service connects with TLS as its address demands."""

from app.ledger.money.book import Book
from app.ledger.transaction import Ledger
from tests.ledger.tls_server import Guarded


async def test_the_service_takes_an_address_of_managed_postgresql(guarded: Guarded) -> None:
    url = guarded.url(
        sslmode="verify-full",
        sslrootcert=guarded.ours.file,
        connect_timeout=5,
        application_name="till-7",
        options="-c work_mem=1234kB -c default_transaction_isolation=repeatable\\ read",
        target_session_attrs="primary",
        channel_binding="prefer",
    )
    ledger = Ledger(url)

    async def look(book: Book) -> list[object]:
        names = ("application_name", "work_mem", "default_transaction_isolation")
        encrypted: object = await book.connection.fetchval(
            "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
        )
        return [encrypted, *[await book.connection.fetchval(f"SHOW {name}") for name in names]]

    try:
        # What the money rests on is ours to say, whatever the address adds.
        assert await ledger.serializable(look) == [True, "till-7", "1234kB", "serializable"]
    finally:
        await ledger.close()
