"""Rows go to PostgreSQL as text, and every text arrives there as it was."""

import json
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

from app.ledger.money.rows import (
    as_array,
    early_abort_of,
    early_abort_row,
    entry_of,
    entry_of_json,
    journal_row,
    position_row,
    question_row,
    refusal_row,
    round_row,
    session_row,
    settings_row,
    wallet_row,
)
from app.ledger.money.statements import _ENTRY_JSON, ENTRY_COLUMNS
from app.wallet.balance import EMPTY, Pockets, StakeOrder
from app.wallet.early_aborts import AbortState, EarlyAbort, OvertakenBet
from app.wallet.events import Direction, EventType, HouseAccount
from app.wallet.facts import Policy, RuleVersion, Wallet
from app.wallet.journal import EPOCH, Flag, JournalEntry, Reversal
from app.wallet.limits import NO_LIMITS, Usage
from app.wallet.money import Currency
from app.wallet.movement import Key, KeyScope, Movement
from app.wallet.outcomes import RoundAfter
from app.wallet.refusal_record import RefusalRecord
from app.wallet.refusals import Refusal
from app.wallet.rounds import Round, RoundKey, Tally
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
    rows = await read(module_db, "journal_row_v1", [journal_row(entry) for entry in entries])
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
    one, other = await read(module_db, "journal_row_v1", [journal_row(ENTRY), journal_row(refused)])
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


WALLET = Wallet(
    player_id=7,
    agent="house",
    currency=USD,
    pockets=EMPTY,
    version=1,
    position=4,
    chain=bytes(32),
    revision=41,
    is_blocked=False,
    limits=NO_LIMITS,
    usage=Usage(739_000),
)


