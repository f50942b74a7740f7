"""The audit: each invariant is broken once, by SQL, and the audit must name it."""

import re
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from app.cashier.audit import Findings, UnknownPlayerError, audit
from app.cashier.seal_audit import GUARDS
from app.ledger.audit import (
    CHECKS,
    CHECKS_OF_PLAYERS,
    INVARIANTS,
    RECENT_CHECKS,
    invariants_of,
)
from app.ledger.audit.offenders import OFFENDERS_MAX
from app.ledger.audit.places import audited_places
from app.ledger.audit.scope import Check
from app.ledger.snapshot import read_by_key, snapshot
from tests.audit.by_hand import PLAYERS, hands
from tests.audit.conftest import ADJUSTMENTS, STORY
from tests.cashier.till import connect
from tests.conftest import ON_NODES, Database, schema_for

pytestmark = pytest.mark.timeout(180)
"""The first test waits for the ledger and its story, which take longer on a cluster's nodes."""


async def examine(
    db: Database, since: datetime | None = None, user_id: str | None = None
) -> Findings:
    """Audit; that `break_in` put CHECKs aside is no finding here."""
    findings = await audit(db.service_url, since=since, user_id=user_id, players_at_a_time=1)
    breaches = [each for each in findings.breaches if each.invariant != GUARDS.name]
    return findings._replace(breaches=breaches)


async def break_in(db: Database, *statements: str) -> None:
    """Change the ledger as no service could: as a superuser, with triggers and CHECKs put aside."""
    async with hands(db.superuser_url) as hand:
        for table in (
            "movements",
            "wallets",
            "rounds",
            "early_aborts",
            "operator_actions",
            "holds",
            "adjustments",
            "limit_counters",
            "limit_hits",
        ):
            for connection, name in hand.places_of(table):
                await connection.execute("SET session_replication_role = replica")
                checks = await connection.fetch(
                    "SELECT conname FROM pg_constraint"
                    " WHERE contype = 'c' AND conrelid = $1::text::regclass",
                    name,
                )
                for check in checks:
                    await connection.execute(
                        f"ALTER TABLE {name} DROP CONSTRAINT {check['conname']}"
                    )
        await hand.run(*statements)


async def test_a_ledger_nobody_touched_is_clean(played: Database) -> None:
    steps: list[tuple[int, int]] = []
    findings = await audit(
        played.service_url,
        players_at_a_time=1,
        progress=lambda done, of: steps.append((done, of)),
    )
    assert findings.is_clean, findings.breaches
    assert findings.players == len(PLAYERS)
    assert findings.movements == len(PLAYERS) * (len(STORY) + ADJUSTMENTS)
    assert steps[-1][0] == steps[-1][1]
    assert [done for done, _ in steps] == sorted(done for done, _ in steps)
    assert ON_NODES or steps[-1][1] == 3 * len(CHECKS) + 1


