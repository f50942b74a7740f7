"""Rows go to PostgreSQL as text, and every text arrives there as it was."""

from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

from app.ledger.money.rows import (
    RowVersion,
    as_array,
    journal_row,
    question_row,
    round_row,
    seen_row,
    wallet_row,
)
from app.wallet.balance import EMPTY, Pockets
from app.wallet.events import Direction, EventType, HouseAccount
from app.wallet.facts import Wallet
from app.wallet.journal import EPOCH, Flag, JournalEntry, Reversal
from app.wallet.limits import NO_LIMITS, Usage
from app.wallet.money import Currency
from app.wallet.movement import Key, Movement
from app.wallet.outcomes import RoundChange
from app.wallet.refusals import Refusal
from app.wallet.rounds import RoundKey, Tally
from tests.cashier.till import connect
from tests.conftest import Database

if TYPE_CHECKING:
    import asyncpg

HOSTILE = "\"\\,(){}[]'; \t\n\r\x01\x1e\x1f$%NULLnull0tfé🎰\u2028"
USD, BTC = Currency("USD", 2), Currency("BTC", 8)
MOMENT = datetime(2026, 11, 20, 23, 59, 59, 999_999, tzinfo=UTC)
ENTRY = JournalEntry(
    player_id=7,
    position=3,
    version=2,
    key=Key("callback", "t1", ""),
    delivery=bytes(range(16)),
    event_type=EventType.BET_PLACING,
    direction=Direction.DEBIT,
    refusal=None,
    amount=12345,
    currency=USD,
    before=Pockets(-5, 10**20 - 1),
    delta=Pockets(0, -12345),
    contra=HouseAccount.GAMES,
    event_id="e1",
    game_id=10**18 - 1,
    bonus_code=None,
    extra_data=None,
    reverses=(),
    flags=(),
    event_time=MOMENT,
    ledger_time=MOMENT,
    chain=bytes(range(32)),
)


def hostile_texts(count: int) -> list[str]:
    chance = Random(1)  # noqa: S311 - the same texts every time
    short = ["", " ", '"', "\\", '\\"', "()", "{}", "NULL", "a,b", *HOSTILE]
    return short + ["".join(chance.choices(HOSTILE, k=12)) for _ in range(count)]


async def read(db: Database, kind: str, rows: list[str]) -> "list[asyncpg.Record]":
    connection = await connect(db.service_url)
    try:
        return await connection.fetch(
            f"SELECT * FROM unnest($1::text::{kind}[])",
            as_array(rows),
        )
    finally:
        await connection.close()


async def test_every_text_of_an_entry_arrives_as_it_was(module_db: Database) -> None:
    texts = hostile_texts(500)
    chance = Random(2)  # noqa: S311 - as above

    def entry(text: str) -> JournalEntry:
        other = chance.choice([*texts, None])
        key = Key(text, chance.choice(texts), chance.choice(texts))
        return ENTRY._replace(key=key, event_id=other, bonus_code=text, extra_data=other)

    entries = [entry(text) for text in texts]
    rows = await read(module_db, "journal_row", [journal_row(entry) for entry in entries])
    names = ("source", "transaction_id", "facet", "event_id", "bonus_code", "extra_data")
    assert [tuple(row[name] for name in names) for row in rows] == [
        (*entry.key, entry.event_id, entry.bonus_code, entry.extra_data) for entry in entries
    ]


async def test_an_entry_arrives_whole(module_db: Database) -> None:
    refused = ENTRY._replace(
        refusal=Refusal.INSUFFICIENT_FUNDS,
        currency=BTC,
        game_id=None,
        reverses=(Reversal(1, 5, -5), Reversal(2, 0, 1)),
        flags=(Flag.UNCOVERED, Flag.OTHER_GAME),
        event_time=EPOCH + timedelta(microseconds=1),
    )
    one, other = await read(module_db, "journal_row", [journal_row(ENTRY), journal_row(refused)])
    told: dict[str, Any] = dict(one)
    assert (told.pop("delivery").bytes, told.pop("chain")) == (ENTRY.delivery, ENTRY.chain)
    amounts = {name: str(told.pop(name)) for name in list(told) if name in AMOUNTS}
    assert amounts == {
        "amount": "123.45",
        "real_before": "-0.05",
        "bonus_before": "999999999999999999.99",
        "real_delta": "0.00",
        "bonus_delta": "-123.45",
    }
    assert told == {
        "player_id": 7,
        "position": 3,
        "version": 2,
        "source": "callback",
        "transaction_id": "t1",
        "facet": "",
        "event_type": "BetPlacing",
        "direction": "debit",
        "decision": "ACCEPTED",
        "currency": "USD",
        "scale": 2,
        "contra": "house:games",
        "event_id": "e1",
        "game_id": 10**18 - 1,
        "bonus_code": None,
        "extra_data": None,
        "reverses": "",
        "flags": "",
        "event_time": (MOMENT - EPOCH) // timedelta(microseconds=1),
    }
    assert (other["decision"], other["game_id"]) == ("INSUFFICIENT_FUNDS", None)
    assert (other["reverses"], other["flags"]) == ("1/5/-5,2/0/1", "remainder,other_game")
    assert (str(other["amount"]), other["event_time"]) == ("0.00012345", 1)


