"""What operators do to players is done on the player's node, and noted where all acts are."""

import asyncio
import re
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

from app.cashier.account_changes import (
    AccountChange,
    Exclusion,
    restrict_account,
    show_account,
)
from app.cashier.audit import audit
from app.cashier.players import revoke_tokens
from app.ledger.accounts import Account, Act, ChangeNote
from app.ledger.citus.bucket import BucketLedger
from app.ledger.citus.ledger import PlacedLedger
from app.ledger.errors import LedgerError
from app.ledger.operator_actions import Action
from app.wallet.buckets import bucket_of
from app.wallet.moments import FOREVER
from app.wallet.operators import Operator, Role, Via
from app.wallet.refusals import Refusal
from tests.cashier.till import Till, connect, numbers
from tests.citus.cluster import Citus
from tests.citus.conftest import BUCKETS

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


SCALE = (Path(__file__).parents[2] / "docs" / "scale.md").read_text(encoding="utf-8")
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


async def test_a_note_whose_process_died_before_its_act_is_listed_as_the_docs_say(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, other = (f"act-{next(numbers)}" for _ in range(2))
    for each in (name, other):
        await till.player(each)
    await restrict_account(till.ledger, other, BLOCK, noted("player.block", other))

    async def dies(self: BucketLedger, *arguments: object) -> None:
        del self, arguments
        raise asyncio.CancelledError

    with monkeypatch.context() as patched:
        patched.setattr(BucketLedger, "_commit", dies)
        with pytest.raises(asyncio.CancelledError):
            await restrict_account(till.ledger, name, BLOCK, noted("player.block", name))
    assert not await is_blocked(till, name)
    (statement,) = re.findall(r"SELECT a\.action_id[^;]*", SCALE)
    alone = {row["subject"] for row in await till.rows(statement)}
    assert name in alone
    assert other not in alone
