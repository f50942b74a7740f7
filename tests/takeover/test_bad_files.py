"""A file that is wrong is refused as a whole, with a sentence that names the line."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from app.takeover.importing import import_state
from app.takeover.staging import STAGED_AT_ONCE, BadFileError, BadLinesError, Request
from tests.cashier.till import Till
from tests.conftest import Database
from tests.takeover.conftest import (
    CURRENCIES,
    HEADER,
    SOMEBODY,
    Bring,
    bet,
    brought_in,
    decided,
    lines_of,
    player,
    token,
)

PAYMENT = {"kind": "payment", "user_id": "anna", "transaction_id": "w1", "event_id": "slip"}
DEPOSIT = {"event_type": "Deposit", "direction": "credit", "amount": "1"}

LINES: list[tuple[object, str | None]] = [
    (player(real="1,50"), 'must have real as a plain decimal such as "12.50"'),
    (player(bonus="-1"), 'must have bonus as a plain decimal such as "12.50"'),
    (player(real="1.005"), "has a balance that is finer than the minor unit of USD"),
    (player(real="9" * 18), None),
    (player(currency="EUR"), "must have currency, one of USD, JPY, BTC"),
    (player(nick="x"), "has nick, which a player does not have"),
    (player(nickname="x"), "has a nickname that is not of 3 to 64 characters"),
    (player(blocked="no"), "must have blocked as true or false"),
    (player(excluded_until="soon"), "must have excluded_until as a moment such as"),
    (player(limits={"deposit_day": "5"}), "has a limit deposit_day, and only stake_bet"),
    (player(limits={"stake_day": "5.001"}), "has stake_day finer than the minor unit of USD"),
    (player("a\nb"), "must have user_id, a text of 1 to 250 characters"),
    (player("\ud800"), "must have user_id, a text of 1 to 250 characters"),
    (player() | {"real": None}, 'must have real as a plain decimal such as "12.50"'),
    (bet("b1", "1.005"), "has an amount that is finer than the minor unit of USD"),
    (bet("b1", "9" * 18), "has balances and open bets that do not fit the digits of USD"),
    (bet("b1", "1", user_id="bora"), "is of a player who is not in the file"),
    (bet("b1", "1", game_id="x"), "must have game_id as a whole number"),
    (bet("b1", "1") | {"event_id": None}, "must have event_id, a text of 1 to 250 characters"),
    (PAYMENT | {"real": "0", "bonus": "0.00"}, "has nothing left to take back"),
    (PAYMENT | {"real": "1", "bonus": "0", "event_type": "Tip"}, "is a payment, and Tip is none"),
    (decided("d", door="transfer"), "must have event_type, direction and amount"),
    (decided("d", outcome="INSUFFICIENT_FUNDS"), "must have event_type, direction and amount"),
    (decided("d", outcome="DECIDED_ELSEWHERE"), "must have outcome, one of accepted"),
    (decided("d", **DEPOSIT), "cannot have the event type Deposit at the door callback"),
    (
        decided("d", event_type="Win", direction="debit", amount="1", event_id="e"),
        "has a debit of Win, which no wallet accepts",
    ),
    (decided("d", event_type="Adjustment"), "must have event_type, one of BetPlacing"),
    (token() | {"expires_at": None}, "must have expires_at, a moment such as"),
    (token() | {"token": None, "token_sha256": "00"}, "must have token_sha256 as 64"),
    (token(user_id="bora"), "is of a player who is not in the file"),
    ({"kind": "wish"}, "must have kind, one of player, bet, payment, decided, token, end"),
    ([1], "is no JSON object"),
]  # fmt: skip


@pytest.mark.parametrize(("record", "words"), LINES, ids=str)
async def test_a_line_that_is_wrong_is_named_and_nothing_is_written(
    bring: Bring, till: Till, record: object, words: str | None
) -> None:
    of_anna = [] if isinstance(record, dict) and record["kind"] == "player" else [player()]
    if words is None:
        await bring(*of_anna, record)
        return
    with pytest.raises(BadLinesError) as raised:
        await bring(*of_anna, record)
    ((line, said), *others) = raised.value.bad
    # What does not fit a balance is told of its player's line.
    at = 2 if words.startswith("has balances") else 2 + len(of_anna)
    assert (line, said[: len(words)], others) == (at, words, [])
    for table in ("players", "movements", "imports", "account_changes"):
        assert await till.count(table) == 0


@pytest.mark.parametrize(
    ("records", "line", "words"),
    [
        ((player(), player()), 3, "repeats the player of line 2"),
        ((player(), bet("b", "1"), bet("b", "1")), 4, "repeats the transaction id of line 3"),
        ((player(), decided("b"), bet("b", "1")), 4, "repeats the transaction id of line 3"),
        ((player(), token(), token()), 4, "repeats the token of line 3"),
    ],
)
async def test_what_stands_twice_in_a_file_is_named(
    bring: Bring, records: tuple[object, ...], line: int, words: str
) -> None:
    with pytest.raises(BadLinesError) as raised:
        await bring(*records)
    assert raised.value.bad == [(line, words)]


async def test_what_the_ledger_has_already_is_named(bring: Bring, till: Till) -> None:
    await till.player("bora", "10")
    await till.one(till.bet("bora", transaction_id="b1"))
    with pytest.raises(BadLinesError) as raised:
        await bring(player(), player("bora"), bet("b1", "1"))
    assert raised.value.bad == [
        (3, "opens an account that this ledger has already"),
        (4, "has a transaction id that this ledger has decided already"),
    ]


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (HEADER | {"version": 2}, "has the version 2; this wallet reads version 1"),
        (HEADER | {"agent": "other"}, "names the agent other, who is not in WALLET_AGENTS"),
        (
            HEADER | {"currencies": {"XYZ": 2}},
            "names the currency XYZ: add it to WALLET_CURRENCIES",
        ),
        (HEADER | {"currencies": {"USD": 3}}, "says that USD has 3 decimals, and here it has 2"),
        (HEADER | {"currencies": {"usd": 2}}, 'must have currencies as {"USD": 2}'),
        (HEADER | {"currencies": {"USD": 1.5}}, 'must have currencies as {"USD": 2}'),
        (HEADER | {"format": "dump"}, "must have format, one of wallet-state"),
        (player(), "must be the header"),
    ],
    ids=str,
)
async def test_a_header_that_does_not_fit_is_named(
    bring: Bring, header: dict[str, Any], words: str
) -> None:
    with pytest.raises(BadLinesError) as raised:
        await bring(lines_of(player(), header=header))
    ((line, said),) = raised.value.bad
    assert (line, said[: len(words)]) == (1, words)


async def test_a_file_that_was_cut_is_not_imported(bring: Bring, till: Till) -> None:
    whole = lines_of(player(), bet("b1", "1"))
    cut = whole.rsplit("\n", 2)[0]
    with pytest.raises(BadLinesError) as raised:
        await bring(cut)
    ((line, words),) = raised.value.bad
    assert (line, words[:15]) == (4, "must be the end")
    lying = lines_of(player()).replace('"lines": 2', '"lines": 3')
    with pytest.raises(BadLinesError) as raised:
        await bring(lying)
    assert raised.value.bad == [(3, "says that 3 lines stand before it, not 2")]
    with pytest.raises(BadLinesError) as raised:
        await bring(whole + json.dumps(player("late")) + "\n")
    assert raised.value.bad == [(5, "stands after the end")]
    with pytest.raises(BadFileError, match="empty"):
        await bring("")
    assert await till.count("players") == 0


async def test_every_line_that_is_wrong_is_counted(bring: Bring) -> None:
    with pytest.raises(BadLinesError) as raised:
        await bring(player(), *({"kind": "wish"} for _ in range(1200)))
    assert (raised.value.count, len(raised.value.bad)) == (1200, 1000)


async def test_a_number_is_read_with_the_digits_it_was_written_with(
    bring: Bring, till: Till
) -> None:
    exact = lines_of(player()).replace('"100.00"', "999999999999999999.99")
    await bring(exact)
    ((real,),) = await till.rows("SELECT real::text FROM wallets")
    assert real == "999999999999999999.99000000"


async def test_a_packed_file_is_the_same_file(db: Database, tmp_path: Path) -> None:
    text = lines_of(player()).encode()
    plain, packed = tmp_path / "a.jsonl", tmp_path / "a.jsonl.gz"
    plain.write_bytes(text)
    packed.write_bytes(gzip.compress(text))
    first = await brought_in(db.service_url, packed, dry_run=True)
    second = await brought_in(db.service_url, plain, dry_run=True)
    assert first.digest == second.digest
    packed.write_bytes(gzip.compress(text)[:-9])
    with pytest.raises(BadFileError, match="ends in the middle"):
        await brought_in(db.service_url, packed)


@pytest.mark.parametrize("place", [0.3, 0.5, 0.8])
async def test_a_packed_file_that_is_damaged_is_refused(
    db: Database, tmp_path: Path, place: float
) -> None:
    whole = bytearray(gzip.compress(lines_of(*(player(f"p-{n}") for n in range(50))).encode()))
    at = int(len(whole) * place)
    whole[at : at + 20] = bytes(20)
    damaged = tmp_path / "a.jsonl.gz"
    damaged.write_bytes(whole)
    with pytest.raises(BadFileError, match=r"damaged|fetch it again"):
        await brought_in(db.service_url, damaged)


async def test_a_file_that_is_changed_while_it_is_read_is_refused(
    db: Database, till: Till, tmp_path: Path
) -> None:
    path = tmp_path / "a.jsonl"
    many = STAGED_AT_ONCE + 1000
    path.write_text(lines_of(*(player(f"p-{n}") for n in range(many))), encoding="utf-8")

    def change(what: str, _done: int, _of: int) -> None:
        if what == "reading":
            path.write_text(lines_of(player("p-0", "999")), encoding="utf-8")

    request = Request(path, frozenset(), CURRENCIES, SOMEBODY, is_dry_run=False, progress=change)
    with pytest.raises(BadFileError, match="was changed while it was read"):
        await import_state(db.service_url, request)
    assert await till.count("players") == 0


async def test_nothing_comes_in_before_an_upgrade_is_finished(bring: Bring, till: Till) -> None:
    await till.rows("UPDATE decision_settings SET rule_version = 1")
    with pytest.raises(BadFileError, match="wallet migrate --finish"):
        await bring(player())
