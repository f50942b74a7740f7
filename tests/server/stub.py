"""A served port whose application records requests and may be slow."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta

import uvicorn
import uvloop
from starlette.types import Receive, Scope, Send

from app.server.http_connection import HttpConnection
from app.server.port import Port, Served

Headers = list[tuple[bytes, bytes]]

QUIET_SECONDS = 3
AFTERWARDS_SECONDS = 0.03
"""How long an answer is waited for, and what should not come behind it."""


@dataclass(frozen=True)
class Asked:
    """A request as it came to the application."""

    target: str
    headers: Headers
    body: bytes


@dataclass(frozen=True)
class Said:
    status: int
    body: bytes
    is_last: bool = False
    delivery: bytes = b"16 bytes of name"


@dataclass
class Stub:
    """Answers `<way> <body>`, on the fast path and as an ASGI application, when it may."""

    asked: list[Asked] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    """callers who hung up: before their answer, or before it arrived"""
    answer_bytes: int = 0
    is_last: bool = False
    targets = (b"/moveFunds", b"/moveFunds/")
    body_bytes_max = 262_144
    headers = ((b"content-type", b"text/plain"),)

    def forget(self) -> None:
        """Begin anew, for the next test."""
        self.asked, self.gone = [], []
        self.answer_bytes, self.is_last = 0, False

    def __post_init__(self) -> None:
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def answer(
        self, headers: Sequence[tuple[bytes, bytes]], body: bytes, _peer: str | None
    ) -> Said:
        self.asked.append(Asked("/moveFunds", list(headers), body))
        await self.may_answer.wait()
        return Said(200, b"fast " + body + b"." * self.answer_bytes, self.is_last)

    def unheard(self, answer: Said | None) -> None:
        self.gone.append("before" if answer is None else "after")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message["body"]
            more = message["more_body"]
        query = scope["query_string"].decode()
        target = scope["path"] + (f"?{query}" if query else "")
        self.asked.append(Asked(target, scope["headers"], body))
        working = asyncio.ensure_future(self.may_answer.wait())
        leaving = asyncio.ensure_future(receive())
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        leaving.cancel()
        if not working.done():
            self.gone.append("before")
            working.cancel()
            return
        text = b"asgi " + body + b"." * self.answer_bytes
        headers = [(b"content-length", b"%d" % len(text))]
        if self.is_last:
            headers.append((b"connection", b"close"))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": text})
        except OSError:
            self.gone.append("after")


@dataclass
class Station:
    """A served stub, and ways to call it."""

    port: int
    stub: Stub
    server: uvicorn.Server
    loop: asyncio.AbstractEventLoop
    way: str

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    def ask(
        self, *parts: bytes, answers: int = 1, pause: float = 0.03, half_closes: bool = False
    ) -> bytes:
        """Send these parts, and read so many answers, and whatever else comes at once."""
        with self.connect() as connection:
            with contextlib.suppress(ConnectionError):
                for part in parts:
                    connection.sendall(part)
                    time.sleep(pause if len(parts) > 1 else 0)
                if half_closes:
                    connection.shutdown(socket.SHUT_WR)
            return read_all(connection, answers)

    def hold(self) -> None:
        """Answer nothing until told to."""
        self.loop.call_soon_threadsafe(self.stub.may_answer.clear)
        self.settle()

    def go_on(self) -> None:
        self.loop.call_soon_threadsafe(self.stub.may_answer.set)

    def settle(self) -> None:
        """Wait until the loop has done what it was told."""
        done = threading.Event()
        self.loop.call_soon_threadsafe(done.set)
        assert done.wait(10)

    def connections(self) -> list[HttpConnection]:
        return [c for c in self.server.server_state.connections if isinstance(c, HttpConnection)]


def read_all(connection: socket.socket, answers: int = 1) -> bytes:
    """Read until the other end closes, or has given these answers and says nothing more."""
    connection.settimeout(QUIET_SECONDS)
    said = b""
    with contextlib.suppress(TimeoutError, ConnectionError):
        while part := connection.recv(1 << 20):
            said += part
            if len(bodies(said)) >= answers:
                connection.settimeout(AFTERWARDS_SECONDS)
    return said


def bodies(said: bytes) -> list[bytes]:
    """The bodies of all whole answers, each of which has a length."""
    found: list[bytes] = []
    at = 0
    while (end := said.find(b"\r\n\r\n", at)) >= 0:
        head = said[at:end].lower()
        at = end + 4
        if not head.startswith(b"http/1.1 100 "):
            length = int(head.partition(b"content-length: ")[2].partition(b"\r")[0])
            if at + length > len(said):
                break
            found.append(said[at : at + length])
            at += length
    return found


def is_closed(connection: socket.socket, within_seconds: float = 5) -> bool:
    """Whether the other end closes soon; what it still says is thrown away."""
    connection.settimeout(within_seconds)
    try:
        while connection.recv(65536):
            pass
    except ConnectionError:
        return True
    except TimeoutError:
        return False
    return True


def until(condition: Callable[[], object], seconds: float = 5) -> bool:
    """Wait for a condition."""
    ends = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > ends:
            return False
        time.sleep(0.005)
    return True


@contextlib.contextmanager
def station(
    way: str,
    *,
    connections: int = 100,
    deadline: timedelta = timedelta(seconds=5),
    keep_alive_seconds: int = 75,
) -> Iterator[Station]:
    """Serve a stub on a real port, with the event loop of production, until the block ends."""
    with ThreadPoolExecutor(1) as executor:
        listening = socket.create_server(("127.0.0.1", 0))
        started = threading.Event()
        stations: list[Station] = []

        async def serve() -> None:
            stub = Stub()
            port = Port(
                lambda: Served(stub, stub if way == "fast path" else None),
                connections=connections,
                deadline=deadline,
                keep_alive_seconds=keep_alive_seconds,
            )
            server = uvicorn.Server(port.config(lifespan="off", timeout_graceful_shutdown=5))
            number = listening.getsockname()[1]
            stations.append(Station(number, stub, server, asyncio.get_running_loop(), way))
            serving = asyncio.ensure_future(server.serve(sockets=[listening]))
            while not (server.started or serving.done()):  # noqa: ASYNC110 - uvicorn has no event
                await asyncio.sleep(0.005)
            started.set()
            await serving

        served = executor.submit(uvloop.run, serve())
        try:
            assert started.wait(10), served.result()
            yield stations[0]
        finally:
            for one in stations:
                one.go_on()
                one.server.should_exit = True
            served.result(timeout=20)
