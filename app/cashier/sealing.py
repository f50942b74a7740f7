"""Seal the ledger: write where every chain stands, signed, into the database and a file outside.

1. One process seals at a time, on one snapshot, while movements go on.
2. The file must be what the ledger says: every seal in it stands in the ledger, in its order.
   Otherwise nothing is sealed, since somebody took seals away.
3. The seal is committed in the database, and then appended to the file and flushed to the disk. A
   process that dies between the two leaves a seal that the next one appends.
"""

import asyncio
import fcntl
import os
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.ledger.guards import guards, schema_label
from app.ledger.sealed_lists import GRACE, list_since, nodes_of, parts_of_lists
from app.ledger.seals import (
    confirm,
    database_clock,
    every_seal,
    heads,
    keep,
    kept_rows,
    last_seal,
    sealing,
)
from app.proof.merkle import Tree
from app.proof.seal import (
    NONE_BEFORE,
    Seal,
    SealFaultError,
    SignedSeal,
    seals_from_lines,
    sign,
)

if TYPE_CHECKING:
    from app.ledger.seals import Connection

logger: Final = structlog.get_logger("seals")

LOOK_AGAIN: Final = timedelta(minutes=15)
"""How often a serving process looks whether today's seal is there, also after a failure."""

DAY: Final = timedelta(days=1)


class SealingError(Exception):
    """Nothing was sealed; the message says why, in one sentence."""


class Sealer(NamedTuple):
    """Who seals, and where the seals go outside the database."""

    key: Ed25519PrivateKey
    file: Path


async def seal(url: str, sealer: Sealer, *, older_than: datetime | None = None) -> Seal | None:
    """Seal the ledger; None: another process is sealing, or the last seal is not that old.

    Raises SealingError, or the driver's errors if the database cannot be reached.
    """
    async with sealing(url) as connection:
        if connection is None:
            return None
        last = await last_seal(connection)
        outside = await asyncio.to_thread(read_seals, sealer.file)
        known = await every_seal(connection)
        if [*outside] != known[: len(outside)]:
            raise SealingError(
                f"The file {sealer.file} has seals that the ledger has not: seals were changed or "
                f"taken away. Run `wallet audit --against {sealer.file}`."
            )
        missing = known[len(outside) :]
        if missing:
            # What comes into the file must be on the standby: this commit waits for it.
            await confirm(connection)
        before = None if last is None else last.seal
        made = None
        if before is None or older_than is None or before.sealed_at < older_than:
            made, signed = await _make(connection, sealer, last)
            missing = [*missing, signed]
    # Committed.
    await asyncio.to_thread(append_seals, sealer.file, missing)
    return made


async def _make(
    connection: "Connection", sealer: Sealer, last: SignedSeal | None
) -> tuple[Seal, SignedSeal]:
    """Make the next seal, and write it in the transaction."""
    before = None if last is None else last.seal
    now = await database_clock(connection)
    tree = Tree()
    async for _, leaf in heads(connection):
        tree.add(leaf)
    nodes = await nodes_of(connection, now)
    upto = {} if before is None else {part.name: part.last_id for part in before.lists}
    made = Seal(
        number=1 if before is None else before.number + 1,
        previous=NONE_BEFORE if last is None else last.hash,
        sealed_at=now,
        chains=tree.size,
        root=tree.finish()[0].hex(),
        lists=tuple(
            [
                await list_since(connection, part, upto.get(part, 0), nodes.now - GRACE)
                for part in sorted({*parts_of_lists(nodes.numbers), *upto})
            ]
        ),
        kept=await kept_rows(connection),
        schema=await schema_label(connection),
        guards=await guards(connection),
    )
    signed = sign(made, sealer.key)
    await keep(connection, made.number, now, signed)
    return made, signed


async def seal_every_day(url: str, sealer: Sealer) -> None:
    """Seal once on each UTC day, as long as the process runs; a failure is logged and tried again.

    Every serving process does so: the first one seals, and the others find the seal there.
    """
    while True:
        today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        try:
            made = await seal(url, sealer, older_than=today)
        except Exception as error:  # noqa: BLE001 - whatever it is, movements go on, and it is said
            logger.error("not sealed", reason=str(error) or type(error).__name__)  # noqa: TRY400
        else:
            if made is not None:
                logger.info("sealed", number=made.number, chains=made.chains, root=made.root)
        left = today + DAY - datetime.now(UTC)
        # Not all processes at the same moment after midnight.
        jitter = timedelta(milliseconds=secrets.randbelow(5000))
        wait = min(max(left, timedelta(0)) + jitter, LOOK_AGAIN)
        await asyncio.sleep(wait / timedelta(seconds=1))


def read_seals(path: Path) -> list[SignedSeal]:
    """Read the seals of a file; a file that is not there has none. Raises SealingError."""
    _check_is_file(path)
    try:
        text = path.read_text(encoding="utf-8")
        # A process that died while it appended leaves a piece of a line, which is not a seal.
        whole, newline, _ = text.rpartition("\n")
        return seals_from_lines(whole.split("\n") if newline else [])
    except FileNotFoundError:
        return []
    except OSError as error:
        raise SealingError(f"The file {path} cannot be read: {error.strerror}.") from error
    except (SealFaultError, UnicodeDecodeError) as error:
        raise SealingError(f"The file {path} is not a file of seals: {error}") from error


def _check_is_file(path: Path) -> None:
    """Refuse a device, which keeps nothing and may have no end."""
    if path.exists() and not path.is_file():
        raise SealingError(f"{path} is no file: seals are kept in one.")


def append_seals(path: Path, signed: Sequence[SignedSeal]) -> None:
    """Append seals that a file lacks, each a line, and flush them to the disk. Raises SealingError.

    Another process may have found them in the ledger, and appended them, in the meantime.
    """
    if not signed:
        return
    _check_is_file(path)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        with os.fdopen(descriptor, "rb+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            content = file.read()
            whole = content.rfind(b"\n") + 1
            file.truncate(whole)
            there = set(content[:whole].splitlines(keepends=True))
            for each in signed:
                line = each.as_line().encode()
                if line not in there:
                    file.write(line)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise SealingError(
            f"The ledger is sealed, and the file {path} cannot be written: {error.strerror}."
        ) from error
