"""The OpenAPI document of the callback API: every real answer matches its schema."""

import itertools
import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import httpx2
from fastapi import FastAPI

from app.composition.service import build_app
from app.edges.callback.endpoint import CallbackApp
from app.wallet.events import GAME_EVENT_TYPES
from tests.edges.callback.house import House, Reply, Seat, sign
from tests.edges.described import (
    Document,
    assert_as_described,
    document,
    resolved,
    validator,
)

if TYPE_CHECKING:
    from starlette.types import ASGIApp

PATHS = {
    "/sessionCheck": "get",
    "/playerDetails": "get",
    "/getBalance": "get",
    "/getUserToken": "get",
    "/moveFunds": "post",
    "/notification/maintenance": "post",
}


def fits(schema: Document, value: object) -> bool:
    return validator(schema).is_valid(value)


def hold(path: str, reply: Reply) -> None:
    """Hold an answer to the description."""
    kind = reply.headers["content-type"]
    assert_as_described(path, PATHS[path], reply.status, kind, reply.body)


def test_the_pages_are_served(house: House) -> None:
    reply = house.call("GET", "/docs")
    assert reply.status == 200
    assert b"openapi.json" in reply.body


def test_the_description_that_is_served_is_the_one_that_is_tested(house: House) -> None:
    reply = house.call("GET", "/openapi.json")
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    assert json.loads(reply.body) == document()


def test_every_method_is_described_once() -> None:
    described = {path: next(iter(item)) for path, item in document()["paths"].items()}
    assert {path: described.get(path) for path in PATHS} == PATHS
    for path, verb in PATHS.items():
        operation = document()["paths"][path][verb]
        assert operation["summary"]
        assert operation["description"]
        assert operation["security"] == [{"signature": []}]
        assert {"200", "405", "503"} <= set(operation["responses"])
        assert ("413" in operation["responses"]) == (verb == "post")
    scheme = document()["components"]["securitySchemes"]["signature"]
    assert (scheme["in"], scheme["name"]) == ("header", "Hash-Authorization")


def test_a_movement_is_described_as_form_and_as_json() -> None:
    body = document()["paths"]["/moveFunds"]["post"]["requestBody"]
    assert set(body["content"]) == {"application/x-www-form-urlencoded", "application/json"}
    for described in body["content"].values():
        schema = resolved(described["schema"])
        assert set(schema["properties"]["eventType"]["enum"]) == {str(k) for k in GAME_EVENT_TYPES}
        assert fits(schema, described["example"])
        assert "bonusCode" not in schema["required"]
        assert len(schema["required"]) == 8


def test_amounts_in_the_examples_are_printed_as_numbers(house: House) -> None:
    assert b'"balance":124001.55' in house.call("GET", "/openapi.json").body


def test_the_examples_of_the_answers_fit_their_schemas() -> None:
    for path, verb in PATHS.items():
        content = document()["paths"][path][verb]["responses"]["200"]["content"]["application/json"]
        assert content["examples"]
        for example in content["examples"].values():
            assert fits(content["schema"], example["value"]), example


def questions(house: House, seat: Seat, path: str) -> list[Callable[[], Reply]]:
    asked = {"token": seat.token, "userId": seat.user_id}
    return [
        lambda: house.get(path, **asked),
        lambda: house.get(path, **{**asked, "userId": "nobody"}),
        lambda: house.get(path, **{**asked, "token": "nobody's"}),
        lambda: house.get(path, **{**asked, "token": house.expired(seat)}),
        lambda: house.get(path, **{**asked, "userId": ""}),
        lambda: house.get(path, key="another", **asked),
        lambda: house.call("GET", path, query="a=%ff"),
        lambda: house.call("DELETE", path),
    ]


