"""An example of each request of the transfer API, and of each answer by its code.

Tests hold each example to its schema, and each request to a real server.
"""

from typing import Final

from app.edges.event_schemas import example_of as event_example
from app.edges.transfer.codes import WORDS, Code, reason_of
from app.edges.transfer.operations import FORMS, ONE_TIME
from app.edges.wire import number
from app.wallet.event_log import LoggedType
from app.wallet.refusals import Refusal

Example = dict[str, object]

_AT: Final = "2026-11-20T12:00:00.000000Z"
_USER: Final[Example] = {"user_id": "anna"}
_CLOSING: Final[Example] = {"hold_id": "h-1"}

_FIELDS: Final[dict[str, Example]] = {
    "account/init": {**_USER, "currency": "USD", "nickname": "Anna", "language": "en"},
    "account/deposit": {**_USER, "transaction_id": "d-1", "amount": "100.50"},
    "account/withdraw": {**_USER, "transaction_id": "w-1", "amount": "20.00"},
    "account/hold": {**_USER, "transaction_id": "h-1", "amount": "60.00"},
    "hold/settle": {"transaction_id": "s-1", **_CLOSING},
    "hold/release": {"transaction_id": "r-1", **_CLOSING},
    "account/balance": _USER,
    "account/session": _USER,
    "account/update": {**_USER, "limits": {"deposit_day": "100.00"}},
    "bonus/grant": {**_USER, "transaction_id": "g-1", "amount": "5.00", "reason": "welcome"},
    "bonus/revoke": {**_USER, "transaction_id": "v-1", "amount": "5.00", "reason": "withdrawn"},
    "transaction/check": {"transaction_id": "d-1"},
    "history": {"type": "ALL", **_USER, "limit": 10},
    "account/statement": {**_USER, "from": "2026-11-20", "limit": 10},
    "events": {"after": "42-5f0c1c6a", "limit": 100},
}
assert set(_FIELDS) == set(FORMS), "every operation has its example"

REQUESTS: Final[dict[str, Example]] = {
    operation: {
        "iat": 1795176000,
        "op": operation,
        **({"jti": "0b0c1a52-6a5e-4d1c-9f6e-2f0c7d1c9b11"} if operation in ONE_TIME else {}),
        **fields,
    }
    for operation, fields in _FIELDS.items()
}


def _said(code: Code, data: Example) -> Example:
    return {"code": code.value, "message": WORDS[code], "data": data}


def _pockets(balance: str, real: str, bonus: str) -> Example:
    return {
        "balance": number(balance),
        "real_balance": number(real),
        "bonus_balance": number(bonus),
    }


def _moved(transaction_id: str, amount: str, pockets: Example) -> Example:
    return {
        "transaction_id": transaction_id,
        "amount": number(amount),
        "currency": "USD",
        **pockets,
        "created_at": _AT,
    }


_PLAYER: Final = {"user_id": "anna", "currency": "USD"}
_EMPTY: Final = _pockets("0.00", "0.00", "0.00")
_FULL: Final = _pockets("100.50", "100.50", "0.00")
_PLAYED: Final = _pockets("80.50", "80.50", "0.00")
_HELD: Final = _pockets("40.50", "40.50", "0.00")
_GIVEN: Final = _pockets("105.50", "100.50", "5.00")
_DEPOSIT: Final = _said(Code.DONE, _moved("d-1", "100.50", _FULL))

_ROUND: Final = {
    "user_id": "anna",
    "event_id": "r-1",
    "game_id": 1037566,
    "streamer": False,
    "type": "END",
    "currency": "USD",
    "bets": 2,
    "stakes": number("15.50"),
    "wins": number("18.00"),
    "returns": number("5.50"),
    "overdrawn": number("0.00"),
    "net": number("8.00"),
    "opened_at": _AT,
    "last_at": "2026-11-20T12:00:09.000000Z",
}


def _once(schema: str, name: str, data: Example) -> tuple[tuple[str, ...], dict[str, Example]]:
    return (schema,), {name: _said(Code.DONE, data)}


