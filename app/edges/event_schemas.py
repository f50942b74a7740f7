"""The schemas of events, for the description: as `events` tells them and webhooks bring them."""

from typing import Final

from app.edges.openapi import MOMENT, MONEY, Schema, an_object, or_null, ref, text
from app.edges.wire import number
from app.wallet.event_log import CURSOR_LENGTH_MAX, LoggedType
from app.wallet.inbox import ExceptionKind

_EXACT_TEXT: Final[Schema] = {"type": "string", "format": "decimal"}
_WHOLE: Final[Schema] = {"type": "integer"}
_TEXT: Final[Schema] = {"type": "string"}
_FLAG: Final[Schema] = {"type": "boolean"}

_MOVEMENT: Final[Schema] = {
    "event_type": _TEXT,
    "direction": {"type": "string", "enum": ["debit", "credit"]},
    "amount": MONEY,
    "currency": _TEXT,
    "real_before": MONEY,
    "bonus_before": MONEY,
    "real_balance": MONEY,
    "bonus_balance": MONEY,
    "balance": MONEY,
    "source": text("Who moved it: `callback`, the agent, or the console."),
    "transaction_id": _TEXT,
    "event_id": or_null(_TEXT),
    "game_id": or_null(_WHOLE),
    "bonus_code": or_null(_TEXT),
    "decided_at": MOMENT,
    "refusal": or_null(_TEXT),
    "reason": or_null(_TEXT),
}

MOVEMENT: Final = an_object(_MOVEMENT)
"""`data` of an event about a movement, and what `account/statement` says of it."""

_RAISE: Final = an_object({"amount": or_null(MONEY), "from": MOMENT, "confirm": _FLAG})

EVENT_DATA: Final[dict[LoggedType, tuple[str, str, Schema]]] = {
    LoggedType.ACCOUNT_OPENED: (
        "AccountOpened",
        "An account was opened.",
        an_object({"currency": _TEXT}),
    ),
    LoggedType.ACCOUNT_UPDATED: (
        "AccountUpdated",
        "An account was changed, or a raise of a limit was asked for or confirmed.",
        an_object(
            {
                "by": text("Who changed it."),
                "operation": _TEXT,
                "status": or_null(_TEXT),
                "excluded_until": or_null(text("A moment, or `forever`.")),
                "language": or_null(_TEXT),
                "limits": {"type": "object", "additionalProperties": MONEY},
                "limits_later": {"type": "object", "additionalProperties": _RAISE},
            }
        ),
    ),
    LoggedType.MOVEMENT_POSTED: ("MovementPosted", "Money moved.", MOVEMENT),
    LoggedType.MOVEMENT_DECLINED: (
        "MovementDeclined",
        "A movement was refused for ever.",
        MOVEMENT,
    ),
    LoggedType.LIMIT_HIT: (
        "LimitHit",
        "That refusal was a limit's.",
        an_object({**_MOVEMENT, "limit": _TEXT, "value": MONEY, "used": MONEY, "remaining": MONEY}),
    ),
    LoggedType.ROUND_SETTLED: (
        "RoundSettled",
        "A round came to its end.",
        an_object(
            {
                "event_id": _TEXT,
                "game_id": or_null(_WHOLE),
                "streamer": _FLAG,
                "currency": _TEXT,
                "bets": _WHOLE,
                "stakes": MONEY,
                "wins": MONEY,
                "returns": MONEY,
                "net": MONEY,
                "transaction_id": _TEXT,
            }
        ),
    ),
    LoggedType.ALARM_RAISED: (
        "AlarmRaised",
        "Money is not where somebody expects it.",
        an_object(
            {
                "exception": _WHOLE,
                "kind": {"type": "string", "enum": [kind.value for kind in ExceptionKind]},
                "summary": _TEXT,
                "event_type": or_null(_TEXT),
                "direction": or_null(_TEXT),
                "transaction_id": or_null(_TEXT),
                "event_id": or_null(_TEXT),
                "amount": or_null(_EXACT_TEXT),
                "currency": or_null(_TEXT),
                "happened_at": MOMENT,
            }
        ),
    ),
    LoggedType.EVENTS_VOIDED: (
        "EventsVoided",
        "Events with these numbers are void: a part of the ledger was restored to the past.",
        an_object({"first": _WHOLE, "last": _WHOLE}),
    ),
}
assert set(EVENT_DATA) == set(LoggedType), "every type of events is described"

