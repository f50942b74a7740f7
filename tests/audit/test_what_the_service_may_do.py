"""Whatever the role wallet_service may do to the ledger is refused by it, or found by the audit."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from app.cashier.audit import audit
from app.ledger.audit import INVARIANTS
from app.ledger.citus.ledger import PlacedLedger
from app.ledger.inspection import Inspection, inspect
from app.ledger.money.book import Book
from tests.audit.by_hand import Hands, hands
from tests.conftest import Database, schema_for

pytestmark = pytest.mark.timeout(180)
"""The first test waits for the ledger and its story, which take longer on a cluster's nodes."""


@pytest.fixture
async def service(played: Database) -> AsyncIterator[Hands]:
    """The service's own role, with nobody to watch what it does."""
    async with hands(played.service_url) as hand:
        await hand.above.execute(f"SET search_path = {schema_for('anna')}, public")
        yield hand


REFUSED = (
    "UPDATE adjustments SET proposed_by = 'another'",
    "DELETE FROM adjustment_decisions",
    "UPDATE exceptions SET amount = '1'",
    "DELETE FROM exceptions",
    "UPDATE exception_steps SET note = 'another'",
    "DELETE FROM audit_runs",
    "UPDATE players SET user_id = user_id || 'x'",
    "UPDATE players SET agent = 'another'",
    "UPDATE players SET currency = 'EUR'",
    "UPDATE players SET blocked = true",
    "UPDATE players SET excluded_until = now()",
    "UPDATE players SET limits = NULL",
    "UPDATE wallets SET player_id = player_id + 1000",
    "UPDATE wallets SET agent = 'another'",
    "UPDATE wallets SET currency = 'EUR'",
    "UPDATE wallets SET scale = 3",
    "UPDATE sessions SET player_id = 2",
    "UPDATE sessions SET token_hash = sha256('mine')",
    "UPDATE sessions SET origin = 'platform'",
    "UPDATE rounds SET game_id = 7",
    "UPDATE rounds SET opened_at = now()",
    "UPDATE rounds SET agent = 'another'",
    "UPDATE early_aborts SET amount = 1",
    "UPDATE early_aborts SET first_at = now()",
    "UPDATE unanswered SET told_at = now()",
    "INSERT INTO account_openings SELECT * FROM account_openings",
    "UPDATE account_openings SET user_id = 'mine'",
    "DELETE FROM account_openings",
    "UPDATE operators SET name = 'eve' WHERE name = 'sam'",
    "DELETE FROM operators",
    "UPDATE operator_actions SET actor = 'eve'",
    "DELETE FROM operator_actions",
    "UPDATE operator_actions_head SET last_action = 0",
    "UPDATE operator_sessions SET name = 'eve'",
    "UPDATE operator_sessions SET ends_at = now() + interval '1 year'",
)


@pytest.mark.parametrize("statement", REFUSED)
async def test_what_nothing_needs_is_refused(service: Hands, statement: str) -> None:
    for at_shards in (False, True):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await service.run(statement, at_shards=at_shards)


def key(player: str, position: str = "1") -> str:
    return f"INSERT INTO transaction_keys VALUES ('callback', 'phantom', '', {player}, {position})"


def movement(**changes: str) -> str:
    """Copy a movement, with some values of its own."""
    columns = "{0} AS player_id, {1} AS position, {2} AS reverses, 'copy' AS transaction_id"
    copied = columns.format(
        changes.get("player", ":anna"), changes.get("position", "99"), changes.get("reverses", "''")
    )
    return f"""
        INSERT INTO movements SELECT (jsonb_populate_record(m, to_jsonb(n))).*
        FROM movements m CROSS JOIN LATERAL (SELECT {copied}) n
        WHERE m.player_id = :anna AND m.position = 3
    """