def answers(house: House, seat: Seat) -> dict[str, list[Callable[[], Reply]]]:
    """Many ways to call each method."""
    bet = house.fields(seat, "BetPlacing", "10.00")
    notice = "/notification/maintenance"
    return {
        **{path: questions(house, seat, path) for path, verb in PATHS.items() if verb == "get"},
        "/moveFunds": [
            lambda: house.form(bet),
            lambda: house.form(bet),
            lambda: house.form({**bet, "eventType": "Tip"}),
            lambda: house.form({**bet, "amount": "x"}),
            lambda: house.form(bet, key="another"),
            lambda: house.move(seat, "BetPlacing", "1000.00"),
            lambda: house.move(seat, "BetPlacing", "0.001"),
            lambda: house.move(seat, "Win", "1.00", eventId="unknown"),
            lambda: house.move(seat, "Win", "1.00", userId="nobody"),
            lambda: house.move(seat, "Win", "1.00", token="?"),
            lambda: house.move(seat, "BetPlacing", "1.00", token=house.expired(seat)),
            lambda: house.move(seat, "SportBetCancel", "500.00"),
            lambda: house.call("POST", "/moveFunds", body=b"x" * 270_000),
            lambda: house.call("POST", "/moveFunds", body=b"a=%ff"),
            lambda: house.call("GET", "/moveFunds"),
        ],
        notice: [
            lambda: house.json('{"status":"test"}', {}, path=notice),
            lambda: house.json('{"status":"over"}', {}, path=notice),
            lambda: house.json("[]", {}, path=notice),
            lambda: house.call("POST", notice, body=b"x" * 270_000),
            lambda: house.call("PUT", notice),
        ],
    }


def test_every_answer_is_as_described(house: House) -> None:
    seat = house.seat("90.00", "1.00", email="j@example.org")
    for path, calls in answers(house, seat).items():
        for call in calls:
            reply = call()
            hold(path, reply)


def test_a_blocked_player_and_a_limit_are_as_described(house: House) -> None:
    seat = house.seat("90.00")
    house.limit(seat, "stake_bet", 1)
    replies = [house.move(seat, "BetPlacing", "1.00")]
    house.block(seat)
    replies += [house.move(seat, "BetPlacing", "1.00")]
    assert [reply.code for reply in replies] == [456, 405]
    for reply in replies:
        hold("/moveFunds", reply)
    checked = house.get("/sessionCheck", token=seat.token, userId=seat.user_id)
    hold("/sessionCheck", checked)


async def test_the_framework_s_route_answers_as_the_shorter_ways(house: House) -> None:
    """`/moveFunds` has three ways in; the described route is the same function."""
    settings = house.settings.model_copy(update={"fast_path": "on"})
    app, fast_path = build_app(settings, house.database.service_url, require_durability=False)
    assert isinstance(app, CallbackApp)
    assert fast_path is not None
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    missing = {"userId": "nobody"}
    requests: list[tuple[bytes, dict[str, str]]] = [
        (b"", {}),
        (b"a=%ff", form),
        (b"x" * 270_000, form),
        (b"[]", {"Content-Type": "application/json"}),
        (b"userId=nobody", {**form, "Hash-Authorization": sign(missing)}),
        (b"userId=nobody", {**form, "Hash-Authorization": "?"}),
    ]
    apps: list[ASGIApp] = [app, app.framework]
    framework = app.framework
    assert isinstance(framework, FastAPI)
    async with framework.router.lifespan_context(framework):
        for asgi, path in itertools.product(apps, ["/moveFunds", "/moveFunds/"]):
            assert path.encode() in fast_path.targets
            transport = httpx2.ASGITransport(app=asgi)
            async with httpx2.AsyncClient(transport=transport, base_url="http://wallet") as client:
                for body, headers in requests:
                    raw = [(name.lower().encode(), text.encode()) for name, text in headers.items()]
                    answer = await fast_path.answer(raw, body, "127.0.0.1")
                    reply = await client.post(path, content=body, headers=headers)
                    assert (reply.status_code, reply.content) == (answer.status, answer.body)
                    assert {*fast_path.headers} < {*reply.headers.raw}
                    assert (reply.headers.get("connection") == "close") is answer.is_last
