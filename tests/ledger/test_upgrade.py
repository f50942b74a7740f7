"""From the release before to this one, on its own data, and side by side with its own processes."""

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest

from app.cashier.account_changes import (
    AccountChange,
    Exclusion,
    show_account,
    update_account,
)
from app.cashier.audit import audit
from app.cashier.batching import Batcher
from app.cashier.event_log import page_after
from app.cashier.policy import PolicyInForce, policy_in_force
from app.ledger import migrations
from app.ledger.accounts import ChangeNote
from app.ledger.errors import MigrationBusyError
from app.ledger.event_log.told import MovementTold
from app.ledger.migrations import upgrade
from app.ledger.owner_changes import SIDE_BY_SIDE, OwnerChangeError, finish_upgrade
from app.ledger.revisions import current_revision, head_revision
from app.ledger.transaction import Ledger
from app.postgres import EmbeddedPostgres
from app.postgres.cluster import OWNER
from app.wallet.event_log import LoggedType
from app.wallet.facts import Policy, RuleVersion
from app.wallet.journal import Flag, microseconds
from app.wallet.limit_terms import RaiseRules
from app.wallet.moments import FOREVER
from app.wallet.movement import Movement
from app.wallet.outcomes import Declined, Posting, Receipt, Refused, Replay
from app.wallet.refusals import Refusal
from tests.cashier.till import AGENT, Till, connect
from tests.conftest import RUN_FOLDER, Database, clone, sql

AT_ONCE = RaiseRules(timedelta(), needs_confirmation=False)

LAST_RELEASE = "6f79df6e0270ddf01670ad2f739c830a41b2e380"
REPOSITORY = Path(__file__).parents[2]
ANSWER_SECONDS = 60
STORM_SECONDS = 4
KINDS = [
    *[("BetPlacing", "debit", "5")] * 5,
    ("BetPlacing", "debit", "400"),
    ("Win", "credit", "4"),
    ("Win", "credit", "4"),
    ("BetPlacingAbort", "credit", "5"),
    ("BetPayedAbort", "debit", "4"),
    ("SportBetCancel", "debit", "4"),
    ("Deposit", "credit", "3"),
    ("Withdrawal", "debit", "2"),
]
"""As in `last_release.py`, which can import nothing of this release."""


class Release:
    """The release before, imported once: a process that forks for each that is wanted."""

    def __init__(self, folder: Path) -> None:
        # A socket's path is short.
        self._folder = tempfile.mkdtemp(prefix="last-release-")
        self._socket = f"{self._folder}/socket"
        script = Path(__file__).with_name("last_release.py")
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(script), self._socket],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(folder)},
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"listens\n"

    def connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(self._socket)
        return connection

    def close(self) -> None:
        with self._process:
            self._process.kill()
        shutil.rmtree(self._folder)


@pytest.fixture(scope="session")
def last_release() -> Iterator[Release]:
    """The release before, as git remembers it."""
    git = shutil.which("git")
    if git is None:
        pytest.skip("the release before is in git's history, and there is no git")
    folder = Path(os.environ[RUN_FOLDER]) / f"last-release-{os.getpid()}"
    archive = subprocess.run(
        [git, "-C", str(REPOSITORY), "archive", LAST_RELEASE],
        capture_output=True,
        check=False,
        timeout=60,
    )
    if archive.returncode:
        pytest.skip("the release before is in git's history, and this copy has none")
    folder.mkdir()
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive.stdout, check=True, timeout=60)
    release = Release(folder)
    yield release
    release.close()


