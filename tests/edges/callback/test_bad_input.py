"""Malformed requests: a refusal in the contract's shape, a log line, no change of money."""

import json
from urllib.parse import quote_plus, urlencode

import pytest
from structlog.testing import capture_logs

from tests.edges.callback.house import House, Seat, sign

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}

NAMES = [
    *("token", "userId", "gameId", "eventId"),
    *("direction", "transactionId", "eventType", "amount"),
]
HOSTILE_NUMBERS = {
    "a sign": "-1.00",
    "a plus": "+1.00",
    "an exponent": "1e2",
    "a huge exponent": "1E400",
    "not a number": "NaN",
    "infinity": "Infinity",
    "500 digits": "9" * 500,
    "full-width digits": "１００",
    "spaces around": " 1 ",
    "an underscore": "1_000",
    "too fine": "0.001",
    "too fine for anything": "0." + "0" * 17 + "1",
    "hexadecimal": "0x10",
}
CONTROL = {"NUL": "a\0b", "tab": "a\tb", "line break": "a\nb", "delete": "a\x7fb", "C1": "a\x85b"}


@pytest.fixture(scope="module")
def seat(house: House) -> Seat:
    return house.seat("90.00")


@pytest.fixture
def untouched(house: House, seat: Seat) -> object:
    """Whatever a test sends, this player's money and journal stay as they are."""
    yield
    assert house.balance(seat) == ("90.00", "0.00")
    assert house.journal(seat) == []


pytestmark = pytest.mark.usefixtures("untouched")


def refused(house: House, body: bytes, headers: dict[str, str], *, status: int = 200) -> str:
    """Send it, expect code 400 and a log line, and return the words."""
    with capture_logs() as lines:
        reply = house.call("POST", "/moveFunds", body=body, headers=headers)
    assert (reply.status, reply.code, reply.balance) == (status, 400, None)
    assert lines
    written = json.dumps(lines, default=str)
    assert "unit-test-key" not in written
    assert headers.get("Hash-Authorization", "?") not in written
    return reply.words


def refused_form(house: House, fields: dict[str, str]) -> str:
    headers = {**FORM, "Hash-Authorization": sign(fields)}
    with capture_logs() as lines:
        words = refused(house, urlencode(fields).encode(), headers)
    assert len(fields.get("token", "")) < 5 or fields["token"] not in json.dumps(lines, default=str)
    return words


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_field_is_named(house: House, seat: Seat, name: str) -> None:
    fields = house.fields(seat, "BetPlacing", "1.00")
    assert name in refused_form(house, {k: v for k, v in fields.items() if k != name})
    assert name in refused_form(house, {**fields, name: ""})


@pytest.mark.parametrize("name", NAMES)
def test_an_overlong_field_is_refused(house: House, seat: Seat, name: str) -> None:
    fields = house.fields(seat, "BetPlacing", "1.00")
    assert name in refused_form(house, {**fields, name: "1" * 251})


@pytest.mark.parametrize("name", ["token", "userId", "eventId", "transactionId", "bonusCode"])
@pytest.mark.parametrize("text", CONTROL.values(), ids=CONTROL)
def test_control_characters_in_ids_are_refused(
    house: House, seat: Seat, name: str, text: str
) -> None:
    fields = house.fields(seat, "BetPlacing", "1.00", **{name: text})
    refused_form(house, fields)


@pytest.mark.parametrize("amount", HOSTILE_NUMBERS.values(), ids=HOSTILE_NUMBERS)
def test_a_hostile_number_is_refused(house: House, seat: Seat, amount: str) -> None:
    fields = house.fields(seat, "BetPlacing", amount)
    refused_form(house, fields)
    # The same as JSON text, and, where it looks like one, as a JSON number.
    refused(house, json.dumps(fields).encode(), {**JSON, "Hash-Authorization": sign(fields)})
    if amount in {"-1.00", "1e2", "1E400", "0.001", "9" * 500}:
        body = json.dumps(fields).replace(json.dumps(amount), amount)
        refused(house, body.encode(), {**JSON, "Hash-Authorization": sign(fields)})


def test_a_sum_that_would_overflow_is_refused(house: House) -> None:
    rich = house.seat("999999999999999999.99")
    assert house.move(rich, "PromoWin", "0.01").code == 400
    assert house.balance(rich) == ("999999999999999999.99", "0.00")
    assert house.journal(rich) == []


@pytest.mark.parametrize(
    "value", ["1", "true", "false", "null", "[]", "{}", '["tok"]'], ids=lambda value: value
)
@pytest.mark.parametrize("name", ["token", "userId", "eventId", "direction", "eventType"])
def test_a_wrong_type_is_refused(house: House, seat: Seat, name: str, value: str) -> None:
    fields = house.fields(seat, "BetPlacing", "1.00")
    body = json.dumps({**fields, name: "@"}).replace('"@"', value)
    text = {"true": "1", "1": "1", "false": "", "null": ""}.get(value, "Array")
    headers = {**JSON, "Hash-Authorization": sign({**fields, name: text})}
    assert name in refused(house, body.encode(), headers)


@pytest.mark.parametrize("name", NAMES)
def test_an_array_where_a_text_belongs_is_refused(house: House, seat: Seat, name: str) -> None:
    fields = house.fields(seat, "BetPlacing", "1.00")
    signed = {**fields, name: "Array"}
    body = urlencode({f"{name}[]" if k == name else k: v for k, v in fields.items()}).encode()
    assert name in refused(house, body, {**FORM, "Hash-Authorization": sign(signed)})


