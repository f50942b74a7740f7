"""The log of the callback API: one line for each decided movement, alarms, never a secret."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.edges.callback.house import KEY, NEXT_KEY, House, Reply, Seat

Line = dict[str, Any]


def heard(call: Callable[[], Reply]) -> list[Line]:
    with capture_logs() as lines:
        call()
    return [dict(line) for line in lines]


@pytest.fixture
def seat(house: House) -> Seat:
    return house.seat("90.00")


def test_a_decided_movement_is_one_line(house: House, seat: Seat) -> None:
    fields = house.fields(seat, "BetPlacing", "10.00")
    (line,) = heard(lambda: house.form(fields))
    assert line.pop("delivery") == house.journal(seat)[0]["delivery"].hex
    assert line == {
        "event": "movement",
        "log_level": "info",
        "transaction_id": fields["transactionId"],
        "event_type": "BetPlacing",
        "direction": "debit",
        "amount": "10.00",
        "user_id": seat.user_id,
        "event_id": "event-1",
        "code": 0,
        "balance": "80.00",
        "receipt": "Posting",
    }


def test_a_406_on_a_credit_is_an_alarm(house: House, seat: Seat) -> None:
    lines = heard(lambda: house.move(seat, "Win", "10.00"))
    assert [(line["event"], line["log_level"]) for line in lines] == [
        ("movement", "info"),
        ("alarm", "error"),
    ]
    assert lines[1]["alarm"] == "credit without a matching movement"
    assert lines[1]["amount"] == "10.00"


def test_a_406_on_a_debit_is_none(house: House, seat: Seat) -> None:
    assert len(heard(lambda: house.move(seat, "BetPayedAbort", "10.00"))) == 1


@pytest.mark.parametrize(
    ("changes", "field"), [({"amount": "9.00"}, "amount"), ({"eventType": "Tip"}, "eventType")]
)
def test_a_repeat_with_other_content_is_an_alarm_that_names_the_field(
    house: House, seat: Seat, changes: dict[str, str], field: str
) -> None:
    bet = house.fields(seat, "BetPlacing", "10.00")
    house.form(bet)
    lines = heard(lambda: house.form({**bet, **changes}))
    assert lines[1]["alarm"] == "repeat with other content"
    assert lines[1]["differs"] == field
    # Of a refused movement, too.
    refused = house.fields(seat, "BetPlacing", "500.00")
    house.form(refused)
    assert heard(lambda: house.form({**refused, **changes}))[1]["differs"] == field


def test_a_plain_repeat_is_none(house: House, seat: Seat) -> None:
    bet = house.fields(seat, "BetPlacing", "10.00")
    house.form(bet)
    (line,) = heard(lambda: house.form(bet))
    assert (line["code"], line["receipt"]) == (409, "Replay")


def test_a_flagged_movement_is_an_alarm(house: House, seat: Seat) -> None:
    lines = heard(lambda: house.move(seat, "SportBetCancel", "10.00"))
    assert lines[1]["flags"] == ["event_unknown", "remainder"]


def test_a_stranger_is_a_security_line(house: House, seat: Seat) -> None:
    bet = house.fields(seat, "BetPlacing", "10.00")
    (line,) = heard(lambda: house.form(bet, key="another"))
    assert len(bytes.fromhex(line.pop("delivery"))) == 16
    assert line == {
        "event": "security",
        "log_level": "warning",
        "operation": "moveFunds",
        "reason": "The signature does not fit any of our keys.",
        "caller": "127.0.0.1",
    }


def test_no_line_has_a_token_a_key_or_a_signature(house: House, seat: Seat) -> None:
    bet = house.fields(seat, "BetPlacing", "10.00")
    asked = {"token": seat.token, "userId": seat.user_id}
    calls: list[Callable[[], Reply]] = [
        lambda: house.form(bet),
        lambda: house.form(bet),
        lambda: house.form({**bet, "amount": "x"}),
        lambda: house.form({**bet, "amount": "1"}),
        lambda: house.form(bet, key="another"),
        lambda: house.get("/sessionCheck", **asked),
        lambda: house.get("/sessionCheck", **{**asked, "userId": "nobody"}),
        lambda: house.get("/sessionCheck", **{**asked, "userId": "\n"}),
        lambda: house.call("POST", "/moveFunds", body=f"token={seat.token}&a=%ff".encode()),
        lambda: house.call("GET", "/moveFunds", query=f"token={seat.token}"),
    ]
    written = "".join(json.dumps(heard(call), default=str) for call in calls)
    assert seat.user_id in written
    for secret in (seat.token, KEY, NEXT_KEY):
        assert secret not in written


def test_a_credit_of_an_unknown_type_is_an_alarm_and_counted(house: House, seat: Seat) -> None:
    fields = house.fields(seat, "Win", "10.00", eventType="Cancel")
    lines = heard(lambda: house.form(fields))
    assert [line["event"] for line in lines] == ["alarm", "refused"]
    assert lines[0]["alarm"] == "credit of an unknown event type"
    assert (lines[0]["event_type"], lines[0]["amount"]) == ("Cancel", "10.00")
    debit = house.fields(seat, "BetPlacing", "10.00", eventType="Cancel")
    assert [line["event"] for line in heard(lambda: house.form(debit))] == ["refused"]


def test_a_credit_under_a_bet_s_id_is_an_alarm_that_names_the_way_out(
    house: House, seat: Seat
) -> None:
    bet = house.fields(seat, "BetPlacing", "10.00")
    house.form(bet)
    win = {**bet, "eventType": "Win", "direction": "credit"}
    lines = heard(lambda: house.form(win))
    assert lines[1]["alarm"] == "credit under the id of another event type"
    assert "wallet scope widen" in lines[1]["hint"]


def test_an_overtaken_bet_is_an_alarm_that_names_the_abort(house: House, seat: Seat) -> None:
    abort = house.fields(seat, "BetPlacingAbort", "10.00")
    house.form(abort)
    lines = heard(lambda: house.move(seat, "BetPlacing", "10.00"))
    assert lines[1]["alarm"] == "bet refused because its abort came first"
    assert lines[1]["abort"] == abort["transactionId"]


@pytest.mark.parametrize(
    ("event_type", "amount", "code", "balance"),
    [
        ("BetPlacing", "90.01", 402, "90.00"),
        ("BetPayedAbort", "1.00", 406, "90.00"),
        ("BetPlacing", "0.001", 400, None),
    ],
)
def test_a_refusal_s_line_has_the_balance_that_its_answer_tells(
    house: House, seat: Seat, event_type: str, amount: str, code: int, balance: str | None
) -> None:
    with capture_logs() as lines:
        reply = house.move(seat, event_type, amount)
    assert (lines[0]["code"], lines[0]["balance"]) == (code, balance)
    assert (reply.code, reply.balance) == (code, balance)


def test_a_repeat_s_line_has_the_balance_of_now(house: House, seat: Seat) -> None:
    bet = house.fields(seat, "BetPlacing", "10.00")
    house.form(bet)
    house.deposit(seat, "5.00")
    (line,) = heard(lambda: house.form(bet))
    assert (line["code"], line["balance"]) == (409, "85.00")


@pytest.mark.parametrize(
    ("path", "balance"),
    [
        ("/sessionCheck", None),
        ("/playerDetails", "90.00"),
        ("/getBalance", "90.00"),
        ("/getUserToken", "90.00"),
    ],
)
def test_a_question_is_one_line_with_the_balance_it_was_told(
    house: House, seat: Seat, path: str, balance: str | None
) -> None:
    asked = {"userId": seat.user_id}
    if path != "/getUserToken":
        asked["token"] = seat.token
    (line,) = heard(lambda: house.get(path, **asked))
    assert len(bytes.fromhex(line.pop("delivery"))) == 16
    assert line == {
        "event": "answered",
        "log_level": "info",
        "operation": path.removeprefix("/"),
        "code": 0,
        "user_id": seat.user_id,
        **({} if balance is None else {"balance": balance}),
    }


def test_the_limit_that_refused_a_bet_is_in_its_line_with_what_is_left_of_it(
    house: House, seat: Seat
) -> None:
    house.move(seat, "BetPlacing", "7.50")
    house.limit(seat, "stake_week", 10_00)
    (line,) = heard(lambda: house.move(seat, "BetPlacing", "5.00"))
    assert (line["code"], line["balance"]) == (456, None)
    told = {name: value for name, value in line.items() if name.startswith("limit")}
    assert told == {
        "limit": "stake_week",
        "limit_amount": "10.00",
        "limit_used": "7.50",
        "limit_left": "2.50",
    }
    (line,) = heard(lambda: house.move(seat, "BetPlacing", "2.50"))
    assert not [name for name in line if name.startswith("limit")]
