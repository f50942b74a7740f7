"""A dump of the ledger can be put into another database, with everything that guards it."""

import shlex
import subprocess
from pathlib import Path

import asyncpg
import pytest

from app.ledger.citus.ledger import PlacedLedger
from app.ledger.guards import guards
from app.postgres.cluster import SUPERUSER
from tests.cashier.till import Till, connect
from tests.conftest import Database

pytestmark = pytest.mark.one_bucket("it makes its own buckets")


def run(database: Database, program: str, *arguments: str) -> None:
    psql, *where, name = shlex.split(database.server.psql_command(SUPERUSER, database.name))
    done = subprocess.run(
        [Path(psql).with_name(program), *where, f"--dbname={name}", *arguments],
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


async def test_a_dump_is_restored_with_its_laws(
    four: Database, empty_db: Database, tmp_path: Path
) -> None:
    ledger = PlacedLedger(four.service_url)
    till = Till(ledger, four.superuser_url)
    for name in ("anna", "berta", "clara"):
        await till.player(name, "100")
        await till.move(till.bet(name))
    await ledger.close()
    dump = str(tmp_path / "dump")
    run(four, "pg_dump", "--format=custom", f"--file={dump}")
    run(empty_db, "pg_restore", "--exit-on-error", "--single-transaction", dump)
    before, after = await connect(four.superuser_url), await connect(empty_db.superuser_url)
    assert await guards(after) == await guards(before)
    for table in ("movements", "rounds", "wallets"):
        rows = f"SELECT t::text FROM public.{table} t ORDER BY 1"
        assert await after.fetch(rows) == await before.fetch(rows) != []
    # As whoever restores is: with no path at all.
    await after.execute("SET search_path = ''")
    for statement, law in (
        ("UPDATE public.wallets SET bonus = -1", "ck_wallets_bonus_never_negative"),
        ("UPDATE public.rounds SET cancels = -1", "ck_rounds_cancels"),
    ):
        with pytest.raises(asyncpg.CheckViolationError) as error:
            await after.execute(statement)
        assert error.value.constraint_name == law
    await before.close()
    await after.close()