FOUND = (
    ("account_is_as_its_trail_says", "UPDATE wallets SET blocked = true WHERE player_id = :anna"),
    ("account_is_as_its_trail_says", "UPDATE wallets SET excluded_until = now() + '1 day'"),
    (
        "account_is_as_its_trail_says",
        """UPDATE wallets SET limits = '{"stake_day": {"amount": 1}}'""",
    ),
    (
        "account_is_as_its_trail_says",
        """
        INSERT INTO account_changes (player_id, source, operation, asked, outcome, delivery,
            event_time, ledger_time)
        VALUES (:anna, 'me', 'account/update', '{}', '{"status": ...', gen_random_uuid(), now(),
            now())
        """,
    ),
    ("user_is_as_noted", "UPDATE operators SET roles = '{admin}' WHERE name = 'sam'"),
    (
        "user_is_as_noted",
        "INSERT INTO operators VALUES ('eve', '{admin}', 'x', false, NULL, 0, now(), NULL)",
    ),
    ("usage_is_its_movements", "UPDATE wallets SET stake_day = 0, stake_week = 0, stake_month = 0"),
    ("usage_is_its_movements", "UPDATE wallets SET loss_month = loss_month - 1"),
    (
        "usage_is_its_movements",
        """
        UPDATE wallets SET usage_day = 1, stake_day = 0, stake_week = 0, stake_month = 0,
            loss_day = 0, loss_week = 0, loss_month = 0
        """,
    ),
    ("usage_is_its_movements", "UPDATE wallets SET usage_day = 2000000000"),
    (
        "session_has_its_trail",
        """
        INSERT INTO sessions
        VALUES (:anna, sha256('mine'), now(), now() + '1 d', NULL, 'transfer')
        """,
    ),
    ("key_has_its_movement", key(":anna", "3")),
    ("key_has_its_movement", key(":anna", "99")),
    ("key_has_its_movement", key("-7")),
    ("key_has_its_movement", key("1000000000000")),
    ("key_has_its_movement", key("9223372036854775807")),
    ("key_has_its_movement", key("-9223372036854775808")),
    ("no_movement_beyond_its_wallet", movement(player="-7")),
    ("no_movement_beyond_its_wallet", movement(player="9223372036854775807")),
    ("no_movement_beyond_its_wallet", movement(player="(-9223372036854775808)")),
    ("reversal_has_its_target", movement(reverses="'no list'")),
    ("chain_unbroken", movement()),
    ("round_is_its_movements", "UPDATE rounds SET settled = NOT settled WHERE event_id = 'e1'"),
    ("round_is_its_movements", "UPDATE rounds SET last_at = now() + '1 s' WHERE event_id = 'e1'"),
    (
        "remembered_amount_was_refused",
        "UPDATE rounds SET refused_aborts = '{5}' WHERE event_id = 'e1'",
    ),
    (
        "early_abort_has_its_round",
        "UPDATE rounds SET has_early_aborts = true WHERE event_id = 'e1'",
    ),
    ("early_abort_is_in_its_state", "UPDATE early_aborts SET state = 'settled'"),
    ("early_abort_is_in_its_state", "UPDATE early_aborts SET state = 'absorbed'"),
    ("overtaken_bet_has_its_abort", "UPDATE early_aborts SET state = 'waiting'"),
    (
        "early_abort_was_refused",
        "INSERT INTO early_aborts VALUES (:anna, 'e9', false, 'mine', 4, now(), 'waiting')",
    ),
    (
        "exception_is_as_its_steps_say",
        "UPDATE exceptions SET state = 'resolved', closed_at = now(), closed_by = 'me'",
    ),
    (
        "approval_has_its_movement",
        """
        INSERT INTO adjustment_decisions (adjustment_id, decision, decided_by, decided_is_verified,
            decided_via, decided_from, decided_at, solo_max, player_id, position)
        VALUES (99, 'approved', 'me', true, 'page', 'here', now(), 0, :anna, 3)
        """,
    ),
    (
        "account_is_as_opened",
        f"""
        WITH mine AS (
            INSERT INTO {schema_for("anna")}.players (user_id, agent, currency, scale, nickname,
                language, created_at)
            VALUES ('mine', 'house', 'USD', 2, 'nick', 'en', now()) RETURNING player_id
        )
        INSERT INTO {schema_for("anna")}.wallets (player_id, chain, agent, currency, scale)
        SELECT player_id, sha256('mine'), 'house', 'USD', 2 FROM mine
        """,
    ),
)


@pytest.mark.parametrize(("name", "statement"), FOUND)
async def test_what_must_be_possible_is_found(
    played: Database, service: Hands, name: str, statement: str
) -> None:
    await service.run(statement)
    findings = await audit(played.service_url, players_at_a_time=1)
    assert name in {breach.invariant for breach in findings.breaches}


async def test_a_row_that_cannot_be_read_hides_no_other_law_s_offenders(
    played: Database, service: Hands
) -> None:
    await service.run(
        movement(reverses="'no list'"),
        f"UPDATE {schema_for('bert')}.wallets SET blocked = true WHERE player_id = :bert",
    )
    findings = await audit(played.service_url)
    assert findings.invariants >= len(INVARIANTS)
    names = {breach.invariant for breach in findings.breaches}
    assert {"reversal_has_its_target", "account_is_as_its_trail_says"} <= names


@pytest.mark.parametrize(
    ("name", "given", "sent"),
    [
        ("synchronous_commit", "off", "on"),
        ("search_path", "pg_temp, public", "remote_public, public, pg_temp"),
    ],
)
async def test_settings_that_the_role_gave_itself_do_not_hold_and_are_told_at_the_start(
    played: Database, service: Hands, name: str, given: str, sent: str
) -> None:
    here = f"IN DATABASE {played.name}"
    await service.above.execute(f"ALTER ROLE wallet_service {here} SET {name} = {given}")
    ledger = PlacedLedger(played.service_url)

    async def look(book: Book) -> tuple[str, Inspection]:
        in_force = await book.connection.fetchval("SELECT current_setting($1)", name)
        return in_force, await inspect(book)

    in_force, inspection = await ledger.serializable(look)
    await ledger.close()
    assert in_force == sent
    (warning,) = (text for text in inspection.warnings if "set for our role" in text)
    assert f"{name}={given.split(',', maxsplit=1)[0]}" in warning