DONE: Final[dict[str, tuple[tuple[str, ...], dict[str, Example]]]] = {
    "account/init": _once("AccountOpenedDone", "0", {**_PLAYER, "created": True, **_EMPTY}),
    "account/deposit": _once("MovementDone", "0", _moved("d-1", "100.50", _FULL)),
    "account/withdraw": _once("MovementDone", "0", _moved("w-1", "20.00", _PLAYED)),
    "account/hold": _once("MovementDone", "0", _moved("h-1", "60.00", _HELD)),
    "hold/settle": _once("HoldDone", "0", {**_moved("s-1", "60.00", _HELD), **_CLOSING}),
    "hold/release": _once("HoldDone", "0", {**_moved("r-1", "60.00", _FULL), **_CLOSING}),
    "account/balance": _once("BalanceDone", "0", {**_PLAYER, **_FULL}),
    "account/session": (
        ("TokenDone", "RevokedDone"),
        {
            "issued": _said(Code.DONE, {"token": "kq2", "expires_at": "2026-11-21T12:00:00Z"}),
            "revoked": _said(Code.DONE, {"revoked": 2}),
        },
    ),
    "account/update": _once(
        "AccountDone",
        "0",
        {
            **_PLAYER,
            "nickname": "Anna",
            "language": "en",
            "status": "active",
            "excluded_until": None,
            "limits": {"deposit_day": number("100.00")},
            "limits_later": {
                "stake_day": {
                    "amount": number("50.00"),
                    "from": _AT,
                    "confirm": True,
                    "asked_at": _AT,
                }
            },
            **_FULL,
        },
    ),
    "bonus/grant": _once("MovementDone", "0", _moved("g-1", "5.00", _GIVEN)),
    "bonus/revoke": _once("MovementDone", "0", _moved("v-1", "5.00", _FULL)),
    "transaction/check": (
        ("TransactionDone",),
        {
            "known": _said(
                Code.DONE,
                {
                    "transaction_id": "d-1",
                    "status": "completed",
                    "operation": "account/deposit",
                    **_PLAYER,
                    "amount": number("100.50"),
                    "created_at": _AT,
                    "answer": _DEPOSIT,
                },
            ),
            "unknown": _said(Code.DONE, {"transaction_id": "d-2", "status": "unknown"}),
        },
    ),
    "history": _once("HistoryDone", "0", {"rounds": [_ROUND], "next_cursor": None}),
    "account/statement": _once(
        "StatementDone",
        "0",
        {
            "movements": [
                event_example(kind)["data"]
                for kind in (LoggedType.MOVEMENT_DECLINED, LoggedType.MOVEMENT_POSTED)
            ],
            "next_cursor": None,
        },
    ),
    "events": _once(
        "EventsDone",
        "0",
        {
            "events": [event_example(kind) for kind in LoggedType],
            "cursor": "42-5f0c1c6a",
            "has_more": False,
        },
    ),
}
assert set(DONE) == set(FORMS), "every operation has its example"

_REASONS: Final[dict[Code, Example]] = {
    Code.MISSING: {"field": "iat", "reason": "is missing"},
    Code.KEY: {"reason": "the envelope does not open with the agent's key"},
    Code.FORMAT: {"field": "op", "reason": "must be the operation of the path"},
    Code.EXPIRED: {"field": "iat", "reason": "is too far from the server's clock"},
    Code.AGENT: {"reason": "there is no agent of this name"},
    Code.BLOCKED: {"reason": reason_of(Refusal.PLAYER_BLOCKED)},
    Code.VALUE: {"reason": reason_of(Refusal.PLAYER_UNKNOWN)},
    Code.DENIED: {"reason": reason_of(Refusal.ACCOUNT_OF_ANOTHER_AGENT)},
}


def example_of(code: Code) -> Example:
    """An answer with a code that every operation may meet."""
    return _said(code, _REASONS[code])


def _declined(code: Code, refusal: Refusal, moved: Example, **more: object) -> Example:
    return _said(code, {**moved, "reason": reason_of(refusal), **more})


REFUSED: Final[dict[tuple[str, Code], Example]] = {
    ("account/deposit", Code.BLOCKED): _declined(
        Code.BLOCKED, Refusal.PLAYER_BLOCKED, _moved("d-3", "10.00", _FULL)
    ),
    ("account/deposit", Code.DENIED): _declined(
        Code.DENIED,
        Refusal.DEPOSIT_LIMIT,
        _moved("d-4", "500.00", _FULL),
        limit="deposit_day",
        value=number("200.00"),
        used=number("100.50"),
        remaining=number("99.50"),
    ),
    ("account/withdraw", Code.BALANCE): _declined(
        Code.BALANCE, Refusal.INSUFFICIENT_FUNDS, _moved("w-2", "500.00", _FULL)
    ),
    ("account/hold", Code.BALANCE): _declined(
        Code.BALANCE, Refusal.INSUFFICIENT_FUNDS, _moved("h-2", "500.00", _FULL)
    ),
    ("bonus/grant", Code.BLOCKED): _declined(
        Code.BLOCKED, Refusal.PLAYER_BLOCKED, _moved("g-2", "5.00", _FULL)
    ),
    ("bonus/revoke", Code.BLOCKED): _declined(
        Code.BLOCKED, Refusal.PLAYER_BLOCKED, _moved("v-3", "5.00", _GIVEN)
    ),
    ("bonus/revoke", Code.BALANCE): _declined(
        Code.BALANCE, Refusal.INSUFFICIENT_FUNDS, _moved("v-2", "50.00", _GIVEN)
    ),
    ("hold/settle", Code.DENIED): _said(Code.DENIED, {"reason": reason_of(Refusal.HOLD_CLOSED)}),
    ("hold/release", Code.DENIED): _said(Code.DENIED, {"reason": reason_of(Refusal.HOLD_CLOSED)}),
    ("account/update", Code.DENIED): _said(
        Code.DENIED, {"reason": reason_of(Refusal.EXCLUSION_RUNS)}
    ),
}
"""What says more of an operation than the example of any."""

FAULTS: Final[dict[Code, Example]] = {
    Code.ERROR: _said(Code.ERROR, {}),
    Code.AWAY: _said(Code.AWAY, {"reason": "the outcome is not known, ask again"}),
}
