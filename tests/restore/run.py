"""The restore drill under load: a base backup, an archive of the log, and what the callers know.

1. Callers move money on a wallet whose PostgreSQL archives its log; a base backup is taken.
2. A moment is noted, play goes on, and the primary is killed in the middle of it.
3. The ledger is restored three times from the same backup: to the moment, to the end with the dead
   primary's own log, and to the end from the archive alone, as when its disk is gone.
4. Each time the audit must be clean, and the callers' books say which movements are missing.
5. The ledger of the moment is not served before somebody has said yes (`back_in_service`).
6. On it all are sent again under their ids: in the end each has moved its amount once.
"""

import asyncio
import base64
import contextlib
import itertools
import json
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import asyncpg

from app.cashier.audit import audit
from app.ledger.migrations import upgrade
from app.postgres import process
from app.postgres.cluster import DATABASE, OWNER, SERVICE, SUPERUSER
from tests.conftest import RUN_FOLDER
from tests.model.caller import CALLBACK_KEY
from tests.ports import free_port
from tests.restore.back_in_service import Gambler
from tests.standby.pair import Node, until
from tests.torture.caller import Caller, NoAnswerError
from tests.torture.player import AGENT, AGENT_KEY, hundredths
from tests.torture.stage import Server

CALLERS = 8
ARCHIVE_TIMEOUT_SECONDS = 2


@dataclass(frozen=True)
class Told:
    """A movement that was acknowledged: what it asked for, and when it was answered."""

    fields: dict[str, str]
    operation: str
    change: int
    at: datetime


@dataclass
class Restored:
    """One restore, and what it brought back."""

    name: str
    told: int
    missing: list[Told]
    seconds: float
    complaints: list[str] = field(default_factory=list)

    def line(self) -> str:
        there = self.told - len(self.missing)
        return f"{self.name:<36}{there} of {self.told} there, in {self.seconds:.1f} s"


class Payer:
    """Pays in and out for one player, and keeps a book of what was acknowledged."""

    def __init__(self, number: int, port: int) -> None:
        self.user_id = f"player-{number}"
        self.caller = Caller([port], Random(number))  # noqa: S311 — a simulation
        self.told: list[Told] = []
        self._numbers = itertools.count(1)

    async def open(self) -> None:
        name = self.user_id
        fields = {"user_id": name, "currency": "USD", "nickname": name, "language": "en"}
        code = await self._ask("account/init", fields)
        assert code == 0, code

    async def play(self) -> None:
        """Move money until somebody stops it; what has no answer is asked for no more."""
        while True:
            number = next(self._numbers)
            operation = "account/withdraw" if number % 3 == 0 else "account/deposit"
            amount = 1 if number % 3 == 0 else 2
            await self.move(operation, amount, f"{self.user_id}-{number}")

    async def move(self, operation: str, amount: int, transaction_id: str) -> None:
        fields = {
            "user_id": self.user_id,
            "transaction_id": transaction_id,
            "amount": f"0.{amount:02}",
        }
        if await self._ask(operation, fields) == 0:
            change = amount if operation == "account/deposit" else -amount
            self.told.append(Told(fields, operation, change, datetime.now(UTC)))

    async def all_again(self, port: int) -> list[int]:
        """Send every movement again under its id, to another server; return the codes."""
        self.caller.close()
        self.caller.ports = [port]
        codes = [await self._ask(told.operation, told.fields) for told in self.told]
        self.caller.close()
        return codes

    async def _ask(self, operation: str, fields: dict[str, str]) -> int:
        members = {"iat": int(datetime.now(UTC).timestamp()), "op": operation, **fields}
        try:
            reply = await self.caller.operate(operation, members, AGENT, AGENT_KEY)
        except NoAnswerError:
            return -1
        return int(reply.said["code"])


