"""The schemas of the transfer API's answers, by name; a test holds every real answer to them."""

from collections.abc import Iterable, Mapping
from typing import Final

from app.edges.event_schemas import EVENT, EVENT_SCHEMAS, MOVEMENT
from app.edges.openapi import MOMENT, MONEY, Schema, a_list, an_object, or_null, ref, text
from app.edges.transfer.answers import OPERATIONS_OF
from app.edges.transfer.codes import HTTP_STATUSES, WORDS, Code

_TEXT: Final[Schema] = {"type": "string"}
_WHOLE: Final[Schema] = {"type": "integer"}
_FLAG: Final[Schema] = {"type": "boolean"}

_BALANCES: Final[dict[str, Schema]] = {
    "balance": MONEY,
    "real_balance": MONEY,
    "bonus_balance": MONEY,
}

_MOVED: Final[dict[str, Schema]] = {
    "transaction_id": _TEXT,
    "amount": MONEY,
    "currency": _TEXT,
    **_BALANCES,
    "created_at": MOMENT,
}

_REASON: Final = text("A word for programs where one code stands for several, else a sentence.")


def _said(codes: Iterable[Code], data: Schema) -> Schema:
    codes = tuple(codes)
    return an_object(
        {
            "code": {"type": "integer", "enum": [code.value for code in codes]},
            "message": {"type": "string", "enum": [WORDS[code] for code in codes]},
            "data": data,
        }
    )


def _done(data: Mapping[str, object], *, optional: Iterable[str] = ()) -> Schema:
    return _said((Code.DONE,), an_object(data, optional=optional))


_RAISE: Final = an_object(
    {
        "amount": or_null(MONEY),
        "from": MOMENT,
        "confirm": {"type": "boolean", "description": "Whether the player must confirm it."},
        "asked_at": or_null(MOMENT),
    }
)

_ROUND: Final = an_object(
    {
        "user_id": _TEXT,
        "event_id": _TEXT,
        "game_id": or_null(_WHOLE),
        "streamer": _FLAG,
        "type": {"type": "string", "enum": ["END", "ING"]},
        "currency": _TEXT,
        "bets": _WHOLE,
        "stakes": MONEY,
        "wins": MONEY,
        "returns": MONEY,
        "overdrawn": MONEY,
        "net": MONEY,
        "opened_at": MOMENT,
        "last_at": MOMENT,
    }
)

_REFUSALS: Final = [code for code in Code if HTTP_STATUSES[code] == HTTP_STATUSES[Code.VALUE]]

_LIMIT: Final[dict[str, Schema]] = {
    "limit": {"type": "string", "description": "The limit that refused a deposit."},
    "value": MONEY,
    "used": MONEY,
    "remaining": MONEY,
}

ANSWER_SCHEMAS: Final[dict[str, Schema]] = {
    "MovementDone": _done(_MOVED),
    "HoldDone": _done({**_MOVED, "hold_id": _TEXT}),
    "AccountOpenedDone": _done(
        {"user_id": _TEXT, "currency": _TEXT, "created": _FLAG, **_BALANCES}
    ),
    "BalanceDone": _done({"user_id": _TEXT, **_BALANCES, "currency": _TEXT}),
    "TokenDone": _done({"token": _TEXT, "expires_at": MOMENT}),
    "RevokedDone": _done({"revoked": {**_WHOLE, "minimum": 0}}),
    "AccountDone": _done(
        {
            "user_id": _TEXT,
            "currency": _TEXT,
            "nickname": _TEXT,
            "language": _TEXT,
            "status": {"type": "string", "enum": ["active", "blocked"]},
            "excluded_until": or_null(text("A moment, or `forever`.")),
            "limits": {"type": "object", "additionalProperties": MONEY},
            "limits_later": {"type": "object", "additionalProperties": _RAISE},
            **_BALANCES,
        }
    ),
    "TransactionDone": _done(
        {
            "transaction_id": _TEXT,
            "status": {"type": "string", "enum": ["completed", "refused", "unknown"]},
            "operation": {"type": "string", "enum": list(OPERATIONS_OF.values())},
            "user_id": _TEXT,
            "amount": MONEY,
            "currency": _TEXT,
            "created_at": MOMENT,
            "answer": {
                "anyOf": [ref("MovementDone"), ref("HoldDone"), ref("Declined")],
                "description": "The answer that it got.",
            },
        },
        optional=("operation", "user_id", "amount", "currency", "created_at", "answer"),
    ),
    "HistoryDone": _done({"rounds": a_list(_ROUND), "next_cursor": or_null(_TEXT)}),
    "StatementDone": _done({"movements": a_list(MOVEMENT), "next_cursor": or_null(_TEXT)}),
    "EventsDone": _done(
        {"events": a_list(ref(EVENT)), "cursor": or_null(_TEXT), "has_more": _FLAG}
    ),
    "Refused": {
        **_said(_REFUSALS, an_object({"reason": _REASON, "field": _TEXT}, optional=("field",))),
        "description": "Nothing was done, and the id is free.",
    },
    "Declined": {
        **_said(
            _REFUSALS,
            an_object(
                {**_MOVED, "hold_id": _TEXT, "reason": _REASON, **_LIMIT},
                optional=("hold_id", *_LIMIT),
            ),
        ),
        "description": "Refused for ever: the outcome of this `transaction_id`.",
    },
    "Fault": _said(
        [code for code in Code if HTTP_STATUSES[code] == HTTP_STATUSES[Code.ERROR]],
        an_object({"reason": _REASON}, optional=("reason",)),
    ),
    **EVENT_SCHEMAS,
}
