"""`wallet deliver` and `wallet deliveries`, as people and process managers use them."""

import asyncio
import functools
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.cashier.deliveries import sign_on
from app.cashier.event_log import page_after
from app.ledger.citus.ledger import PlacedLedger
from tests.cashier.till import AGENT, Till
from tests.conftest import Database
from tests.console.conftest import Console
from tests.console.console import ENVIRONMENT, WALLET
from tests.edges.webhooks.receiver import SECRET, Receiver

ENDPOINT = {"url": "https://platform.example/hooks", "secret": SECRET}


@pytest.fixture
async def known(module_db: Database) -> Till:
    """A ledger with an endpoint, and some events that nobody delivers."""
    ledger = PlacedLedger(module_db.service_url)
    till = Till(ledger, module_db.superuser_url)
    if not await till.count("webhook_endpoints"):
        await sign_on(ledger, "test", [AGENT])
        await till.player("anna", "10")
        await page_after(ledger, AGENT, None, count_max=1)
    await ledger.close()
    return till


# --- a mistake is one sentence, and exit code 2 or 1 ---------------------------------------------


def test_without_an_endpoint_it_says_how_one_is_named(console: Console) -> None:
    done = console("deliver")
    assert done.code == 2
    assert "WALLET_WEBHOOKS names no endpoint: set it to" in done.complaint


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("[]", "must be a JSON object such as"),
        ('{"a": 1}', "must be a JSON object such as"),
        ('{"a": {"url": "http://platform.example/", "secret": "SECRET"}}', "as https://host/path"),
        ('{"a": {"url": "https://u:p@platform.example/", "secret": "SECRET"}}', "without a user"),
        ('{"a": {"url": "ftp://platform.example/", "secret": "SECRET"}}', "as https://host/path"),
        ('{"a": {"url": "https://platform.example/", "secret": "short"}}', "whsec_ and the base64"),
        ('{"a": {"url": "https://platform.example/", "secret": []}}', "one secret, or a list"),
        ('{"a": {"url": "https://platform.example/"}}', "field required"),
        ('{"callback": {"url": "https://platform.example/", "secret": "SECRET"}}', "must not name"),
        (
            '{"a": {"url": "https://platform.example/", "secret": "SECRET", "types": ["x"]}}',
            "must name types of events by account.opened",
        ),
    ],
)
def test_an_endpoint_that_cannot_be_is_told_without_its_secret(
    console: Console, monkeypatch: pytest.MonkeyPatch, value: str, words: str
) -> None:
    monkeypatch.setenv("WALLET_WEBHOOKS", value.replace("SECRET", SECRET))
    done = console("deliver")
    assert done.code == 2
    assert words in done.complaint
    assert SECRET not in done.complaint
    assert "short" not in done.complaint


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("replay", AGENT), 2, "say from where: --after CURSOR, or --all"),
        (("replay", AGENT, "--after", "7"), 2, "must be a cursor"),
        (("replay", AGENT, "--after", "1-00000000", "--all"), 2, "say from where"),
        (("replay", AGENT, "--after", "1-00000000"), 1, "has no event with the cursor"),
        (("replay", "nobody", "--all"), 1, "There is no endpoint of nobody; name it in"),
        (("retry", "nobody"), 1, "There is no endpoint of nobody"),
        (("show", "nobody"), 1, "There is no endpoint of nobody"),
    ],
)
async def test_what_cannot_be_done_is_one_sentence(
    console: Console, known: Till, words: tuple[str, ...], code: int, said: str
) -> None:
    assert await known.count("webhook_endpoints") == 1
    done = await asyncio.to_thread(console, "deliveries", *words)
    assert done.code == code
    assert said in done.complaint


