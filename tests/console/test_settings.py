"""`wallet settings`, `scope widen`, `migrate --finish`, `token revoke`: recorded changes."""

import asyncio
from datetime import timedelta

import asyncpg
import pytest

from app.cashier.players import check_session, token_hash
from app.ledger.citus.ledger import PlacedLedger
from app.wallet.refusals import Refusal
from tests.conftest import Database, sql
from tests.console.conftest import Console
from tests.console.test_players import opened


@pytest.fixture
def own(db: Database, in_process: Console, monkeypatch: pytest.MonkeyPatch) -> Console:
    """Commands on a database of the test's own."""
    monkeypatch.setenv("WALLET_DATABASE_URL", db.service_url)
    monkeypatch.setenv("WALLET_OWNER_DATABASE_URL", db.owner_url)
    return in_process


def changes(db: Database) -> str:
    return sql(
        db.server,
        "SELECT source LIKE 'console:%', name, value_before, value_after"
        " FROM ops.ledger_setting_changes ORDER BY changed_at",
        db.name,
    )


def test_settings_are_shown_and_changed_on_record(own: Console, db: Database) -> None:
    shown = own("settings", "show", "--json").document
    assert shown == {
        "rule_version": 2,
        "key_scope": "transaction",
        "stake_order": "real_first",
        "overtaken_bet": "refuse",
        "overtaken_seconds": 600,
        "limit_zone": "UTC",
    }
    done = own("settings", "change", "overtaken_seconds", "30")
    assert done.code == 0, done.err
    assert "WALLET_OVERTAKEN_SECONDS" in done.out
    assert own("settings", "show", "--json").document["overtaken_seconds"] == 30
    assert "overtaken_seconds" in own("settings", "show").out
    assert changes(db) == "t|overtaken_seconds||30"


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("stake_order", "money_first", "one of real_first, bonus_first"),
        ("overtaken_seconds", "1e3", "whole number"),
        ("overtaken_seconds", "90000", "whole number"),
        ("key_scope", "transaction", "wallet scope widen"),
        ("rule_version", "1", "not one of"),
    ],
)
def test_a_setting_that_cannot_be_is_one_sentence(
    own: Console, db: Database, name: str, value: str, words: str
) -> None:
    done = own("settings", "change", name, value)
    assert done.code == 1
    assert words in done.complaint
    assert changes(db) == ""


def test_the_scope_is_widened_once(own: Console, db: Database) -> None:
    assert "transaction_event now" in own("scope", "widen").out
    assert "already" in own("scope", "widen").out
    assert changes(db) == "t|key_scope||transaction_event"


def test_there_is_no_upgrade_to_finish_on_a_new_ledger(own: Console) -> None:
    assert own("migrate", "--finish").out == "There is no upgrade to finish.\n"


def test_an_upgrade_is_not_finished_while_the_release_before_is_connected(
    own: Console, db: Database
) -> None:
    sql(db.server, "UPDATE decision_settings SET rule_version = 1", db.name)

    async def connected() -> tuple[int, str]:
        old = await asyncpg.connect(
            db.service_url.replace("+asyncpg", ""), server_settings={"application_name": "wallet"}
        )
        try:
            done = await asyncio.to_thread(own, "migrate", "--finish")
            return done.code, done.err
        finally:
            await old.close()

    code, said = asyncio.run(connected())
    assert code == 1
    assert "release before" in said
    assert "Finish the upgrade first" in own("scope", "widen").err
    assert own("migrate", "--finish").out == "The upgrade is finished.\n"
    assert own("settings", "show", "--json").document["rule_version"] == 2


def test_a_revoked_token_is_expired_and_kept(console: Console, module_db: Database) -> None:
    opened(console, "revoked")
    tokens = [console("token", "issue", "revoked").out.strip() for _ in range(3)]

    async def stands(token: str) -> object:
        ledger = PlacedLedger(module_db.service_url, deadline=timedelta(seconds=5))
        try:
            return await check_session(ledger, "revoked", token_hash(token))
        finally:
            await ledger.close()

    assert console("token", "revoke", "revoked", tokens[0]).out == "1 token has expired.\n"
    assert asyncio.run(stands(tokens[0])) is Refusal.TOKEN_EXPIRED
    assert not isinstance(asyncio.run(stands(tokens[1])), Refusal)
    assert console("token", "revoke", "revoked").out == "2 tokens have expired.\n"
    assert asyncio.run(stands(tokens[2])) is Refusal.TOKEN_EXPIRED
    assert console("token", "revoke", "revoked").out == "0 tokens have expired.\n"
    assert console("token", "revoke", "nobody-here").code == 1
    kept = sql(
        module_db.server,
        "SELECT count(*) FROM sessions JOIN players USING (player_id) WHERE user_id = 'revoked'",
        module_db.name,
    )
    assert kept == "3"