class Drill:
    """The primary, its archive and its backup, and the restores of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.archive, self.backup = folder / "archive", folder / "backup"
        self.archive.mkdir(mode=0o700)
        process.hand_over(self.archive, process.run_as())
        self.primary = Node(
            folder / "primary",
            {
                "archive_mode": "on",
                "archive_command": f"test ! -f {self.archive}/%f && cp %p {self.archive}/%f",
                "archive_timeout": f"{ARCHIVE_TIMEOUT_SECONDS}s",
            },
            fsync=True,
        )
        self.payers: list[Payer] = []
        self.gambler = Gambler(folder)
        self.moment = datetime.now(UTC)
        self._numbers = itertools.count(1)

    @property
    def told(self) -> list[Told]:
        return [movement for payer in self.payers for movement in payer.told]

    async def play(self, seconds: float) -> None:
        """Make the primary, back it up under load, note a moment, and kill it under load."""
        primary = self.primary
        primary.cluster.make(primary.identity, fsync=False)
        await asyncio.to_thread(primary.start)
        await upgrade(primary.address.url_for(OWNER, DATABASE))
        async with self.served(primary) as server:
            self.payers = [Payer(number, server.port) for number in range(CALLERS)]
            await asyncio.gather(*(payer.open() for payer in self.payers))
            await self.gambler.before(primary, server.port)
            playing = [asyncio.create_task(payer.play()) for payer in self.payers]
            await asyncio.sleep(seconds)
            await asyncio.to_thread(primary.back_up, self.backup)
            await asyncio.sleep(seconds)
            self.moment = datetime.now(UTC)
            await asyncio.sleep(seconds)
            await self.gambler.lost(primary, server.port)
            await asyncio.to_thread(primary.kill)
            for task in playing:
                task.cancel()
            await asyncio.gather(*playing, return_exceptions=True)

    @contextlib.asynccontextmanager
    async def served(self, node: Node) -> AsyncIterator[Server]:
        """Serve a node's ledger for as long as the block lasts."""
        server = self._server(node)
        server.start()
        try:
            await server.until_ready()
            yield server
        finally:
            await server.end()

    def _server(self, node: Node) -> Server:
        clock = self.folder / "clock"
        clock.write_text("0", encoding="ascii")
        settings = {
            "WALLET_CALLBACK_KEYS": CALLBACK_KEY,
            "WALLET_AGENTS": json.dumps({AGENT: [base64.urlsafe_b64encode(AGENT_KEY).decode()]}),
            "WALLET_DEADLINE_SECONDS": "3",
        }
        url = node.address.url_for(SERVICE, DATABASE)
        number = next(self._numbers)
        return Server(self.folder, number, url, free_port(), free_port(), settings, clock)

    def restored(self, name: str, *, to_moment: bool, with_own_log: bool) -> Node:
        """Bring a copy of the backup up to a moment, or to the end of the log."""
        node = Node(self.folder / name, fsync=True)
        copy = node.cluster.dir
        shutil.copytree(self.backup, copy, symlinks=True)
        shutil.copy(self.primary.cluster.password_file, node.cluster.password_file)
        lines = [
            # What the archive lacks is looked for in the node's own pg_wal.
            f"restore_command = 'cp {self.archive}/%f %p'",
            "recovery_target_action = 'promote'",
            "archive_mode = 'off'",
        ]
        if to_moment:
            lines.append(f"recovery_target_time = '{self.moment.isoformat()}'")
        if with_own_log:
            for segment in (self.primary.cluster.dir / "pg_wal").iterdir():
                if segment.is_file() and not (self.archive / segment.name).exists():
                    shutil.copy(segment, copy / "pg_wal" / segment.name)
        with (copy / "postgresql.auto.conf").open("a", encoding="utf-8") as settings:
            settings.write("\n".join(lines) + "\n")
        (copy / "recovery.signal").touch()
        process.hand_over(node.cluster.data_dir, node.identity)
        return node

    async def restore(self, name: str, *, to_moment: bool, with_own_log: bool) -> Restored:
        """Restore, audit, compare with the callers' books, and send again what is missing."""
        began = time.monotonic()
        node = self.restored(name, to_moment=to_moment, with_own_log=with_own_log)
        await asyncio.to_thread(node.start)
        try:
            in_recovery = "SELECT pg_is_in_recovery()"
            await asyncio.to_thread(until, lambda: node.sql(in_recovery) == "f")
            restored = await self._compared(name, node, time.monotonic() - began)
            if to_moment:
                await self.gambler.refused(self._server(node))
                await self.gambler.accepted(node, self.moment)
                await self._sent_again(node, restored)
                restored.complaints += self.gambler.complaints
        finally:
            await asyncio.to_thread(node.stop)
        return restored

    async def _compared(self, name: str, node: Node, seconds: float) -> Restored:
        url = node.address.url_for(SUPERUSER, DATABASE)
        findings = await audit(url)
        boss = await asyncpg.connect(url.replace("+asyncpg", ""))
        rows = await boss.fetch("SELECT transaction_id FROM movements WHERE decision = 'ACCEPTED'")
        await boss.close()
        there = {row["transaction_id"] for row in rows}
        missing = [m for m in self.told if m.fields["transaction_id"] not in there]
        complaints = [f"audit: {breach}" for breach in findings.breaches]
        return Restored(name, len(self.told), missing, seconds, complaints)

    async def _sent_again(self, node: Node, restored: Restored) -> None:
        """Let every caller repeat all that was acknowledged: each is paid once in the end."""
        async with self.served(node) as server:
            codes = await asyncio.gather(*(t.all_again(server.port) for t in self.payers))
            await self.gambler.caught_up(node, server.port)
            if any(map(any, codes)):
                restored.complaints.append(f"repeats are told {codes}")
            url = node.address.url_for(SUPERUSER, DATABASE)
            restored.complaints += [
                f"audit after repeats: {b}" for b in (await audit(url)).breaches
            ]
            boss = await asyncpg.connect(url.replace("+asyncpg", ""))
            rows = await boss.fetch(
                "SELECT user_id, transaction_id, real_delta FROM movements JOIN players"
                " USING (player_id) WHERE decision = 'ACCEPTED'"
            )
            await boss.close()
        told = {m.fields["transaction_id"]: m.change for m in self.told}
        moved = {row["transaction_id"]: hundredths(row["real_delta"]) for row in rows}
        for transaction_id, change in told.items():
            if moved.get(transaction_id) != change:
                restored.complaints.append(f"{transaction_id} moved {moved.get(transaction_id)}")


