"""A process that is killed in the middle of a transaction."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncpg

    Connection = asyncpg.Connection[asyncpg.Record]


class Dying:
    """A connection of a process that is killed after so many statements."""

    def __init__(self, connection: "Connection", statements: int) -> None:
        self._connection = connection
        self._left = statements

    def __getattr__(self, name: str) -> Callable[..., Awaitable[object]]:
        method = getattr(self._connection, name)

        async def run(*arguments: object) -> object:
            done = await method(*arguments)
            self._left -= 1
            if self._left == 0:
                self._connection.terminate()
                raise ConnectionResetError
            return done

        return run
