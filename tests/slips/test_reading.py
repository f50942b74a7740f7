"""Reading a slip: every digit is kept; any text at all is read, passed over, or named as broken."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.slips.reading import read_slip
from app.wallet.slips import LEGS_MAX, Betslip, SlipFault, SlipShape, SlipText
from tests.slips.slip_texts import betslip, leg, settled


def slip_of(text: str) -> Betslip:
    read = read_slip(text)
    assert isinstance(read, SlipText), read
    assert read.betslip is not None
    return read.betslip


def test_a_slip_is_read_with_its_legs() -> None:
    slip = slip_of(
        betslip(
            kind="2/3",
            legs=[leg(1, scheduled=1_795_000_000), leg(2, live=True), leg(3)],
            odds="8.123",
        )
    )
    assert (slip.slip_id, slip.wins_needed, slip.picks) == ("slip-1", 2, 3)
    assert (slip.total, slip.total_odds) == ("1000", "8.123")
    assert [each.event_id for each in slip.legs] == ["match-1", "match-2", "match-3"]
    assert [each.is_live for each in slip.legs] == [False, True, False]
    assert slip.legs[0].competitors == "Home – Away"
    assert str(slip.legs[0].scheduled_at) == "2026-11-18 11:06:40+00:00"


@pytest.mark.parametrize("odds", ["1.85", "1.850000000000000001", "123456789012345678"])
def test_odds_keep_every_digit_as_text_and_as_number(odds: str) -> None:
    as_text = betslip(legs=[leg(odds=odds)])
    as_number = as_text.replace(f'"{odds}"', odds)
    assert as_number != as_text
    assert slip_of(as_text).legs[0].odds == slip_of(as_number).legs[0].odds == odds


def test_the_older_shape_is_read() -> None:
    placed = slip_of('{"status": "accepted", "placedBetId": 77}')
    assert (placed.shape, placed.slip_id, placed.legs) == (SlipShape.SHORT, "77", ())
    read = read_slip('{"status": "settled", "placedBetId": 77, "result": "half_win"}')
    assert isinstance(read, SlipText)
    assert read.settlement is not None
    assert (read.settlement.slip_id, read.settlement.said) == ("77", "half_win")


def test_a_settlement_is_read() -> None:
    read = read_slip(settled("win", "slip-9", {"leg-1": "won"}, is_cashout=True))
    assert isinstance(read, SlipText)
    assert read.betslip is None
    assert read.settlement is not None
    assert (read.settlement.slip_id, read.settlement.is_cash_out) == ("slip-9", True)
    assert [(pick.leg_id, pick.result) for pick in read.settlement.picks] == [("leg-1", "won")]


@pytest.mark.parametrize("text", [None, "", "{}", "no", "[1]", '{"gameName": "betting"}', "null"])
def test_what_is_not_about_a_slip_is_passed_over(text: str | None) -> None:
    assert read_slip(text) is None


DEEP = 100_000


BROKEN = {
    "cut off": ('{"betslip"', SlipFault.NOT_JSON),
    "a bare word": ("betslip", SlipFault.NOT_JSON),
    "something after it": (betslip() + "x", SlipFault.NOT_JSON),
    "half a surrogate pair": (betslip(slip_id="a").replace('"a"', r'"\ud800"'), SlipFault.NOT_JSON),
    "NaN": (betslip(odds=1).replace(": 1,", ": NaN,"), SlipFault.NOT_JSON),
    "a deep list for a slip": (
        '{"betslip": ' + "[" * DEEP + "]" * DEEP + "}",
        SlipFault.WRONG_TYPE,
    ),
    "a deep list for an id": (
        '{"betslip": {"id": ' + "[" * DEEP + "]" * DEEP + "}}",
        SlipFault.TOO_DEEP,
    ),
    "a deep object elsewhere": (
        '{"x": ' + '{"betslip":' * DEEP + "1" + "}" * DEEP + "}",
        SlipFault.TOO_DEEP,
    ),
    "text for a slip": ('{"betslip": "text"}', SlipFault.WRONG_TYPE),
    "an object for legs": ('{"betslip": {"bets": {"1": {}}}}', SlipFault.WRONG_TYPE),
    "a list for a name": (betslip(legs=[leg(sport_name=["a"])]), SlipFault.WRONG_TYPE),
    "neither yes nor no": (betslip(legs=[leg(live="maybe")]), SlipFault.WRONG_TYPE),
    "numbers for selections": ('{"selections": [1, 2]}', SlipFault.WRONG_TYPE),
    "a list for it all": ('["betslip"]', SlipFault.WRONG_TYPE),
    "NUL": (betslip(legs=[leg(outcome_name="a\0b")]), SlipFault.BAD_TEXT),
    "1e400": (betslip(odds=1).replace('"k": 1,', '"k": 1e400,'), SlipFault.BAD_NUMBER),
    "a comma for a point": (betslip(odds="1,85"), SlipFault.BAD_NUMBER),
    "digits of another script": (betslip(odds="１.５"), SlipFault.BAD_NUMBER),
    "a negative number": (betslip(odds=-1), SlipFault.BAD_NUMBER),
    "yes for a number": (betslip(odds=True), SlipFault.BAD_NUMBER),
    "a number of 400 digits": (betslip(total=10**400), SlipFault.BAD_NUMBER),
    "k above n": (betslip(kind="3/2"), SlipFault.BAD_NUMBER),
    "an id of 5000 digits": (betslip(slip_id="s").replace('"s"', "9" * 5000), SlipFault.WRONG_TYPE),
    "the year 318857": (betslip(legs=[leg(scheduled=10**13)]), SlipFault.BAD_TIME),
    "words for a time": (betslip(legs=[leg(scheduled="soon")]), SlipFault.BAD_TIME),
    "10 000 legs": (betslip(legs=[leg(n) for n in range(10_000)]), SlipFault.TOO_MANY_LEGS),
}


@pytest.mark.parametrize(("text", "fault"), BROKEN.values(), ids=BROKEN.keys())
def test_what_cannot_be_read_is_named(text: str, fault: SlipFault) -> None:
    assert read_slip(text) is fault


def test_as_many_legs_as_allowed_are_read() -> None:
    slip = slip_of(betslip(kind="100/100", legs=[leg(n) for n in range(LEGS_MAX)]))
    assert len(slip.legs) == LEGS_MAX


def test_of_a_name_given_twice_the_last_value_counts() -> None:
    assert slip_of('{"betslip": {"id": "a", "id": "b"}}').slip_id == "b"


def test_a_name_beyond_all_measure_is_cut() -> None:
    assert slip_of(betslip(legs=[leg(outcome_name="x" * 10_000)])).legs[0].outcome == "x" * 250


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["1.85", "won", "1/1", "\ud800", "\0"]),
    lambda children: (
        st.lists(children, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["betslip", "bets", "id", "odds", "selections", "transaction", "type", "k"]
            ),
            children,
            max_size=4,
        )
    ),
    max_leaves=25,
)


@given(values)
def test_no_text_breaks_the_reading(value: object) -> None:
    text = json.dumps({"betslip": value, "selections": value, "transaction": value})
    assert isinstance(read_slip(text), SlipText | SlipFault | None)


@given(st.text(max_size=40))
def test_nor_does_a_text_that_is_no_json(text: str) -> None:
    assert isinstance(read_slip(f"{text}betslip{text}"), SlipFault)
