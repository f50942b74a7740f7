"""What the API pages say of Betby's contract is what is served and answered."""

import json

import jsonschema_rs
from openapi_spec_validator import OpenAPIV31SpecValidator

from app.composition.description import description
from app.edges.betby.openapi import CONTRACT, METHODS
from app.edges.wire import encode
from tests.edges.betby.bookmaker import Bookmaker, making
from tests.edges.described import Document, closed, document

WITH_BETBY: Document = json.loads(encode(description(has_betby=True)))


def fits(name: str, value: object) -> None:
    schema = {**WITH_BETBY["components"]["schemas"][name], "components": WITH_BETBY["components"]}
    jsonschema_rs.validator_for(closed(schema)).validate(value)


def test_it_is_whole_and_described_only_where_it_is_served() -> None:
    OpenAPIV31SpecValidator(WITH_BETBY).validate()
    assert set(WITH_BETBY["paths"]) - set(document()["paths"]) == set(CONTRACT.operations)


def test_every_example_fits_its_schema() -> None:
    for path in CONTRACT.operations:
        for verb, operation in WITH_BETBY["paths"][path].items():
            for status, response in operation["responses"].items():
                if "$ref" in response:
                    continue
                content = response["content"]["application/json"]
                name = content["schema"]["$ref"].rpartition("/")[2]
                for example in content["examples"].values():
                    fits(name, example["value"])
                assert response["description"], (path, verb, status)


def test_the_page_of_the_service_has_it(betby: Bookmaker) -> None:
    told = betby.house.client.get("/openapi.json").json()
    assert {f"/betby/bet/{method}" for method in METHODS} <= set(told["paths"])


def test_every_example_of_a_payload_is_understood(betby: Bookmaker) -> None:
    """Their bets are not there, so nothing worse than that is said."""
    for name, operation in WITH_BETBY["paths"].items():
        method = name.rpartition("/")[2]
        if method in METHODS:
            told = betby.call(method, operation["post"]["x-payload-example"])
            assert told.code in {0, 1006, 2003}, (method, told)


def test_real_answers_are_as_described(betby: Bookmaker) -> None:
    seat = betby.seat("5.00", "50.00")
    bet = betby.make(seat, 1000)

    for told in (bet.said, betby.win(bet, 1).said, betby.lost(bet).said, betby.refund(bet).said):
        fits("BetbyMoved", told)
    fits("BetbyRefused", betby.call("make", {**making(seat), "amount": -1}).said)
