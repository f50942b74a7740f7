"""The story of docs/ops.md, and two days more: every event type, re-settlements of other days."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from typing_extensions import override

from app.postgres import EmbeddedPostgres
from tests.conftest import Database, clone
from tests.console.conftest import Console, Done
from tests.console.conftest import in_process as console_fixture
from tests.ops_sql.story import Storyteller

in_process = console_fixture

MORE = """
6 08:00 bora Deposit            60.00 pay-6
6 09:00 bora BetPlacing         10.00 b-20  round-20 4711
6 09:05 bora Win                30.00 w-20  round-20 4711
6 10:00 dina PromoStreamersBetPayedAbort   250.00 p-3  stream-1 4711   accepted
6 10:05 dina PromoStreamersBetPlacingAbort 100.00 p-4  stream-1 4711   accepted
6 11:00 bora +technicalFix       1.00 fix-2 round-20 4711
7 09:00 bora Win                50.00 w-21  bet-7    1037566
"""
"""What the first five days of the story lack, and payments into a round of another day."""


class Longer(Storyteller):
    """Plays the story, and goes on."""

    @override
    async def tell(self) -> None:
        await super().tell()
        self.ledger = type(self.ledger)(self.url, clock=lambda: self.now)
        try:
            for line in MORE.strip().splitlines():
                await self._line(*line.split())
        finally:
            await self.ledger.close()

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.url = url


@pytest.fixture(scope="session")
def longer(postgres: EmbeddedPostgres, template: str) -> Iterator[Database]:
    """The database in which all of it was played."""
    for db in clone(postgres, template):
        with ThreadPoolExecutor(1) as outside:
            outside.submit(asyncio.run, Longer(db.service_url).tell()).result()
        yield db


@pytest.fixture
def wallet(
    in_process: Console, longer: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., Done]:
    """Commands on the story's database, in a folder of their own."""
    monkeypatch.setenv("WALLET_DATABASE_URL", longer.service_url)
    monkeypatch.chdir(tmp_path)
    return in_process
