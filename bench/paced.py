"""An open-loop load: requests leave when the clock says so, whether or not answers came.

A latency counts from the moment a request was due, so that a server that stalls cannot make its
callers stop counting. It runs as a program of its own, away from the bench's process:
`python -m bench.paced <port> <key> <run> <players> <connections> <rate> <seconds>`.
"""

# ruff: noqa: ASYNC110 - what is waited for here is the clock
import asyncio
import gc
import json
import os
import secrets
import sys
import time
from collections import deque
from collections.abc import Iterator
from hashlib import sha256
from typing import NamedTuple, cast
from urllib.parse import quote

import uvloop
from typing_extensions import override

EXTRA_DATA = os.environ.get(
    "BENCH_EXTRA_DATA", quote('{"gameName":"a game of chance","roundType":"main"}')
)
LAST_ANSWERS_SECONDS = 5
TICK_SECONDS = 0.001


class Load(NamedTuple):
    """What to send, where, and how fast."""

    port: int
    key: str
    run: str
    players: int
    connections: int
    rate: int
    seconds: int


class Caller(asyncio.Protocol):
    """One connection: one request at a time, the others wait their turn."""

    def __init__(self) -> None:
        self.transport = asyncio.WriteTransport()
        self.due: deque[tuple[float, bytes]] = deque()
        self.latencies: list[float] = []
        self.refused = 0
        self._sent_for: float | None = None
        self._buffer = b""

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.WriteTransport", transport)

    def ask(self, due_at: float, request: bytes) -> None:
        """Send a request as soon as the one before it is answered."""
        self.due.append((due_at, request))
        if self._sent_for is None:
            self._send()

    def _send(self) -> None:
        self._sent_for, request = self.due.popleft()
        self.transport.write(request)

    @override
    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, separator, body = self._buffer.partition(b"\r\n\r\n")
        if not separator or len(body) < _length(head) or self._sent_for is None:
            return
        self.latencies.append(time.monotonic() - self._sent_for)
        self.refused += b'"status":true' not in body
        self._buffer, self._sent_for = b"", None
        if self.due:
            self._send()


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line[15:])
    return 0


def requests(load: Load) -> Iterator[bytes]:
    """Bets and wins by turns, signed, each player's own rounds."""
    for turn in range(load.rate * load.seconds):
        player = turn * 7919 % load.players
        visit = turn // load.players
        yield _request(load, player, visit // 2, is_bet=visit % 2 == 0)


def _request(load: Load, player: int, number: int, *, is_bet: bool) -> bytes:
    fields = {
        "token": f"token-{player:06}" + "x" * 31,
        "userId": f"player-{player:06}",
        "gameId": "1037566",
        "eventId": f"{load.run}-{player}-{number}",
        "direction": "debit" if is_bet else "credit",
        "transactionId": secrets.token_hex(16),
        "eventType": "BetPlacing" if is_bet else "Win",
        "amount": "1.50",
    }
    text = json.dumps(dict(sorted(fields.items())), separators=(",", ":"))
    signature = sha256((text + load.key).encode()).hexdigest()
    body = "&".join(f"{name}={value}" for name, value in fields.items())
    body += f"&extraData={EXTRA_DATA}"
    return (
        "POST /moveFunds HTTP/1.1\r\nHost: bench\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\n"
        f"Hash-Authorization: {signature}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


async def play(load: Load) -> dict[str, float]:
    """Send everything in time, and wait for the last answers."""
    letters = list(requests(load))
    loop = asyncio.get_running_loop()
    callers = []
    for _ in range(load.connections):
        _, caller = await loop.create_connection(Caller, "127.0.0.1", load.port)
        callers.append(caller)
    gc.collect()
    gc.freeze()
    gc.disable()
    begin = time.monotonic() + 0.1
    sent = 0
    while sent < len(letters):
        # What fell due since the last look leaves now; a look is a wake-up, so they have a pace.
        due = min(int((time.monotonic() - begin) * load.rate) + 1, len(letters))
        for turn in range(sent, due):
            # A player belongs to one connection, so that their movements never overtake each other.
            player = turn * 7919 % load.players
            callers[player % load.connections].ask(begin + turn / load.rate, letters[turn])
        sent = max(sent, due)
        await asyncio.sleep(TICK_SECONDS)
    seconds = time.monotonic() - begin
    deadline = time.monotonic() + LAST_ANSWERS_SECONDS
    while sum(len(c.latencies) for c in callers) < len(letters) and time.monotonic() < deadline:
        await asyncio.sleep(0.01)
    latencies = sorted(latency for caller in callers for latency in caller.latencies)
    return {
        "seconds": seconds,
        "requests": len(letters),
        "p50_ms": 1000 * latencies[len(latencies) // 2],
        "p99_ms": 1000 * latencies[len(latencies) * 99 // 100],
        "errors": len(letters) - len(latencies) + sum(caller.refused for caller in callers),
    }


def main() -> None:
    """Read the arguments, play, and print what happened as JSON."""
    port, key, run, players, connections, rate, seconds = sys.argv[1:]
    load = Load(int(port), key, run, int(players), int(connections), int(rate), int(seconds))
    print("RESULT", json.dumps(uvloop.run(play(load))))


if __name__ == "__main__":
    main()
