"""Receipts to bytes: codes, balances, and the answers to repeats."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.cashier.players import IssuedToken
from app.edges.callback.answers import (
    CODES,
    DUPLICATE_WORDS,
    DuplicateReply,
    answer_to,
    balance_shown,
    first_answer,
    not_understood,
    player_shown,
    refused,
    token_shown,
)
from app.ledger.players import Player
from app.wallet.balance import EMPTY, Pockets
from app.wallet.events import Direction, EventType, HouseAccount
from app.wallet.journal import JournalEntry
from app.wallet.money import Currency
from app.wallet.movement import Key
from app.wallet.outcomes import Declined, Posting, Refused, Replay
from app.wallet.refusals import Refusal

USD, KRW, BTC = Currency("USD", 2), Currency("KRW", 0), Currency("BTC", 8)
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
CONFLICT, REPLAY = DuplicateReply

CONTRACT = {
    Refusal.PLAYER_UNKNOWN: (404, False),
    Refusal.ACCOUNT_OF_ANOTHER_AGENT: (400, False),
    Refusal.AMOUNT_TOO_FINE: (400, False),
    Refusal.EVENT_TYPE_DIFFERS: (400, False),
    Refusal.MOVEMENT_DIFFERS: (409, True),
    Refusal.DECIDED_ELSEWHERE: (409, True),
    Refusal.TOKEN_UNKNOWN: (417, False),
    Refusal.TOKEN_EXPIRED: (410, False),
    Refusal.PLAYER_BLOCKED: (405, False),
    Refusal.NO_MATCHING_MOVEMENT: (406, True),
    Refusal.ALREADY_GIVEN_BACK: (409, True),
    Refusal.BET_OVERTAKEN: (400, False),
    Refusal.LIMIT_EXCEEDED: (456, False),
    Refusal.INSUFFICIENT_FUNDS: (402, True),
    Refusal.BALANCE_TOO_LARGE: (400, False),
    Refusal.DEPOSIT_LIMIT: (400, False),
    Refusal.DEPOSIT_CHECK: (400, False),
    Refusal.CURRENCY_DIFFERS: (400, False),
    Refusal.BET_DISCARDED: (400, False),
    Refusal.HOLD_UNKNOWN: (400, False),
    Refusal.HOLD_CLOSED: (400, False),
    Refusal.LIMIT_NOT_ASKED: (400, False),
    Refusal.LIMIT_TOO_EARLY: (400, False),
    Refusal.EXCLUSION_RUNS: (400, False),
    Refusal.UPGRADE_UNFINISHED: (400, False),
}
"""Each refusal's code, and whether the code carries the balance."""


def entry(refusal: Refusal | None = None) -> JournalEntry:
    after = Pockets(9950, 50)
    delta = EMPTY if refusal else Pockets(-50, 0)
    return JournalEntry(
        player_id=1,
        position=1,
        version=1,
        key=Key("callback", "tx-1", ""),
        delivery=bytes(16),
        event_type=EventType.BET_PLACING,
        direction=Direction.DEBIT,
        refusal=refusal,
        amount=50,
        currency=USD,
        before=after.minus(delta),
        delta=delta,
        contra=HouseAccount.GAMES,
        event_id="ev-1",
        game_id=1,
        bonus_code=None,
        extra_data=None,
        reverses=(),
        flags=(),
        event_time=NOW,
        ledger_time=NOW,
        chain=bytes(32),
    )


def replay(of: JournalEntry, *, is_own: bool = False) -> Replay:
    return Replay(of, is_own, Pockets(100, 0), USD, None)


def test_every_refusal_has_the_contract_s_code() -> None:
    assert {refusal: code for refusal, (code, _) in CONTRACT.items()} == CODES


@pytest.mark.parametrize("refusal", Refusal)
def test_a_refusal_carries_the_balance_where_its_code_does(refusal: Refusal) -> None:
    code, carries = CONTRACT[refusal]
    said = json.loads(refused(refusal, Pockets(100, 5), USD).body, parse_float=str)
    assert said["status"] is False
    words = DUPLICATE_WORDS if refusal is Refusal.DECIDED_ELSEWHERE else refusal.value
    assert said["errors"] == {"code": code, "error": words}
    assert said.get("balance") == ("1.05" if carries else None)
    assert answer_to(Refused(refusal, Pockets(100, 5), USD), CONFLICT).code == code


def test_an_unknown_player_has_no_balance_to_show() -> None:
    assert answer_to(Refused(Refusal.PLAYER_UNKNOWN), CONFLICT).body == (
        b'{"status":false,"errors":{"code":404,"error":"no such player"}}'
    )


def test_an_accepted_movement_is_told_the_balance_it_left() -> None:
    assert answer_to(Posting(entry()), CONFLICT).body == (
        b'{"status":true,"balance":100.00,"realBalance":99.50,"bonusBalance":0.50}'
    )


