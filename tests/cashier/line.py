"""A TCP proxy to the database that can be cut, for instance at a COMMIT.

A ledger on several nodes is reached through the same line: it has an end for each server, and what
is done to the line is done to all of them. The commits that are counted, and may meet a fate, are
then those at the nodes: movements have none elsewhere.
"""

import asyncio
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from enum import Enum, auto
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlsplit

from typing_extensions import override

from app.ledger.citus import Place
from app.ledger.citus.ledger import PlacedLedger
from tests.tcp_server import tcp_server

BEGIN, COMMIT, ROLLBACK = b"BEGIN ", b"COMMIT;", b"ROLLBACK;"
"""What the driver sends, as text."""

RECORD = re.compile(rb'\{"\(\d+,\d+,\d+,')
"""Only what is written to the journal begins like this: player, position, version."""

GREETINGS = {80877102, 80877103, 80877104}
"""What a client may ask before it introduces itself: to cancel, for SSL, for GSSAPI."""


class AtCommit(Enum):
    """What becomes of the line when a commit comes along."""

    CUT_BEFORE = auto()
    """the server never hears it"""
    CUT_AFTER = auto()
    """the server commits, and its answer is lost"""
    SILENCE_AFTER = auto()
    """the server commits, its answer is lost, and nobody is told"""
    LATE = auto()
    """the line is cut, and what was sent arrives all the same, once `arrive` is called"""


