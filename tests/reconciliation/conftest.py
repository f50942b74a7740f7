"""A run of the simulator on a real server, and the report that its aggregator would write."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from app.console.simulation_players import open_players
from app.ledger.reconciliation.runs import Difference
from app.postgres import EmbeddedPostgres
from app.reconciliation.profile import Profile, load_profile
from app.reconciliation.reconcile import Outcome, Request, reconcile
from app.simulator import Account, Options, Silence, Stage, simulate, write_report
from app.simulator.report import Record
from tests.conftest import Database, clone
from tests.console.conftest import in_process as console_fixture
from tests.edges.callback.house import KEY, open_house

RUN_ID = "books"

in_process = console_fixture


@dataclass(frozen=True)
class Played:
    """The journal of a run, and the aggregator's records of it."""

    db: Database
    records: list[Record]
    since: datetime
    until: datetime

    @asynccontextmanager
    async def run(
        self, path: Path, profile: Profile | None = None, **changes: object
    ) -> AsyncIterator[tuple[Outcome, list[Difference]]]:
        """Reconcile a file, and return what was found."""
        request = Request(
            path=path,
            profile=profile or replace(load_profile("fungamess"), grace_seconds=0),
            source="console:test",
            since=self.since,
            until=self.until,
        )
        changed = replace(request, **changes)  # type: ignore[arg-type]  # fields of a Request
        async with reconcile(self.db.service_url, changed) as run:
            yield run.outcome, [each async for each in run.differences(10_000)]


@pytest.fixture(scope="session")
def played(postgres: EmbeddedPostgres, template: str) -> Iterator[Played]:
    """Play some hundred events over HTTP; nobody changes the journal afterwards."""
    for db in clone(postgres, template):
        with open_house(db) as house, ThreadPoolExecutor(1) as outside:
            records = outside.submit(asyncio.run, _play(db, house.port)).result()
        a_day = timedelta(days=1)
        yield Played(
            db,
            records,
            # A line of the day before is still within the period.
            min(record.at for record in records) - 2 * a_day,
            max(record.at for record in records) + a_day,
        )


async def _play(db: Database, port: int) -> list[Record]:
    players = await open_players(db.service_url, RUN_ID, 6, 1)
    stage = Stage(
        base_url=f"http://127.0.0.1:{port}",
        callback_key=KEY,
        duplicate_reply="conflict",
        stake_order="real_first",
        key_scope="transaction",
        sport_game_id=None,
        players=players,
    )
    account = Account()
    verdict = await simulate(stage, Options(events=240, seed=7, run_id=RUN_ID), Silence(), account)
    assert verdict.clean, verdict.differences
    return account.records


@pytest.fixture
def report(tmp_path: Path) -> Callable[[list[Record]], Path]:
    """Write a report of these records."""

    def write(records: list[Record]) -> Path:
        path = tmp_path / "report.csv"
        write_report(path, records, [], 1)
        return path

    return write
