"""The audit: each invariant is broken once, by SQL, and the audit must name it."""

import asyncio
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from app.cashier.audit import Findings, audit
from app.cashier.move_funds import move_funds
from app.cashier.players import IssuedToken, issue_token, open_account, token_hash
from app.ledger.audit import INVARIANTS
from app.ledger.transaction import Ledger
from app.wallet.events import Direction, EventType
from app.wallet.facts import Policy
from app.wallet.money import ISO_CURRENCIES
from app.wallet.movement import Key, Movement
from tests.conftest import Database, clone

PLAYERS = ("anna", "bert")

STORY = (
    # position, event type, direction, amount, event
    (1, EventType.DEPOSIT, Direction.CREDIT, "100.00", None),
    (2, EventType.BONUS_GRANT, Direction.CREDIT, "20.00", None),
    (3, EventType.BET_PLACING, Direction.DEBIT, "10.00", "e1"),
    (4, EventType.BET_PLACING, Direction.DEBIT, "5.00", "e1"),
    (5, EventType.WIN, Direction.CREDIT, "30.00", "e1"),
    (6, EventType.BET_PAYED_ABORT, Direction.DEBIT, "12.00", "e1"),
    (7, EventType.SPORT_BET_CANCEL, Direction.DEBIT, "18.00", "e1"),
    (8, EventType.BET_PLACING, Direction.DEBIT, "7.00", "e2"),
    (9, EventType.BET_PLACING_ABORT, Direction.CREDIT, "7.00", "e2"),
    (10, EventType.SPORT_BET_CANCEL, Direction.DEBIT, "7.00", "e2"),
    (11, EventType.BET_PLACING_ABORT, Direction.CREDIT, "7.00", "e2"),
    (12, EventType.BET_PLACING, Direction.DEBIT, "9999.00", "e3"),  # refused for ever
    (13, EventType.PROMO_STREAMERS_DEBIT, Direction.DEBIT, "3.00", "e1"),
    (14, EventType.SPORT_BET_CANCEL, Direction.DEBIT, "500.00", "e4"),
    (15, EventType.BET_PLACING, Direction.DEBIT, "4.00", "e9"),  # its abort came before it
)


def movement(user_id: str, token: bytes, number: int) -> Movement:
    _, event_type, direction, amount, event_id = STORY[number]
    return Movement(
        delivery=os.urandom(16),
        key=Key("callback" if event_id else "house", f"{user_id}-{number}", ""),
        user_id=user_id,
        event_type=event_type,
        direction=direction,
        amount=amount,
        received_at=datetime.now(UTC),
        token=token if event_id else None,
        event_id=event_id,
        game_id=1 if event_id else None,
        extra_data='{"odds": "1,5|é"}' if event_id else None,
    )


async def play(url: str) -> None:
    ledger = Ledger(url)
    for user_id in PLAYERS:
        await open_account(
            ledger,
            user_id=user_id,
            agent="house",
            currency=ISO_CURRENCIES["USD"],
            nickname=user_id,
            language="en",
        )
        issued = await issue_token(ledger, user_id, timedelta(hours=1))
        assert isinstance(issued, IssuedToken)
        token = token_hash(issued.token)
        early = movement(user_id, token, 14)._replace(
            key=Key("callback", f"{user_id}-early", ""),
            event_type=EventType.BET_PLACING_ABORT,
            direction=Direction.CREDIT,
        )
        await move_funds(ledger, [early], Policy())
        for number in range(len(STORY)):
            await move_funds(ledger, [movement(user_id, token, number)], Policy())
    await ledger.close()


@pytest.fixture(scope="module")
def story(module_db: Database) -> Database:
    """The story played once; every test breaks a clone of it."""
    asyncio.run(play(module_db.service_url))
    return module_db


@pytest.fixture
def played(story: Database) -> Iterator[Database]:
    yield from clone(story.server, story.name)


async def examine(db: Database, since: datetime | None = None) -> Findings:
    return await audit(db.service_url, since=since, players_at_a_time=1)


