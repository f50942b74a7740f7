"""The OpenAPI description is one, is whole, and every example in it fits its schema."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from app.composition.service import build_app
from app.edges.openapi import Contract, describe
from app.settings import Settings
from app.wallet.event_log import LoggedType
from tests.edges.described import Document, document, operations, resolved, validator

KEY = "unit-test-key-of-sixteen"


def test_it_is_openapi_3_1() -> None:
    assert document()["openapi"].startswith("3.1.")
    OpenAPIV31SpecValidator(document()).validate()


def test_a_description_with_a_fault_would_be_noticed() -> None:
    broken = {**document(), "paths": {"/moveFunds": {"post": {"responses": {"200": {}}}}}}
    errors = list(OpenAPIV31SpecValidator(broken).iter_errors())
    assert errors


def test_it_describes_exactly_the_routes_that_are_served() -> None:
    settings = Settings.model_validate({"callback_keys": KEY})
    served = build_app(settings, "postgresql+asyncpg://nobody@127.0.0.1:1/nowhere")
    framework: Any = getattr(served.app, "framework")  # noqa: B009 - it stands behind the application
    included = [getattr(router, "original_router", None) for router in framework.router.routes]
    routes = {
        (route.path, verb.lower())
        for router in included
        if router is not None
        for route in router.routes
        if "{" not in route.path
        for verb in route.methods
    }
    bare = {(path.rstrip("/"), verb) for path, verb in routes}
    assert bare == {(path, verb) for path, verb, _ in operations()}


def test_every_operation_has_a_name_a_tag_and_words_of_its_own() -> None:
    names = Counter(operation["operationId"] for _, _, operation in operations())
    assert set(names.values()) == {1}
    tags = {tag["name"] for tag in document()["tags"] if tag["description"]}
    for path, _, operation in operations():
        assert set(operation["tags"]) <= tags, path
        assert operation["summary"], path
        assert operation["description"], path
    assert document()["servers"][0]["url"] == "./"


def test_every_operation_says_what_proves_its_caller() -> None:
    schemes = document()["components"]["securitySchemes"]
    assert set(schemes) == {"signature", "envelope"}
    for path, _, operation in operations():
        wanted = "envelope" if path.startswith("/transfer/") else "signature"
        assert operation["security"] == [{wanted: []}], path
    assert schemes["envelope"]["x-envelope"]["enc"] == "A256GCM"


def test_every_answer_has_its_headers_and_its_schema() -> None:
    for path, _, operation in operations():
        assert {"200", "405", "default"} <= set(operation["responses"]), path
        for status, response in operation["responses"].items():
            said = resolved(response)
            assert set(said["headers"]) == {"Request-Id", "Wallet-Sandbox"}, (path, status)
            assert said["description"], (path, status)
            assert said["content"], (path, status)
            for content in said["content"].values():
                assert content["schema"], (path, status)
                assert "example" in content or content["examples"], (path, status)


def test_every_request_body_is_a_schema_with_a_name() -> None:
    seen = set()
    for path, verb, operation in operations():
        if verb != "post":
            assert all(named["example"] for named in operation["parameters"])
            continue
        for content in operation["requestBody"]["content"].values():
            assert list(content["schema"]) == ["$ref"], path
            seen.add(content["schema"]["$ref"])
    assert len(seen) == len([1 for _, verb, _ in operations() if verb == "post"]) + 1


def examples() -> Iterator[tuple[str, Document, Any]]:
    """Each example, with where it is and its schema."""
    for path, verb, operation in operations():
        where = f"{verb} {path}"
        yield from _of(f"{where} asked", operation.get("requestBody", {}))
        for parameter in operation.get("parameters", ()):
            yield f"{where} {parameter['name']}", parameter["schema"], parameter["example"]
        for status, response in operation["responses"].items():
            yield from _of(f"{where} {status}", resolved(response))
    for name, item in document()["webhooks"].items():
        yield from _of(name, item["post"]["requestBody"])


def _of(where: str, described: Document) -> Iterator[tuple[str, Document, Any]]:
    for kind, content in described.get("content", {}).items():
        shown = {name: one["value"] for name, one in content.get("examples", {}).items()}
        if "example" in content:
            shown[""] = content["example"]
        for name, value in shown.items():
            yield f"{where} {kind} {name}", content["schema"], value


def test_every_example_fits_its_schema_and_has_nothing_more() -> None:
    checked = 0
    for where, schema, value in examples():
        try:
            validator(schema, is_closed=True).validate(value)
        except jsonschema_rs.ValidationError as error:
            pytest.fail(f"{where}: {error}")
        checked += 1
    assert checked > 300


def test_an_example_of_a_refusal_stands_under_its_code() -> None:
    for path, verb, operation in operations():
        for status in ("202", "500") if path.startswith("/transfer/") else ("200",):
            for content in resolved(operation["responses"][status])["content"].values():
                for name, example in content["examples"].items():
                    said = example["value"]
                    code = said["code"] if "code" in said else said.get("errors", {}).get("code")
                    assert not name.isdecimal() or name == str(code), (path, verb, name)


def test_every_type_of_events_is_a_webhook() -> None:
    assert set(document()["webhooks"]) == {kind.value for kind in LoggedType}


def test_two_contracts_cannot_describe_one_name_in_two_ways() -> None:
    contracts = [Contract(tag, "", {}, {"Moved": {"title": tag}}, {}) for tag in ("one", "other")]
    with pytest.raises(AssertionError, match="Moved"):
        describe("Wallet", "1", "", contracts)