BREACHES = {
    "wallet_is_last_movement": "UPDATE wallets SET real = real + 1 WHERE player_id = :anna",
    "wallet_is_sum": "UPDATE wallets SET bonus = bonus + 0.01 WHERE player_id = :bert",
    "trial_balance": "UPDATE wallets SET real = real - 5 WHERE player_id = :bert",
    "wallet_is_its_players": "UPDATE wallets SET agent = 'another' WHERE player_id = :bert",
    "entries_sum_to_zero": (
        "UPDATE movements SET amount = 11 WHERE player_id = :anna AND position = 3"
    ),
    "one_currency": "UPDATE players SET currency = 'PHP' WHERE player_id = :anna",
    "no_overdraft": (
        "UPDATE movements SET event_type = 'Tip' WHERE player_id = :anna AND position = 14"
    ),
    "refusals_moved_nothing": (
        "UPDATE movements SET real_delta = -1 WHERE player_id = :anna AND position = 12"
    ),
    "no_movement_beyond_its_wallet": "UPDATE wallets SET position = 13 WHERE player_id = :anna",
    "no_gaps": "DELETE FROM movements WHERE player_id = :anna AND position = 4",
    "chain_unbroken": (
        "UPDATE movements SET extra_data = '{}' WHERE player_id = :anna AND position = 8"
    ),
    "movement_has_its_key": "DELETE FROM transaction_keys WHERE player_id = :bert AND position = 5",
    "key_has_its_movement": "DELETE FROM movements WHERE player_id = :anna AND position = 14",
    "movement_has_its_round": "DELETE FROM rounds WHERE player_id = :anna AND event_id = 'e2'",
    "round_is_its_movements": (
        "UPDATE rounds SET paid = paid + 1 WHERE player_id = :bert AND event_id = 'e1'"
    ),
    "abort_has_its_bet": (
        "UPDATE movements SET reverses = '3/1000/0' WHERE player_id = :anna AND position = 9"
    ),
    "bet_given_back_once": (
        "UPDATE movements SET reverses = '' WHERE player_id = :anna AND position = 10"
    ),
    "payment_taken_back_within": (
        "UPDATE movements SET reverses = '5/2900/0' WHERE player_id = :anna AND position = 7"
    ),
    "reversal_has_its_target": (
        "UPDATE movements SET reverses = '13/1200/0' WHERE player_id = :anna AND position = 6"
    ),
    "overtaken_bet_has_its_abort": (
        "UPDATE early_aborts SET state = 'waiting' WHERE player_id = :anna AND state = 'used'"
    ),
    "early_abort_has_its_round": (
        "UPDATE rounds SET has_early_aborts = false WHERE player_id = :anna AND event_id = 'e9'"
    ),
    "early_abort_was_refused": (
        "UPDATE early_aborts SET amount = amount + 1 WHERE player_id = :anna"
    ),
    "early_abort_is_in_its_state": (
        "UPDATE early_aborts SET state = 'absorbed' WHERE player_id = :bert"
    ),
    "remembered_amount_was_refused": (
        "UPDATE rounds SET refused_aborts = '{7}' WHERE player_id = :anna AND event_id = 'e2'"
    ),
    "account_is_as_opened": (
        "UPDATE players SET user_id = CASE user_id WHEN 'anna' THEN 'beth' ELSE 'bart' END"
    ),
    "rows_are_in_their_bucket": (
        f"UPDATE {schema_for('bert')}.sessions SET player_id = :anna"
        if ON_NODES
        else "CREATE SCHEMA elsewhere; GRANT USAGE ON SCHEMA elsewhere TO wallet_service;"
        " CREATE TABLE elsewhere.rounds () INHERITS (rounds);"
        " WITH gone AS (DELETE FROM rounds WHERE player_id = :anna AND event_id = 'e2' RETURNING *)"
        " INSERT INTO elsewhere.rounds SELECT * FROM gone"
    ),
    "account_is_as_its_trail_says": "UPDATE wallets SET blocked = true WHERE player_id = :anna",
    "session_has_its_trail": "UPDATE sessions SET origin = 'transfer' WHERE player_id = :anna",
    "usage_is_its_movements": "UPDATE wallets SET stake_day = 0 WHERE player_id = :anna",
    "sealed_head_stands": (
        "INSERT INTO sealed_heads VALUES (:anna, 3, decode(repeat('00', 32), 'hex'), 1)"
    ),
    "hold_is_its_movement": "UPDATE holds SET amount = amount + 1 WHERE player_id = :anna",
    "hold_is_closed_once": "UPDATE holds SET state = 'released' WHERE player_id = :anna",
    "limit_counter_is_its_movements": (
        "UPDATE limit_counters SET week = 0 WHERE player_id = :anna AND counter = 'deposit'"
    ),
    "limit_hit_is_its_refusal": "UPDATE limit_hits SET used = 0, limit_amount = 9000"
    " WHERE player_id = :anna",
    "action_is_chained": "UPDATE operator_actions SET reason = 'another' WHERE action_id = 1",
    "actions_end_at_their_head": (
        "DELETE FROM operator_actions"
        " WHERE action_id = (SELECT max(action_id) FROM operator_actions)"
    ),
    "user_is_as_noted": "UPDATE operators SET roles = '{support,approver}' WHERE name = 'sam'",
    "act_is_on_its_player": (
        "UPDATE operator_actions SET action = 'player.block', subject_kind = 'player',"
        " subject = 'anna', ledger_time = ledger_time - interval '30 minutes' WHERE action_id = 1"
    ),
    "adjustment_has_its_two_people": (
        "UPDATE adjustments SET proposed_by = 'second' WHERE player_id = :anna"
    ),
    "exception_is_as_its_steps_say": (
        "UPDATE exceptions SET state = 'settled', closed_at = now(), closed_by = 'ledger'"
        " WHERE player_id = :anna"
    ),
    "imported_money_has_its_import": (
        "UPDATE movements SET event_type = 'Import' WHERE player_id = :anna AND position = 1"
    ),
    "approval_has_its_movement": (
        "UPDATE adjustment_decisions SET position = 3 WHERE player_id = :anna"
    ),
}


