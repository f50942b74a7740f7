"""The operations' forms: which fields each has (transfer contract, section 2)."""

from typing import Final

from app.edges.transfer.forms import Field, Form, Kind
from app.wallet.event_log import LoggedType

_USER: Final = Field(Kind.TEXT, "the player, by the operator's own name: 1 to 250 characters")
_TRANSACTION: Final = Field(
    Kind.TEXT, "1 to 250 characters, the agent's own and never used for anything else"
)
_AMOUNT: Final = Field(Kind.AMOUNT, "more than 0, in major units, not finer than the currency")
_REASON: Final = Field(Kind.TEXT, "why, for the books: 1 to 1000 characters")
_LANGUAGE: Final = "a language tag such as en or en-US"


def _optional(kind: Kind, what: str, *, may_be_null: bool = False) -> Field:
    return Field(kind, what, is_required=False, may_be_null=may_be_null)


_MOVEMENT: Final[Form] = {
    "user_id": _USER,
    "transaction_id": _TRANSACTION,
    "amount": _AMOUNT,
}

_CLOSING: Final[Form] = {
    "transaction_id": _TRANSACTION,
    "hold_id": Field(Kind.TEXT, "the transaction_id of the hold"),
    "user_id": _optional(Kind.TEXT, "the player; if it is given, the hold must be theirs"),
}

ONE_TIME: Final = frozenset({"account/session", "account/update"})
"""What would take effect each time it is asked: each request of these has an id of its own."""

FORMS: Final[dict[str, Form]] = {
    "account/init": {
        "user_id": Field(
            Kind.TEXT,
            "the player, by the operator's own name: 1 to 250 characters, no blanks at its ends, "
            "nothing invisible, NFC",
        ),
        "currency": Field(Kind.TEXT, "ISO 4217, or one that came by setting; for ever"),
        "nickname": Field(Kind.TEXT, "3 to 64 characters"),
        "language": Field(Kind.TEXT, _LANGUAGE),
        "email": _optional(Kind.TEXT, "at most 250 characters"),
        "first_name": _optional(Kind.TEXT, "at most 250 characters"),
        "last_name": _optional(Kind.TEXT, "at most 250 characters"),
    },
    "account/deposit": {
        **_MOVEMENT,
        "check": _optional(
            Kind.OBJECT,
            "what an external check said: provider, reference, allowed (true or false), checked_at",
        ),
    },
    "account/withdraw": _MOVEMENT,
    "account/hold": _MOVEMENT,
    "hold/settle": _CLOSING,
    "hold/release": _CLOSING,
    "account/balance": {"user_id": _USER},
    "account/session": {
        "user_id": _USER,
        "ttl_seconds": _optional(
            Kind.INTEGER, "how long the token lives, from 1; its use does not lengthen that"
        ),
        "door": _optional(
            Kind.TEXT,
            "callback, or betby: a token in the form of Betby's own contract, where that is served",
        ),
        "revoke": Field(
            Kind.TEXT,
            "all, or a token: it expires now, and nothing is issued",
            is_required=False,
            is_secret=True,
        ),
    },
    "account/update": {
        "user_id": _USER,
        "status": _optional(Kind.TEXT, "active or blocked"),
        "excluded_until": _optional(
            Kind.MOMENT,
            "the end of the player's self-exclusion, or forever; never sooner than one that runs",
            may_be_null=True,
        ),
        "limits": _optional(
            Kind.OBJECT,
            "stake_bet, stake_day, stake_week, stake_month, loss_day, loss_week, loss_month, "
            "deposit_day, deposit_week, deposit_month: amounts, or null for no limit; those of "
            "stakes and losses may name a product, as in stake_day:casino",
        ),
        "confirm": _optional(
            Kind.TEXTS, "names of limits whose raise has waited and is confirmed by the player"
        ),
        "language": _optional(Kind.TEXT, _LANGUAGE),
    },
    "bonus/grant": {**_MOVEMENT, "reason": _REASON},
    "bonus/revoke": {**_MOVEMENT, "reason": _REASON},
    "transaction/check": {"transaction_id": _TRANSACTION},
    "history": {
        "type": Field(Kind.TEXT, "ALL, END (ended) or ING (ongoing)"),
        "user_id": _optional(Kind.TEXT, "one player's rounds only"),
        "from": _optional(Kind.MOMENT, "rounds opened then or later"),
        "to": _optional(Kind.MOMENT, "rounds opened before"),
        "cursor": _optional(Kind.TEXT, "`next_cursor` of the page before"),
        "limit": _optional(Kind.INTEGER, "rounds a page, 1 to 1000, else 100"),
    },
    "account/statement": {
        "user_id": _USER,
        "from": _optional(Kind.MOMENT, "movements decided then or later"),
        "to": _optional(Kind.MOMENT, "movements decided before"),
        "cursor": _optional(Kind.TEXT, "`next_cursor` of the page before, of this player"),
        "limit": _optional(Kind.INTEGER, "movements a page, 1 to 1000, else 100"),
    },
    "events": {
        "after": _optional(Kind.TEXT, "`cursor` of the answer before; absent: from the first on"),
        "limit": _optional(Kind.INTEGER, "events a page, 1 to 1000, else 100"),
        "types": _optional(Kind.TEXTS, f"only these: {', '.join(LoggedType)}"),
    },
}
assert set(FORMS) >= ONE_TIME, "a one-time operation is an operation"