async def test_a_wallet_arrives_whole_with_the_revision_it_was_read_with(
    module_db: Database,
) -> None:
    usage = Usage(739_001, 1, 2, 3, -4, 5, 6)
    after = WALLET._replace(
        pockets=Pockets(-1, 250),
        version=2,
        position=5,
        chain=b"\xff" * 32,
        usage=usage,
        revision=99,
    )
    rows = [wallet_row(WALLET, after), wallet_row(WALLET, after, has_refused_aborts=True)]
    row, other = await read(module_db, "wallet_row_v1", rows)
    assert other["has_refused_aborts"] is True
    told = {name: value for name, value in dict(row).items() if name != "chain"}
    assert {name: str(value) for name, value in told.items()} == {
        "player_id": "7",
        "revision": "41",
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
    assert row["chain"] == b"\xff" * 32


async def test_a_round_arrives_whole(module_db: Database) -> None:
    texts = hostile_texts(100)
    tally = Tally(1, -1, 100, 200, 300, 400, 500, 2, 600)
    abort = EarlyAbort("t1", 150, MOMENT, AbortState.WAITING)
    untimed = frozenset([150, 7])
    after = RoundAfter(
        5, Round(tally, is_settled=True, early_aborts=(abort,), untimed_aborts=untimed), {}
    )
    rows = [
        round_row(RoundKey(7, text, is_streamer=True), WALLET._replace(agent=text), after)
        for text in texts
    ]
    nothing = RoundAfter(None, Round(), {})
    bitcoin = WALLET._replace(currency=BTC)
    rows.append(round_row(RoundKey(7, "e", is_streamer=False), bitcoin, nothing))
    *told, last = await read(module_db, "round_row_v1", rows)
    assert [(row["event_id"], row["agent"]) for row in told] == [(text, text) for text in texts]
    whole = [
        str(value) for name, value in dict(told[0]).items() if name not in {"event_id", "agent"}
    ]
    assert whole == [
        *("7", "True", "USD", "2", "5", "True", "1", "-1", "1.00", "2.00", "3.00", "4.00"),
        *("5.00", "2", "6.00", "True", "[Decimal('0.07'), Decimal('1.50')]"),
    ]
    assert (last["game_id"], last["settled"], last["has_early_aborts"]) == (None, False, False)
    assert last["refused_aborts"] == []
    assert (last["is_streamer"], last["currency"], last["scale"]) == (False, "BTC", 8)


async def test_an_early_abort_arrives_whole_and_comes_back_as_it_was(module_db: Database) -> None:
    key = RoundKey(7, HOSTILE, is_streamer=False)
    moments = [MOMENT, EPOCH, EPOCH + timedelta(microseconds=1)]
    aborts = [
        EarlyAbort(text, number, moments[number % 3], list(AbortState)[number % 4])
        for number, text in enumerate(hostile_texts(100))
    ]
    rows = [early_abort_row(key, BTC, abort) for abort in aborts]
    told = await read(module_db, "early_abort_row_v1", rows)
    assert {tuple(row)[:3] for row in told} == {(7, HOSTILE, False)}
    columns = [
        [row["transaction_id"], f"{row['amount']:.8f}", row["first_at"], row["state"]]
        for row in told
    ]
    assert [early_abort_of(values, BTC) for values in columns] == aborts


async def test_questions_arrive_whole(module_db: Database) -> None:
    texts = hostile_texts(100)
    bet = Movement(
        bytes(16), ENTRY.key, "anna", EventType.BET_PLACING, Direction.DEBIT, "1", MOMENT
    )
    asked = [
        question_row(
            bet._replace(user_id=text, event_id=text, key=Key(text, text, "facet")),
            is_in_round=True,
            needs_history=False,
            may_need_history=True,
        )
        for text in texts
    ]
    streamer = bet._replace(
        event_type=EventType.PROMO_STREAMERS_DEBIT, token=b"\x00\\" * 16, event_id="e1"
    )
    asked.append(
        question_row(streamer, is_in_round=False, needs_history=True, may_need_history=False)
    )
    *told, last = await read(module_db, "question_row_v1", asked)
    assert [tuple(row) for row in told] == [
        (text, None, text, text, text, False, False, True) for text in texts
    ]
    assert tuple(last) == (
        *("anna", b"\x00\\" * 16, "callback", "t1"),
        *(None, True, True, False),
    )


async def test_refusals_arrive_whole(module_db: Database) -> None:
    texts: list[str | None] = [*hostile_texts(200)]
    records = [
        RefusalRecord(
            text or "",
            text or "",
            "moveFunds",
            text,
            other,
            text,
            other,
            text,
            text or "",
            text or "",
            other,
            text,
            bytes(range(16)),
            MOMENT,
        )
        for text, other in zip(texts, [*texts[1:], None], strict=True)
    ]
    rows = await read(module_db, "refusal_row_v1", [refusal_row(record) for record in records])
    for row, record in zip(rows, records, strict=True):
        *told, delivery, event_time = tuple(row)
        assert tuple(told) == record[:12]
        assert delivery.bytes == record.delivery
        assert EPOCH + timedelta(microseconds=event_time) == record.event_time


async def test_sessions_positions_and_settings_arrive_whole(module_db: Database) -> None:
    (session,) = await read(module_db, "session_row_v1", [session_row(7, b"\x00\\" * 16, MOMENT)])
    assert tuple(session)[:2] == (7, b"\x00\\" * 16)
    assert EPOCH + timedelta(microseconds=session["expires_at"]) == MOMENT
    (place,) = await read(module_db, "position_row_v1", [position_row(7, 10**18)])
    assert tuple(place) == (7, 10**18)
    policy = Policy(
        stake_order=StakeOrder.BONUS_FIRST,
        key_scope=KeyScope.TRANSACTION_EVENT,
        overtaken_bet=OvertakenBet.FLAG,
        overtaken_window=timedelta(seconds=77),
        rule_version=RuleVersion.LAST_RELEASE,
    )
    connection = await connect(module_db.service_url)
    row = await connection.fetchrow(
        "SELECT (given).* FROM (SELECT $1::text::decision_settings_v2 AS given) s",
        settings_row(policy),
    )
    await connection.close()
    assert row is not None
    assert tuple(row) == (
        *(1, KeyScope.TRANSACTION_EVENT, StakeOrder.BONUS_FIRST, OvertakenBet.FLAG, 77, "UTC"),
    )


async def test_an_entry_read_as_columns_and_as_json_is_the_entry_that_was_written(
    module_db: Database,
) -> None:
    """Two readers of one row: neither may lose what the other keeps."""
    texts = hostile_texts(300)
    chance = Random(3)  # noqa: S311 - as above
    entries = [
        ENTRY._replace(
            key=Key(text, chance.choice(texts), chance.choice(texts)),
            event_id=chance.choice([*texts, None]),
            bonus_code=chance.choice([*texts, None]),
            extra_data=chance.choice([*texts, None]),
            game_id=chance.choice([None, 0, 10**18 - 1]),
            currency=chance.choice([USD, BTC, Currency("JPY", 0)]),
            before=Pockets(chance.randrange(-(10**18), 10**18), chance.randrange(10**18)),
            delta=Pockets(chance.randrange(-(10**18), 10**18), chance.randrange(10**18)),
            amount=chance.randrange(10**18),
            refusal=chance.choice([None, Refusal.PLAYER_BLOCKED, Refusal.BET_OVERTAKEN]),
            reverses=chance.choice([(), (Reversal(1, 5, -5), Reversal(2, 0, 1))]),
            flags=chance.choice([(), (Flag.UNCOVERED, Flag.OTHER_GAME)]),
            event_time=EPOCH + timedelta(microseconds=chance.randrange(9 * 10**15)),
            ledger_time=MOMENT,
            chain=chance.randbytes(32),
        )
        for text in texts
    ]
    connection = await connect(module_db.service_url)
    rows = await connection.fetch(
        f"""
        SELECT {ENTRY_COLUMNS}, {_ENTRY_JSON}
        FROM (
            SELECT n.player_id, n.position, version, source, transaction_id, facet, delivery,
                event_type, direction, decision, currency, scale, amount::numeric(26, 8),
                real_before::numeric(26, 8), bonus_before::numeric(26, 8),
                real_delta::numeric(26, 8), bonus_delta::numeric(26, 8), contra, event_id,
                game_id, bonus_code, extra_data, reverses, flags,
                'epoch'::timestamptz + event_time * interval '1 microsecond' AS event_time,
                $2::timestamptz AS ledger_time, chain
            FROM unnest($1::text::journal_row_v1[]) n
        ) m
        """,
        as_array([journal_row(entry) for entry in entries]),
        MOMENT,
    )
    await connection.close()
    assert [entry_of(row) for row in rows] == entries
    assert [entry_of_json(json.loads(row[-1])) for row in rows] == entries