class LastRelease:
    """A process of the release before."""

    def __init__(self, release: Release, db: Database) -> None:
        self.release = release
        self._connection = release.connect()
        self._connection.settimeout(ANSWER_SECONDS)
        self._said = self._connection.makefile("rb")
        self._pid = int(self._said.readline())
        self._connection.sendall(json.dumps([db.service_url, db.superuser_url]).encode() + b"\n")

    async def do(self, name: str, *arguments: object) -> Any:  # noqa: ANN401 - JSON
        return await asyncio.to_thread(self.do_now, name, *arguments)

    def do_now(self, name: str, *arguments: object) -> Any:  # noqa: ANN401 - JSON
        """Have it done while everything here stands still."""
        self._connection.sendall(json.dumps([name, *arguments]).encode() + b"\n")
        line = self._said.readline()
        assert line, f"the release before ended at {name}"
        return json.loads(line)

    async def bets(self, user_id: str, amount: str = "1", **more: str) -> list[Any]:
        """What becomes of one bet there."""
        asked = {
            "user_id": user_id,
            "event_type": "BetPlacing",
            "direction": "debit",
            "amount": amount,
            **more,
        }
        ((kind, refusal, flags),) = await self.do("move", asked)
        return [kind, refusal, flags]

    async def stop(self) -> None:
        await asyncio.to_thread(self.stop_now)

    def stop_now(self) -> None:
        """Say that nothing more will be asked, and wait for its end, once."""
        if self._said.closed:
            return
        self._connection.settimeout(10)
        try:
            self._connection.shutdown(socket.SHUT_WR)
            self._said.read()
        except TimeoutError:
            os.kill(self._pid, signal.SIGKILL)
        finally:
            self._said.close()
            self._connection.close()


@pytest.fixture(scope="session")
def old_template(postgres: EmbeddedPostgres, last_release: Release) -> str:
    """The name of the database that the release before has made, and the others are clones of."""
    database = Database(postgres, f"last_release_{os.getpid()}")
    sql(postgres, f"CREATE DATABASE {database.name} OWNER {OWNER}")
    process = LastRelease(last_release, database)
    process.do_now("migrate", database.owner_url)
    process.do_now("open")
    process.stop_now()
    return database.name


@pytest.fixture
def old_db(postgres: EmbeddedPostgres, old_template: str) -> Iterator[Database]:
    """A database that the release before has made."""
    yield from clone(postgres, old_template)


@pytest.fixture
async def old(last_release: Release, old_db: Database) -> AsyncIterator[LastRelease]:
    """The release before, at work."""
    process = LastRelease(last_release, old_db)
    await process.do("open")
    yield process
    await process.stop()


@pytest.fixture
async def new(old_db: Database) -> AsyncIterator[Till]:
    """This release on the same database, by the rules of the release before."""
    ledger = Ledger(old_db.service_url)
    yield Till(ledger, old_db.superuser_url, Policy(rule_version=RuleVersion.LAST_RELEASE))
    await ledger.close()


def asked(user_id: str, event_type: str, direction: str, amount: str, **more: str) -> Any:  # noqa: ANN401
    return {
        "user_id": user_id,
        "event_type": event_type,
        "direction": direction,
        "amount": amount,
        **more,
    }


async def has_played(old: LastRelease) -> dict[str, str]:
    """A life of four players at the release before; their tokens."""
    tokens = {name: await old.do("player", name, "100", "20") for name in ("anna", "boris")}
    tokens["clara"] = await old.do("player", "clara", "50", "0")
    tokens["dora"] = await old.do("player", "dora", "0", "0")
    tokens["sliding"] = await old.do("sliding", "anna")
    receipts = await old.do(
        "move",
        asked("anna", "BetPlacing", "debit", "60", transaction_id="a1", event_id="e1"),
        asked("anna", "Win", "credit", "30", transaction_id="a2", event_id="e1"),
        asked("boris", "BetPlacing", "debit", "10", transaction_id="b1", event_id="e2"),
        asked("boris", "BetPlacingAbort", "credit", "10", transaction_id="b2", event_id="e2"),
        asked("boris", "BetPlacingAbort", "credit", "7", transaction_id="b3", event_id="e3"),
        asked("clara", "BetPlacing", "debit", "5000", transaction_id="c1", event_id="e4"),
        asked("clara", "BetPlacing", "debit", "40", transaction_id="c2", event_id="e4"),
        asked("clara", "Win", "credit", "9", transaction_id="c3", event_id="e4"),
        asked("clara", "BetPayedAbort", "debit", "9", transaction_id="c4", event_id="e4"),
        asked("clara", "SportBetCancel", "debit", "3", transaction_id="c5", event_id="e4"),
    )
    assert [kind for kind, _, _ in receipts] == [
        *("Posting", "Posting", "Posting", "Posting", "Refused", "Remembered"),
        *["Posting"] * 4,
    ]
    await old.do("block", "dora", True)  # noqa: FBT003 - JSON
    await old.do("exclude", "clara", 3600)
    await old.do("limit", "boris", {"stake_day": "50", "loss_month": "500"}, 0)
    await old.do("limit", "boris", {"stake_day": "70"}, 86400)
    return tokens


