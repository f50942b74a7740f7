"""The OpenAPI documentation of the callback API: parameters, bodies, answers, examples.

Tests compare the examples with the files that the answers are compared with, and check every schema
against real answers.
"""

import json
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from app.edges.callback.answers import CODES, CODES_WITH_BALANCE, FORMAT
from app.edges.callback.notices import STATUSES
from app.wallet.events import GAME_EVENT_TYPES, RULES, Direction, EventType

Schema: TypeAlias = dict[str, object]
Responses: TypeAlias = dict[int | str, dict[str, object]]

SIGNATURE: Final = (
    "Lower-case hex SHA-256 over PHP's json_encode of all fields but extraData, sorted by name, "
    "each as text, followed by the key."
)

INTRODUCTION: Final = """
The callback API of the FUNGAMESS aggregator, as an operator's wallet answers it, and the ground it
stands on: one ledger that adds up.

* Every method answers with and without a trailing slash.
* Everything decided is HTTP 200, refusals included; the code is in `errors`. 405 is a wrong HTTP
  method, 413 a body above 256 KiB, 503 an outcome that is not known: ask again under the same
  transactionId.
* Amounts and balances are exact: JSON numbers of up to 18+2 digits (crypto: 12+8).
* `POST` bodies are forms; `application/json` is JSON; with an empty body the query is read.
"""

_BET: Final = {
    "token": "tok-1",
    "userId": "4878",
    "gameId": "1037566",
    "extraData": "{}",
    "eventId": "ev-1",
    "direction": "debit",
    "transactionId": "tx-1",
    "eventType": "BetPlacing",
    "amount": "100.50",
}

EXAMPLES: Final = {
    "moved": '{"status":true,"balance":124001.55,"realBalance":124001.55,"bonusBalance":0.00}',
    "duplicate": (
        '{"status":false,"balance":124001.55,'
        '"errors":{"code":409,"error":"the transactionId was processed already"}}'
    ),
    "no_money": (
        '{"status":false,"balance":12.50,"errors":{"code":402,"error":"not enough money"}}'
    ),
    "not_signed": '{"status":false,"errors":{"code":400,"error":"Request not validate"}}',
    "expired": '{"status":false,"errors":{"code":410,"error":"token expired"}}',
    "unknown_player": '{"status":false,"errors":{"code":404,"error":"no such player"}}',
    "done": '{"status":true}',
}
"""Answers as they are on the wire, used only by the documentation."""


@dataclass(frozen=True, slots=True)
class Operation:
    """The documentation of one method."""

    operation_id: str
    summary: str
    description: str
    responses: Responses
    extra: Schema = field(default_factory=dict)


def _identifier(description: str) -> Schema:
    return {
        "type": "string",
        "minLength": 1,
        "maxLength": 250,
        "pattern": r"^[^\u0000-\u001f\u007f-\u009f]+$",
        "description": description,
    }


_BALANCE: Final[Schema] = {
    "type": "number",
    "description": "Exact, at the currency's scale; real + bonus.",
}
_REAL: Final[Schema] = {"type": "number", "description": "Below zero after a SportBetCancel only."}
_BONUS: Final[Schema] = {"type": "number", "minimum": 0}
_TRUE: Final[Schema] = {"type": "boolean", "const": True}

_CODES: Final = {FORMAT, *CODES.values()}


def _object(properties: Schema, *, optional: tuple[str, ...] = ()) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
    }


def _refusal(codes: set[int]) -> Schema:
    errors = _object(
        {
            "code": {"type": "integer", "enum": sorted(codes)},
            "error": {"type": "string", "minLength": 1},
        }
    )
    properties: Schema = {"status": {"type": "boolean", "const": False}}
    if codes & CODES_WITH_BALANCE:
        properties["balance"] = {
            **_BALANCE,
            "description": f"With codes {sorted(codes & CODES_WITH_BALANCE)} only.",
        }
    return _object({**properties, "errors": errors}, optional=("balance",))


def _json(description: str, schema: Schema, examples: tuple[str, ...] = ()) -> Schema:
    content: Schema = {"schema": schema}
    if examples:
        content["examples"] = {name: {"value": json.loads(EXAMPLES[name])} for name in examples}
    return {"description": description, "content": {"application/json": content}}


def _responses(
    success: Schema, codes: set[int], *examples: str, has_body: bool = False
) -> Responses:
    ill_formed = _refusal({FORMAT})
    responses: Responses = {
        200: _json("Decided.", {"oneOf": [success, _refusal(codes | {FORMAT})]}, examples),
        405: _json("Another HTTP method than the contract's.", ill_formed),
        503: _json("The outcome is not known: ask again.", ill_formed),
    }
    if has_body:
        responses[413] = _json("The body is larger than 256 KiB.", ill_formed)
    return responses


def _query(*parameters: tuple[str, str]) -> Schema:
    return {
        "parameters": [
            {"in": "query", "name": name, "required": True, "schema": _identifier(description)}
            for name, description in parameters
        ]
    }


_SESSION: Final = _query(("token", "The session token."), ("userId", "The player."))
_SESSION_CODES: Final = {404, 410, 417}
_MOVED: Final = _object(
    {"status": _TRUE, "balance": _BALANCE, "realBalance": _REAL, "bonusBalance": _BONUS}
)

