"""`wallet movement show` and `wallet round show`: the movement, its reasons, its round."""

import asyncio
import secrets
from datetime import UTC, datetime

import pytest

from app.cashier.in_doubt import Delivery, list_unknown_outcomes
from app.cashier.move_funds import move_funds
from app.cashier.players import token_hash
from app.ledger.citus.ledger import PlacedLedger
from app.wallet.events import Direction, EventType
from app.wallet.facts import Policy
from app.wallet.movement import Key, Movement
from app.wallet.outcomes import Posting
from tests.conftest import Database, sql
from tests.console.conftest import Console

STORY = (
    # transaction, event type, direction, amount, event
    ("bet-1", EventType.BET_PLACING, Direction.DEBIT, "8.00", "e1"),
    ("win-1", EventType.WIN, Direction.CREDIT, "20.00", "e1"),
    ("back-1", EventType.BET_PAYED_ABORT, Direction.DEBIT, "20.00", "e1"),
    ("too-much", EventType.BET_PLACING, Direction.DEBIT, "5000", "e2"),
    ("bet-3", EventType.BET_PLACING, Direction.DEBIT, "1.00", "e3"),
    ("abort-3", EventType.BET_PLACING_ABORT, Direction.CREDIT, "1.00", "e3"),
    ("again-3", EventType.BET_PLACING_ABORT, Direction.CREDIT, "1.00", "e3"),
    ("early", EventType.WIN, Direction.CREDIT, "1.00", "e4"),
    ("cancel-5", EventType.SPORT_BET_CANCEL, Direction.DEBIT, "500.00", "e5"),
    ("stream-1", EventType.PROMO_STREAMERS_DEBIT, Direction.DEBIT, "0", "e1"),
    ("gift", EventType.PROMO_WIN, Direction.CREDIT, "500.00", "e6"),
)


async def play(url: str, token: str, user_id: str) -> None:
    ledger = PlacedLedger(url, pool_size=1)
    for transaction_id, event_type, direction, amount, event_id in STORY:
        movement = Movement(
            delivery=secrets.token_bytes(16),
            key=Key("callback", transaction_id, ""),
            user_id=user_id,
            event_type=event_type,
            direction=direction,
            amount=amount,
            received_at=datetime.now(UTC),
            token=token_hash(token),
            event_id=event_id,
            game_id=7,
            extra_data='{"odds": 1.50}',
        )
        (receipt,) = await move_funds(ledger, [movement], Policy())
        if transaction_id == "win-1" and isinstance(receipt, Posting):
            await list_unknown_outcomes(
                ledger, [Delivery(movement.key, movement.delivery, movement.user_id)]
            )
    await ledger.close()


@pytest.fixture
def told(console: Console, module_db: Database) -> Console:
    """A player with 5.00 real and 5.00 bonus, who has played the story."""
    done = console(
        "player", "open", "anna", "--agent", "house", "--currency", "USD", "--nickname", "Anna"
    )
    if done.out.startswith("Opened"):
        assert console("deposit", "anna", "5", "--id", "bet-1").code == 0
        assert console("grant", "anna", "5").code == 0
        token = console("token", "issue", "anna").out.strip()
        asyncio.run(play(module_db.service_url, token, "anna"))
    return console


def movement(console: Console, transaction_id: str) -> str:
    done = console("movement", "show", transaction_id)
    assert done.code == 0, done.err
    return done.out


def test_a_bet_says_what_was_asked_and_where_the_money_came_from(told: Console) -> None:
    said = movement(told, "bet-1")
    for words in (
        "bet-1: bet of anna",
        "BetPlacing debit, 8.00 USD",
        "the game side",
        '{"odds": 1.50}',
        "Taken from the pockets: 5.00 real + 3.00 bonus",
        "settled: 1 of 1 bets stand",
        "the hash holds",
    ):
        assert words in said
    # The agent's deposit under the same id is another movement.
    assert "bet-1: deposit of anna" in said
    assert "agent house" in said


