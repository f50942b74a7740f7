"""A receiver of webhooks that costs as little as one can: it counts, and answers 204.

Run as `python -m bench.receiver <port> <file>`: the file has how many it has taken so far.
"""

import asyncio
import sys
from pathlib import Path
from typing import cast

import uvloop
from typing_extensions import override

TAKEN = b"HTTP/1.1 204 No Content\r\n\r\n"
WRITE_SECONDS = 0.05


class Counting(asyncio.Protocol):
    """One connection."""

    taken = 0

    def __init__(self) -> None:
        self._transport = asyncio.WriteTransport()
        self._buffer = b""

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)

    @override
    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, separator, body = self._buffer.partition(b"\r\n\r\n")
        at = head.find(b"content-length: ")
        if separator and len(body) >= int(head[at + 16 :].split(b"\r\n", 1)[0]):
            self._buffer = b""
            Counting.taken += 1
            self._transport.write(TAKEN)


async def serve(port: int, file: Path) -> None:
    """Take everything until the process is ended."""
    loop = asyncio.get_running_loop()
    await loop.create_server(Counting, "127.0.0.1", port)
    while True:
        file.write_text(str(Counting.taken))  # noqa: ASYNC240 - a file of this machine's memory
        await asyncio.sleep(WRITE_SECONDS)


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), Path(sys.argv[2])))
