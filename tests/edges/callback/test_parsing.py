"""Fields to movements: every format of the contract's section 1, and every row of its table."""

from datetime import UTC, datetime
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.edges.callback.decoding import Fields
from app.edges.callback.errors import FormatError
from app.edges.callback.parsing import (
    ASKED_CHARACTERS_MAX,
    read_movement,
    read_question,
    read_user_id,
    redacted_request,
)
from app.wallet.events import GAME_EVENT_TYPES, Direction, EventType
from app.wallet.movement import Key, KeyScope, Movement

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
DELIVERY = bytes(16)
BET = {
    "token": "tok-1",
    "userId": "4878",
    "gameId": "1037566",
    "eventId": "ev-1",
    "direction": "debit",
    "transactionId": "tx-1",
    "eventType": "BetPlacing",
    "amount": "100.50",
}
IDENTIFIERS = ["token", "userId", "eventId", "transactionId"]

TABLE = """
    BetPlacing debit                          | Win credit
    Lose credit, debit at 0                   | BetPlacingAbort credit
    BetPayedAbort debit                       | SportBetCancel debit
    Tip debit                                 | PromoWin credit, debit at 0
    technicalFix credit, debit                | DropAndWin credit, debit at 0
    PromoStreamersDebit debit                 | PromoStreamersCredit credit
    PromoStreamersBetPlacingAbort credit      | PromoStreamersBetPayedAbort debit
"""
"""The contract's section 3, its first two columns; what is not in it is a 400."""


def table() -> dict[tuple[str, str], str]:
    """For which amounts each event type and direction is legal: `any` or `0`."""
    legal: dict[tuple[str, str], str] = {}
    for row in TABLE.replace("|", "\n").strip().splitlines():
        event_type, _, directions = row.strip().partition(" ")
        for words in directions.split(","):
            direction, _, condition = words.strip().partition(" ")
            legal[event_type, direction] = "0" if condition else "any"
    return legal


def read(scope: KeyScope = KeyScope.TRANSACTION, /, **changes: str | None) -> Movement:
    texts = {name: text for name, text in (BET | changes).items() if text is not None}
    return read_movement(
        Fields(texts, texts.pop("extraData", None)),
        delivery=DELIVERY,
        key_scope=scope,
        received_at=NOW,
    )


def test_a_bet_is_understood() -> None:
    assert read(bonusCode="free-1", extraData="{}") == Movement(
        delivery=DELIVERY,
        key=Key("callback", "tx-1", ""),
        user_id="4878",
        event_type=EventType.BET_PLACING,
        direction=Direction.DEBIT,
        amount="100.50",
        received_at=NOW,
        token=sha256(b"tok-1").digest(),
        event_id="ev-1",
        game_id=1037566,
        bonus_code="free-1",
        extra_data="{}",
    )


def test_the_table_has_all_fourteen() -> None:
    assert {event_type for event_type, _ in table()} == set(GAME_EVENT_TYPES)


@pytest.mark.parametrize("amount", ["0", "0.00", "1", "0.00000001"])
@pytest.mark.parametrize("direction", list(Direction))
@pytest.mark.parametrize("event_type", list(EventType))
def test_an_event_type_goes_only_the_way_the_table_says(
    event_type: str, direction: str, amount: str
) -> None:
    legal = table().get((event_type, direction))
    if legal == "any" or (legal == "0" and not amount.strip("0.")):
        movement = read(eventType=event_type, direction=direction, amount=amount)
        assert (movement.event_type, movement.direction) == (event_type, direction)
    else:
        with pytest.raises(FormatError):
            read(eventType=event_type, direction=direction, amount=amount)


@pytest.mark.parametrize("name", BET)
def test_every_field_of_a_movement_must_be_there(name: str) -> None:
    with pytest.raises(FormatError, match=name):
        read(**{name: None})
    with pytest.raises(FormatError, match=name):
        read(**{name: ""})


@pytest.mark.parametrize("name", IDENTIFIERS)
@pytest.mark.parametrize("text", ["a", " ", "a b", "é/🎰", "'; --", "x" * 250, "🎰" * 250])
def test_an_id_is_any_text_of_1_to_250_characters(name: str, text: str) -> None:
    read(**{name: text})


@pytest.mark.parametrize("name", IDENTIFIERS)
@pytest.mark.parametrize(
    "text", ["x" * 251, "a\tb", "a\n", "\x1f", "\x7f", "\x80", "\x9f", "x" * 70_000]
)
def test_control_characters_and_longer_ids_are_refused(name: str, text: str) -> None:
    with pytest.raises(FormatError, match=name):
        read(**{name: text})


@pytest.mark.parametrize("game_id", ["0", "7", "007", "9" * 18])
def test_a_game_id_is_a_whole_number_of_up_to_18_digits(game_id: str) -> None:
    assert read(gameId=game_id).game_id == int(game_id)


@pytest.mark.parametrize(
    "game_id", ["9" * 19, "-1", "+1", "1.0", "1e3", " 1", "1 ", "0x1", "١", "x"]
)
def test_any_other_game_id_is_refused(game_id: str) -> None:
    with pytest.raises(FormatError, match="gameId"):
        read(gameId=game_id)


@pytest.mark.parametrize(
    "amount", ["0", "0.00", "100.50", "007", "9" * 18, f"{'9' * 18}.{'9' * 18}", "1.0"]
)
def test_an_amount_is_up_to_18_and_18_digits(amount: str) -> None:
    assert read(amount=amount).amount == amount


