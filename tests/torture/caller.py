"""A caller over asyncio that accepts complete answers only."""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any
from urllib.parse import urlencode

from tests.model.caller import CALLBACK_KEY, Reply, opened, seal, sign

ANSWER_SECONDS_MAX = 8
"""The service's deadline in torture is 3 seconds; a stopped service says nothing at all."""

FORM = "application/x-www-form-urlencoded"


class NoAnswerError(Exception):
    """Nobody knows what became of the call."""


class Caller:
    """One connection at a time, to one of the servers; made anew whenever it broke."""

    def __init__(self, ports: Sequence[int], dice: Random) -> None:
        self.ports = ports
        self._dice = dice
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    def close(self) -> None:
        if self._writer is not None:
            self._writer.transport.abort()
        self._reader = self._writer = None

    async def move_funds(self, fields: Mapping[str, str]) -> Reply:
        headers = {"Hash-Authorization": sign(fields, CALLBACK_KEY), "Content-Type": FORM}
        return await self.send("POST", "/moveFunds", urlencode(fields).encode(), headers)

    async def ask(self, method: str, fields: Mapping[str, str]) -> Reply:
        headers = {"Hash-Authorization": sign(fields, CALLBACK_KEY)}
        return await self.send("GET", f"/{method}?{urlencode(fields)}", b"", headers)

    async def operate(
        self, operation: str, members: Mapping[str, Any], agent: str, key: bytes
    ) -> Reply:
        body = seal(members, agent, key)
        headers = {"Content-Type": "application/jose"}
        reply = await self.send("POST", f"/transfer/v1/{operation}", body, headers)
        # Only an answer with a token comes in an envelope.
        is_plain = reply.body.startswith(b"{")
        return reply if is_plain else Reply(reply.status, opened(reply.body, key))

    async def send(
        self, method: str, target: str, body: bytes, headers: Mapping[str, str]
    ) -> Reply:
        """Send one request and read its whole answer; NoAnswerError if there is none."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                return await self._send(method, target, body, headers)
        except (OSError, EOFError, ValueError, asyncio.IncompleteReadError) as error:
            self.close()
            raise NoAnswerError(f"{type(error).__name__}: {error}") from error
        except BaseException:
            self.close()
            raise

    async def _send(
        self, method: str, target: str, body: bytes, headers: Mapping[str, str]
    ) -> Reply:
        if self._reader is None or self._writer is None:
            port = self._dice.choice(self.ports)
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", port)
        reader, writer = self._reader, self._writer
        lines = [f"{method} {target} HTTP/1.1", "Host: wallet", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        await writer.drain()
        reply, is_last = await read_reply(reader)
        if is_last:
            self.close()
        return reply


async def read_reply(reader: asyncio.StreamReader) -> tuple[Reply, bool]:
    """Read one answer, and whether the connection ends with it."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    status_line, *lines = head.split("\r\n")
    fields = dict(line.lower().split(": ", 1) for line in lines if line)
    body = await reader.readexactly(int(fields["content-length"]))
    return Reply(int(status_line.split(" ")[1]), body), fields.get("connection") == "close"


async def hang_up(writer: asyncio.StreamWriter) -> None:
    """Close a connection, whatever state it is in."""
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
