"""The methods beside moveFunds: sessions, players, balances, tokens, maintenance."""

import json

import pytest

from tests.edges.callback.house import House, Reply, Seat, sign

WITH_TOKEN = ["/sessionCheck", "/playerDetails", "/getBalance"]
ALL = [*WITH_TOKEN, "/getUserToken"]


def ask(house: House, path: str, seat: Seat, **changes: str) -> Reply:
    fields = {"token": seat.token, "userId": seat.user_id, **changes}
    if path.strip("/") == "getUserToken":
        del fields["token"]
    return house.get(path, **fields)


@pytest.mark.parametrize("path", [p + slash for p in ALL for slash in ("", "/")])
def test_a_live_session_is_answered_with_and_without_a_slash(house: House, path: str) -> None:
    reply = ask(house, path, house.seat("90.00"))
    assert (reply.status, reply.code) == (200, 0)


def test_a_session_check_says_yes(house: House) -> None:
    assert ask(house, "/sessionCheck", house.seat()).body == b'{"status":true}'


def test_player_details_say_who_plays(house: House) -> None:
    seat = house.seat("90.00", "1.50", nickname='Jos"é', language="pt", email="j@example.org")
    assert ask(house, "/playerDetails", seat).said == {
        "status": True,
        "userId": seat.user_id,
        "balance": "91.50",
        "realBalance": "90.00",
        "bonusBalance": "1.50",
        "nickname": 'Jos"é',
        "currency": "USD",
        "language": "pt",
        "email": "j@example.org",
    }


def test_get_balance_says_the_pockets(house: House) -> None:
    seat = house.seat("0.00000001", "2", currency="BTC")
    assert ask(house, "/getBalance", seat).said == {
        "status": True,
        "balance": "2.00000001",
        "realBalance": "0.00000001",
        "bonusBalance": "2.00000000",
    }


def test_get_user_token_gives_a_token_that_lives(house: House) -> None:
    seat = house.seat("90.00")
    said = ask(house, "/getUserToken", seat).said
    assert said == {
        "status": True,
        "userId": seat.user_id,
        "token": said["token"],
        "balance": "90.00",
    }
    assert said["token"] != seat.token
    fresh = Seat(seat.user_id, said["token"])
    assert house.move(fresh, "BetPlacing", "10.00").code == 0
    assert ask(house, "/getUserToken", seat).said["token"] != said["token"]


@pytest.mark.parametrize("path", WITH_TOKEN)
def test_404_then_417_then_410(house: House, path: str) -> None:
    seat, other = house.seat(), house.seat()
    expired = house.expired(seat)
    assert ask(house, path, Seat("nobody", expired)).code == 404
    assert ask(house, path, seat, token="nobody's").code == 417
    assert ask(house, path, seat, token=other.token).code == 417
    reply = ask(house, path, seat, token=expired)
    assert (reply.code, reply.balance) == (410, None)
    assert [row["refusal"] for row in house.refusals(seat)] == [
        "TOKEN_UNKNOWN",
        "TOKEN_UNKNOWN",
        "TOKEN_EXPIRED",
    ]


def test_nobody_gets_no_token(house: House) -> None:
    assert ask(house, "/getUserToken", Seat("nobody", "")).code == 404


@pytest.mark.parametrize("path", ALL)
def test_a_blocked_player_s_session_check_is_405_and_the_others_answer(
    house: House, path: str
) -> None:
    seat = house.seat()
    house.block(seat)
    assert ask(house, path, seat).code == (405 if path == "/sessionCheck" else 0)


def test_a_blocked_player_s_token_is_looked_at_first(house: House) -> None:
    seat = house.seat()
    house.block(seat)
    assert ask(house, "/sessionCheck", seat, token="nobody's").code == 417


@pytest.mark.parametrize("path", ALL)
def test_a_question_must_be_signed(house: House, path: str) -> None:
    seat = house.seat()
    reply = house.get(path, key="another", token=seat.token, userId=seat.user_id)
    assert (reply.status, reply.words) == (200, "Request not validate")
    query = f"token={seat.token}&userId={seat.user_id}"
    signed_empty = {"Hash-Authorization": sign({})}
    assert house.call("GET", path, query=query, headers=signed_empty).code == 400