async def is_clean(db: Database) -> bool:
    findings = await audit(db.superuser_url)
    assert findings.breaches == []
    return findings.is_clean


FILLED = """
SELECT user_id, (w.agent, w.currency, w.scale, w.blocked, w.excluded_until, w.limits)
       IS NOT DISTINCT FROM (p.agent, p.currency, p.scale, p.blocked, p.excluded_until, p.limits)
FROM wallets w JOIN players p USING (player_id)
"""


def kinds(receipts: list[Receipt]) -> list[type]:
    return [type(receipt) for receipt in receipts]


async def test_data_of_the_release_before_is_upgraded_in_place_and_played_on(
    old: LastRelease, new: Till, old_db: Database
) -> None:
    new.tokens = await has_played(old)
    before = await new.rows("SELECT * FROM movements ORDER BY player_id, position")
    await upgrade(old_db.owner_url)
    assert await current_revision(old_db.owner_url) == head_revision()
    assert await is_clean(old_db)
    after = await new.rows("SELECT * FROM movements ORDER BY player_id, position")
    # The transaction of a row that was there is not known, and no event tells of it.
    assert [(*row.values(), None) for row in before] == [tuple(row.values()) for row in after]
    filled = await new.rows(FILLED)
    assert len(filled) == 4
    assert all(row[1] for row in filled)
    (settings,) = await new.rows("SELECT rule_version, key_scope FROM decision_settings")
    assert tuple(settings) == (1, "transaction")

    policy = await policy_in_force(new.ledger, Policy())
    assert policy.rule_version is RuleVersion.LAST_RELEASE
    receipts = await new.move(
        new.movement("anna", "BetPlacing", "debit", "60", transaction_id="a1", event_id="e1"),
        new.movement("anna", "BetPayedAbort", "debit", "30", event_id="e1"),
        new.bet("anna", "1", token=new.tokens["sliding"]),
        new.bet("boris", "7", event_id="e3"),
        new.bet("boris", "60", event_id="e9"),
        new.movement("clara", "SportBetCancel", "debit", "2", event_id="e4"),
        new.movement("clara", "BetPlacing", "debit", "5000", transaction_id="c1", event_id="e4"),
        new.bet("clara", "1"),
        new.bet("dora", "1"),
        new.movement("dora", "DropAndWin", "credit", "5", bonus_code="FREE"),
    )
    assert kinds(receipts) == [
        *(Replay, Posting, Posting, Posting, Declined, Posting, Replay, Declined, Declined),
        Posting,
    ]
    overtaken, limited, excluded, blocked = (receipts[n] for n in (3, 4, 7, 8))
    assert isinstance(overtaken, Posting)
    assert Flag.ABORT_OVERTOOK in overtaken.entry.flags, "an abort refused by the release before"
    assert isinstance(limited, Declined)
    assert limited.refusal is Refusal.LIMIT_EXCEEDED, "what was used there counts here"
    for receipt in (excluded, blocked):
        assert isinstance(receipt, Declined)
        assert receipt.refusal is Refusal.PLAYER_BLOCKED
    assert await is_clean(old_db)
    assert await old.do("audit", old_db.superuser_url) == []


MANY = """
INSERT INTO players (user_id, agent, currency, scale, nickname, language, created_at, blocked)
SELECT 'p' || n, 'house', 'USD', 2, 'nick', 'en', now(), n % 3 = 0 FROM generate_series(1, 5000) n;
INSERT INTO wallets (player_id, chain)
SELECT player_id, decode(repeat('00', 32), 'hex') FROM players;
INSERT INTO account_changes
    (player_id, source, operation, asked, outcome, delivery, event_time, ledger_time)
SELECT player_id, 'house', 'account/update', '{}', '{"status": "blocked", "limits": {}}',
       gen_random_uuid(), now(), now()
FROM players WHERE blocked;
"""


