"""Delivers a request until it is answered, or gives up after a bounded number of attempts.

A repeat is the same bytes with the same transactionId, so that the wallet recognises it.
"""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass

from app.simulator.encoder import EncodedRequest
from app.simulator.http import BrokenReplyError, Client, Reply

# The outcome is not known: the server says so itself (503), or whoever stands before it does.
_UNKNOWN = frozenset({502, 503, 504})
_FIRST_WAIT_MS = 100
_WAIT_MS_MAX = 2000
_NANOSECONDS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Delivered:
    """An answer, and whether it might be the answer to a repetition."""

    reply: Reply
    #: Deliveries before this one whose outcome was not told.
    unanswered: int


class Pace:
    """So many requests a second, evenly; or as many as can be had."""

    def __init__(self, rate: int | None) -> None:
        self._gap_ns = 0 if rate is None else _NANOSECONDS // rate
        self._next_ns = time.monotonic_ns()

    async def turn(self, requests: int) -> None:
        """Wait for the turn of so many requests that leave together."""
        if not self._gap_ns:
            return
        now = time.monotonic_ns()
        start = max(self._next_ns, now)
        self._next_ns = start + requests * self._gap_ns
        await asyncio.sleep((start - now) / _NANOSECONDS)


class Courier:
    """Delivers requests, repeats those that went unanswered, and counts answers."""

    def __init__(self, client: Client, attempts_max: int) -> None:
        self._client = client
        self._attempts_max = attempts_max
        #: Requests sent, repetitions after a fault included.
        self.requests = 0
        #: Answers by what they said; see ``count``.
        self.answers: Counter[str] = Counter()

    def count(self, answer: str) -> None:
        """Count an answer: ``ok``, a code of the contract, or what came instead of one."""
        self.answers[answer] += 1

    async def deliver(self, request: EncodedRequest) -> Delivered | None:
        """Deliver; None when no delivery was answered."""
        wait_ms = _FIRST_WAIT_MS
        for attempt in range(self._attempts_max):
            if attempt:
                await asyncio.sleep(wait_ms / 1000)
                wait_ms = min(2 * wait_ms, _WAIT_MS_MAX)
            self.requests += 1
            try:
                reply = await self._client.send(request)
            except TimeoutError:
                self.count("timeout")
            except (OSError, EOFError, BrokenReplyError):
                self.count("no answer")
            else:
                if reply.http not in _UNKNOWN:
                    return Delivered(reply, attempt)
                self.count(f"http {reply.http}")
        return None
