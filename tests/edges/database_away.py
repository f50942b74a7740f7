"""A database that lets nobody in: the server of a ledger, or all servers that it is on."""

from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

from tests.cashier.homes import ALONE, connect, servers

T = TypeVar("T")


class HasDatabase(Protocol):
    """Whoever is served from it."""

    @property
    def superuser_url(self) -> str:
        """Where all rows are seen."""

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do this in a loop."""


@contextmanager
def database_away(served: HasDatabase) -> Iterator[None]:
    """Every server lets nobody in but a superuser, and has thrown out who was there."""
    url = served.superuser_url
    everywhere = dict.fromkeys([url, *served.run(servers(url))])
    try:
        for server in everywhere:
            served.run(_let_in(server, 0))
        yield
    finally:
        for server in everywhere:
            served.run(_let_in(server, -1))


async def _let_in(server: str, connections_max: int) -> None:
    connection = await connect(server)
    try:
        name = await connection.fetchval("SELECT current_database()")
        await connection.execute(
            f"{ALONE} ALTER DATABASE {name} CONNECTION LIMIT {connections_max}"
        )
        if not connections_max:
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
    finally:
        await connection.close()
