"""An answer is exactly right, or its difference is named."""

import pytest

from app.simulator.answer import UnreadableError, Whom, read_answer, wrong_in
from app.simulator.expected import Expected, Printed, refused
from app.simulator.http import Reply

WHOM = Whom("u1", "USD")
PRINTED = Printed("12.50", "10.00", "2.50")
FUNDS = Expected("funds", 0, PRINTED)


def wrong(body: str, expected: Expected, http: int = 200) -> str:
    return "; ".join(wrong_in(read_answer(Reply(http, body.encode())), expected, WHOM))


RIGHT = '{"status": true, "balance": 12.50, "realBalance": 10.00, "bonusBalance": 2.50}'


def test_the_right_answer_is_right() -> None:
    assert wrong(RIGHT, FUNDS) == ""


@pytest.mark.parametrize(
    ("said", "instead", "named"),
    [
        ("12.50", "12.5", "balance 12.5 instead of 12.50"),
        ("12.50", '"12.50"', "balance is no number"),
        ("12.50", "1250e-2", "balance 1250e-2 instead of 12.50"),
        ("10.00", "10.01", "realBalance 10.01 instead of 10.00"),
        ('"bonusBalance": 2.50', '"bonus": 2.50', "bonusBalance is missing"),
        ("true", "1", "code no status and code instead of 0"),
        ("true", "false", "code no status and code instead of 0"),
    ],
)
def test_each_wrong_member_is_named(said: str, instead: str, named: str) -> None:
    assert wrong(RIGHT.replace(said, instead), FUNDS) == named


def test_a_refusal_carries_the_balance_only_where_the_contract_says_so() -> None:
    with_balance = '{"status":false,"balance":12.50,"errors":{"code":%d,"error":"words"}}'
    without = '{"status":false,"errors":{"code":%d,"error":"words"}}'
    for code in (402, 406, 409):
        assert wrong(with_balance % code, refused(code, PRINTED)) == ""
        assert wrong(without % code, refused(code, PRINTED)) == "balance is missing"
    for code in (400, 404, 410, 417):
        assert wrong(without % code, refused(code, PRINTED)) == ""
        named = "balance does not belong here"
        assert wrong(with_balance % code, refused(code, PRINTED)) == named
    quoted = '{"status":false,"errors":{"code":"404"}}'
    assert "no status and code" in wrong(quoted, refused(404, PRINTED))


def test_a_decided_answer_comes_with_http_200() -> None:
    assert wrong(RIGHT, FUNDS, 201) == "http 201 instead of 200"


def test_player_details_name_the_player_and_his_currency() -> None:
    details = Expected("details", 0, PRINTED)
    right = (
        '{"status":true,"userId":"u1","balance":12.50,"nickname":"abc","currency":"USD",'
        '"language":"en"}'
    )
    assert wrong(right, details) == ""
    assert wrong(right.replace("u1", "u2"), details) == "userId instead of u1"
    assert wrong(right.replace("USD", "EUR"), details) == "currency instead of USD"
    assert "nickname" in wrong(right.replace("abc", "ab"), details)


@pytest.mark.parametrize(
    "body", ["", "[]", "1", "{", '{"a":1,"a":1}', '{"a":NaN}', "\xff", "[" * 100_000]
)
def test_what_is_no_json_object_is_unreadable(body: str) -> None:
    with pytest.raises(UnreadableError):
        read_answer(Reply(200, body.encode("latin-1")))
