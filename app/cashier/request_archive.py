"""The request archive: what a caller sent and was told, kept for the day somebody disputes it.

Requests and answers are put aside in memory and written in the background, in a transaction of
their own: no movement waits for it, and one that is lost with the process, or dropped because the
database is away for long, is evidence that is missing and no money. Each is sealed (AES-256-GCM)
under a key that the database never sees, for it has the player's token in it.
"""

import asyncio
import os
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

import msgspec
import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.ledger.errors import LedgerError
from app.ledger.money.book import Book
from app.ledger.request_archive import SealedRequest, archive, forget_before
from app.ledger.transaction import Ledger

__all__ = ["ArchivedRequest", "RequestArchive", "SealedRequest", "opened"]

logger: Final = structlog.get_logger("request_archive")

BYTES_MAX: Final = 32 * 1024 * 1024
"""The most that waits in memory: some 60,000 ordinary requests."""

REQUEST_BYTES: Final = 400
"""What a request needs in memory beside its texts, roughly."""

AT_ONCE: Final = 200
"""The most that one transaction writes: sealing them holds the event loop up for a millisecond."""

GATHERING_SECONDS: Final = 0.2
"""How long requests gather, so that a transaction writes many."""

WAIT_SECONDS: Final = 1
"""The wait between two attempts while the database is away."""

FORGET_EVERY: Final = timedelta(hours=1)
FORGOTTEN_AT_ONCE: Final = 5_000
ROUNDS_MAX: Final = 1_000
"""Transactions of one clean-up; what is left waits for the next."""

NONCE_BYTES: Final = 12


class ArchivedRequest(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A request and its answer, each as it went over the wire."""

    content_type: str | None
    signature: str | None
    query: bytes
    body: bytes
    status: int | None
    """None: no answer but "ask again" was sent, or none at all"""
    answer: bytes | None


class _Waiting(NamedTuple):
    received_at: datetime
    delivery: bytes
    source: str
    transaction_id: str | None
    request: ArchivedRequest

    @property
    def size(self) -> int:
        request = self.request
        texts = len(request.query) + len(request.body) + len(request.answer or b"")
        return REQUEST_BYTES + texts


def opened(kept: SealedRequest, keys: Sequence[bytes]) -> ArchivedRequest | None:
    """Open a sealed request; None: none of these keys sealed it, or its row was changed."""
    nonce, text = kept.sealed[:NONCE_BYTES], kept.sealed[NONCE_BYTES:]
    for key in keys:
        with suppress(InvalidTag, ValueError):
            plain = AESGCM(key).decrypt(nonce, text, _label(kept))
            return msgspec.msgpack.decode(plain, type=ArchivedRequest)
    return None


def _label(kept: _Waiting | SealedRequest) -> bytes:
    """Return what the seal binds a request to, so that no row can take another's place."""
    moment = kept.received_at.astimezone(UTC).isoformat()
    return f"{kept.delivery.hex()} {moment} {kept.source} {kept.transaction_id}".encode()


class RequestArchive:
    """Keeps requests until it is closed, and deletes those that are too old."""

    def __init__(self, ledger: Ledger, keys: Sequence[bytes], *, life: timedelta) -> None:
        """Write nothing before `begin`; the first of the keys (256 bits) seals what comes."""
        self.kept = 0
        self.dropped = 0
        self._ledger = ledger
        self._cipher = AESGCM(keys[0])
        self._life = life
        self._waiting: deque[_Waiting] = deque()
        self._bytes = 0
        self._forget_at = datetime.now(UTC)
        self._task: asyncio.Task[None] | None = None

    def keep(
        self,
        request: ArchivedRequest,
        *,
        received_at: datetime,
        delivery: bytes,
        source: str,
        transaction_id: str | None,
    ) -> None:
        """Put a request aside to be written soon; while too many wait, it is dropped."""
        waiting = _Waiting(received_at, delivery, source, transaction_id, request)
        size = waiting.size
        if self._bytes + size > BYTES_MAX:
            if self.dropped == 0:
                logger.warning("requests are not kept: the database does not take them")
            self.dropped += 1
            return
        self._bytes += size
        self._waiting.append(waiting)

    def begin(self) -> None:
        """Write what waits, from time to time from now on."""
        self._task = asyncio.create_task(self._keep_writing())

    async def close(self) -> None:
        """Write what waits, within the ledger's deadline, and stop."""
        if self._task is None:
            return
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        with suppress(LedgerError, TimeoutError):
            async with asyncio.timeout(self._ledger.deadline.total_seconds()):
                while self._waiting:
                    await self._write_some()
        if self._waiting:
            logger.error("requests are not kept: the process ends", count=len(self._waiting))

    async def _keep_writing(self) -> None:
        while True:
            try:
                while self._waiting:
                    await self._write_some()
                if datetime.now(UTC) >= self._forget_at:
                    await self._forget()
            except LedgerError:
                await asyncio.sleep(WAIT_SECONDS)
            except Exception as error:
                # No fault of ours may end the archive.
                logger.exception("failed", error=type(error).__name__)
                await asyncio.sleep(WAIT_SECONDS)
            await asyncio.sleep(GATHERING_SECONDS)

    async def _write_some(self) -> None:
        some = [self._waiting[n] for n in range(min(AT_ONCE, len(self._waiting)))]
        sealed = [self._sealed(each) for each in some]

        async def work(book: Book) -> None:
            await archive(book, sealed)

        await self._ledger.beside_money(work)
        for each in some:
            self._waiting.popleft()
            self._bytes -= each.size
        self.kept += len(some)

    def _sealed(self, waiting: _Waiting) -> SealedRequest:
        nonce = os.urandom(NONCE_BYTES)
        plain = msgspec.msgpack.encode(waiting.request)
        text = nonce + self._cipher.encrypt(nonce, plain, _label(waiting))
        return SealedRequest(*waiting[:-1], text)

    async def _forget(self) -> None:
        before = datetime.now(UTC) - self._life

        async def work(book: Book) -> int:
            return await forget_before(book, before, FORGOTTEN_AT_ONCE)

        for _ in range(ROUNDS_MAX):
            if await self._ledger.beside_money(work) < FORGOTTEN_AT_ONCE:
                break
        self._forget_at = datetime.now(UTC) + FORGET_EVERY