JSON_TEXTS = {
    "a key twice": '{"amount":"1.00","amount":"1.00"}',
    "a key twice in extraData": '{"extraData":{"a":1,"a":1}}',
    "cut short": '{"token":"a"',
    "an array": "[]",
    "a text": '"a"',
    "not JSON": "token=a&userId=b",
    "blank": "  ",
    "NaN": '{"amount":NaN}',
    "NUL": '{"userId":"\\u0000"}',
    "half a surrogate pair": '{"userId":"\\ud800"}',
    "deep": '{"extraData":' + "[" * 100 + "]" * 100 + "}",
    "very deep": '{"a":' * 10_000 + "1" + "}" * 10_000,
    "a name of digits": '{"7":"x"}',
}


@pytest.mark.parametrize("text", JSON_TEXTS.values(), ids=JSON_TEXTS)
def test_broken_json_is_refused_before_the_signature(house: House, text: str) -> None:
    assert refused(house, text.encode(), JSON) != "Request not validate"


FORMS = {
    "not UTF-8": b"userId=%ff",
    "not UTF-8, raw": b"userId=\xff",
    "a surrogate": b"userId=%ED%A0%80",
    "NUL": b"userId=%00",
    "NUL in a name": b"a%00=1",
    "a name of digits": b"7=x",
    "too many fields": b"&".join([b"a=1"] * 1001),
}


@pytest.mark.parametrize("body", FORMS.values(), ids=FORMS)
def test_an_unreadable_form_is_refused_before_the_signature(house: House, body: bytes) -> None:
    assert refused(house, body, FORM) != "Request not validate"


def test_multipart_is_refused(house: House) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    assert "multipart" in refused(
        house, b'--x\r\nContent-Disposition: form-data; name="a"', headers
    )


@pytest.mark.parametrize("size", [262_145, 700_000, 3_000_000])
@pytest.mark.parametrize("path", ["/moveFunds", "/moveFunds/", "/notification/maintenance"])
def test_an_oversized_body_is_413(house: House, size: int, path: str) -> None:
    reply = house.call("POST", path, body=b"x" * size, headers=FORM)
    assert (reply.status, reply.code) == (413, 400)


@pytest.mark.parametrize("line", ["POST /moveFunds?a=", "GET /getBalance/?a="])
def test_an_oversized_query_does_not_get_in(house: House, line: str) -> None:
    """The server holds a whole head to 64 KiB."""
    head = f"{line}{'x' * 65_536} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert house.raw(head.encode()).startswith(b"HTTP/1.1 431 ")


def test_a_body_of_256_kib_is_read(house: House, seat: Seat) -> None:
    fields = house.fields(seat, "BetPlacing", "0.001", extraData="")
    fields["extraData"] = "x" * (262_144 - len(urlencode(fields)))
    assert "moveFunds" not in refused_form(house, fields)


@pytest.mark.parametrize("signature", [None, "", "0" * 64, "é"])
def test_a_wrong_or_absent_signature_is_told_and_logged(
    house: House, seat: Seat, signature: str | None
) -> None:
    fields = house.fields(seat, "BetPlacing", "1.00")
    headers = dict(FORM)
    if signature is not None:
        headers["Hash-Authorization"] = quote_plus(signature)
    with capture_logs() as lines:
        reply = house.call("POST", "/moveFunds", body=urlencode(fields).encode(), headers=headers)
    assert reply.status == 200
    assert reply.body == b'{"status":false,"errors":{"code":400,"error":"Request not validate"}}'
    assert [line["event"] for line in lines] == ["security"]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"])
@pytest.mark.parametrize("path", ["/moveFunds", "/moveFunds/", "/notification/maintenance"])
def test_a_wrong_method_is_405(house: House, method: str, path: str) -> None:
    reply = house.call(method, path)
    assert (reply.status, reply.headers["allow"]) == (405, "POST")
    if method != "HEAD":
        assert reply.code == 400


@pytest.mark.parametrize(
    "path", ["/sessionCheck", "/playerDetails/", "/getBalance", "/getUserToken"]
)
def test_a_question_is_not_posted(house: House, path: str) -> None:
    reply = house.call("POST", path, body=b"")
    assert (reply.status, reply.headers["allow"], reply.code) == (405, "GET", 400)


@pytest.mark.parametrize("path", ["/docs/", "/movefunds", "/moveFunds//", "/moveFunds/x", "/%00"])
def test_an_unknown_path_is_404_in_the_same_shape(house: House, path: str) -> None:
    reply = house.call("POST", path)
    assert (reply.status, reply.code) == (404, 400)


def test_what_was_refused_after_the_signature_is_in_the_trail(house: House) -> None:
    seat = house.seat("90.00")
    fields = house.fields(seat, "BetPlacing", "1e3", transactionId="x" * 300)
    house.form(fields)
    (row,) = house.refusals(seat)
    assert (row["operation"], row["refusal"], row["event_type"]) == (
        "moveFunds",
        "FORMAT",
        "BetPlacing",
    )
    assert row["amount"] == "1e3"
    assert row["transaction_id"] == "x" * 250
    assert seat.token not in str(dict(row))
    assert json.loads(row["asked"])["gameId"] == "1037566"