@pytest.mark.parametrize("path", ALL)
@pytest.mark.parametrize("user_id", ["", "x" * 251, "a\nb"])
def test_an_ill_formed_question_is_400(house: House, path: str, user_id: str) -> None:
    reply = ask(house, path, house.seat(), userId=user_id)
    assert (reply.status, reply.code) == (200, 400)
    assert "userId" in reply.words


@pytest.mark.parametrize("token", ["", "x" * 251, "a\x7fb"])
def test_an_ill_formed_token_is_400(house: House, token: str) -> None:
    assert ask(house, "/sessionCheck", house.seat(), token=token).code == 400


def test_unknown_fields_of_a_question_are_tolerated_and_signed(house: House) -> None:
    seat = house.seat()
    assert ask(house, "/sessionCheck", seat, time="1700000000", extraData="x").code == 0


MAINTENANCE = "/notification/maintenance"
NOTICE = {
    "status": "created",
    "batchId": "b-7",
    "gameIds": [1037566, 7],
    "additions": {"from": "12:00", "n": [1]},
    "brandName": "é",
    "countries": ["BR"],
    "currencies": [],
    "providerIds": None,
}
AS_PHP = {
    "status": "created",
    "batchId": "b-7",
    "gameIds": "Array",
    "additions": "Array",
    "brandName": "é",
    "countries": "Array",
    "currencies": "Array",
    "providerIds": "",
}


@pytest.mark.parametrize("signed", [AS_PHP, {}], ids=["over its members", "over nothing"])
@pytest.mark.parametrize("path", [MAINTENANCE, MAINTENANCE + "/"])
def test_a_notice_is_kept_as_sent(house: House, path: str, signed: dict[str, str]) -> None:
    text = json.dumps(NOTICE, ensure_ascii=False, indent=1)
    assert house.json(text, signed, path=path).body == b'{"status":true}'
    row = house.sql("SELECT * FROM maintenance_notices ORDER BY notice_id DESC LIMIT 1")[0]
    assert (row["status"], row["batch_id"], row["brand_name"]) == ("created", "b-7", "é")
    assert json.loads(row["game_ids"]) == NOTICE["gameIds"]
    assert json.loads(row["additions"]) == NOTICE["additions"]
    assert row["provider_ids"] is None
    assert row["body"] == text


@pytest.mark.parametrize("status", ["started", "test", "created", "finished", "failed", "canceled"])
def test_every_status_of_the_contract_is_kept(house: House, status: str) -> None:
    assert house.json(json.dumps({"status": status}), {}, path=MAINTENANCE).code == 0


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        '{"status":"over"}',
        '{"status":7}',
        '{"status":["created"]}',
        '{"status":"created","gameIds":"7"}',
        '{"status":"created","batchId":[7]}',
        '{"status":"created","brandName":{}}',
    ],
)
def test_a_notice_of_another_shape_is_400(house: House, text: str) -> None:
    reply = house.json(text, {}, path=MAINTENANCE)
    assert (reply.status, reply.code) == (200, 400)


@pytest.mark.parametrize("text", ["", "status=created", "[]", '{"status":"created"'])
def test_a_notice_is_json(house: House, text: str) -> None:
    assert house.json(text, {}, path=MAINTENANCE).code == 400


def test_only_a_notice_may_be_signed_over_nothing(house: House) -> None:
    seat = house.seat("90.00")
    fields = house.fields(seat, "BetPlacing", "10.00")
    assert house.json(json.dumps(fields), {}).code == 400
    assert house.json('{"status":"created"}', {"status": "test"}, path=MAINTENANCE).code == 400


def test_large_numbers_of_a_notice_are_kept_exactly(house: House) -> None:
    ids = "[123456789012345678,-1,1.50,1e400,1234567890123456789]"
    text = f'{{"status":"test","gameIds":{ids},"batchId":12345678901}}'
    assert house.json(text, {}, path=MAINTENANCE).code == 0
    row = house.sql("SELECT * FROM maintenance_notices ORDER BY notice_id DESC LIMIT 1")[0]
    assert json.loads(row["game_ids"]) == [
        *(123456789012345678, -1, "1.50", "1e400", "1234567890123456789")
    ]
    assert row["batch_id"] == "12345678901"