_PLAY: Final = ", ".join(kind for kind, rule in RULES.items() if rule.is_play)

_DIGITS_AMOUNT: Final = r"^[0-9]{1,18}(\.[0-9]{1,18})?$"


def _movement(*, numbers: bool) -> Schema:
    game_id: Schema = {"type": "string", "pattern": "^[0-9]{1,18}$"}
    amount: Schema = {"type": "string", "pattern": _DIGITS_AMOUNT}
    if numbers:
        whole = {"type": "integer", "minimum": 0, "maximum": 10**18 - 1}
        game_id = {"oneOf": [game_id, whole]}
        plain = {"type": "number", "minimum": 0, "exclusiveMaximum": 10**18}
        amount = {"oneOf": [amount, plain]}
    return {
        "type": "object",
        "properties": {
            "token": _identifier(f"Live for {_PLAY}; it may have expired for all others."),
            "userId": _identifier("The player."),
            "gameId": game_id,
            "extraData": {"description": "Anything; kept as sent, not signed.", "type": "string"},
            "eventId": _identifier("The round, or the sports bet."),
            "bonusCode": {"type": "string", "maxLength": 250, "description": "Free spins."},
            "direction": {"type": "string", "enum": [str(way) for way in Direction]},
            "transactionId": _identifier("One outcome for ever."),
            "eventType": {
                "type": "string",
                "enum": [str(kind) for kind in EventType if kind in GAME_EVENT_TYPES],
            },
            "amount": amount,
        },
        "required": [name for name in _BET if name != "extraData"],
    }


def _move_funds() -> Operation:
    codes = set(CODES.values())
    examples = ("moved", "duplicate", "no_money", "not_signed")
    form, members = _movement(numbers=False), _movement(numbers=True)
    return Operation(
        "moveFunds",
        "Move funds",
        "One movement of a player's money. A repeat of an accepted transactionId is code 409 (or, "
        "by setting, the first answer again); 402, 405, 456 and an abort's 409 are outcomes for "
        "ever, too. With an empty body the fields are read from the query.",
        _responses(_MOVED, codes, *examples, has_body=True),
        {
            "requestBody": {
                "required": True,
                "content": {
                    "application/x-www-form-urlencoded": {"schema": form, "example": _BET},
                    "application/json": {
                        "schema": members,
                        "example": _BET,
                    },
                },
            }
        },
    )


def _maintenance() -> Operation:
    anything: Schema = {"type": ["array", "null"]}
    text: Schema = {"type": ["string", "number", "null"]}
    schema: Schema = {
        "type": "object",
        "properties": {
            "status": {"type": "string", "enum": sorted(STATUSES)},
            "batchId": text,
            "gameIds": anything,
            "additions": {},
            "brandName": text,
            "countries": anything,
            "currencies": anything,
            "providerIds": anything,
        },
        "required": ["status"],
    }
    example = {"status": "created", "batchId": "7", "gameIds": [1037566]}
    return Operation(
        "maintenance",
        "A maintenance notice",
        "Kept as sent, and shown to ops. The hash may be over the members, or over `[]`.",
        _responses(_object({"status": _TRUE}), set(), "done", has_body=True),
        {
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": schema, "example": example}},
            }
        },
    )


_PLAYER: Final = _object(
    {
        "status": _TRUE,
        "userId": {"type": "string"},
        "balance": _BALANCE,
        "realBalance": _REAL,
        "bonusBalance": _BONUS,
        "nickname": {"type": "string", "minLength": 3, "maxLength": 64},
        "currency": {"type": "string"},
        "language": {"type": "string"},
        "email": {"type": "string"},
        "firstName": {"type": "string"},
        "lastName": {"type": "string"},
    },
    optional=("email", "firstName", "lastName"),
)

_TOKEN: Final = _object(
    {
        "status": _TRUE,
        "userId": {"type": "string"},
        "token": {"type": "string", "minLength": 1, "maxLength": 250},
        "balance": _BALANCE,
    }
)

OPERATIONS: Final[dict[str, Operation]] = {
    "/sessionCheck": Operation(
        "sessionCheck",
        "Is this token good?",
        "A blocked player's is not: code 405.",
        _responses(_object({"status": _TRUE}), {*_SESSION_CODES, 405}, "done", "expired"),
        _SESSION,
    ),
    "/playerDetails": Operation(
        "playerDetails",
        "Who plays",
        "Also of a blocked player.",
        _responses(_PLAYER, _SESSION_CODES, "expired"),
        _SESSION,
    ),
    "/getBalance": Operation(
        "getBalance",
        "The player's balance",
        "Also of a blocked player.",
        _responses(_MOVED, _SESSION_CODES, "moved", "expired"),
        _SESSION,
    ),
    "/getUserToken": Operation(
        "getUserToken",
        "A fresh token",
        "For a sports bet that settles long after its session.",
        _responses(_TOKEN, {404}, "unknown_player"),
        _query(("userId", "The player.")),
    ),
    "/moveFunds": _move_funds(),
    "/notification/maintenance": _maintenance(),
}
