"""The audit looks into every bucket, wherever it is."""

from collections.abc import Iterator

import pytest

from app.cashier.audit import audit
from app.wallet.buckets import bucket_of, schema_of
from tests.cashier.till import Till
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
