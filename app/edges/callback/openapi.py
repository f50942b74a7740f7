"""What the description says of the callback API: parameters, bodies, answers, examples.

Tests compare the examples with the files that the answers are compared with, and check every schema
against real answers.
"""

from typing import Final

from msgspec import Raw

from app.edges.callback.answers import CODES, CODES_WITH_BALANCE, FORMAT
from app.edges.callback.notices import STATUSES
from app.edges.openapi import (
    JSON,
    MONEY,
    Contract,
    Operation,
    Schema,
    an_object,
    answer,
    body,
    either,
    ref,
)
from app.wallet.events import GAME_EVENT_TYPES, RULES, Direction, EventType

FORM: Final = "application/x-www-form-urlencoded"

SIGNATURE: Final = (
    "Lower-case hex SHA-256 over PHP's json_encode of all fields but extraData, sorted by name, "
    "each as text, followed by the key."
)

SECURITY: Final[dict[str, Schema]] = {
    "signature": {
        "type": "apiKey",
        "in": "header",
        "name": "Hash-Authorization",
        "description": SIGNATURE,
    }
}

INTRODUCTION: Final = """
The callback API of the FUNGAMESS aggregator, as an operator's wallet answers it.

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
    "player": (
        '{"status":true,"userId":"4878","balance":124001.55,"realBalance":124001.55,'
        '"bonusBalance":0.00,"nickname":"Anna","currency":"USD","language":"en"}'
    ),
    "token": '{"status":true,"userId":"4878","token":"kq2","balance":124001.55}',
    "done": '{"status":true}',
}
"""Answers that are no refusal, as they are on the wire, for the description alone."""

_REFUSED: Final = {
    400: '{"status":false,"errors":{"code":400,"error":"Request not validate"}}',
    402: '{"status":false,"balance":12.50,"errors":{"code":402,"error":"not enough money"}}',
    404: '{"status":false,"errors":{"code":404,"error":"no such player"}}',
    405: '{"status":false,"errors":{"code":405,"error":"the player is blocked"}}',
    406: (
        '{"status":false,"balance":124001.55,'
        '"errors":{"code":406,"error":"no matching movement in this event"}}'
    ),
    409: (
        '{"status":false,"balance":124001.55,'
        '"errors":{"code":409,"error":"the transactionId was processed already"}}'
    ),
    410: '{"status":false,"errors":{"code":410,"error":"token expired"}}',
    417: '{"status":false,"errors":{"code":417,"error":"token not found"}}',
    456: '{"status":false,"errors":{"code":456,"error":"a limit of the player would be exceeded"}}',
}
"""One refusal of each code."""
assert set(_REFUSED) == {FORMAT, *CODES.values()}, "every code has its example"

_TOO_LARGE: Final = '{"status":false,"errors":{"code":400,"error":"The body is too large."}}'
_ASK_AGAIN: Final = (
    '{"status":false,"errors":{"code":400,"error":"the outcome is not known, ask again"}}'
)


def _identifier(description: str) -> Schema:
    return {
        "type": "string",
        "minLength": 1,
        "maxLength": 250,
        "pattern": r"^[^\u0000-\u001f\u007f-\u009f]+$",
        "description": description,
    }


_BALANCE: Final[Schema] = {
    **MONEY,
    "description": "Exact, at the currency's scale; real + bonus.",
}
_REAL: Final[Schema] = {**MONEY, "description": "Below zero after a SportBetCancel only."}
_BONUS: Final[Schema] = {**MONEY, "minimum": 0}
_TRUE: Final[Schema] = {"type": "boolean", "const": True}


def _object(properties: Schema, *, optional: tuple[str, ...] = ()) -> Schema:
    """An object of these properties alone: the contract knows no others."""
    return {**an_object(properties, optional=optional), "additionalProperties": False}


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


_MALFORMED: Final = "Malformed"
"""The schema of what is answered where no code can tell more."""

_CODES: Final[dict[str, set[int]]] = {
    "SessionRefused": {FORMAT, 404, 410, 417},
    "SessionCheckRefused": {FORMAT, 404, 405, 410, 417},
    "TokenRefused": {FORMAT, 404},
    "MovementRefused": {FORMAT, *CODES.values()},
    _MALFORMED: {FORMAT},
}

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
    properties: dict[str, Schema] = {
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
    }
    return {
        "type": "object",
        # Pages fill a form in with the example of each field.
        "properties": {
            name: {**schema, "examples": [_BET[name]]} if name in _BET else schema
            for name, schema in properties.items()
        },
        "required": [name for name in _BET if name != "extraData"],
    }


def _notice() -> Schema:
    anything: Schema = {"type": ["array", "null"], "items": {}}
    some_text: Schema = {"type": ["string", "number", "null"]}
    return {
        "type": "object",
        "properties": {
            "status": {"type": "string", "enum": sorted(STATUSES)},
            "batchId": some_text,
            "gameIds": anything,
            "additions": {},
            "brandName": some_text,
            "countries": anything,
            "currencies": anything,
            "providerIds": anything,
        },
        "required": ["status"],
    }


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

SCHEMAS: Final[dict[str, Schema]] = {
    "MoveFundsForm": _movement(numbers=False),
    "MoveFundsRequest": _movement(numbers=True),
    "MaintenanceRequest": _notice(),
    "Done": _object({"status": _TRUE}),
    "Moved": _object(
        {"status": _TRUE, "balance": _BALANCE, "realBalance": _REAL, "bonusBalance": _BONUS}
    ),
    "Player": _PLAYER,
    "FreshToken": _object(
        {
            "status": _TRUE,
            "userId": {"type": "string"},
            "token": {"type": "string", "minLength": 1, "maxLength": 250},
            "balance": _BALANCE,
        }
    ),
    **{name: _refusal(codes) for name, codes in _CODES.items()},
}


def _answers(
    success: str, example: str, refused: str, *, has_body: bool = False
) -> dict[int, Schema]:
    """The answers of a method by HTTP status; under 200 an example for each code."""
    examples = {example: Raw(EXAMPLES[example].encode())} | {
        str(code): Raw(_REFUSED[code].encode()) for code in sorted(_CODES[refused])
    }
    malformed = {JSON: ref(_MALFORMED)}
    answers = {
        200: answer("Decided.", {JSON: either(ref(success), ref(refused))}, examples),
        503: answer(
            "The outcome is not known: ask again.", malformed, {"400": Raw(_ASK_AGAIN.encode())}
        ),
    }
    if has_body:
        answers[413] = answer(
            "The body is larger than 256 KiB.", malformed, {"400": Raw(_TOO_LARGE.encode())}
        )
    return answers


def _query(*parameters: tuple[str, str, str]) -> Schema:
    return {
        "parameters": [
            {
                "in": "query",
                "name": name,
                "required": True,
                "schema": _identifier(description),
                "example": example,
            }
            for name, description, example in parameters
        ]
    }


_USER: Final = ("userId", "The player.", "4878")
_SESSION: Final = _query(("token", "The session token.", "tok-1"), _USER)


def _move_funds() -> Operation:
    form: Schema = {"schema": ref("MoveFundsForm"), "example": _BET}
    members: Schema = {"schema": ref("MoveFundsRequest"), "example": _BET}
    return Operation(
        "post",
        "moveFunds",
        "Move funds",
        "One movement of a player's money. A repeat of an accepted transactionId is code 409 (or, "
        "by setting, the first answer again); 402, 405, 456 and an abort's 409 are outcomes for "
        "ever, too. With an empty body the fields are read from the query.",
        _answers("Moved", "moved", "MovementRefused", has_body=True),
        {"requestBody": {"required": True, "content": {FORM: form, JSON: members}}},
    )


def _maintenance() -> Operation:
    example = {"status": "created", "batchId": "7", "gameIds": [1037566]}
    return Operation(
        "post",
        "maintenance",
        "A maintenance notice",
        "Kept as sent, and shown to ops. The hash may be over the members, or over `[]`.",
        _answers("Done", "done", _MALFORMED, has_body=True),
        body({JSON: ref("MaintenanceRequest")}, example),
    )


OPERATIONS: Final[dict[str, Operation]] = {
    "/sessionCheck": Operation(
        "get",
        "sessionCheck",
        "Is this token good?",
        "A blocked player's is not: code 405.",
        _answers("Done", "done", "SessionCheckRefused"),
        _SESSION,
    ),
    "/playerDetails": Operation(
        "get",
        "playerDetails",
        "Who plays",
        "Also of a blocked player.",
        _answers("Player", "player", "SessionRefused"),
        _SESSION,
    ),
    "/getBalance": Operation(
        "get",
        "getBalance",
        "The player's balance",
        "Also of a blocked player.",
        _answers("Moved", "moved", "SessionRefused"),
        _SESSION,
    ),
    "/getUserToken": Operation(
        "get",
        "getUserToken",
        "A fresh token",
        "For a sports bet that settles long after its session.",
        _answers("FreshToken", "token", "TokenRefused"),
        _query(_USER),
    ),
    "/moveFunds": _move_funds(),
    "/notification/maintenance": _maintenance(),
}

CONTRACT: Final = Contract("callback", INTRODUCTION, OPERATIONS, SCHEMAS, SECURITY)
