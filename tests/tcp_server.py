"""A TCP server of a test, which leaves nothing open when it is closed.

`asyncio.start_server` does not suffice on Python 3.11. Its `wait_closed` waits for nothing once the
server is closed; a handler that is cancelled before it has begun, or while it reads, leaves its
connection open; and a connection whose transport is made after the server was closed stays half
made. Which of these happens depends on how busy the machine is, and the warning about it appears in
whatever test runs when the garbage is collected.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

CLOSE_SECONDS_MAX = 5


@asynccontextmanager
async def tcp_server(handle: Handler) -> AsyncIterator[int]:
    """Serve every connection with this handler; yields the port on 127.0.0.1.

    At the end the handlers that still run are cancelled and waited for, and every connection is
    closed. What a handler raises is raised here, unless it says that the peer has hung up.
    """
    loop = asyncio.get_running_loop()
    handlers: list[asyncio.Task[None]] = []
    writers: list[asyncio.StreamWriter] = []

    async def serve(accepted: socket.socket) -> None:
        reader, writer = await asyncio.open_connection(sock=accepted)
        writers.append(writer)
        try:
            with suppress(EOFError, ConnectionError):
                await handle(reader, writer)
        finally:
            writer.close()

    def accept() -> None:
        with suppress(BlockingIOError, ConnectionAbortedError):
            handlers.append(loop.create_task(serve(listening.accept()[0])))

    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0)
        loop.add_reader(listening, accept)
        try:
            yield listening.getsockname()[1]
        finally:
            loop.remove_reader(listening)
            # A task takes its first step in the next round; from then on, cancelling it closes
            # what it holds.
            await asyncio.sleep(0)
            for handler in handlers:
                handler.cancel()
            async with asyncio.timeout(CLOSE_SECONDS_MAX):
                ends = await asyncio.gather(*handlers, return_exceptions=True)
            for writer in writers:
                writer.transport.abort()
            await asyncio.sleep(0)  # an aborted transport closes in the loop's next round
    for end in ends:
        if isinstance(end, Exception):
            raise end
