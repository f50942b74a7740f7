"""The OpenAPI 3.1 description of every contract, put together from what each says of itself.

1. A contract's `openapi.py` makes a `Contract`: its operations by path, its schemas by name, and
   what proves who calls. Bodies refer to schemas by name, so that generators make typed models.
2. `describe` makes one document of all contracts, and adds what is the same at each: the headers
   of every answer, the answers to what is no request, and the servers.

The document is plain data, made once when a process starts; no route is inspected for it. A test
holds it to the routes, and every real answer to its schema.
"""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple, TypeAlias

Schema: TypeAlias = dict[str, object]

JSON: Final = "application/json"
JOSE: Final = "application/jose"


class Operation(NamedTuple):
    """One operation: how it is asked, and its answers by HTTP status."""

    verb: str
    """get or post"""
    operation_id: str
    summary: str
    description: str
    answers: Mapping[int, Schema]
    """each made by `answer`"""
    asked: Schema
    """`requestBody`, made by `body`, or `parameters`"""


class Contract(NamedTuple):
    """What one contract says of itself."""

    tag: str
    description: str
    operations: Mapping[str, Operation]
    """by path"""
    schemas: Mapping[str, Schema]
    """by name; no two contracts have the same name for two things"""
    security: Mapping[str, Schema]
    """what proves who calls, by name; each operation needs all of it"""
    webhooks: Mapping[str, Schema] = {}
    """what is sent to the caller, by type"""


# --- schemas ---------------------------------------------------------------------------------


def ref(name: str) -> Schema:
    """Refer to a schema by its name."""
    return {"$ref": f"#/components/schemas/{name}"}


def either(*schemas: Schema) -> Schema:
    """One of several schemas; just the schema, if there is one."""
    return schemas[0] if len(schemas) == 1 else {"anyOf": list(schemas)}


def an_object(properties: Mapping[str, object], *, optional: Iterable[str] = ()) -> Schema:
    """An object of these properties; further ones may come with any release."""
    left_out = frozenset(optional)
    return {
        "type": "object",
        "required": [name for name in properties if name not in left_out],
        "properties": dict(properties),
    }


def text(description: str, *, length_max: int | None = None, length_min: int = 1) -> Schema:
    """A text within bounds."""
    bounds = {} if length_max is None else {"minLength": length_min, "maxLength": length_max}
    return {"type": "string", **bounds, "description": description}


def a_list(items: Schema) -> Schema:
    """A list of items of one schema."""
    return {"type": "array", "items": items}


def or_null(schema: Schema) -> Schema:
    """This, or null."""
    kind = schema.get("type")
    if isinstance(kind, str) and "enum" not in schema:
        return {**schema, "type": [kind, "null"]}
    return {"anyOf": [schema, {"type": "null"}]}


MOMENT: Final[Schema] = {"type": "string", "format": "date-time"}
"""RFC 3339, UTC, with microseconds: what the service itself writes."""

MONEY: Final[Schema] = {
    "type": "number",
    "format": "decimal",
    "description": "Major units, exact: read it as a decimal, never as a binary fraction.",
}


# --- bodies ----------------------------------------------------------------------------------


def body(content: Mapping[str, Schema], example: object) -> Schema:
    """The body of a request: a schema for each media type, and one example."""
    return {
        "requestBody": {
            "required": True,
            "content": {
                kind: {"schema": schema, "example": example} for kind, schema in content.items()
            },
        }
    }


def answer(
    description: str, content: Mapping[str, Schema], examples: Mapping[str, object]
) -> Schema:
    """An answer: a schema for each media type, and an example for each code."""
    shown = {name: {"value": value} for name, value in examples.items()}
    return {
        "description": description,
        "content": {
            kind: {"schema": schema, "examples": shown} for kind, schema in content.items()
        },
    }


# --- the document ----------------------------------------------------------------------------

