"""What the API pages say of Betby's contract: each method's payload, and its answers."""

from typing import Final, NamedTuple

from app.edges.betby.answers import ASK_AGAIN_WORDS
from app.edges.betby.codes import Code
from app.edges.openapi import (
    JSON,
    Contract,
    Operation,
    Schema,
    an_object,
    answer,
    body,
    or_null,
    ref,
    text,
)

PREFIX: Final = "/betby"

INTRODUCTION: Final = (
    'Betby calls the operator itself. The body is `{"payload": "<JWT>"}`: signed by Betby (RS256 '
    "or ES256, one algorithm a key), for one of our brands (`aud`), with `iss`, `iat`, `exp` and "
    "`jti`; its claim `payload` is the call. Amounts are whole units."
)

_TRANSACTION: Final = {
    "id": "8000",
    "betslip_id": "2500",
    "ext_player_id": "alice",
    "operation": "bet",
    "amount": 1000,
    "currency": "USD",
}


class _Method(NamedTuple):
    summary: str
    says: str
    payload: dict[str, object]
    answer: dict[str, object]


def _answer(operation: str, number: int, balance: int, *, amount: int | None) -> dict[str, object]:
    money: dict[str, object] = {} if amount is None else {"amount": amount, "currency": "USD"}
    return {
        "id": f"17-{number}",
        "ext_transaction_id": f"800{number}",
        "parent_transaction_id": None if operation == "bet" else "17-1",
        "user_id": "alice",
        "operation": operation,
        **money,
        "balance": balance,
    }


def _of(operation: str, number: int) -> dict[str, object]:
    return {**_TRANSACTION, "id": f"800{number}", "operation": operation}


METHODS: Final = {
    "make": _Method(
        "Take a stake",
        "`amount`, `currency`, `player_id` (ours), `session_id` (the `jti` of the launch token), "
        "`transaction`, `betslip`; `bonus_id` and `bonus_type` for a free bet",
        {
            "amount": 1000,
            "currency": "USD",
            "player_id": "alice",
            "session_id": "the jti of the launch token",
            "transaction": _of("bet", 1),
            "betslip": {"id": "2500", "type": "1/1", "sum": 1000, "k": "1.85", "bets": []},
            "potential_win": 1850,
        },
        _answer("bet", 1, 9000, amount=1000),
    ),
    "commit": _Method(
        "Note that the slip was accepted",
        "`bet_transaction_id`, our id of the bet",
        {"bet_transaction_id": "17-1"},
        {},
    ),
    "win": _Method(
        "Pay the bet",
        "`bet_transaction_id`, `amount`, `currency`, `transaction`; `is_snr_lost`: a no-risk bet "
        "is given back, which is bonus cost",
        {
            "bet_transaction_id": "17-1",
            "amount": 1850,
            "currency": "USD",
            "is_cashout": False,
            "transaction": _of("win", 2),
            "selections": [],
        },
        _answer("win", 2, 10850, amount=1850),
    ),
    "lost": _Method(
        "Settle the bet without money",
        "`bet_transaction_id`, `amount` 0, `currency`, `transaction`",
        {
            "bet_transaction_id": "17-1",
            "amount": 0,
            "currency": "USD",
            "transaction": _of("lost", 2),
            "selections": [],
        },
        _answer("lost", 2, 9000, amount=None),
    ),
    "refund": _Method(
        "Give the bet back",
        "`bet_transaction_id`, `reason`, `transaction`. A bet is given back once: another refund "
        "hears the answer of the first",
        {"bet_transaction_id": "17-1", "reason": "canceled", "transaction": _of("refund", 2)},
        _answer("refund", 2, 10000, amount=1000),
    ),
    "rollback": _Method(
        "Undo a win, a lost, a refund or a rollback",
        "`bet_transaction_id`, `parent_transaction_id` (our id of what is undone), `transaction`. "
        "It may take the balance below zero. What does not stand is not undone again: the answer "
        "is that of the rollback that undid it",
        {
            "bet_transaction_id": "17-1",
            "parent_transaction_id": "17-2",
            "transaction": _of("rollback", 3),
        },
        _answer("rollback", 3, 9000, amount=1850),
    ),
    "discard": _Method(
        "Give the bet back if it was made, and never let it be made",
        "`ext_player_id`, `transaction_id` (Betby's id of the bet), `reason`",
        {"ext_player_id": "alice", "transaction_id": "8001", "reason": "timeout"},
        {},
    ),
    "settlement": _Method(
        "Compare Betby's last word with what was done",
        "`bet_transaction_id`, `status`: won, lost, canceled, refund, cashed out, half-won or "
        "half-lost. It moves nothing; what differs is an alarm and stands in the inbox",
        {"bet_transaction_id": "17-1", "status": "won"},
        {},
    ),
}