def test_every_invariant_is_broken_here_once() -> None:
    assert sorted(BREACHES) == sorted(invariant.name for invariant in INVARIANTS)


@pytest.mark.parametrize("name", BREACHES)
async def test_a_breach_is_found_by_a_whole_audit_a_recent_one_and_one_of_its_player(
    played: Database, name: str
) -> None:
    if name == "usage_is_its_movements":  # looked at incrementally where a limit stands
        limit = """UPDATE wallets SET limits = '{"stake_day": {"amount": 100}}'"""
        await break_in(played, limit)
    await break_in(played, BREACHES[name])
    assert name in names_of(await examine(played))
    if ON_NODES and name == "rows_are_in_their_bucket":
        return  # an audit of a part looks into the buckets of who moved, or who is named
    if name in {invariant.name for invariant in invariants_of(RECENT_CHECKS)}:
        since = datetime.now(UTC) - timedelta(hours=1)
        assert name in names_of(await examine(played, since=since))
    if name in {invariant.name for invariant in invariants_of(CHECKS_OF_PLAYERS)}:
        each = {user: await examine(played, user_id=user) for user in await user_ids(played)}
        assert all(findings.players == 1 for findings in each.values())
        guilty = {user for user, findings in each.items() if name in names_of(findings)}
        assert len(guilty) == (2 if name == "account_is_as_opened" else 1)


def names_of(findings: Findings) -> set[str]:
    """The laws that are broken."""
    return {breach.invariant for breach in findings.breaches}


@pytest.mark.parametrize("column", ["stake_real", "stake_bonus", "staked", "taken_back"])
async def test_every_sum_of_a_round_is_recomputed(played: Database, column: str) -> None:
    await break_in(played, f"UPDATE rounds SET {column} = {column} + 0.01 WHERE event_id = 'e1'")
    findings = await examine(played)
    assert {b.invariant for b in findings.breaches} == {"round_is_its_movements"}


async def test_an_incremental_audit_finds_what_is_new_and_leaves_out_what_is_old(
    played: Database,
) -> None:
    await break_in(played, BREACHES["entries_sum_to_zero"])
    assert not (await examine(played, since=datetime.now(UTC) - timedelta(hours=1))).is_clean
    assert (await examine(played, since=datetime.now(UTC) + timedelta(hours=1))).is_clean


async def test_a_bet_taken_back_whose_stake_is_changed_together_with_its_hash_is_still_found(
    played: Database,
) -> None:
    """Whoever also forges the entry's hash breaks the next entry's."""
    await break_in(
        played,
        "UPDATE movements SET extra_data = 'forged' WHERE player_id = :anna AND position = 8",
        "UPDATE movements SET chain = sha256('forged') WHERE player_id = :anna AND position = 8",
    )
    positions = {
        breach.offender["position"]
        for breach in (await examine(played)).breaches
        if breach.invariant == "chain_unbroken"
    }
    assert positions == {8, 9}


