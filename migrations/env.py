"""How Alembic runs a migration: one transaction each, on a connection given by its caller.

`app/ledger/migrations.py` opens the connection, takes the lock and sets the time limits; a
developer's `alembic -x url=…` goes through the same function. The views of schema `ops` are not
Alembic's: `wallet migrate` drops them before, and makes them anew after.
"""

import asyncio

from alembic import context
from sqlalchemy import Connection, MetaData

from app.ledger.migrations import prepared_connection
from app.ledger.tables import metadata


def run_migrations(connection: Connection, target_metadata: MetaData) -> None:
    """Run what Alembic's command asks for on this connection."""
    context.configure(
        connection=connection,
        target_metadata=target_metadata,
        transaction_per_migration=True,
        compare_type=True,
        compare_server_default=True,
    )
    with context.begin_transaction():
        context.run_migrations()


async def run_by_address(url: str) -> None:
    """Run on an address that a developer named on the command line."""
    async with prepared_connection(url) as connection:
        await connection.run_sync(run_migrations, metadata)


def main() -> None:
    """Use the connection we were handed, else the one a developer named."""
    if context.is_offline_mode():
        message = "Migrations look at the database they change: offline SQL is not supported."
        raise SystemExit(message)
    connection = context.config.attributes.get("connection")
    if connection is not None:
        run_migrations(connection, metadata)
        return
    url = context.get_x_argument(as_dictionary=True).get("url")
    if url is None:
        raise SystemExit("Say which database: `wallet migrate`, or alembic -x url=…")
    asyncio.run(run_by_address(str(url)))


main()
