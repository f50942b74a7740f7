"""`wallet project`, as process managers use it."""

import asyncio
import signal
from pathlib import Path
from typing import Final
from urllib.request import urlopen

import pytest

from app.slips.projector import Projector
from tests.cashier.conftest import till as till_fixture
from tests.cashier.till import Till
from tests.conftest import Database
from tests.console.conftest import Console
from tests.console.console import ENVIRONMENT, WALLET
from tests.ports import free_port
from tests.slips.slip_texts import betslip

till = till_fixture

WAIT_SECONDS: Final = 20
"""For a slow machine; it takes about one."""


@pytest.mark.parametrize("value", ["USD", "USD:-1", "USD:1,USD:2", "usd:1", "USD:1e9"])
def test_a_liability_that_cannot_be_is_one_sentence(
    console: Console, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("WALLET_LIABILITY_ALARMS", value)
    done = console("project")
    assert done.code == 2
    assert "must list each currency once, as code:amount" in done.complaint


async def test_a_process_projects_what_is_there_and_tells_how_it_stands(
    till: Till, db: Database
) -> None:
    await till.player("anna", "100")
    await till.one(till.bet(extra_data=betslip(potential_win=2000)))
    await Projector(till.ledger).look()
    await till.rows("UPDATE sport_bets SET slip_id = 'not what was said'")
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *WALLET,
        "project",
        "--from-zero",
        env={
            **ENVIRONMENT,
            "WALLET_DATABASE_URL": db.service_url,
            "WALLET_CALLBACK_KEYS": "k" * 8 + "0123456789",
            "WALLET_PROJECT_PORT": str(port),
            "WALLET_BACKGROUND_LAG_SECONDS": "0",
            "WALLET_LIABILITY_ALARMS": "USD:20",
            "PYTHONPATH": str(Path.cwd()),
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            assert (await process.stdout.readline()).startswith(b"Bet slips are read")
            query = "SELECT slip_id FROM sport_bets WHERE slip_id = 'slip-1'"
            while not await till.rows(query):
                pass
            page = ""
            while 'wallet_sport_liability{currency="USD",rank="1"} 20.0' not in page:
                page = await asyncio.to_thread(read, f"http://127.0.0.1:{port}/metrics")
    finally:
        process.send_signal(signal.SIGTERM)
        said, _ = await process.communicate()
    assert process.returncode == 0
    assert said == b"Stopped.\n"


def read(url: str) -> str:
    with urlopen(url, timeout=WAIT_SECONDS) as answer:  # noqa: S310 - our own address
        text: str = answer.read().decode()
        return text