EVENT: Final = "Event"

EVENT_SCHEMAS: Final[dict[str, Schema]] = {
    **{
        name: an_object(
            {
                "id": {"type": "string", "pattern": "^evt_[0-9a-f]{32}$"},
                "type": {"type": "string", "const": kind.value},
                "occurred_at": MOMENT,
                "user_id": {"type": "null"} if kind is LoggedType.EVENTS_VOIDED else _TEXT,
                "cursor": text("Where this event stands.", length_max=CURSOR_LENGTH_MAX),
                "data": data,
            }
        )
        for kind, (name, _, data) in EVENT_DATA.items()
    },
    EVENT: {
        "oneOf": [ref(name) for name, _, _ in EVENT_DATA.values()],
        "discriminator": {
            "propertyName": "type",
            "mapping": {
                kind.value: f"#/components/schemas/{name}"
                for kind, (name, _, _) in EVENT_DATA.items()
            },
        },
    },
}

EXAMPLE_ID: Final = "evt_5f0c1c6a8c3f7b1de2f6a2c4b9a0d3e7"

_MOVED: Final = {
    "event_type": "BetPlacing",
    "direction": "debit",
    "amount": number("10.50"),
    "currency": "USD",
    "real_before": number("100.00"),
    "bonus_before": number("20.00"),
    "real_balance": number("89.50"),
    "bonus_balance": number("20.00"),
    "balance": number("109.50"),
    "source": "callback",
    "transaction_id": "b-1",
    "event_id": "r-1",
    "game_id": 1037566,
    "bonus_code": None,
    "decided_at": "2026-11-20T12:00:00.000000Z",
    "refusal": None,
    "reason": None,
}
_DECLINED: Final = {
    **_MOVED,
    "amount": number("500.00"),
    "real_balance": number("100.00"),
    "balance": number("120.00"),
    "refusal": "insufficient_funds",
    "reason": "not enough money",
}

_EXAMPLES: Final[dict[LoggedType, dict[str, object]]] = {
    LoggedType.ACCOUNT_OPENED: {"currency": "USD"},
    LoggedType.ACCOUNT_UPDATED: {
        "by": "my-agent",
        "operation": "account/update",
        "status": "active",
        "excluded_until": None,
        "language": "en",
        "limits": {"deposit_day": number("100.00")},
        "limits_later": {
            "stake_day": {
                "amount": number("50.00"),
                "from": "2026-11-21T12:00:00.000000Z",
                "confirm": True,
            }
        },
    },
    LoggedType.MOVEMENT_POSTED: _MOVED,
    LoggedType.MOVEMENT_DECLINED: _DECLINED,
    LoggedType.LIMIT_HIT: {
        **_DECLINED,
        "refusal": "limit_exceeded",
        "reason": "limit exceeded",
        "limit": "stake_day",
        "value": number("200.00"),
        "used": number("10.50"),
        "remaining": number("189.50"),
    },
    LoggedType.ROUND_SETTLED: {
        "event_id": "r-1",
        "game_id": 1037566,
        "streamer": False,
        "currency": "USD",
        "bets": 1,
        "stakes": number("10.50"),
        "wins": number("21.00"),
        "returns": number("0.00"),
        "net": number("10.50"),
        "transaction_id": "w-1",
    },
    LoggedType.ALARM_RAISED: {
        "exception": 7,
        "kind": "expected_credit",
        "summary": "Win of 21.00 USD was refused: no matching movement in this event",
        "event_type": "Win",
        "direction": "credit",
        "transaction_id": "w-2",
        "event_id": "r-2",
        "amount": "21.00",
        "currency": "USD",
        "happened_at": "2026-11-20T12:00:00.000000Z",
    },
    LoggedType.EVENTS_VOIDED: {"first": 37, "last": 41},
}
assert set(_EXAMPLES) == set(LoggedType), "every type of events has its example"


def example_of(kind: LoggedType) -> dict[str, object]:
    """An event of this type, as it is sent."""
    return {
        "id": EXAMPLE_ID,
        "type": kind.value,
        "occurred_at": "2026-11-20T12:00:00.000000Z",
        "user_id": None if kind is LoggedType.EVENTS_VOIDED else "anna",
        "cursor": "42-5f0c1c6a",
        "data": _EXAMPLES[kind],
    }