class Line:
    """Forwards bytes between a client and the database, as long as it is told to."""

    def __init__(self, url: str) -> None:
        """A line to the database at this address."""
        parts = urlsplit(url)
        where = parse_qs(parts.query)
        host, port = where.get("host", [parts.hostname or ""])[0], where.get("port")
        self._host = host
        self._port = int(port[0]) if port else parts.port or 5432
        self._url = parts
        self._taken = AsyncExitStack()
        self._listens_at = 0
        self._ends: dict[Place, Place] = {}
        """of nodes: where each seems to be"""
        self._writers: set[asyncio.StreamWriter] = set()
        self.at_commit: list[AtCommit] = []
        self.is_silent = False
        """swallow everything, as a network does that drops packets"""
        self.is_down = False
        """hang up on whoever calls"""
        self.keeps_open = False
        """do not tell the client that the server has hung up"""
        self.on_commit: Callable[[], None] = lambda: None
        self.commits = 0
        """of either road"""
        self.commits_at_once = 0
        """of them those of a statement that was its own transaction"""
        self.struck = 0
        """commits that met a fate"""
        self._may_arrive = asyncio.Event()
        self._has_arrived = asyncio.Event()

    @property
    def url(self) -> str:
        """The address at which the database seems to be."""
        assert self._listens_at
        user, password = self._url.username, self._url.password or "none"
        return (
            f"{self._url.scheme}://{user}:{password}@127.0.0.1:{self._listens_at}{self._url.path}"
        )

    async def __aenter__(self) -> Self:
        self._listens_at = await self._listen(Place(self._host, self._port))
        return self

    async def _listen(self, server: Place) -> int:
        """Answer calls to a server; return the port."""

        async def answer(client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
            await self._answer_call(server, client, to_client)

        return await self._taken.enter_async_context(tcp_server(answer))

    async def end_at(self, node: Place) -> Place:
        """Return where a node seems to be; from now on commits are heard at nodes alone."""
        if node not in self._ends:
            self._ends[node] = Place("127.0.0.1", await self._listen(node))
        return self._ends[node]

    def hears(self, server: Place) -> bool:
        """Whether commits there are of those that movements may be in."""
        return not self._ends or server in self._ends

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._taken.aclose()

    def cut(self) -> None:
        """Cut everybody who talks."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    def come_back(self) -> None:
        """Take calls again."""
        self.is_down = False

    async def arrive(self) -> None:
        """Let what is late reach the server, and wait for what it says to it."""
        self._may_arrive.set()
        async with asyncio.timeout(5):
            await self._has_arrived.wait()

    async def deliver_late(self, server: asyncio.StreamWriter, data: bytes) -> None:
        """Keep this until it may arrive."""
        await self._may_arrive.wait()
        server.write(data)
        await self._has_arrived.wait()

    def has_heard_late(self) -> None:
        """The server has answered what was late."""
        self._has_arrived.set()

    async def _answer_call(
        self, there: Place, client: asyncio.StreamReader, to_client: asyncio.StreamWriter
    ) -> None:
        if self.is_down:
            to_client.transport.abort()
            return
        self._writers.add(to_client)
        if there.host.startswith("/"):
            path = f"{there.host}/.s.PGSQL.{there.port}"
            server, to_server = await asyncio.open_unix_connection(path)
        else:
            server, to_server = await asyncio.open_connection(there.host, there.port)
        self._writers.add(to_server)
        call = Call(self, there, client, to_client, server, to_server)
        try:
            await asyncio.gather(call.hear_client(), call.hear_server())
        finally:
            call.hang_up()


class Ear:
    """Hears in what a client says when a transaction is about to commit."""

    def __init__(self) -> None:
        """The client has said nothing yet."""
        self._said = bytearray()
        self._has_greeted = False
        self._is_in_transaction = False
        self.was_at_once = False

    def hears_commit(self, data: bytes) -> bool:
        """Whether a message that ends in these bytes commits."""
        self._said += data
        commits = [message for kind, message in self._messages() if self._is_commit(kind, message)]
        return bool(commits)

    def _messages(self) -> Iterator[tuple[bytes, bytes]]:
        """Every message that is complete by now: its kind, and what it says."""
        while True:
            start = 1 if self._has_greeted else 0
            if len(self._said) < start + 4:
                return
            end = start + int.from_bytes(self._said[start : start + 4], "big")
            if len(self._said) < end:
                return
            kind, message = bytes(self._said[:start]), bytes(self._said[start + 4 : end])
            del self._said[:end]
            if not self._has_greeted:
                self._has_greeted = int.from_bytes(message[:4], "big") not in GREETINGS
            yield kind, message

    def _is_commit(self, kind: bytes, message: bytes) -> bool:
        if kind == b"Q":
            if message.startswith(BEGIN):
                self._is_in_transaction = True
            elif message.startswith((COMMIT, ROLLBACK)):
                self._is_in_transaction = False
            self.was_at_once = False
            return message.startswith(COMMIT)
        # A statement that writes the journal outside of any transaction is one of its own.
        if kind == b"B" and not self._is_in_transaction and RECORD.search(message):
            self.was_at_once = True
            return True
        return False


class Call:
    """One connection through the line."""

    def __init__(
        self,
        line: Line,
        there: Place,
        client: asyncio.StreamReader,
        to_client: asyncio.StreamWriter,
        server: asyncio.StreamReader,
        to_server: asyncio.StreamWriter,
    ) -> None:
        """Two ends of one call."""
        self._line = line
        self._there = there
        self._client, self._to_client = client, to_client
        self._server, self._to_server = server, to_server
        self._ear = Ear()
        self._last_answer: AtCommit | None = None
        self._is_silent = False

    async def hear_client(self) -> None:
        try:
            while data := await self._client.read(1 << 16):
                if self._line.is_silent or self._is_silent:
                    continue
                if self._ear.hears_commit(data) and self._line.hears(self._there):
                    self._line.commits += 1
                    self._line.commits_at_once += self._ear.was_at_once
                    self._line.on_commit()
                    fate = self._line.at_commit.pop(0) if self._line.at_commit else None
                    self._line.struck += fate is not None
                    if fate is AtCommit.CUT_BEFORE:
                        break
                    self._last_answer = fate
                    if fate is AtCommit.LATE:
                        self._to_client.transport.abort()
                        await self._line.deliver_late(self._to_server, data)
                        break
                self._to_server.write(data)
        except ConnectionError:
            pass
        self.hang_up()

    async def hear_server(self) -> None:
        try:
            while data := await self._server.read(1 << 16):
                if self._last_answer is AtCommit.LATE:
                    self._line.has_heard_late()
                if self._last_answer in {AtCommit.CUT_AFTER, AtCommit.LATE}:
                    break
                if self._last_answer is AtCommit.SILENCE_AFTER:
                    self._is_silent = True
                if not (self._line.is_silent or self._is_silent):
                    self._to_client.write(data)
        except ConnectionError:
            pass
        if not self._line.keeps_open:
            self.hang_up()

    def hang_up(self) -> None:
        self._to_server.close()
        self._to_client.transport.abort()


class FarLedger(PlacedLedger):
    """A ledger at the far end of a line, each of its servers."""

    def __init__(
        self,
        line: Line,
        *,
        deadline: timedelta,
        clock: Callable[[], datetime] | None = None,
        buckets: int | None = None,
    ) -> None:
        """Prepare to connect; nothing is sent before the first work."""
        super().__init__(line.url, deadline=deadline, clock=clock, buckets=buckets)
        self._line = line

    @override
    async def _find_places(self) -> Mapping[int, Place]:
        places = await super()._find_places()
        return {bucket: await self._line.end_at(node) for bucket, node in places.items()}
