"""What operators do to players is done on the player's node, and noted where all acts are."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import asyncpg
import pytest
from structlog.testing import capture_logs

from app.cashier import acts_apart
from app.cashier.account_changes import (
    AccountChange,
    Exclusion,
    restrict_account,
    show_account,
)
from app.cashier.acts_apart import ActsApart
from app.cashier.audit import audit
from app.cashier.players import revoke_tokens
from app.console.commands import buckets
from app.ledger.accounts import Account, Act, ChangeNote
from app.ledger.citus.bucket import BucketLedger
from app.ledger.citus.ledger import PlacedLedger
from app.ledger.errors import LedgerAwayError, LedgerError
from app.ledger.money.rows import delivery_uuid
from app.ledger.operator_actions import Action
from app.wallet.buckets import bucket_of
from app.wallet.moments import FOREVER
from app.wallet.operators import Operator, Role, Via
from app.wallet.refusals import Refusal
from tests.cashier.homes import home_of
from tests.cashier.till import Till, connect, numbers
from tests.citus.cluster import Citus
from tests.citus.conftest import BUCKETS
from tests.console.conftest import run_in_process

OLGA = Operator("olga", is_verified=True, roles=frozenset(Role), via=Via.PAGE, source="192.0.2.7")


def noted(name: str, user_id: str) -> ChangeNote:
    action = Action(name, "player", user_id, secrets.token_bytes(16), reason="they asked")
    return ChangeNote(
        "operator:olga",
        "account/update",
        "{}",
        action.delivery,
        datetime.now(UTC),
        Act(OLGA, action),
    )


async def acts(till: Till, user_id: str) -> list[str]:
    rows = await till.rows(
        "SELECT action FROM operator_actions WHERE subject = $1 ORDER BY action_id", user_id
    )
    return [row[0] for row in rows]


@pytest.mark.parametrize("bucket", range(BUCKETS))
@pytest.mark.parametrize("way", ["owner", "other node"])
async def test_an_act_on_a_player_is_done_and_noted_once(
    till: Till, far_till: Till, citus: Citus, bucket: int, way: str
) -> None:
    this = till if way == "owner" else far_till
    name = next(
        name for _ in range(1000) if bucket_of(name := f"act-{next(numbers)}", BUCKETS) == bucket
    )
    await this.player(name, "10")
    change = AccountChange(limits={"stake_day": "5", "deposit_day": "20"}, is_suspended=True)
    done = await restrict_account(this.ledger, name, change, noted("player.block", name))
    assert isinstance(done, Account)
    assert await revoke_tokens(this.ledger, name, note=noted("player.revoke", name)) == 1
    forever = AccountChange(exclusion=Exclusion(FOREVER))
    done = await restrict_account(this.ledger, name, forever, noted("player.exclude", name))
    assert isinstance(done, Account)
    refused = await restrict_account(
        this.ledger, name, AccountChange(exclusion=Exclusion(None)), noted("player.free", name)
    )
    assert isinstance(refused, Refusal)
    assert await acts(till, name) == ["player.block", "player.revoke", "player.exclude"]
    found = await audit(citus.superuser_url, user_id=name)
    assert found.is_clean, found.breaches


BLOCK = AccountChange(is_suspended=True)


async def is_blocked(till: Till, user_id: str) -> bool:
    found = await show_account(till.ledger, user_id)
    assert isinstance(found, Account)
    return found.is_suspended


async def test_an_act_that_cannot_be_noted_is_not_done(till: Till, citus: Citus) -> None:
    name = f"act-{next(numbers)}"
    await till.player(name)
    hurried = PlacedLedger(citus.service_url, buckets=BUCKETS, deadline=timedelta(seconds=1))
    held = await connect(citus.superuser_url)
    try:
        async with held.transaction():
            await held.execute("LOCK TABLE operator_actions_head IN EXCLUSIVE MODE")
            with pytest.raises(LedgerError):
                await restrict_account(hurried, name, BLOCK, noted("player.block", name))
    finally:
        await held.close()
        await hurried.close()
    assert not await is_blocked(till, name)
    assert await acts(till, name) == []


async def test_an_act_whose_commit_is_run_again_is_noted_once(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"act-{next(numbers)}"
    await till.player(name)
    commit = BucketLedger._commit
    failed: list[str] = []

    async def fails_once(self: BucketLedger, *arguments: object) -> None:
        if not failed:
            failed.append("once")
            raise asyncpg.SerializationError("as two who meet")
        await commit(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(BucketLedger, "_commit", fails_once)
    done = await restrict_account(till.ledger, name, BLOCK, noted("player.block", name))
    assert isinstance(done, Account)
    assert failed == ["once"]
    assert await is_blocked(till, name)
    assert await acts(till, name) == ["player.block"]


async def dies(self: BucketLedger, *arguments: object) -> None:
    del self, arguments
    raise asyncio.CancelledError


async def left_alone(till: Till, name: str, ledger: PlacedLedger | None = None) -> ChangeNote:
    """Have an act on a new player noted by a process that dies before it is done."""
    await till.player(name)
    note = noted("player.block", name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BucketLedger, "_commit", dies)
        with pytest.raises(asyncio.CancelledError):
            await restrict_account(ledger or till.ledger, name, BLOCK, note)
    assert await acts(till, name) == ["player.block"]
    return note


async def outcomes(till: Till, user_id: str) -> list[tuple[str, str, str, bytes]]:
    rows = await till.rows(
        "SELECT actor, action, outcome, delivery FROM operator_actions WHERE subject = $1"
        " ORDER BY action_id",
        user_id,
    )
    return [(row["actor"], row["action"], row["outcome"], row["delivery"].bytes) for row in rows]


def looking(till: Till) -> ActsApart:
    """A process that looks, as if all that tests did were long ago."""
    return ActsApart(till.ledger, older_than=timedelta(0))


async def test_a_note_whose_process_died_before_its_act_is_followed_by_one_that_says_so(
    till: Till, far_till: Till
) -> None:
    name, other = (f"act-{next(numbers)}" for _ in range(2))
    await till.player(other)
    await restrict_account(till.ledger, other, BLOCK, noted("player.block", other))
    note = await left_alone(till, name)
    assert not await is_blocked(till, name)
    watch = looking(far_till)
    with capture_logs() as logged:
        settled = {act.user_id for act in await watch.look()}
    assert name in settled
    assert other not in settled
    (line,) = (line for line in logged if line["player"] == name)
    assert (line["event"], line["log_level"]) == ("act not done", "error")
    assert (line["operator"], line["act"]) == ("olga", "player.block")
    told = [("olga", "player.block", how, note.delivery) for how in ("done", "refused")]
    assert await outcomes(till, name) == told
    assert [outcome[2] for outcome in await outcomes(till, other)] == ["done"]
    # Neither this process nor one that begins later says it again.
    for each in (watch, looking(till)):
        assert name not in {act.user_id for act in await each.look()}
    assert await outcomes(till, name) == told


async def test_two_processes_that_find_a_note_alone_say_once_that_it_was_not_done(
    till: Till, far_till: Till
) -> None:
    name = f"act-{next(numbers)}"
    await left_alone(till, name)
    await asyncio.gather(*(looking(each).look() for each in (till, far_till, till, far_till)))
    assert [outcome[2] for outcome in await outcomes(till, name)] == ["done", "refused"]


async def test_a_note_is_not_looked_at_while_its_request_may_be_under_way(till: Till) -> None:
    name = f"act-{next(numbers)}"
    await left_alone(till, name)
    watch = ActsApart(till.ledger)
    assert name not in {act.user_id for act in await watch.look()}
    watch._older_than = timedelta(0)
    assert name in {act.user_id for act in await watch.look()}


async def test_an_act_that_is_still_under_way_is_waited_for(till: Till, citus: Citus) -> None:
    name = f"act-{next(numbers)}"
    note = await left_alone(till, name)
    hurried = PlacedLedger(citus.service_url, buckets=BUCKETS, deadline=timedelta(seconds=1))
    watch = ActsApart(hurried, older_than=timedelta(0))
    async with (await home_of(citus.superuser_url, name)).opened() as other, other.transaction():
        # As the process would have that is only slow.
        await other.execute(
            "SELECT FROM wallets JOIN players USING (player_id) WHERE user_id = $1"
            " FOR NO KEY UPDATE OF wallets",
            name,
        )
        assert name not in {act.user_id for act in await watch.look()}
        await other.execute(
            "INSERT INTO account_changes (player_id, source, operation, asked, outcome, delivery,"
            " event_time, ledger_time) SELECT player_id, 'operator:olga', 'account/update', '{}',"
            " '{}', $2, now(), now() FROM players WHERE user_id = $1",
            name,
            delivery_uuid(note.delivery),
        )
    assert name not in {act.user_id for act in await watch.look()}
    assert [outcome[2] for outcome in await outcomes(till, name)] == ["done"]
    await hurried.close()


def cannot_be_asked(patch: pytest.MonkeyPatch, till: Till, user_id: str) -> None:
    """Let the node of a player's bucket be away for whoever looks there."""
    read_only = BucketLedger.read_only

    async def is_away(self: BucketLedger, *arguments: Any, **named: Any) -> object:  # noqa: ANN401
        if self is till.ledger.bucket_of(user_id):  # type: ignore[attr-defined]
            raise LedgerAwayError
        return await read_only(self, *arguments, **named)

    patch.setattr(BucketLedger, "read_only", is_away)


