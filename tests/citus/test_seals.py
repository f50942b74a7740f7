"""Seals of a ledger whose rows are added, and numbered, on several nodes."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from app.cashier.audit import Breach, audit
from app.cashier.proofs import prove
from app.cashier.sealing import Sealer, read_seals, seal
from app.ledger.citus import NotPlacedError
from app.ledger.citus.ledger import LOOK_SECONDS
from app.ledger.citus.places import move
from app.proof.evidence import verify
from app.proof.keys import make_key, public_text
from app.wallet.buckets import bucket_of, schema_of
from tests.cashier.homes import homes
from tests.cashier.till import Till, numbers
from tests.citus.cluster import Citus
from tests.citus.conftest import BUCKETS, ledger_named
from tests.citus.load import Load
from tests.conftest import migrate

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def citus() -> Iterator[Citus]:
    """A ledger of its own: others turn clocks ahead and back, which an audit takes for a fault."""
    yield from ledger_named("sealed")


@pytest.fixture
async def sealer(citus: Citus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sealer:
    """A key of this test, and a file; what others sealed before is in the way of neither."""
    # Rows of the last minutes are sealed, too: here, nothing is written beside them.
    monkeypatch.setattr("app.cashier.sealing.GRACE", timedelta(0))
    for table in ("seals", "sealed_heads"):
        await citus.rows(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        await citus.rows(f"DELETE FROM {table}")
        await citus.rows(f"ALTER TABLE {table} ENABLE TRIGGER USER")
    return Sealer(make_key(tmp_path / "key.pem"), tmp_path / "seals.jsonl")


async def breaches(citus: Citus, sealer: Sealer) -> list[Breach]:
    found = await audit(
        citus.service_url,
        keys=[public_text(sealer.key.public_key())],
        against=read_seals(sealer.file),
    )
    return found.breaches


async def refuse_in_every_bucket(till: Till) -> list[str]:
    """Have a refusal logged in every bucket, in the order in which buckets are numbered."""
    some = [f"sealed-{next(numbers)}" for _ in range(40)]
    names = [next(n for n in some if bucket_of(n, BUCKETS) == b) for b in range(BUCKETS)]
    for name in names:
        await till.player(name, "10")
        await till.one(till.bet(name, "1", token="not theirs", event_id=f"e-{name}"))
    return names


async def test_no_row_of_any_node_is_missed(citus: Citus, till: Till, sealer: Sealer) -> None:
    names = await refuse_in_every_bucket(till)
    load = asyncio.create_task(Load(till, names).run(2))
    while not load.done():
        assert await seal(citus.service_url, sealer) is not None
    await load
    # The nodes' numbers lie far apart: those of the first are below all of the last.
    await refuse_in_every_bucket(till)
    assert await seal(citus.service_url, sealer) is not None
    parts = [part for signed in read_seals(sealer.file) for part in signed.seal.lists]
    sealed = sum(part.rows for part in parts if part.name.startswith("refusals"))
    (row,) = await citus.rows("SELECT count(*) FROM refusals")
    assert sealed == row["count"]
    nodes = {part.name for part in parts if part.rows and part.name.startswith("refusals")}
    assert nodes >= {"refusals@1", "refusals@2"}
    assert await breaches(citus, sealer) == []


async def test_a_movement_is_proven_wherever_its_bucket_is(
    citus: Citus, till: Till, sealer: Sealer
) -> None:
    names = await refuse_in_every_bucket(till)
    deposits = [till.movement(name, "Deposit", "credit", "5") for name in names]
    await till.move(*deposits)
    await seal(citus.service_url, sealer)
    for deposit in deposits:
        transaction_id = deposit.key.transaction_id
        (proof,) = await prove(citus.service_url, transaction_id)
        proven = verify(proof, transaction_id, public_text(sealer.key.public_key()))
        assert proven.movement["transaction_id"] == transaction_id


async def test_a_row_that_was_changed_on_its_node_is_found(
    citus: Citus, till: Till, sealer: Sealer
) -> None:
    names = await refuse_in_every_bucket(till)
    await seal(citus.service_url, sealer)
    place = till.ledger.places[2]  # type: ignore[attr-defined]
    (shard,) = await citus.rows(
        "SELECT shard_name(logicalrelid, shardid) AS name FROM pg_dist_shard"
        f" WHERE logicalrelid = '{schema_of(2, BUCKETS)}.refusals'::regclass"
    )
    change = "UPDATE {} SET refusal = {} WHERE user_id = '{}'"
    for refusal, is_found in (("refusal || 'S'", True), ("rtrim(refusal, 'S')", False)):
        await citus.rows(
            "SELECT set_config('session_replication_role', 'replica', false),"
            " set_config('citus.enable_manual_changes_to_shards', 'on', false)",
            then=change.format(shard["name"], refusal, names[2]),
            at=place,
        )
        found = {breach.invariant for breach in await breaches(citus, sealer)}
        assert found == ({"list_is_as_sealed"} if is_found else set())


async def guards_broken(citus: Citus, sealer: Sealer) -> dict[str, set[str | None]]:
    """The laws of guards that are broken, each with what is missing."""
    broken: dict[str, set[str | None]] = {}
    for breach in await breaches(citus, sealer):
        assert breach.invariant.startswith("guards_"), breach
        broken.setdefault(breach.invariant, set()).add(breach.offender.get("missing"))
    return broken


async def test_a_guard_that_is_put_aside_on_a_node_is_missed_by_name(
    citus: Citus, till: Till, sealer: Sealer
) -> None:
    await refuse_in_every_bucket(till)
    await seal(citus.service_url, sealer)
    assert await guards_broken(citus, sealer) == {}
    home = (await homes(citus.owner_url))[2]
    refusals = await home.table("refusals")
    trigger = f"append_only_{refusals.rpartition('_')[2]}"
    named = f"{home.schema}.refusals.append_only at its node"
    async with home.opened() as owner:
        await owner.execute("SET citus.enable_manual_changes_to_shards = on")
        for change, found in (
            ("DISABLE", {"guards_are_there": {named}, "guards_are_as_sealed": {None}}),
            ("ENABLE", {}),
        ):
            await owner.execute(f"ALTER TABLE {refusals} {change} TRIGGER {trigger}")
            assert await guards_broken(citus, sealer) == found


async def test_a_trigger_that_a_node_lacks_is_made_by_the_next_migration(
    citus: Citus, till: Till, sealer: Sealer
) -> None:
    """As those of ledgers that an earlier release has put on nodes."""
    await refuse_in_every_bucket(till)
    await seal(citus.service_url, sealer)
    home = (await homes(citus.owner_url))[1]
    movements = await home.table("movements")
    async with home.opened() as owner:
        await owner.execute(
            f"DROP TRIGGER append_only_{movements.rpartition('_')[2]} ON {movements}"
        )
    named = f"{home.schema}.movements.append_only at its node"
    assert (await guards_broken(citus, sealer))["guards_are_there"] == {named}
    await asyncio.to_thread(migrate, citus.owner_url, BUCKETS)
    assert await guards_broken(citus, sealer) == {}


async def test_a_function_that_one_node_has_in_another_form_is_another_guard(
    citus: Citus, till: Till, sealer: Sealer
) -> None:
    await refuse_in_every_bucket(till)
    await seal(citus.service_url, sealer)
    body = "prosrc FROM pg_proc WHERE proname = 'wallet_is_lawful_v1'"
    for place in citus.nodes:
        (row,) = await citus.rows(f"SELECT {body}", at=place)
        for told, is_found in ((row["prosrc"] + " ", True), (row["prosrc"], False)):
            await citus.rows(
                f"SELECT set_config('wallet.told', $1, false), {body}",
                told,
                then="UPDATE pg_proc SET prosrc = current_setting('wallet.told')"
                " WHERE proname = 'wallet_is_lawful_v1'",
                at=place,
            )
            broken = await guards_broken(citus, sealer)
            assert broken == ({"guards_are_as_sealed": {None}} if is_found else {})


async def test_a_row_that_one_node_has_in_another_form_is_found(
    citus: Citus, sealer: Sealer
) -> None:
    (shard,) = await citus.rows(
        "SELECT shard_name(logicalrelid, shardid) AS name FROM pg_dist_shard"
        " WHERE logicalrelid = 'public.event_types'::regclass"
    )
    change = "UPDATE {} SET counts_as = '{}' WHERE event_type = 'Win'"
    (before,) = await citus.rows("SELECT counts_as FROM event_types WHERE event_type = 'Win'")
    for counts_as, is_found in (("tips", True), (before["counts_as"], False)):
        await citus.rows(
            "SELECT set_config('session_replication_role', 'replica', false),"
            " set_config('citus.enable_manual_changes_to_shards', 'on', false)",
            then=change.format(shard["name"], counts_as),
            at=citus.nodes[1],
        )
        named = {"event_types with the same rows at every node"}
        broken = await guards_broken(citus, sealer)
        assert broken == ({"guards_are_there": named} if is_found else {})


async def test_a_table_above_the_buckets_that_leads_elsewhere_is_another_guard(
    citus: Citus, till: Till, sealer: Sealer
) -> None:
    await refuse_in_every_bucket(till)
    await seal(citus.service_url, sealer)
    shown = "ALTER FOREIGN TABLE remote_b02_of_04.unanswered OPTIONS (SET schema_name '{}')"
    for schema, is_found in ((schema_of(1, BUCKETS), True), (schema_of(2, BUCKETS), False)):
        await citus.rows("SELECT 1", then=shown.format(schema))
        broken = await guards_broken(citus, sealer)
        assert broken == ({"guards_are_as_sealed": {None}} if is_found else {})


async def test_a_move_changes_no_guard(citus: Citus, till: Till, sealer: Sealer) -> None:
    await refuse_in_every_bucket(till)
    await seal(citus.service_url, sealer)
    here = till.ledger.places[2]  # type: ignore[attr-defined]
    there = next(node for node in citus.nodes if node != here)
    for place in (there, here):
        async with asyncio.timeout(20):
            # Where it was, Citus removes what is left as soon as nobody looks at it any more.
            while till.ledger.places[2] != place:  # type: ignore[attr-defined]
                with suppress(NotPlacedError):
                    await move(citus.owner_url, 2, BUCKETS, place)
                await asyncio.sleep(LOOK_SECONDS)
        assert await guards_broken(citus, sealer) == {}