@pytest.mark.parametrize(
    ("pockets", "currency", "balance", "real", "bonus"),
    [
        (EMPTY, USD, "0.00", "0.00", "0.00"),
        (EMPTY, KRW, "0", "0", "0"),
        (EMPTY, BTC, "0.00000000", "0.00000000", "0.00000000"),
        (Pockets(12400155, 0), USD, "124001.55", "124001.55", "0.00"),
        (Pockets(10**20 - 1, 0), USD, "999999999999999999.99", "999999999999999999.99", "0.00"),
        (
            Pockets(10**20 - 1, 0),
            BTC,
            "999999999999.99999999",
            "999999999999.99999999",
            "0.00000000",
        ),
        (Pockets(-5, 3), USD, "-0.02", "-0.05", "0.03"),
        (Pockets(1, 1), BTC, "0.00000002", "0.00000001", "0.00000001"),
    ],
)
def test_balances_are_exact_numbers_at_the_currency_s_scale(
    pockets: Pockets, currency: Currency, balance: str, real: str, bonus: str
) -> None:
    assert balance_shown(pockets, currency).body.decode() == (
        f'{{"status":true,"balance":{balance},"realBalance":{real},"bonusBalance":{bonus}}}'
    )


amounts = st.integers(-(10**26), 10**26)


@given(amounts, amounts, st.sampled_from([USD, KRW, BTC]))
def test_no_digit_of_a_balance_is_lost(real: int, bonus: int, currency: Currency) -> None:
    body = balance_shown(Pockets(real, bonus), currency).body
    said = json.loads(body, parse_float=Decimal, parse_int=Decimal)
    unit = Decimal(1).scaleb(-currency.scale)
    for name, minor in {
        "balance": real + bonus,
        "realBalance": real,
        "bonusBalance": bonus,
    }.items():
        assert int(said[name] / unit) == minor
        assert f'"{name}":{said[name]:f}'.encode() in body
        assert said[name].as_tuple().exponent == -currency.scale


def test_a_repeat_hears_409_with_the_current_balance() -> None:
    assert answer_to(replay(entry()), CONFLICT).body == (
        b'{"status":false,"balance":1.00,'
        b'"errors":{"code":409,"error":"the transactionId was processed already"}}'
    )


def test_in_replay_mode_a_repeat_hears_the_first_bytes() -> None:
    for written in [entry(), *(entry(r) for r in Refusal if r.is_final)]:
        if not written.is_decided_elsewhere:
            assert answer_to(replay(written), REPLAY) == first_answer(written)


def test_what_another_wallet_decided_is_a_repeat_whatever_a_repeat_hears() -> None:
    """Its first answer is not known here."""
    for mode in DuplicateReply:
        answer = answer_to(replay(entry(Refusal.DECIDED_ELSEWHERE)), mode)
        assert answer == answer_to(replay(entry()), CONFLICT)


@pytest.mark.parametrize("mode", DuplicateReply)
def test_a_delivery_that_finds_its_own_entry_hears_the_first_answer(mode: DuplicateReply) -> None:
    for written in [entry(), *(entry(r) for r in Refusal if r.is_final)]:
        assert answer_to(replay(written, is_own=True), mode) == first_answer(written)


@pytest.mark.parametrize("refusal", [r for r in Refusal if r.is_final])
def test_a_remembered_refusal_is_told_again_with_the_current_balance(refusal: Refusal) -> None:
    first = answer_to(Declined(entry(refusal), refusal), CONFLICT)
    assert first == first_answer(entry(refusal))
    again = answer_to(replay(entry(refusal)), CONFLICT)
    assert again == refused(refusal, Pockets(100, 0), USD)
    assert again.code == first.code


def test_what_has_no_code_of_its_own_is_400() -> None:
    answer = not_understood("amount is missing", status=413)
    assert (answer.status, answer.code) == (413, 400)
    assert answer.body == b'{"status":false,"errors":{"code":400,"error":"amount is missing"}}'


PLAYER = Player(
    player_id=1,
    user_id="4878",
    agent="house",
    currency=USD,
    pockets=Pockets(12400155, 45),
    nickname='Jos"é',
    language="en",
    email=None,
    first_name=None,
    last_name=None,
    is_blocked=False,
    now=NOW,
    token_expires_at=None,
)


def test_a_player_is_shown_without_what_is_not_known_of_him() -> None:
    assert player_shown(PLAYER).body.decode() == (
        '{"status":true,"userId":"4878","balance":124002.00,"realBalance":124001.55,'
        '"bonusBalance":0.45,"nickname":"Jos\\"é","currency":"USD","language":"en"}'
    )
    known = PLAYER._replace(email="j@example.org", first_name="J", last_name="B")
    assert json.loads(player_shown(known).body) == {
        **json.loads(player_shown(PLAYER).body),
        "email": "j@example.org",
        "firstName": "J",
        "lastName": "B",
    }


def test_a_token_is_shown_with_the_balance() -> None:
    issued = IssuedToken("fresh", NOW + timedelta(days=1), PLAYER)
    assert token_shown(issued).body == (
        b'{"status":true,"userId":"4878","token":"fresh","balance":124002.00}'
    )