async def test_a_node_that_is_away_is_asked_again(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"act-{next(numbers)}" for _ in range(40)]
    away, near = (next(n for n in names if bucket_of(n, BUCKETS) == bucket) for bucket in (0, 1))
    for name in (away, near):
        await left_alone(till, name)
    watch = looking(till)
    with monkeypatch.context() as patch:
        cannot_be_asked(patch, till, away)
        found = {act.user_id for act in await watch.look()}
    assert near in found
    assert away not in found
    found = {act.user_id for act in await watch.look()}
    assert away in found
    assert near not in found


@pytest.fixture
async def long_ago(citus: Citus) -> AsyncIterator[PlacedLedger]:
    """A process whose notes nobody looks at any more by itself."""
    ledger = PlacedLedger(
        citus.service_url, buckets=BUCKETS, clock=lambda: datetime.now(UTC) - timedelta(days=8)
    )
    yield ledger
    await ledger.close()


async def test_a_note_of_long_ago_is_settled_by_a_command(
    till: Till,
    citus: Citus,
    long_ago: PlacedLedger,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("WALLET_DATABASE_URL", citus.service_url)
    # What other tests did a moment ago has lower numbers.
    monkeypatch.setattr(buckets, "ActsApart", partial(ActsApart, older_than=timedelta(0)))

    async def settle(*options: str) -> str:
        done = await asyncio.to_thread(run_in_process, "buckets", "settle", *options)
        assert done.code == 0
        return capsys.readouterr().out

    name = f"act-{next(numbers)}"
    note = await left_alone(till, name, long_ago)
    assert name not in {act.user_id for act in await looking(till).look()}
    document = json.loads(await settle("--json"))
    assert document["node_away"] == []
    (act,) = (act for act in document["not_done"] if act["player"] == name)
    assert (act["operator"], act["act"]) == ("olga", "player.block")
    told = [("olga", "player.block", how, note.delivery) for how in ("done", "refused")]
    assert await outcomes(till, name) == told

    other = f"act-{next(numbers)}"
    await left_alone(till, other, long_ago)
    said = await settle()
    assert f"Not done: player.block of {other}, by olga, 20" in said
    assert name not in said


async def test_one_whose_node_is_away_is_named_and_the_others_are_settled(
    till: Till, long_ago: PlacedLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"act-{next(numbers)}" for _ in range(40)]
    away, near = (next(n for n in names if bucket_of(n, BUCKETS) == bucket) for bucket in (0, 1))
    for name in (away, near):
        await left_alone(till, name, long_ago)
    with monkeypatch.context() as patch:
        cannot_be_asked(patch, till, away)
        # Fewer at a time than there are: what is left of the first does not hold up the others.
        patch.setattr(acts_apart, "AT_A_TIME", 1)
        looked = await looking(till).look_at_all()
    assert near in {act.user_id for act in looked.settled}
    assert away in {act.user_id for act in looked.left}
    looked = await looking(till).look_at_all()
    assert away in {act.user_id for act in looked.settled}
    assert looked.left == []


async def test_the_audit_names_a_note_that_stands_alone_and_the_next_step(
    till: Till, citus: Citus
) -> None:
    name = f"act-{next(numbers)}"
    earlier = PlacedLedger(
        citus.service_url,
        buckets=BUCKETS,
        clock=lambda: datetime.now(UTC) - timedelta(hours=1),
    )
    await left_alone(till, name, earlier)
    await earlier.close()

    async def named() -> list[dict[str, Any]]:
        found = await audit(citus.service_url, user_id=name)
        assert {breach.invariant for breach in found.breaches} <= {"act_is_on_its_player"}
        return [breach.offender for breach in found.breaches]

    (offender,) = await named()
    assert (offender["operator"], offender["act"]) == ("olga", "player.block")
    assert offender["player"] == name
    assert datetime.now(UTC) - offender["at"] > timedelta(minutes=59)
    assert "do it again" in offender["next_step"]
    since = datetime.now(UTC) - timedelta(hours=2)
    all_since = [
        breach.offender for breach in (await audit(citus.service_url, since=since)).breaches
    ]
    assert offender in all_since
    await looking(till).look()
    assert await named() == []
