"""`RULES` is the event table; every other table of event types equals it, field by field."""

import re

from app.simulator.laws import LAWS, Kind, Law
from app.wallet.events import (
    GAME_EVENT_TYPES,
    RULES,
    CreditTo,
    DebitFrom,
    Direction,
    Figure,
    HouseAccount,
    Part,
    Rule,
)
from tests.cashier.till import connect
from tests.conftest import Database
from tests.event_types.contract import printed_rows

JOURNAL_LAWS = "movement_is_lawful_v1"


def ways(rule: Rule) -> dict[str, str]:
    """For each direction: any amount, zero only, or never."""
    return {
        str(way): "never"
        if way not in rule.directions
        else "zero"
        if way in rule.zero_only
        else "any"
        for way in Direction
    }


async def test_the_database_has_the_same_rows(module_db: Database) -> None:
    connection = await connect(module_db.service_url)
    rows = [dict(row) for row in await connection.fetch("SELECT * FROM event_types")]
    await connection.close()
    expected = [
        {
            "event_type": kind.value,
            "words": rule.words,
            "part": rule.part.value,
            "contra": rule.contra.value,
            "counts_as": rule.counts_as.value,
            **ways(rule),
            "may_overdraw": rule.may_overdraw,
            "is_play": rule.is_play,
            "is_streamer": rule.is_streamer,
            "is_cashier": rule.is_cashier,
            "moves_from": rule.moves_from,
        }
        for kind, rule in RULES.items()
    ]
    assert sorted(rows, key=lambda row: row["event_type"]) == sorted(
        expected, key=lambda row: str(row["event_type"])
    )


async def test_the_journal_takes_exactly_the_types_of_the_table(module_db: Database) -> None:
    """Its law names them once more; a view would not show a type that the table lacks."""
    connection = await connect(module_db.superuser_url)
    laws = await connection.fetchval(
        "SELECT prosrc FROM pg_proc WHERE oid = $1::regproc", JOURNAL_LAWS
    )
    rows = await connection.fetch("SELECT event_type FROM event_types")
    await connection.close()
    before, _ = laws.split("THEN 'event_type_and_direction'")
    law = before.rpartition("WHEN NOT (")[2]
    named = set(re.findall(r"'(\w+)'", law)) - {str(way) for way in Direction}
    assert named == {row["event_type"] for row in rows}


def test_a_type_that_moves_stakes_counts_as_turnover_and_one_that_pays_as_payments() -> None:
    figures = {
        Part.BET: {Figure.TURNOVER, Figure.STREAMER_TURNOVER},
        Part.ABORT: {Figure.TURNOVER, Figure.STREAMER_TURNOVER},
        Part.PAYMENT: {Figure.PAYMENTS, Figure.STREAMER_PAYMENTS},
        Part.PAYMENT_ABORT: {Figure.PAYMENTS, Figure.STREAMER_PAYMENTS},
        Part.CANCEL: {Figure.PAYMENTS},
    }
    for kind, rule in RULES.items():
        if rule.contra is HouseAccount.IMPORTS:
            # What came in from another wallet was counted there.
            assert rule.counts_as is Figure.IMPORTS, kind
        elif rule.contra is HouseAccount.BONUSES and rule.is_named:
            # A bet without risk that is given back is bonus cost, and no winning.
            assert rule.counts_as is Figure.BONUSES, kind
        elif rule.zero_only == rule.directions:
            # What moves nothing counts as much in any figure.
            continue
        elif rule.part is Part.NONE:
            assert rule.counts_as not in set().union(*figures.values()), kind
        else:
            assert rule.counts_as in figures[rule.part], kind
        assert rule.is_streamer is rule.counts_as.startswith("streamer"), kind


def test_the_simulator_has_the_same_rows_in_its_own_words() -> None:
    """It shares no code with the wallet, so its table is another; it may not be a different one."""
    expected = {
        (kind.value, way.value): law(rule, way)
        for kind, rule in RULES.items()
        if kind in GAME_EVENT_TYPES
        for way in rule.directions
    }
    assert expected == LAWS


def law(rule: Rule, way: Direction) -> Law:
    """What the simulator should say of a row in one direction."""
    by_code = {CreditTo.BONUS_BY_CODE, CreditTo.STAKES_OR_BONUS_BY_CODE}
    only_zero = way in rule.zero_only
    return Law(
        Kind.NOTHING if only_zero else _kind(rule, way),
        "stream" if rule.is_streamer else "play",
        live_token=rule.is_play,
        needs_bet=rule.needs_bet,
        bonus_by_code=way is Direction.CREDIT and rule.credit_to in by_code,
        only_zero=only_zero,
    )


def _kind(rule: Rule, way: Direction) -> Kind:
    match rule.part:
        case Part.BET:
            return Kind.STAKE
        case Part.PAYMENT:
            return Kind.PAYMENT
        case Part.ABORT:
            return Kind.ABORT
        case Part.PAYMENT_ABORT:
            return Kind.TAKE_BACK
        case Part.CANCEL:
            return Kind.REOPEN
        case Part.NONE if way is Direction.CREDIT:
            return Kind.GIFT
        case Part.NONE:
            return Kind.TIP if rule.debit_from is DebitFrom.REAL else Kind.CORRECTION


def test_the_contract_prints_the_same_rows() -> None:
    shown = {"any": "{way}", "zero": "{way}0", "never": ""}
    expected = {
        kind.value: (
            {shown[how].format(way=way) for way, how in ways(rule).items()} - {""},
            rule.may_overdraw,
            rule.is_play,
        )
        for kind, rule in RULES.items()
        if kind in GAME_EVENT_TYPES
    }
    printed = {
        name: (set(row.directions.split()), row.may_overdraw, row.token == "live")
        for name, row in printed_rows().items()
    }
    assert printed == expected
