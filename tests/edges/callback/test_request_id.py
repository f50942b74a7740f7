"""Every answer has a Request-Id, under which its log line and its rows are found."""

import json
from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from tests.edges.callback.house import House, Reply, Seat

MOVE = "/moveFunds"


@pytest.fixture
def seat(house: House) -> Seat:
    return house.seat("90.00")


def request_id(reply: Reply) -> str:
    """The Request-Id of an answer, which has exactly one."""
    (name,) = reply.headers.get_list("request-id")
    assert len(bytes.fromhex(name)) == 16
    assert name == name.lower()
    return name


def calls(house: House, seat: Seat) -> dict[str, Callable[[], Reply]]:
    """Every kind of answer of this contract."""
    bet = house.fields(seat, "BetPlacing", "1.00")
    asked = {"token": seat.token, "userId": seat.user_id}
    return {
        "accepted": lambda: house.form(bet),
        "repeated": lambda: house.form(bet),
        "refused for ever": lambda: house.move(seat, "BetPlacing", "1000.00"),
        "refused for now": lambda: house.move(seat, "Win", "1.00", eventId="unknown"),
        "ill-formed": lambda: house.form({**bet, "amount": "x"}),
        "not signed": lambda: house.form(bet, key="another"),
        "not readable": lambda: house.call("POST", MOVE, body=b"a=%ff"),
        "too large": lambda: house.call("POST", MOVE, body=b"x" * 270_000),
        "a balance": lambda: house.get("/getBalance", **asked),
        "a player": lambda: house.get("/playerDetails", **asked),
        "a session": lambda: house.get("/sessionCheck", **asked),
        "no session": lambda: house.get("/sessionCheck", **{**asked, "token": "nobody's"}),
        "a token": lambda: house.get("/getUserToken", userId=seat.user_id),
        "a notice": lambda: house.json(
            '{"status":"test"}', {"status": "test"}, path="/notification/maintenance"
        ),
        "another method": lambda: house.call("GET", MOVE),
        "no such path": lambda: house.call("GET", "/nowhere"),
    }


def test_every_answer_has_a_name_of_its_own_that_its_log_line_has_too(
    house: House, seat: Seat
) -> None:
    names = set()
    for kind, call in calls(house, seat).items():
        with capture_logs() as lines:
            name = request_id(call())
        assert lines, kind
        assert {line["delivery"] for line in lines} == {name}, kind
        names.add(name)
    assert len(names) == len(calls(house, seat))


def test_a_movement_is_in_the_journal_under_the_name_on_its_answer(
    house: House, seat: Seat
) -> None:
    names = [
        request_id(house.move(seat, "BetPlacing", "1.00")),
        request_id(house.move(seat, "BetPlacing", "1000.00")),
    ]
    assert [row["delivery"].hex for row in house.journal(seat)] == names


def test_a_refusal_is_kept_under_the_name_on_its_answer(house: House, seat: Seat) -> None:
    names = [
        request_id(house.move(seat, "Win", "1.00", eventId="unknown")),
        request_id(house.move(seat, "Win", "x")),
        request_id(house.get("/getBalance", token="?", userId=seat.user_id)),
    ]
    assert [row["delivery"].hex for row in house.refusals(seat)] == names


def test_an_unknown_path_is_told_in_the_contract_s_shape(house: House) -> None:
    for path in ("/nowhere", "/docs/", "/pages/nowhere.js", "/pages/", "/pages/..%2froutes.py"):
        reply = house.call("GET", path)
        assert reply.status == 404, path
        assert reply.headers["content-type"] == "application/json"
        assert json.loads(reply.body) == {
            "status": False,
            "errors": {"code": 400, "error": "not found"},
        }
        request_id(reply)