@dataclass
class RestoreReport:
    """The three restores, and whether a restore without the dead primary's log said so."""

    moment: datetime
    restores: list[Restored] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        return not self.complaints and not any(one.complaints for one in self.restores)

    def lines(self) -> list[str]:
        """Say it, for people; the missing movements of the first restore by name."""
        words = [f"the moment                          {self.moment.isoformat()}"]
        words += [one.line() for one in self.restores]
        for one in self.restores:
            words += [f"WRONG {one.name}: {complaint}" for complaint in one.complaints]
        return words + [f"WRONG {complaint}" for complaint in self.complaints]


async def drill(seconds: float, *, only_moment: bool = False) -> RestoreReport:
    """Play, kill, and restore; `seconds`: for each of the three parts of play."""
    folder = Path(tempfile.mkdtemp(prefix="wallet-restore-", dir=os.environ.get(RUN_FOLDER)))
    try:
        one = Drill(folder)
        try:
            await one.play(seconds)
        finally:
            await asyncio.to_thread(one.primary.stop)
        report = RestoreReport(one.moment)
        to_moment = await one.restore("to-the-moment", to_moment=True, with_own_log=True)
        report.restores.append(to_moment)
        early = [m for m in to_moment.missing if m.at <= one.moment]
        report.complaints += [f"answered before the moment, and missing: {m}" for m in early]
        if not to_moment.missing:
            report.complaints.append("nothing was played after the moment")
        if not only_moment:
            whole = await one.restore("to-the-end", to_moment=False, with_own_log=True)
            report.complaints += [f"not in the primary's own log: {m}" for m in whole.missing]
            archived = await one.restore("archive-alone", to_moment=False, with_own_log=False)
            report.restores += [whole, archived]
        return report
    finally:
        shutil.rmtree(folder, ignore_errors=True)