HOSTILE = {
    **{text: text for text in ["-1", "+1", "-0", "1e3", "1E400", "NaN", "Infinity", "-Infinity"]},
    **{text: text for text in [".5", "5.", ".", "1.2.3", "1,5", "1_000", "0x10", "1 000", "$1"]},
    "a space before": " 1",
    "a space after": "1 ",
    "a line break after": "1\n",
    "full-width digits": "１００",
    "arabic digits": "١٢٣",
    "a superscript": "1²",
    "19 digits": "1" * 19,
    "19 decimals": "1." + "1" * 19,
    "500 digits": "9" * 500,
    "60,000 digits": "9" * 60_000,
    "nothing": "",
}


@pytest.mark.parametrize("amount", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_number_is_refused(amount: str) -> None:
    with pytest.raises(FormatError, match="amount"):
        read(amount=amount)


@given(st.text(max_size=40) | st.from_regex(r"[0-9+\-.eE_, ]{0,25}", fullmatch=True))
def test_an_amount_is_read_exactly_or_refused(amount: str) -> None:
    try:
        movement = read(amount=amount)
    except FormatError:
        return
    whole, _, fraction = movement.amount.partition(".")
    assert movement.amount == amount
    assert amount.isascii()
    assert 1 <= len(whole) <= 18
    assert whole.isdigit()
    assert (fraction.isdigit() and len(fraction) <= 18) or "." not in amount


@pytest.mark.parametrize("event_type", ["betplacing", "BetPlacing ", "Deposit", "Bet", "Array"])
def test_an_unknown_event_type_is_refused(event_type: str) -> None:
    with pytest.raises(FormatError, match="eventType"):
        read(eventType=event_type)


@pytest.mark.parametrize("direction", ["Debit", "DEBIT", "debit ", "in", "Array"])
def test_an_unknown_direction_is_refused(direction: str) -> None:
    with pytest.raises(FormatError, match="direction"):
        read(direction=direction)


@pytest.mark.parametrize("extra", [None, "", " ", "{}", "not json", '{"a":', "x" * 60_000, "\x01"])
def test_extra_data_is_kept_as_sent_and_refuses_nothing(extra: str | None) -> None:
    assert read(extraData=extra).extra_data == extra


@pytest.mark.parametrize("code", [None, "", " ", "\t", "free-1", "x" * 250])
def test_a_bonus_code_may_be_absent_or_blank(code: str | None) -> None:
    assert read(bonusCode=code).bonus_code == code


@pytest.mark.parametrize("code", ["x" * 251, "a\tb"])
def test_a_bonus_code_that_is_not_blank_is_an_id(code: str) -> None:
    with pytest.raises(FormatError, match="bonusCode"):
        read(bonusCode=code)


@pytest.mark.parametrize("name", [*BET, "bonusCode"])
def test_an_array_is_no_text_even_where_its_text_would_do(name: str) -> None:
    fields = Fields(BET | {"bonusCode": "Array", "userId": "Array"}, None, frozenset(), {name})  # type: ignore[arg-type]  # a set is a set
    with pytest.raises(FormatError, match=name):
        read_movement(fields, delivery=DELIVERY, key_scope=KeyScope.TRANSACTION, received_at=NOW)


@pytest.mark.parametrize("name", [*BET, "bonusCode"])
def test_only_game_id_and_amount_may_be_numbers_in_json(name: str) -> None:
    fields = Fields(BET | {"bonusCode": "7"}, None, frozenset({name}))
    if name in {"gameId", "amount"}:
        read_movement(fields, delivery=DELIVERY, key_scope=KeyScope.TRANSACTION, received_at=NOW)
        return
    with pytest.raises(FormatError, match=name):
        read_movement(fields, delivery=DELIVERY, key_scope=KeyScope.TRANSACTION, received_at=NOW)


def test_unknown_fields_are_tolerated_whatever_they_are() -> None:
    fields = Fields(BET | {"x": "1", "y": "Array"}, None, frozenset({"x"}), frozenset({"y"}))
    read_movement(fields, delivery=DELIVERY, key_scope=KeyScope.TRANSACTION, received_at=NOW)


def test_the_key_is_the_transaction_id_alone_or_with_what_it_does() -> None:
    assert read().key.facet == ""
    assert read(KeyScope.TRANSACTION_EVENT).key.facet != ""
    zero = {"eventType": "PromoWin", "direction": "debit", "amount": "0"}
    assert read(**zero).key != read(**(zero | {"direction": "credit"})).key


@pytest.mark.parametrize("name", ["token", "userId"])
def test_a_question_needs_a_token_and_a_player(name: str) -> None:
    fields = Fields({"token": "tok-1", "userId": "4878"})
    assert read_question(fields) == ("4878", sha256(b"tok-1").digest())
    assert read_user_id(fields) == "4878"
    for text in ["", "x" * 251, "a\n"]:
        with pytest.raises(FormatError, match=name):
            read_question(Fields(fields.texts | {name: text}))
    with pytest.raises(FormatError, match=name):
        read_question(Fields({k: v for k, v in fields.texts.items() if k != name}))


def test_an_error_never_quotes_a_value() -> None:
    for name in BET:
        with pytest.raises(FormatError) as caught:
            read(**{name: "secret\x00secret"})
        assert "secret" not in str(caught.value)


@given(st.dictionaries(st.text(max_size=300), st.text(max_size=600)), st.text(max_size=6000))
def test_what_is_kept_of_a_refused_request_is_bounded_and_has_no_token(
    texts: dict[str, str], extra: str
) -> None:
    kept = redacted_request(Fields({**texts, "token": "the-token-itself"}, extra))
    assert len(kept) <= 6 * ASKED_CHARACTERS_MAX
    assert "the-token-itself" not in kept