HEADERS: Final[dict[str, Schema]] = {
    "Request-Id": {
        "description": (
            "Names this delivery in logs, in the journal and in the refusal log; "
            "`wallet show ID` finds it."
        ),
        "required": True,
        "schema": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
        "example": "5f0c1c6a8c3f7b1de2f6a2c4b9a0d3e7",
    },
    "Wallet-Sandbox": {
        "description": "Present where the money is not real: the demo, and sandboxes.",
        "schema": {"type": "string", "const": "on"},
    },
}

_NAMED: Final[Schema] = {name: {"$ref": f"#/components/headers/{name}"} for name in HEADERS}

WRONG_METHOD: Final = "WrongMethod"
"""The answer to a known path with another HTTP method, the same at every contract."""

UNREADABLE: Final = "Unreadable"
"""The answer to what is no request at all."""

RESPONSES: Final[dict[str, Schema]] = {
    WRONG_METHOD: {
        "description": "Another HTTP method than the contract's.",
        "headers": _NAMED,
        "content": {
            JSON: {
                "schema": ref(WRONG_METHOD),
                "example": {
                    "status": False,
                    "errors": {"code": 400, "error": "method not allowed"},
                },
            }
        },
    },
    UNREADABLE: {
        "description": (
            "No HTTP request that can be read: 400 malformed, 408 too slow, 431 a head above "
            "64 KiB, 501 an unknown transfer coding, 503 too many connections, 505 another "
            "version. The words say why, nothing was done, and the connection is closed."
        ),
        "headers": _NAMED,
        "content": {
            "text/plain": {"schema": {"type": "string"}, "example": "The head is too long."}
        },
    },
}


_WRONG_METHOD: Final = an_object(
    {
        "status": {"type": "boolean", "const": False},
        "errors": an_object(
            {"code": {"type": "integer", "const": 400}, "error": {"type": "string"}}
        ),
    }
)


def describe(title: str, version: str, introduction: str, contracts: Iterable[Contract]) -> Schema:
    """Return the whole document."""
    contracts = tuple(contracts)
    paths: dict[str, object] = {}
    schemas: dict[str, Schema] = {WRONG_METHOD: _WRONG_METHOD}
    schemes: dict[str, Schema] = {}
    webhooks: dict[str, Schema] = {}
    for contract in contracts:
        for path, operation in contract.operations.items():
            paths[path] = {operation.verb: _operation(contract, operation)}
        _add(schemas, contract.schemas)
        _add(schemes, contract.security)
        webhooks |= {
            name: {"post": {"tags": [contract.tag], **sent}}
            for name, sent in contract.webhooks.items()
        }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": title,
            "summary": "A betting wallet: every cent accounted for",
            "description": introduction,
            "version": version,
        },
        # Relative to the address of this document: right behind any front and under any prefix.
        "servers": [{"url": "./", "description": "The server that this description came from"}],
        "tags": [
            {"name": contract.tag, "description": contract.description} for contract in contracts
        ],
        "paths": paths,
        "webhooks": webhooks,
        "components": {
            "schemas": schemas,
            "headers": HEADERS,
            "responses": RESPONSES,
            "securitySchemes": schemes,
        },
    }


def _operation(contract: Contract, operation: Operation) -> Schema:
    wrong: Schema = {"$ref": f"#/components/responses/{WRONG_METHOD}"}
    answers: dict[int, Schema] = {405: wrong, **operation.answers}
    return {
        "tags": [contract.tag],
        "operationId": operation.operation_id,
        "summary": operation.summary,
        "description": operation.description,
        "security": [{name: [] for name in contract.security}],
        **operation.asked,
        "responses": {
            **{
                str(status): one if "$ref" in one else {"headers": _NAMED, **one}
                for status, one in sorted(answers.items())
            },
            "default": {"$ref": f"#/components/responses/{UNREADABLE}"},
        },
    }


def _add(to: dict[str, Schema], more: Mapping[str, Schema]) -> None:
    """Add what a contract names; two contracts share a name only for the same thing."""
    for name, thing in more.items():
        if to.setdefault(name, thing) != thing:
            raise AssertionError(f"two contracts describe {name}, each in its own way")
