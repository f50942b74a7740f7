"""The audit looks into every bucket, wherever it is."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from app.cashier.account_changes import AccountChange, update_account
from app.cashier.audit import audit
from app.ledger.accounts import ChangeNote
from app.ledger.audit import claims
from app.ledger.citus import NUMBER_BITS
from app.wallet.buckets import bucket_of, schema_of
from app.wallet.limit_terms import RaiseRules
from tests.cashier.till import AGENT, Till
from tests.citus.cluster import Citus
from tests.citus.conftest import BUCKETS, ledger_named


@pytest.fixture(scope="module")
def citus() -> Iterator[Citus]:
    """A ledger of its own: others turn clocks ahead and back, which an audit takes for a fault."""
    yield from ledger_named("audited")


@pytest.mark.timeout(180)
async def test_what_is_wrong_in_any_bucket_is_found(citus: Citus, till: Till) -> None:
    some = [f"audited-{number}" for number in range(40)]
    names = [next(n for n in some if bucket_of(n, BUCKETS) == b) for b in range(BUCKETS)]
    for name in names:
        await till.player(name, "10")
    before = await audit(citus.service_url)
    assert before.breaches == []
    assert before.players >= len(names)
    for name in names:
        wallets = f"{schema_of(bucket_of(name, BUCKETS), BUCKETS)}.wallets"
        whose = "player_id = (SELECT player_id FROM players WHERE user_id = $1)"
        await citus.rows(f"UPDATE {wallets} SET real = real + 1 WHERE {whose}", name)
        found = await audit(citus.service_url, user_id=name)
        await citus.rows(f"UPDATE {wallets} SET real = real - 1 WHERE {whose}", name)
        assert found.players == 1
        assert found.breaches


@pytest.mark.timeout(180)
async def test_the_last_change_of_an_account_is_known_whichever_node_has_numbered_it(
    citus: Citus, till: Till, far_till: Till
) -> None:
    """A number begins with its node's, so that of the last change need not be the highest."""
    some = [f"changed-{number}" for number in range(40)]
    names = [next(n for n in some if bucket_of(n, BUCKETS) == b) for b in range(BUCKETS)]
    for name in names:
        await till.player(name)
        for ledger, is_suspended in ((till.ledger, True), (far_till.ledger, False)) * 2:
            change = AccountChange(is_suspended=is_suspended)
            note = ChangeNote(AGENT, "account/update", "{}", os.urandom(16), datetime.now(UTC))
            await update_account(ledger, name, change, raises=RaiseRules(), note=note)
            found = await audit(citus.service_url, user_id=name)
            assert found.breaches == []
    rows = await till.rows(
        "SELECT DISTINCT change_id >> $1 FROM account_changes JOIN players USING (player_id)"
        " WHERE starts_with(user_id, 'changed-') AND operation = 'account/update'",
        NUMBER_BITS,
    )
    assert len(rows) == len(citus.nodes)


@pytest.mark.timeout(180)
async def test_an_id_that_nobody_or_somebody_else_has_claimed_is_found(
    citus: Citus, till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "AT_A_TIME", 3)
    some = [f"claimed-{number}" for number in range(40)]
    name = next(n for n in some if bucket_of(n, BUCKETS) == 0)
    await till.player(name, "10")
    moves = [till.movement(name, "Deposit", "credit", "1") for _ in range(9)]
    moved = next(m for m in moves if bucket_of(m.key.transaction_id, BUCKETS) == 3)
    await till.move(*moves)
    at_home = f"{schema_of(3, BUCKETS)}.transaction_claims"
    since = datetime.now(UTC) - timedelta(hours=1)
    for change, claimed_for in (
        ("UPDATE {} SET user_id = 'another' WHERE transaction_id = '{}'", "another"),
        ("DELETE FROM {} WHERE transaction_id = '{}'", None),
    ):
        await citus.rows("SELECT 1", then=change.format(at_home, moved.key.transaction_id))
        for found in (
            await audit(citus.service_url),
            await audit(citus.service_url, since=since),
            await audit(citus.service_url, user_id=name),
        ):
            (breach,) = found.breaches
            assert breach.invariant == claims.LAW.name
            assert breach.offender["transaction_id"] == moved.key.transaction_id
            assert breach.offender["user_id"] == name
            assert breach.offender.get("claimed_for") == claimed_for
    key = f"'{moved.key.transaction_id}', '{moved.key.source}', '{moved.key.facet}', '{name}'"
    again = f"INSERT INTO {at_home} VALUES ({key}, now())"
    await citus.rows("SELECT 1", then=again)
    assert (await audit(citus.service_url)).is_clean