async def test_people_see_how_an_endpoint_stands_and_move_it(console: Console, known: Till) -> None:
    def run(*words: str) -> str:
        done = console("deliveries", *words)
        assert done.code == 0, done.err
        return done.out

    assert "not heard yet   2 events at most" in await asyncio.to_thread(run, "show")
    shown = json.loads(await asyncio.to_thread(run, "show", AGENT, "--json"))
    (endpoint,) = shown["endpoints"]
    assert (endpoint["agent"], endpoint["state"], endpoint["backlog"]) == (AGENT, "active", 2)
    assert await asyncio.to_thread(run, "replay", AGENT, "--all") == (
        "2 events are delivered to house again.\n"
    )
    await known.rows("UPDATE webhook_endpoints SET state = 'parked', failing_since = now()")
    assert "parked: it has failed for three days" in await asyncio.to_thread(run, "show")
    assert "tried again at once" in await asyncio.to_thread(run, "retry", AGENT)
    assert "active" in await asyncio.to_thread(run, "show")


def test_a_secret_is_made_and_shown_once(console: Console) -> None:
    done = console("agent", "webhook-secret", "casino", "--json")
    assert done.document["secret"].startswith("whsec_")
    assert console("agent", "webhook-secret", "casino", "--json").document != done.document


# --- a process of its own ------------------------------------------------------------------------


@contextmanager
def process(folder: Path, url: str, receiver: Receiver) -> Iterator[subprocess.Popen[bytes]]:
    endpoint = {"url": receiver.url, "secret": SECRET, "networks": ["127.0.0.0/8"]}
    with (folder / "deliver.log").open("ab") as log:
        running = subprocess.Popen(
            [*WALLET, "deliver"],
            cwd=folder,
            env={
                **ENVIRONMENT,
                "WALLET_DATABASE_URL": url,
                "WALLET_WEBHOOKS": json.dumps({AGENT: endpoint}),
                "WALLET_DELIVER_PORT": "0",
                "WALLET_BACKGROUND_LAG_SECONDS": "0",
            },
            stdout=log,
            stderr=log,
        )
    try:
        yield running
    finally:
        if running.poll() is None:
            running.kill()
        running.wait(10)


def has_heard(receiver: Receiver, count: int) -> bool:
    return len(receiver.heard) >= count


async def test_a_process_that_is_killed_at_any_moment_loses_nothing(
    db: Database, tmp_path: Path
) -> None:
    ledger = PlacedLedger(db.service_url)
    till = Till(ledger, db.superuser_url)
    async with Receiver() as receiver:
        await sign_on(ledger, "test", [AGENT])
        names = await till.players(20)
        for killed_after in (5, 60, 200):
            with process(tmp_path, db.service_url, receiver) as running:
                for _ in range(10):
                    await till.move(*(till.movement(n, "Deposit", "credit", "1") for n in names))
                wanted = killed_after + len(receiver.heard)
                await receiver.until(functools.partial(has_heard, receiver, wanted))
                os.kill(running.pid, signal.SIGKILL)
                await asyncio.to_thread(running.wait)
            # Half a minute is a long time for a test, and so is half of it: until then the dead
            # process has its share of the shards.
            await till.rows(
                "UPDATE webhook_shards SET held_until = now() WHERE held_by IS NOT NULL"
            )
            await till.rows("UPDATE webhook_deliverers SET seen_at = 'epoch'")
        with process(tmp_path, db.service_url, receiver) as running:
            expected: set[str] = set()
            while len(expected) < 20 * 31:
                page = await page_after(ledger, AGENT, None, count_max=1000)
                assert page is not None
                expected = {event.id for event in page.events}
            await receiver.until(lambda: {h.id for h in receiver.taken} >= expected)
            running.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(running.wait, 15) == 0
    assert {h.id for h in receiver.taken} == expected
    latest: dict[str, int] = {}
    seen: set[str] = set()
    for heard in receiver.taken:
        if heard.id not in seen:
            seen.add(heard.id)
            assert heard.number > latest.get(heard.event["user_id"], 0)
            latest[heard.event["user_id"]] = heard.number
    assert await till.count("webhook_shards", "held_by IS NOT NULL") == 0
    said = (tmp_path / "deliver.log").read_text(encoding="utf-8")
    assert "Traceback" not in said
    assert SECRET not in said
    assert said.endswith("Stopped.\n")
    await ledger.close()