@pytest.mark.parametrize(
    ("name", "statement"),
    [
        ("action_is_chained", "UPDATE operator_actions SET actor = 'tess' WHERE action_id = 2"),
        ("action_is_chained", "UPDATE operator_actions SET ledger_time = now()"),
        ("action_is_chained", "DELETE FROM operator_actions WHERE action_id = 1"),
        ("action_is_chained", "UPDATE operator_actions SET action_id = 7 WHERE action_id = 2"),
        ("actions_end_at_their_head", "UPDATE operator_actions_head SET last_action = 1"),
        ("actions_end_at_their_head", "UPDATE operator_actions_head SET chain = sha256('mine')"),
        ("user_is_as_noted", "UPDATE operators SET disabled_at = now() WHERE name = 'tess'"),
        (
            "user_is_as_noted",
            "INSERT INTO operators VALUES ('eve', '{admin}', 'x', false, NULL, 0, now(), NULL)",
        ),
    ],
)
async def test_what_operators_did_cannot_be_changed_unnoticed(
    played: Database, name: str, statement: str
) -> None:
    await break_in(played, statement)
    for since in (None, datetime.now(UTC) - timedelta(hours=1)):
        broken = {breach.invariant for breach in (await examine(played, since)).breaches}
        assert name in broken, since


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE limit_counters SET day = day - 1 WHERE counter = 'stake:'",
        "UPDATE limit_counters SET month = month + 1 WHERE counter = 'loss:'",
        "UPDATE limit_counters SET month = 1 WHERE counter = 'stake:sport'",
        "UPDATE limit_counters SET counted_on = counted_on - 1",
        "UPDATE limit_counters SET counted_on = counted_on + 1, day = 0",
        "DELETE FROM limit_counters WHERE counter = 'deposit'",
        "DELETE FROM limit_counters WHERE counter = 'loss:casino'",
    ],
)
async def test_a_counter_of_a_limit_cannot_be_changed_unnoticed(
    played: Database, statement: str
) -> None:
    await break_in(played, statement)
    broken = {breach.invariant for breach in (await examine(played)).breaches}
    assert broken == {"limit_counter_is_its_movements"}


async def test_a_counter_that_no_limit_needs_any_more_is_not_looked_at(played: Database) -> None:
    await break_in(
        played,
        "UPDATE wallets SET limits = NULL",
        "DELETE FROM account_changes WHERE outcome LIKE '{\"status\"%'",
        "UPDATE limit_counters SET day = 1",
    )
    assert (await examine(played)).is_clean


NOT_OF_WHAT_IS_RECENT = {"trial_balance", "key_has_its_movement"}
OF_NO_PLAYER = {"action_is_chained", "actions_end_at_their_head", "user_is_as_noted"}


def test_an_incremental_audit_has_every_law_that_can_be_told_of_what_is_recent() -> None:
    names = [invariant.name for invariant in INVARIANTS]
    recent = [invariant.name for invariant in invariants_of(RECENT_CHECKS)]
    assert recent == [name for name in names if name not in NOT_OF_WHAT_IS_RECENT]


def test_an_audit_of_one_player_has_every_law_that_can_be_told_of_them() -> None:
    names = [invariant.name for invariant in INVARIANTS]
    theirs = [invariant.name for invariant in invariants_of(CHECKS_OF_PLAYERS)]
    assert theirs == [name for name in names if name not in NOT_OF_WHAT_IS_RECENT | OF_NO_PLAYER]


async def test_an_audit_since_a_later_moment_reads_no_movement_before_it(played: Database) -> None:
    """What moved at the end is looked at; what is not reached from there is not."""
    connection = await connect(played.superuser_url)
    last = await connection.fetchval(
        "SELECT ledger_time FROM movements JOIN players USING (player_id)"
        " WHERE user_id = 'bert' AND position = 13"
    )
    await connection.close()
    await break_in(played, BREACHES["entries_sum_to_zero"])
    assert (await examine(played, since=last)).is_clean
    assert not (await examine(played)).is_clean