AMOUNTS = {"amount", "real_before", "bonus_before", "real_delta", "bonus_delta"}


async def test_a_wallet_arrives_whole(module_db: Database) -> None:
    before = Wallet(
        player_id=7,
        agent="house",
        currency=USD,
        pockets=EMPTY,
        version=1,
        position=4,
        chain=bytes(32),
        is_blocked=False,
        limits=NO_LIMITS,
        usage=Usage(739_000),
        has_refused_aborts=False,
    )
    usage = Usage(739_001, 1, 2, 3, -4, 5, 6)
    after = before._replace(
        pockets=Pockets(-1, 250), version=2, position=5, chain=b"\xff" * 32, usage=usage
    )
    rows = [
        wallet_row(RowVersion("(17,3)", "4294967295"), before, after),
        wallet_row(RowVersion("(0,1)", "3"), before, after._replace(has_refused_aborts=True)),
    ]
    one, other = await read(module_db, "wallet_row", rows)
    told = {name: value for name, value in dict(one).items() if not name.startswith("chain")}
    assert {name: str(value) for name, value in told.items()} == {
        "player_id": "7",
        "place": "(17, 3)",
        "row": "4294967295",
        "position_before": "4",
        "real": "-0.01",
        "bonus": "2.50",
        "version": "2",
        "position": "5",
        "usage_day": "739001",
        "stake_day": "0.01",
        "stake_week": "0.02",
        "stake_month": "0.03",
        "loss_day": "-0.04",
        "loss_week": "0.05",
        "loss_month": "0.06",
        "has_refused_aborts": "False",
    }
    assert one["chain"] == b"\xff" * 32
    assert (other["place"], other["has_refused_aborts"]) == ((0, 1), True)


async def test_a_round_arrives_whole(module_db: Database) -> None:
    texts = hostile_texts(100)
    tally = Tally(1, -1, 100, 200, 300, 400, 500, 2, 600)
    change = RoundChange(USD, 5, tally, is_settled=True, refused_aborts=(150, 7))
    rows = [round_row(RoundKey(7, text, is_streamer=True), text, change, "(1,2)") for text in texts]
    nothing = RoundChange(BTC, None)
    rows.append(round_row(RoundKey(7, "e", is_streamer=False), "house", nothing, None))
    *told, last = await read(module_db, "round_row", rows)
    assert [(row["event_id"], row["agent"]) for row in told] == [(text, text) for text in texts]
    whole = [
        str(value) for name, value in dict(told[0]).items() if name not in {"event_id", "agent"}
    ]
    assert whole == [
        *("7", "True", "USD", "2", "5", "True", "1", "-1", "1.00", "2.00", "3.00", "4.00"),
        *("5.00", "2", "6.00", "[Decimal('1.50'), Decimal('0.07')]", "(1, 2)"),
    ]
    assert (last["game_id"], last["settled"], last["refused_aborts"]) == (None, False, [])
    assert (last["place"], last["is_streamer"]) == (None, False)


async def test_questions_and_what_was_seen_arrive_whole(module_db: Database) -> None:
    texts = hostile_texts(100)
    bet = Movement(
        bytes(16), ENTRY.key, "anna", EventType.BET_PLACING, Direction.DEBIT, "1", MOMENT
    )
    asked = [
        question_row(bet._replace(user_id=text, event_id=text), reads_round=True) for text in texts
    ]
    streamer = bet._replace(event_type=EventType.PROMO_STREAMERS_DEBIT, token=b"\x00\\" * 16)
    asked.append(question_row(streamer, reads_round=False))
    *told, last = await read(module_db, "question_row", asked)
    assert [(row["user_id"], row["event_id"]) for row in told] == [(text, text) for text in texts]
    assert tuple(told[0]) == ("", None, "", False, True)
    assert tuple(last) == ("anna", b"\x00\\" * 16, None, True, False)
    version = RowVersion("(1,2)", "3")
    player, session = await read(
        module_db, "seen_row", [seen_row(7, version), seen_row(8, version, b"\x00\\" * 16)]
    )
    assert tuple(player) == (7, None, (1, 2), 3)
    assert tuple(session) == (8, b"\x00\\" * 16, (1, 2), 3)