def test_programs_get_all_of_it_in_exact_texts(told: Console) -> None:
    document = told("movement", "show", "bet-1", "--json").document
    deposit, bet = document["movements"]
    assert (deposit["source"], bet["source"]) == ("house", "callback")
    assert bet["before"] == {"balance": "10.00", "real": "5.00", "bonus": "5.00"}
    assert bet["change"] == {"balance": "-8.00", "real": "-5.00", "bonus": "-3.00"}
    assert bet["after"] == {"balance": "2.00", "real": "0.00", "bonus": "2.00"}
    assert (bet["accepted"], bet["hash_holds"], bet["position"]) == (True, True, 3)
    assert bet["round"]["bets_placed"] == 1
    assert bet["round"]["streamer"] is False
    assert bet["event_id"] == "e1"


def test_a_win_that_was_taken_back_names_by_what(told: Console) -> None:
    said = movement(told, "win-1")
    assert "in the proportion of the stakes that stood" in said
    assert "payment taken back back-1" in said
    assert "has not come back" in said
    assert "It undoes the win win-1 (position 4)" in movement(told, "back-1")


def test_a_refusal_for_ever_says_what_was_missing(told: Console) -> None:
    said = movement(told, "too-much")
    assert "refused for ever (INSUFFICIENT_FUNDS)" in said
    assert "Not enough money." in said
    assert "5000.00 USD were asked for, and there were 2.00 bonus" in said
    assert "refused for ever (ALREADY_GIVEN_BACK)" in movement(told, "again-3")


def test_a_refusal_without_an_outcome_is_known_too(told: Console) -> None:
    said = movement(told, "early")
    assert "Refused under early without an outcome" in said
    assert "no matching movement in this event" in said
    (kept,) = told("movement", "show", "early", "--json").document["refusals"]
    assert (kept["refusal"], kept["user_id"]) == ("NO_MATCHING_MOVEMENT", "anna")


def test_a_debt_is_told_where_it_began_and_where_it_was_paid(told: Console) -> None:
    cancelled = movement(told, "cancel-5")
    assert "The player owes what was missing" in cancelled
    assert "the event has no bet; more than the payments that stood" in cancelled
    assert "which a credit pays first" in movement(told, "gift")


def test_an_id_nobody_used_is_exit_code_1(told: Console) -> None:
    done = told("movement", "show", "never-seen")
    assert done.code == 1
    assert "Nothing is known of the transaction id never-seen" in done.complaint


def test_a_round_is_shown_with_its_movements(told: Console) -> None:
    done = told("round", "show", "e1", "--user", "anna")
    assert done.code == 0
    for words in ("bet 8.00", "win 20.00", "payment taken back 20.00", "with streamer money"):
        assert words in done.out
    ordinary, streamer = told("round", "show", "e1", "--json").document["rounds"]
    assert [m["transaction_id"] for m in ordinary["movements"]] == ["bet-1", "win-1", "back-1"]
    assert [m["transaction_id"] for m in streamer["movements"]] == ["stream-1"]
    assert (ordinary["paid"], ordinary["taken_back"]) == ("20.00", "20.00")
    (given_back,) = told("round", "show", "e3", "--json").document["rounds"]
    assert (given_back["state"], given_back["bets_open"]) == ("given back", 0)
    missing = told("round", "show", "e1", "--user", "bert")
    assert missing.code == 1
    assert "There is no round of the player bert" in missing.complaint


def test_a_forged_movement_does_not_hold(
    in_process: Console, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WALLET_DATABASE_URL", db.service_url)
    in_process("player", "open", "eve", "--agent", "a", "--currency", "USD", "--nickname", "Eve")
    in_process("deposit", "eve", "5", "--id", "d-1")
    in_process("deposit", "eve", "5", "--id", "d-2")
    behind = "SET session_replication_role = replica"
    sql(
        db.server,
        f"{behind}; UPDATE movements SET extra_data = '{{}}' WHERE position = 1",
        db.name,
    )
    forged = in_process("movement", "show", "d-1")
    assert forged.code == 1
    assert "the hash DOES NOT HOLD: run `wallet audit`" in forged.out
    assert in_process("movement", "show", "d-2").code == 0
    sql(db.server, f"{behind}; DELETE FROM movements WHERE position = 1", db.name)
    orphan = in_process("movement", "show", "d-2", "--json")
    assert (orphan.code, orphan.document["movements"][0]["hash_holds"]) == (1, False)