async def test_a_clock_that_stepped_back_breaks_no_law(played: Database) -> None:
    """A movement may carry an earlier time than the one before it."""
    for name in PLAYERS:
        await break_in(
            played,
            "UPDATE movements SET ledger_time = ledger_time + interval '1 minute'"
            f" WHERE player_id = :{name} AND position = 4",
        )
    broken = {breach.invariant for breach in (await examine(played)).breaches}
    assert broken == {"chain_unbroken"}, "the hash tells that the time was changed, nothing else"


async def test_an_audit_of_a_player_who_is_not_there_says_so(played: Database) -> None:
    with pytest.raises(UnknownPlayerError, match="There is no player nobody"):
        await audit(played.service_url, user_id="nobody")


async def user_ids(db: Database) -> list[str]:
    connection = await connect(db.superuser_url)
    rows = await connection.fetch("SELECT user_id FROM players ORDER BY player_id")
    await connection.close()
    return [row["user_id"] for row in rows]


@pytest.mark.one_server("on nodes each connection has a snapshot of each node, and no check two")
async def test_every_connection_sees_the_snapshot_of_the_first(played: Database) -> None:
    """What is committed while an audit runs is looked at by none of its connections."""
    async with snapshot(played.service_url, 2) as (first, second):
        writer = await connect(played.superuser_url)
        await writer.execute(
            "INSERT INTO transaction_keys VALUES ('callback', 'phantom', '', 1, 99)"
        )
        await writer.close()
        counts = [
            await connection.fetchval("SELECT count(*) FROM transaction_keys")
            for connection in (first, second)
        ]
    assert counts == [len(PLAYERS) * (len(STORY) + ADJUSTMENTS)] * 2


async def test_a_player_range_of_one_law_s_offenders_hides_no_other_law_s(played: Database) -> None:
    """Laws that share a query have a bounded list each."""
    await break_in(
        played,
        "UPDATE movements SET extra_data = 'forged' WHERE player_id = :anna",
        f"""
        INSERT INTO {schema_for("anna")}.movements
        SELECT (jsonb_populate_record(m, jsonb_build_object('position', n))).*
        FROM movements m, generate_series(100, 300) n WHERE player_id = :anna AND position = 3
        """,
        "UPDATE movements SET currency = 'EUR' WHERE player_id = :bert AND position = 13",
    )
    findings = await audit(played.service_url)
    counted = Counter(breach.invariant for breach in findings.breaches)
    # The movement with another currency breaks a chain, too; on a node, in a list of its bucket's.
    in_another_list = 1 if ON_NODES else 0
    assert counted["chain_unbroken"] - in_another_list == counted["no_gaps"] == OFFENDERS_MAX
    assert counted["one_currency"] == 1


async def plans_of(db: Database, checks: tuple[Check, ...], scope: object) -> list[str]:
    """What PostgreSQL would do for each check, statistics being those of an empty database."""
    plans = []
    for place in await audited_places(db.service_url, None):
        async with snapshot(db.service_url, settings=place.settings) as (connection,):
            await read_by_key(connection)
            for check in place.checks(checks):
                rows = await connection.fetch(f"EXPLAIN {check.query}", scope)
                plans.append("\n".join(row[0] for row in rows))
    return plans


@pytest.mark.parametrize("table", ["movements", "rounds", "wallets", "players", "transaction_keys"])
async def test_a_part_is_read_by_key_and_no_table_of_players_is_read_whole(
    played: Database, table: str
) -> None:
    moment = datetime.now(UTC) - timedelta(hours=1)
    plans = [
        *await plans_of(played, RECENT_CHECKS, moment),
        *await plans_of(played, CHECKS_OF_PLAYERS, [1]),
    ]
    assert plans
    for plan in plans:
        assert re.search(rf"Seq Scan on {table}(_\d+)? ", plan) is None, plan
