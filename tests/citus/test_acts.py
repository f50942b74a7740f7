"""What operators do to players is done on the player's node, and noted where all acts are."""

import secrets
from datetime import UTC, datetime

import pytest

from app.cashier.account_changes import AccountChange, Exclusion, restrict_account
from app.cashier.audit import audit
from app.cashier.players import revoke_tokens
from app.ledger.accounts import Account, Act, ChangeNote
from app.ledger.operator_actions import Action
from app.wallet.buckets import bucket_of
from app.wallet.moments import FOREVER
from app.wallet.operators import Operator, Role, Via
from app.wallet.refusals import Refusal
from tests.cashier.till import Till, numbers
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
