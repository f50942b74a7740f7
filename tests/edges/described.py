"""The OpenAPI description as tests use it: every schema found, and held to by real answers."""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import jsonschema_rs

from app.composition.description import description
from app.edges.wire import encode

Document = dict[str, Any]


@cache
def document() -> Document:
    """The description, as a caller reads it."""
    read: Document = json.loads(encode(description()))
    return read


def resolved(part: Document) -> Document:
    """What a reference stands for, or the part itself."""
    while "$ref" in part:
        found: Any = document()
        for name in part["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        part = found
    return part


def operations() -> Iterator[tuple[str, str, Document]]:
    """Path, verb and description of each operation."""
    for path, item in document()["paths"].items():
        for verb, operation in item.items():
            yield path, verb, operation


def validator(schema: Document, *, is_closed: bool = False) -> jsonschema_rs.Validator:
    """Validate values by a schema; `is_closed`: an object has no member that is not described."""
    components = {"schemas": document()["components"]["schemas"]}
    whole = {**schema, "components": components}
    return jsonschema_rs.validator_for(closed(whole) if is_closed else whole, validate_formats=True)


def closed(part: Any) -> Any:  # noqa: ANN401 - any part of a JSON Schema
    """The same schema, in which no object may have members that are not described."""
    if isinstance(part, list):
        return [closed(item) for item in part]
    if not isinstance(part, dict):
        return part
    inner = {name: closed(value) for name, value in part.items()}
    if inner.get("type") == "object" and isinstance(part.get("properties"), dict):
        inner.setdefault("additionalProperties", False)
    return inner


def answer_schema(path: str, verb: str, status: int, media_type: str) -> Document:
    """What the description promises of an answer; KeyError: nothing."""
    responses = document()["paths"][path][verb]["responses"]
    schema: Document = resolved(responses[str(status)])["content"][media_type]["schema"]
    return schema


def assert_as_described(path: str, verb: str, status: int, media_type: str, body: bytes) -> None:
    """Hold a real answer to the description, member by member."""
    schema = answer_schema(path, verb, status, media_type)
    try:
        validator(schema, is_closed=True).validate(json.loads(body))
    except jsonschema_rs.ValidationError as error:
        raise AssertionError(f"{verb} {path} {status}: {body.decode()}: {error}") from None