async def break_in(db: Database, *statements: str) -> None:
    """Change the ledger as no service could: as a superuser, with triggers and CHECKs put aside."""
    url = db.superuser_url.replace("postgresql+asyncpg", "postgresql")
    connection = await asyncpg.connect(url)
    await connection.execute("SET session_replication_role = replica")
    for table in ("movements", "wallets", "rounds", "early_aborts"):
        checks = await connection.fetch(
            "SELECT conname FROM pg_constraint WHERE contype = 'c' AND conrelid = $1::regclass",
            table,
        )
        for check in checks:
            await connection.execute(f"ALTER TABLE {table} DROP CONSTRAINT {check['conname']}")
    for statement in statements:
        done = await connection.execute(statement)
        assert not done.endswith(" 0"), statement
    await connection.close()


async def test_a_ledger_nobody_touched_is_clean(played: Database) -> None:
    steps: list[tuple[int, int]] = []
    findings = await audit(
        played.service_url,
        players_at_a_time=1,
        progress=lambda done, of: steps.append((done, of)),
    )
    assert findings.is_clean, findings.breaches
    assert findings.players == len(PLAYERS)
    assert findings.movements == len(PLAYERS) * len(STORY)
    assert steps[-1][0] == steps[-1][1] == 3 * len(INVARIANTS)


BREACHES = {
    "wallet_is_last_movement": "UPDATE wallets SET real = real + 1 WHERE player_id = 1",
    "wallet_is_sum": "UPDATE wallets SET bonus = bonus + 0.01 WHERE player_id = 2",
    "no_movement_beyond_its_wallet": "UPDATE wallets SET position = 13 WHERE player_id = 1",
    "entries_sum_to_zero": "UPDATE movements SET amount = 11 WHERE player_id = 1 AND position = 3",
    "trial_balance": "UPDATE wallets SET real = real - 5 WHERE player_id = 2",
    "one_currency": "UPDATE players SET currency = 'PHP' WHERE player_id = 1",
    "no_gaps": "DELETE FROM movements WHERE player_id = 1 AND position = 4",
    "chain_unbroken": (
        "UPDATE movements SET extra_data = '{}' WHERE player_id = 1 AND position = 8"
    ),
    "movement_has_its_key": "DELETE FROM transaction_keys WHERE player_id = 2 AND position = 5",
    "key_has_its_movement": "DELETE FROM movements WHERE player_id = 1 AND position = 14",
    "movement_has_its_round": "DELETE FROM rounds WHERE player_id = 1 AND event_id = 'e2'",
    "round_is_its_movements": (
        "UPDATE rounds SET paid = paid + 1 WHERE player_id = 2 AND event_id = 'e1'"
    ),
    "abort_has_its_bet": (
        "UPDATE movements SET reverses = '3/1000/0' WHERE player_id = 1 AND position = 9"
    ),
    "bet_given_back_once": (
        "UPDATE movements SET reverses = '' WHERE player_id = 1 AND position = 10"
    ),
    "payment_taken_back_within": (
        "UPDATE movements SET reverses = '5/2900/0' WHERE player_id = 1 AND position = 7"
    ),
    "reversal_has_its_target": (
        "UPDATE movements SET reverses = '13/1200/0' WHERE player_id = 1 AND position = 6"
    ),
    "no_overdraft": (
        "UPDATE movements SET event_type = 'Tip' WHERE player_id = 1 AND position = 14"
    ),
    "refusals_moved_nothing": (
        "UPDATE movements SET real_delta = -1 WHERE player_id = 1 AND position = 12"
    ),
    "wallet_is_its_players": "UPDATE wallets SET agent = 'another' WHERE player_id = 2",
    "overtaken_bet_has_its_abort": (
        "UPDATE early_aborts SET state = 'waiting' WHERE player_id = 1 AND state = 'used'"
    ),
    "early_abort_has_its_round": (
        "UPDATE rounds SET has_early_aborts = false WHERE player_id = 1 AND event_id = 'e9'"
    ),
}


def test_every_invariant_is_broken_here_once() -> None:
    assert sorted(BREACHES) == sorted(invariant.name for invariant in INVARIANTS)


@pytest.mark.parametrize("name", BREACHES)
async def test_a_breach_is_found(played: Database, name: str) -> None:
    await break_in(played, BREACHES[name])
    findings = await examine(played)
    assert name in {breach.invariant for breach in findings.breaches}


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
        "UPDATE movements SET extra_data = 'forged' WHERE player_id = 1 AND position = 8",
        "UPDATE movements SET chain = sha256('forged') WHERE player_id = 1 AND position = 8",
    )
    positions = {
        breach.offender["position"]
        for breach in (await examine(played)).breaches
        if breach.invariant == "chain_unbroken"
    }
    assert positions == {8, 9}