_REFUSED_AS: Final = {
    Code.BLOCKED: "the player is blocked",
    Code.PLAYER: "no such player",
    Code.SESSION: "token expired",
    Code.FUNDS: "not enough money",
    Code.CURRENCY: "the currency is not the player's",
    Code.PARENT: "parent transaction not found",
    Code.BAD_REQUEST: "transaction.id is missing",
    Code.JWT: "the JWT has expired",
    Code.BONUS: "bonus_type is none of this contract's",
    Code.LIMIT: "a limit of the player would be exceeded",
}

_EVERYWHERE: Final = (Code.PARENT, Code.BAD_REQUEST, Code.JWT)
_OF_MAKE: Final = tuple(code for code in _REFUSED_AS if code is not Code.PARENT)
_CODES: Final[dict[str, tuple[Code, ...]]] = {
    "make": _OF_MAKE,
    "win": (Code.CURRENCY, *_EVERYWHERE),
    "lost": (Code.CURRENCY, *_EVERYWHERE),
    "discard": (Code.PLAYER, Code.BAD_REQUEST, Code.JWT),
}


def _refusal(code: Code, words: str) -> dict[str, object]:
    return {"code": code.value, "message": words}


def _done(name: str, method: _Method) -> Schema:
    schema = "BetbyMoved" if method.answer else "BetbyNoted"
    return answer(
        "Done, now or before: a repeat hears the first answer.",
        {JSON: ref(schema)},
        {name: method.answer},
    )


def _described(name: str, method: _Method) -> Operation:
    codes = _CODES.get(name, _EVERYWHERE)
    refused = {JSON: ref("BetbyRefused")}
    large = _refusal(Code.BAD_REQUEST, "The body is too large.")
    unknown = _refusal(Code.AWAY, ASK_AGAIN_WORDS)
    asked = body({JSON: ref("BetbyCall")}, {"payload": "<JWT>"})
    return Operation(
        "post",
        f"betby_{name}",
        method.summary,
        f"{method.says}.",
        {
            200: _done(name, method),
            400: answer(
                "; ".join(f"{code.value} {_REFUSED_AS[code]}" for code in codes),
                refused,
                {str(code.value): _refusal(code, _REFUSED_AS[code]) for code in codes},
            ),
            413: answer("The body is above 256 KiB.", refused, {"2004": large}),
            503: answer("The outcome is not known; repeat the call.", refused, {"503": unknown}),
        },
        {**asked, "x-payload-example": method.payload},
    )


_PING: Final = Operation(
    "get",
    "betby_ping",
    "Whether somebody is there",
    "Needs no signature, and says what time it is here.",
    {
        200: answer(
            "The time here, in seconds.",
            {JSON: ref("BetbyPong")},
            {"pong": {"timestamp": 1795000000}},
        )
    },
    {},
)

_UNITS: Final[Schema] = {"type": "integer", "description": "Whole units of the currency."}

SCHEMAS: Final[dict[str, Schema]] = {
    "BetbyCall": an_object({"payload": {"type": "string", "format": "jwt"}}),
    "BetbyPong": an_object({"timestamp": {"type": "integer"}}),
    "BetbyNoted": an_object({}),
    "BetbyRefused": an_object({"code": {"type": "integer"}, "message": text("Why.")}),
    "BetbyMoved": an_object(
        {
            "id": text("Our id of it."),
            "ext_transaction_id": text("Betby's id of it."),
            "parent_transaction_id": or_null(text("Our id of the bet; null for the bet itself.")),
            "user_id": text("The player."),
            "operation": {
                "type": "string",
                "enum": ["bet", "win", "lost", "refund", "rollback"],
            },
            "amount": _UNITS,
            "currency": text("The player's currency."),
            "balance": {"type": "integer", "description": "What the player has after it."},
            "operator_bonus_amount": _UNITS,
        },
        optional=("amount", "currency", "operator_bonus_amount"),
    ),
}

CONTRACT: Final = Contract(
    "betby",
    INTRODUCTION,
    {
        f"{PREFIX}/ping": _PING,
        **{f"{PREFIX}/bet/{name}": _described(name, method) for name, method in METHODS.items()},
    },
    SCHEMAS,
    {
        "betby": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "The JWT is the member `payload` of the body, and no header.",
        }
    },
)
