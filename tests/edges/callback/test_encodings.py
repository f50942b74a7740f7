"""Form, JSON and query; with a slash and without; never a redirect."""

import json
from urllib.parse import urlencode

import pytest

from tests.edges.callback.house import KEY, NEXT_KEY, House, sign

ODD_IDS = ["a b+c", "é/🎰", "a&b=c", "100%", "[x]", "a\\b\"c'", "</script>", "x" * 250, "🎰" * 250]


@pytest.mark.parametrize("path", ["/moveFunds", "/moveFunds/"])
def test_a_slash_makes_no_difference(house: House, path: str) -> None:
    seat = house.seat("90.00")
    fields = house.fields(seat, "BetPlacing", "10.00")
    assert house.form(fields, path=path).balance == "80.00"
    assert house.form(fields, path=path + "/" if path[-1] != "/" else path[:-1]).code == 409


def test_json_is_understood_with_numbers_as_written(house: House) -> None:
    seat = house.seat("90.00")
    fields = house.fields(seat, "BetPlacing", "10.50")
    text = json.dumps(fields).replace('"10.50"', "10.50").replace('"1037566"', "1037566")
    assert house.json(text, fields).balance == "79.50"
    (row,) = house.journal(seat)
    assert (row["game_id"], row["extra_data"]) == (1037566, "{}")


def test_json_loses_no_digit(house: House) -> None:
    seat = house.seat("999999999999999999.99")
    fields = house.fields(seat, "BetPlacing", "999999999999999999.99")
    text = json.dumps(fields).replace('"999999999999999999.99"', "999999999999999999.99")
    assert house.json(text, fields).balance == "0.00"


def test_the_signature_of_a_json_number_is_over_what_was_written(house: House) -> None:
    seat = house.seat("90.00")
    fields = house.fields(seat, "BetPlacing", "10.0")
    text = json.dumps(fields).replace('"10.0"', "10.00")
    assert house.json(text, fields).code == 400
    assert house.json(text, {**fields, "amount": "10.00"}).code == 0


def test_json_keeps_extra_data_as_sent(house: House) -> None:
    seat = house.seat("90.00")
    fields = house.fields(seat, "BetPlacing", "10.00", extraData="@")
    text = json.dumps(fields).replace('"@"', '{"odds": 1.50,  "é":"\\u00e9"}')
    assert house.json(text, fields).code == 0
    assert house.journal(seat)[0]["extra_data"] == '{"odds": 1.50,  "é":"\\u00e9"}'


def test_an_empty_body_leaves_the_query(house: House) -> None:
    seat = house.seat("90.00")
    fields = house.fields(seat, "BetPlacing", "10.00")
    headers = {"Hash-Authorization": sign(fields)}
    reply = house.call("POST", "/moveFunds/", query=urlencode(fields), headers=headers)
    assert reply.balance == "80.00"


def test_brackets_of_extra_data_are_kept_and_not_signed(house: House) -> None:
    seat = house.seat("90.00")
    fields = house.fields(seat, "BetPlacing", "10.00")
    del fields["extraData"]
    body = urlencode({**fields, "extraData[gameName]": "Ö", "extraData[odds]": "1.5"}).encode()
    headers = {"Hash-Authorization": sign(fields)}
    assert house.call("POST", "/moveFunds", body=body, headers=headers).code == 0
    assert house.journal(seat)[0]["extra_data"] == '{"gameName":"Ö","odds":"1.5"}'


@pytest.mark.parametrize("extra", ["", "not json", "[1,", "x" * 60_000])
def test_extra_data_refuses_nothing(house: House, extra: str) -> None:
    seat = house.seat("90.00")
    assert house.move(seat, "BetPlacing", "10.00", extraData=extra).code == 0
    assert house.journal(seat)[0]["extra_data"] == extra


def test_absent_extra_data_stays_absent(house: House) -> None:
    seat = house.seat("90.00")
    fields = house.fields(seat, "BetPlacing", "10.00")
    del fields["extraData"]
    assert house.form(fields).code == 0
    assert house.journal(seat)[0]["extra_data"] is None


def test_unknown_fields_are_tolerated_and_signed(house: House) -> None:
    seat = house.seat("90.00")
    fields = house.fields(seat, "BetPlacing", "10.00", time="1700000000", brand="x/y")
    body = urlencode(fields).encode()
    unsigned = {k: v for k, v in fields.items() if k not in {"time", "brand"}}
    headers = {"Hash-Authorization": sign(unsigned)}
    assert house.call("POST", "/moveFunds", body=body, headers=headers).code == 400
    assert house.form(fields).code == 0


@pytest.mark.parametrize("odd", ODD_IDS)
def test_odd_ids_are_ids(house: House, odd: str) -> None:
    seat = house.seat("90.00")
    fields = house.fields(seat, "BetPlacing", "10.00", eventId=odd)
    fields["transactionId"] = f"{fields['transactionId']}{odd}"[:250]
    assert house.form(fields).code == 0
    assert house.json(json.dumps(fields), fields).code == 409
    (row,) = house.journal(seat)
    assert (row["event_id"], row["transaction_id"]) == (odd, fields["transactionId"])


def test_a_player_with_an_odd_name_plays(house: House) -> None:
    seat = house.seat("90.00", user_id="jos\u00e9/\U0001f3b0 1+1=2&x[y]")
    assert house.move(seat, "BetPlacing", "10.00").balance == "80.00"
    assert house.balance(seat) == ("80.00", "0.00")


def test_the_last_of_a_repeated_field_counts(house: House) -> None:
    seat = house.seat("90.00")
    fields = house.fields(seat, "BetPlacing", "10.00")
    body = b"amount=90.00&" + urlencode(fields).encode()
    headers = {"Hash-Authorization": sign(fields)}
    assert house.call("POST", "/moveFunds", body=body, headers=headers).balance == "80.00"


@pytest.mark.parametrize("key", [KEY, NEXT_KEY])
def test_two_keys_are_good_while_they_are_changed(house: House, key: str) -> None:
    seat = house.seat("90.00")
    assert house.form(house.fields(seat, "BetPlacing", "10.00"), key=key).code == 0
    assert house.get("/getBalance", key=key, token=seat.token, userId=seat.user_id).code == 0


def test_an_answer_is_json_and_not_to_be_stored(house: House) -> None:
    seat = house.seat("90.00")
    for reply in [
        house.move(seat, "BetPlacing", "10.00"),
        house.get("/getBalance", token=seat.token, userId=seat.user_id),
        house.call("PUT", "/moveFunds"),
    ]:
        assert reply.headers["content-type"] == "application/json"
        assert reply.headers["cache-control"] == "no-store"
        assert reply.headers["content-length"] == str(len(reply.body))