@pytest.mark.usefixtures("old")
async def test_a_backfill_that_was_cut_off_goes_on_where_it_stopped(
    new: Till, old_db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each step is a transaction; the third meets a wallet that somebody holds for too long."""
    connection = await connect(old_db.superuser_url)
    await connection.execute(MANY)
    await upgrade(old_db.owner_url, "20261128_one_road")
    monkeypatch.setattr(migrations, "LOCK_TIMEOUT", "200ms")
    async with connection.transaction():
        await connection.execute("SELECT FROM wallets WHERE player_id = 4500 FOR UPDATE")
        with pytest.raises(MigrationBusyError):
            await upgrade(old_db.owner_url)
    await connection.close()
    assert await new.count("wallets", "agent IS NOT NULL") == 4000
    assert await current_revision(old_db.owner_url) == "20261128_one_road"
    await upgrade(old_db.owner_url)
    filled = await new.rows(FILLED)
    assert len(filled) == 5000
    assert all(row[1] for row in filled)
    assert await new.count("wallets", "blocked") == 1666
    assert await is_clean(old_db)


async def test_a_block_by_the_release_before_while_wallets_are_filled_is_not_lost(
    old: LastRelease, new: Till, old_db: Database
) -> None:
    """The step has begun and waits for the wallet; what it has read of the player is old then."""
    await old.do("player", "anna", "100", "0")
    await upgrade(old_db.owner_url, "20261128_one_road")
    officer = await connect(old_db.superuser_url)
    async with officer.transaction():
        await officer.execute("UPDATE players SET blocked = true")
        filling = asyncio.create_task(upgrade(old_db.owner_url))
        await waits_for_a_lock(new)
    await officer.close()
    await filling
    (row,) = await new.rows(
        "SELECT p.blocked, w.blocked FROM players p JOIN wallets w USING (player_id)"
    )
    assert tuple(row) == (True, True)


async def waits_for_a_lock(till: Till) -> None:
    for _ in range(1000):
        if await till.count(
            "pg_stat_activity",
            "wait_event_type = 'Lock' AND datname = current_database()",
        ):
            return
        await asyncio.sleep(0.005)
    raise AssertionError("nobody waits")


@pytest.fixture
async def both(old: LastRelease, new: Till, old_db: Database) -> AsyncIterator[Batcher]:
    """The schema is this release's, the release before goes on, and this one serves beside it."""
    # A ledger that has players when it is upgraded was played on by the release before.
    new.tokens["anna"] = await old.do("player", "anna", "1000", "0")
    new.tokens["boris"] = await old.do("player", "boris", "1000", "50")
    await old.bets("anna")
    await upgrade(old_db.owner_url)
    policy = PolicyInForce(await policy_in_force(new.ledger, Policy()))
    assert policy.policy.rule_version is RuleVersion.LAST_RELEASE
    batcher = Batcher(new.ledger, policy)
    yield batcher
    await batcher.close()


async def storm(
    till: Till, batcher: Batcher, tokens: dict[str, str], seconds: float
) -> Counter[str]:
    """Move money of these players for so long, by this release; what became of it."""
    dice, seen = Random("new"), Counter[str]()  # noqa: S311 - a test
    end = asyncio.get_running_loop().time() + seconds

    async def caller(number: int) -> None:
        for turn in range(100_000):
            if asyncio.get_running_loop().time() > end:
                return
            kind, way, amount = dice.choice(KINDS)
            movement = till.movement(
                dice.choice(list(tokens)),
                kind,
                way,
                amount,
                event_id=f"event-{dice.randrange(4)}",
                transaction_id=f"{dice.choice(['new', 'both'])}-{number}-{turn}",
            )
            try:
                seen[type(await batcher.move(movement)).__name__] += 1
            except Exception as error:  # noqa: BLE001 - counted, and the test looks
                seen[f"error {type(error).__name__} {error}"] += 1

    await asyncio.gather(*map(caller, range(8)))
    return seen


def errors(seen: "dict[str, int]") -> dict[str, int]:
    return {what: count for what, count in seen.items() if what.startswith("error")}


class TestSideBySide:
    async def test_both_move_money_of_the_same_players_at_once(
        self, old: LastRelease, new: Till, both: Batcher, old_db: Database
    ) -> None:
        tokens = {f"p{n}": await old.do("player", f"p{n}", "500", "20") for n in range(3)}
        new.tokens |= tokens
        for n in range(3, 6):
            await new.player(f"p{n}", "500", "20")
            tokens[f"p{n}"] = new.tokens[f"p{n}"]
        there, here = await asyncio.gather(
            old.do("storm", tokens, STORM_SECONDS, "old"),
            storm(new, both, tokens, STORM_SECONDS),
        )
        assert errors(there) == errors(here) == {}
        assert min(there["Posting"], here["Posting"]) > 100
        assert min(there["Refused"], here["Refused"]) > 0
        assert await is_clean(old_db)
        assert await old.do("audit", old_db.superuser_url) == []
        await new.is_sound()

    async def test_the_release_before_moves_money_while_it_is_upgraded(
        self, old: LastRelease, new: Till, old_db: Database
    ) -> None:
        tokens = {f"p{n}": await old.do("player", f"p{n}", "500", "20") for n in range(4)}
        storming = asyncio.create_task(old.do("storm", tokens, STORM_SECONDS, "old"))
        await asyncio.sleep(1)
        await upgrade(old_db.owner_url)
        there = await storming
        assert errors(there) == {}
        assert there["Posting"] > 100
        assert all(row[1] for row in await new.rows(FILLED))
        assert await is_clean(old_db)

    async def test_a_block_there_binds_the_next_bet_here(
        self, old: LastRelease, new: Till, both: Batcher
    ) -> None:
        assert isinstance(await both.move(new.bet("anna", "1")), Posting)
        await old.do("block", "anna", True)  # noqa: FBT003 - JSON
        assert refusal_of(await both.move(new.bet("anna", "1"))) is Refusal.PLAYER_BLOCKED
        await old.do("block", "anna", False)  # noqa: FBT003 - JSON
        assert isinstance(await both.move(new.bet("anna", "1")), Posting)
        await old.do("exclude", "anna", 3600)
        assert refusal_of(await both.move(new.bet("anna", "1"))) is Refusal.PLAYER_BLOCKED
        await old.do("limit", "boris", {"stake_bet": "5"}, 0)
        assert refusal_of(await both.move(new.bet("boris", "6"))) is Refusal.LIMIT_EXCEEDED

    @pytest.mark.parametrize(
        ("meddle", "refusal"),
        [
            (("block", "anna", True), Refusal.PLAYER_BLOCKED),
            (("exclude", "anna", 3600), Refusal.PLAYER_BLOCKED),
            (("limit", "anna", {"stake_bet": "5"}, 0), Refusal.LIMIT_EXCEEDED),
            (
                ("move", asked("anna", "BetPlacing", "debit", "995", event_id="other")),
                Refusal.INSUFFICIENT_FUNDS,
            ),
        ],
        ids=["block", "exclude", "limit", "move"],
    )
    @pytest.mark.usefixtures("both")
    async def test_what_it_does_there_between_a_read_and_its_write_here_binds_it(
        self, old: LastRelease, new: Till, meddle: tuple[Any, ...], refusal: Refusal
    ) -> None:
        receipt = await self.meanwhile(new, new.bet("anna", "6"), lambda: old.do_now(*meddle))
        assert refusal_of(receipt) is refusal
        assert new.ledger.retries == {"WF001": 1}
        await new.is_sound()

    @pytest.mark.usefixtures("both")
    async def test_an_abort_refused_there_between_a_read_and_its_write_here_flags_the_bet(
        self, old: LastRelease, new: Till
    ) -> None:
        for number in range(2):  # the second finds the player's mark as the first has left it
            event = f"overtaken-{number}"
            abort = asked("anna", "BetPlacingAbort", "credit", "6", event_id=event)
            receipt = await self.meanwhile(
                new, new.bet("anna", "6", event_id=event), partial(old.do_now, "move", abort)
            )
            assert isinstance(receipt, Posting)
            assert Flag.ABORT_OVERTOOK in receipt.entry.flags

    async def meanwhile(
        self,
        new: Till,
        movement: Movement,
        meddle: Callable[[], object],
    ) -> Receipt:
        """Between the read and the write here, that happens there."""
        new.policy = Policy(rule_version=RuleVersion.LAST_RELEASE)
        done: list[object] = []

        def once() -> None:
            if not done:
                done.append(meddle())

        (receipt,) = await new.move(movement, has_decided=once)
        return receipt

    async def test_an_abort_refused_here_flags_the_bet_there(
        self, old: LastRelease, new: Till, both: Batcher
    ) -> None:
        abort = new.movement("anna", "BetPlacingAbort", "credit", "6", event_id="e")
        assert refusal_of(await both.move(abort)) is Refusal.NO_MATCHING_MOVEMENT
        assert await old.bets("anna", "6", event_id="e") == ["Posting", None, Flag.ABORT_OVERTOOK]

    @pytest.mark.usefixtures("both")
    async def test_a_block_and_a_limit_here_bind_there(self, old: LastRelease, new: Till) -> None:
        change = AccountChange(is_suspended=True, language="de")
        await update_account(new.ledger, "anna", change, raises=AT_ONCE)
        assert (await old.bets("anna"))[1] == "PLAYER_BLOCKED"
        await update_account(
            new.ledger,
            "anna",
            AccountChange(is_suspended=False),
            raises=AT_ONCE,
        )
        assert (await old.bets("anna"))[0] == "Posting"
        until = datetime.now(UTC) + timedelta(hours=1)
        await update_account(
            new.ledger,
            "anna",
            AccountChange(exclusion=Exclusion(until)),
            raises=AT_ONCE,
        )
        assert (await old.bets("anna"))[1] == "PLAYER_BLOCKED"
        await update_account(
            new.ledger,
            "boris",
            AccountChange(limits={"stake_day": "5"}),
            raises=AT_ONCE,
        )
        assert (await old.bets("boris", "6"))[1] == "LIMIT_EXCEEDED"
        assert await new.count("wallets", "revision < 2") == 0

    async def test_an_account_opened_on_one_side_is_usable_on_the_other(
        self, old: LastRelease, new: Till, both: Batcher, old_db: Database
    ) -> None:
        new.tokens["there"] = await old.do("player", "there", "10", "0")
        assert isinstance(await both.move(new.bet("there", "1")), Posting)
        await new.player("here", "10")
        receipt = await old.bets("here", "1", token=new.tokens["here"])
        assert receipt[0] == "Posting"
        assert all(row[1] for row in await new.rows(FILLED))
        assert await is_clean(old_db)

    async def test_rounds_and_ids_of_one_side_are_those_of_the_other(
        self, old: LastRelease, new: Till, both: Batcher, old_db: Database
    ) -> None:
        there = await old.bets("anna", "10", transaction_id="t", event_id="e")
        assert there[0] == "Posting"
        assert isinstance(
            await both.move(new.bet("anna", "10", transaction_id="t", event_id="e")), Replay
        )
        win = new.movement("anna", "Win", "credit", "5", event_id="e")
        assert isinstance(await both.move(win), Posting)
        receipts = await old.do("move", asked("anna", "BetPayedAbort", "debit", "5", event_id="e"))
        assert receipts[0][0] == "Posting"
        abort = new.movement("anna", "BetPlacingAbort", "credit", "10", event_id="e")
        assert isinstance(await both.move(abort), Posting)
        receipts = await old.do("move", asked("anna", "Win", "credit", "5", event_id="e"))
        assert receipts[0][:2] == ["Refused", "NO_MATCHING_MOVEMENT"]
        assert await is_clean(old_db)

    async def test_what_is_moved_and_opened_there_is_told_in_order_here(
        self, old: LastRelease, new: Till, both: Batcher
    ) -> None:
        page = await page_after(new.ledger, AGENT, None, count_max=1000)
        assert page is not None
        await old.bets("anna", "10", transaction_id="there", event_id="told")
        await both.move(new.bet("anna", "10", transaction_id="here", event_id="told"))
        await old.do("move", asked("anna", "Win", "credit", "5", event_id="told"))
        more = await page_after(new.ledger, AGENT, page.cursor, count_max=1000)
        assert more is not None
        moved = [event.content for event in more.events if isinstance(event.content, MovementTold)]
        assert [one.event_type for one in moved] == ["BetPlacing", "BetPlacing", "Win"]
        assert [one.transaction_id for one in moved[:2]] == ["there", "here"]
        assert more.events[-1].type is LoggedType.ROUND_SETTLED


def refusal_of(receipt: Receipt) -> Refusal | None:
    return receipt.refusal if isinstance(receipt, (Declined, Refused)) else None


class TestTheSwitch:
    async def test_it_waits_until_the_release_before_is_gone(
        self, old: LastRelease, new: Till, both: Batcher, old_db: Database
    ) -> None:
        assert isinstance(await both.move(new.bet("anna", "1")), Posting)
        await old.bets("anna")
        with pytest.raises(OwnerChangeError):
            await finish_upgrade(old_db.owner_url, "test")
        assert await triggers(new) == set(SIDE_BY_SIDE)
        await old.stop()
        assert await finish_upgrade(old_db.owner_url, "test")
        assert await triggers(new) == set()
        assert not await finish_upgrade(old_db.owner_url, "test")
        (change,) = await new.rows(
            "SELECT source, name, value_before, value_after FROM decision_setting_changes"
        )
        assert tuple(change) == ("test", "rule_version", "1", "2")

    async def test_the_release_before_does_not_start_any_more(
        self, old: LastRelease, new: Till, both: Batcher, old_db: Database
    ) -> None:
        assert isinstance(await both.move(new.bet("anna", "1")), Posting)
        await old.stop()
        assert await finish_upgrade(old_db.owner_url, "test")
        late = LastRelease(old.release, old_db)
        with pytest.raises(AssertionError, match="ended at open"):
            await late.do("open")
        await late.stop()

    async def test_each_batch_that_was_decided_by_the_old_rules_hears_of_the_new_ones(
        self, old: LastRelease, new: Till, old_db: Database
    ) -> None:
        """Two batches are under way; the second is told after the first has asked already."""
        await old.do("player", "anna", "1", "0")
        await upgrade(old_db.owner_url)
        in_force = PolicyInForce(await policy_in_force(new.ledger, Policy()))
        used = in_force.policy
        await old.stop()
        assert not await in_force.renew(new.ledger, used)
        assert await finish_upgrade(old_db.owner_url, "test")
        assert await in_force.renew(new.ledger, used)
        assert await in_force.renew(new.ledger, used)
        assert in_force.policy.rule_version is RuleVersion.CURRENT

    async def test_it_meets_no_statement_of_the_service_in_a_circle(
        self, old: LastRelease, new: Till, old_db: Database
    ) -> None:
        """Who reads players and then wallets goes on while the switch waits for both."""
        await old.do("player", "anna", "1", "0")
        await upgrade(old_db.owner_url)
        await old.stop()
        reader = await connect(old_db.service_url)
        async with reader.transaction():
            await reader.execute("SELECT FROM players LIMIT 1")
            switch = asyncio.create_task(finish_upgrade(old_db.owner_url, "test"))
            await waits_for_a_lock(new)
            await reader.execute("SET LOCAL lock_timeout = '500ms'")
            await reader.execute("SELECT FROM wallets LIMIT 1")
        await reader.close()
        assert await switch

    async def test_raises_that_have_waited_are_in_force_and_later_ones_wait_for_the_player(
        self, old: LastRelease, new: Till, old_db: Database
    ) -> None:
        await old.do("player", "anna", "1", "0")
        await old.do("limit", "anna", {"stake_day": "10", "loss_day": "10", "loss_week": "9"}, 0)
        await old.do("limit", "anna", {"stake_day": "20"}, 1)
        await old.do("limit", "anna", {"loss_day": None}, 86400)
        await asyncio.sleep(1)
        await upgrade(old_db.owner_url)
        await old.stop()
        assert await finish_upgrade(old_db.owner_url, "test")
        account = await show_account(new.ledger, "anna")
        assert not isinstance(account, Refusal)
        now = microseconds(account.player.now)
        in_force = {name: term.at(now) for name, term in account.terms.items()}
        assert in_force == {"stake_day": 2000, "loss_day": 1000, "loss_week": 900}
        waiting = {name for name, term in account.terms.items() if term.waits_at(now)}
        assert waiting == {"loss_day"}
        assert account.terms["loss_day"].needs_confirmation
        assert await is_clean(old_db), "what the switch settled is noted as a change"

    @pytest.mark.parametrize(
        "change",
        [
            AccountChange(limits={"deposit_day": "5"}),
            AccountChange(limits={"stake_day:casino": "5"}),
            AccountChange(exclusion=Exclusion(FOREVER)),
        ],
        ids=["deposit limit", "product", "forever"],
    )
    async def test_what_the_release_before_does_not_know_waits_until_it_has_gone(
        self, old: LastRelease, new: Till, old_db: Database, change: AccountChange
    ) -> None:
        await old.do("player", "anna", "10", "0")
        await upgrade(old_db.owner_url)
        note = ChangeNote("test", "account/update", "{}", bytes(16), datetime.now(UTC))
        early = await update_account(new.ledger, "anna", change, raises=AT_ONCE, note=note)
        assert early is Refusal.UPGRADE_UNFINISHED
        hold = new.movement("anna", "WithdrawalHold", "debit", "1")
        (receipt,) = await new.move(hold)
        assert refusal_of(receipt) is Refusal.UPGRADE_UNFINISHED
        vetoed = new.movement("anna", "Deposit", "credit", "1")._replace(is_vetoed=True)
        (receipt,) = await new.move(vetoed)
        assert type(receipt) is Refused, "no outcome that the release before could not read"
        await old.stop()
        assert await finish_upgrade(old_db.owner_url, "test")
        after = await update_account(new.ledger, "anna", change, raises=AT_ONCE, note=note)
        assert not isinstance(after, Refusal)
        new.policy = Policy()
        (receipt,) = await new.move(hold)
        assert type(receipt) is Posting
        assert await is_clean(old_db)

    async def test_whoever_goes_back_finds_everybody_blocked_who_was(
        self, old: LastRelease, new: Till, old_db: Database
    ) -> None:
        """After the switch nothing copies a block to where the release before reads it."""
        await old.do("player", "anna", "1", "0")
        await upgrade(old_db.owner_url)
        await old.stop()
        await finish_upgrade(old_db.owner_url, "test")
        change = AccountChange(is_suspended=True, limits={"stake_day": "5"})
        await update_account(new.ledger, "anna", change, raises=AT_ONCE)
        assert await new.count("players", "blocked") == 0
        await new.ledger.close()
        await migrations.downgrade(old_db.owner_url, "20261126_rows")
        assert await new.count("players", "blocked AND limits IS NOT NULL") == 1

    async def test_an_abort_that_was_accepted_there_refuses_no_bet_afterwards(
        self, old: LastRelease, new: Till, both: Batcher, old_db: Database
    ) -> None:
        """Refused here, which remembers it; its bet and its repeat went to the other process."""
        abort = new.movement(
            "anna", "BetPlacingAbort", "credit", "6", event_id="e", transaction_id="abort"
        )
        assert refusal_of(await both.move(abort)) is Refusal.NO_MATCHING_MOVEMENT
        assert (await old.bets("anna", "6", event_id="e"))[0] == "Posting"
        again = asked(
            "anna", "BetPlacingAbort", "credit", "6", event_id="e", transaction_id="abort"
        )
        assert (await old.do("move", again))[0][0] == "Posting"
        await old.stop()
        assert await finish_upgrade(old_db.owner_url, "test")
        assert isinstance(await both.move(new.bet("anna", "6", event_id="e")), Posting)
        assert await is_clean(old_db)

    async def test_who_serves_by_the_old_rules_goes_on_by_the_new_ones_and_no_movement_fails(
        self, old: LastRelease, new: Till, both: Batcher, old_db: Database
    ) -> None:
        await old.stop()
        tokens = {}
        for n in range(6):
            await new.player(f"p{n}", "500", "20")
            tokens[f"p{n}"] = new.tokens[f"p{n}"]
        storming = asyncio.create_task(storm(new, both, tokens, STORM_SECONDS))
        await asyncio.sleep(STORM_SECONDS / 2)
        assert await finish_upgrade(old_db.owner_url, "test")
        seen = await storming
        assert errors(seen) == {}
        assert seen["Posting"] > 100
        await both.move(new.movement("anna", "BetPlacingAbort", "credit", "6", event_id="late"))
        overtaken = await both.move(new.bet("anna", "6", event_id="late"))
        assert refusal_of(overtaken) is Refusal.BET_OVERTAKEN, "by the rules of this release"
        assert await is_clean(old_db)
        await new.is_sound()


async def triggers(till: Till) -> set[str]:
    names = ", ".join(f"'{name}'" for name in SIDE_BY_SIDE)
    rows = await till.rows(f"SELECT tgname FROM pg_trigger WHERE tgname IN ({names})")
    return {row[0] for row in rows}
