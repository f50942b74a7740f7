"""The service's privileges through an upgrade, and the accounts that are there before it."""

import asyncpg
import pytest

from app.cashier.players import open_account
from app.ledger.citus.ledger import PlacedLedger
from app.ledger.migrations import upgrade
from app.ledger.owner_changes import finish_upgrade
from app.ledger.transaction import Ledger
from app.wallet.journal import CHAIN_START, chain_start
from app.wallet.money import ISO_CURRENCIES
from tests.cashier.till import AGENT, Till, connect
from tests.conftest import Database

BEFORE = "20261126_rows"
"""The newest revision that the release before knows."""

OPEN_AS_BEFORE = """
WITH opened AS (
    INSERT INTO players (user_id, agent, currency, scale, nickname, language, created_at)
    SELECT 'player-' || n, 'house', 'USD', 2, 'nick', 'en', now()
    FROM generate_series(1, $1::integer) AS n
    RETURNING player_id
)
INSERT INTO wallets (player_id, chain)
SELECT player_id, decode(repeat('00', 32), 'hex') FROM opened
"""
SETTLE_AS_BEFORE = "UPDATE players SET blocked = true, excluded_until = now(), limits = NULL"
USD = ISO_CURRENCIES["USD"]
PLAYERS = 4_500
"""More than two steps of the migration."""


@pytest.fixture
async def used(empty_db: Database) -> Database:
    """A ledger of the release before, brought forward."""
    await upgrade(empty_db.owner_url, BEFORE)
    connection = await connect(empty_db.service_url)
    await connection.execute(OPEN_AS_BEFORE, PLAYERS)
    await connection.close()
    await upgrade(empty_db.owner_url)
    return empty_db


async def test_accounts_that_are_there_are_kept_as_they_stand(used: Database) -> None:
    connection = await connect(used.service_url)
    kept = await connection.fetch(
        "SELECT p.player_id FROM players p JOIN account_openings o USING (player_id)"
        " WHERE (p.user_id, p.agent, p.currency, p.scale, $1)"
        " = (o.user_id, o.agent, o.currency, o.scale, o.chain_start)",
        CHAIN_START,
    )
    await connection.close()
    assert len(kept) == PLAYERS


async def test_until_the_upgrade_is_finished_the_release_before_may_settle_accounts(
    used: Database,
) -> None:
    connection = await connect(used.service_url)
    assert await connection.execute(SETTLE_AS_BEFORE) == f"UPDATE {PLAYERS}"
    blocked = await connection.fetchval("SELECT count(*) FROM wallets WHERE blocked")
    assert blocked == PLAYERS
    assert await finish_upgrade(used.owner_url, "test")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute(SETTLE_AS_BEFORE)
    assert await connection.execute("UPDATE players SET language = 'de'") == f"UPDATE {PLAYERS}"
    await connection.close()


async def test_while_the_release_before_may_run_chains_begin_as_it_knows(used: Database) -> None:
    ledger = PlacedLedger(used.service_url)
    till = Till(ledger, used.superuser_url)
    start = "SELECT chain FROM wallets ORDER BY player_id DESC LIMIT 1"
    await open_as_now(ledger, "anna")
    assert (await till.rows(start))[0]["chain"] == CHAIN_START
    await finish_upgrade(used.owner_url, "test")
    await open_as_now(ledger, "boris")
    assert (await till.rows(start))[0]["chain"] == chain_start("boris", AGENT, USD)
    await ledger.close()


async def open_as_now(ledger: Ledger, user_id: str) -> None:
    await open_account(
        ledger, user_id=user_id, agent=AGENT, currency=USD, nickname="nick", language="en"
    )


async def test_a_chain_begins_with_whose_it_is(till: Till) -> None:
    await till.player("anna|1:x", currency="KRW")
    (row,) = await till.rows(
        "SELECT w.chain, o.chain_start FROM wallets w JOIN account_openings o USING (player_id)"
    )
    assert row["chain"] == row["chain_start"]
    assert row["chain"] == chain_start("anna|1:x", AGENT, ISO_CURRENCIES["KRW"])


async def test_a_temporary_table_is_never_taken_for_one_of_the_ledgers(db: Database) -> None:
    """The service may make temporary tables; what runs as the owner does not look into them."""
    connection = await connect(db.service_url)
    await connection.execute("CREATE TEMPORARY TABLE players AS SELECT * FROM players")
    await connection.execute(
        "CREATE TEMPORARY TABLE account_openings AS SELECT * FROM account_openings"
    )
    player_id = await connection.fetchval(
        "INSERT INTO public.players (user_id, agent, currency, scale, nickname, language,"
        " created_at) VALUES ('anna', 'house', 'USD', 2, 'nick', 'en', now()) RETURNING player_id"
    )
    await connection.execute(
        "INSERT INTO public.wallets (player_id, chain, agent, currency, scale)"
        " VALUES ($1, $2, 'house', 'USD', 2)",
        player_id,
        bytes(32),
    )
    kept = await connection.fetchval("SELECT user_id FROM public.account_openings")
    await connection.close()
    assert kept == "anna"


async def test_what_runs_with_the_owners_rights_looks_at_temporary_tables_last(
    db: Database,
) -> None:
    connection = await connect(db.superuser_url)
    found = await connection.fetch(
        "SELECT p.oid::regprocedure::text AS name, p.proconfig, n.nspname FROM pg_proc p"
        " JOIN pg_namespace n ON n.oid = p.pronamespace WHERE p.prosecdef"
    )
    await connection.close()
    assert found
    for function in found:
        first = [f"search_path={function['nspname']}, pg_temp"]
        assert function["proconfig"] == first, function["name"]


async def test_no_temporary_table_of_the_service_is_taken_for_the_ledgers(db: Database) -> None:
    connection = await connect(db.service_url)
    await connection.execute(
        "CREATE TEMPORARY TABLE decision_settings AS TABLE public.decision_settings;"
        " UPDATE pg_temp.decision_settings SET limit_zone = NULL"
    )
    await connection.execute(
        "SELECT public.remember_decision_settings_v2('transaction', 'real_first', 'refuse', 600,"
        " 'Europe/Oslo')"
    )
    (shadow,) = await connection.fetch("SELECT limit_zone FROM pg_temp.decision_settings")
    (true,) = await connection.fetch("SELECT limit_zone FROM public.decision_settings")
    await connection.close()
    assert shadow["limit_zone"] is None
    assert true["limit_zone"] is not None
