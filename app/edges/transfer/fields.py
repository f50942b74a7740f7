"""The JSON Schema of each field that an operation asks for, and of each whole request.

What fits the schema of a request is refused for what it says, never for how it is said: codes 2 and
4 do not meet it. A test makes such requests by the thousand.
"""

from collections.abc import Mapping
from typing import Final

from app.edges.openapi import Schema, a_list
from app.edges.transfer.accounts import (
    NAME_LENGTH_MAX,
    NICKNAME_LENGTH_MAX,
    NICKNAME_LENGTH_MIN,
    TOKEN_LENGTH_MAX,
    TOKEN_LIFE_SECONDS_MAX,
)
from app.edges.transfer.cursors import CURSOR_LENGTH_MAX
from app.edges.transfer.forms import IAT, JTI, JTI_LENGTH_MAX, OP, Field, Kind
from app.edges.transfer.lookups import EVENTS_COUNT_MAX, HISTORY_COUNT_MAX, STATEMENT_COUNT_MAX
from app.edges.transfer.movements import REASON_LENGTH_MAX
from app.edges.transfer.operations import FORMS, ONE_TIME
from app.edges.transfer.reading import LANGUAGE, STATUSES
from app.ledger.history import RoundState
from app.wallet.event_log import LoggedType
from app.wallet.identifiers import ID_LENGTH_MAX
from app.wallet.limit_terms import LIMIT_NAMES, PRODUCT
from app.wallet.limits import Limits
from app.wallet.moments import FOREVER_TEXT

_DIGITS: Final = r"^[0-9]{1,18}(\.[0-9]{1,18})?$"
_LIMIT_NAME: Final = rf"^({'|'.join(LIMIT_NAMES)}|({'|'.join(Limits._fields)}):{PRODUCT.pattern})$"

AMOUNT: Final[Schema] = {
    "anyOf": [
        {"type": "string", "format": "decimal", "pattern": _DIGITS, "maxLength": 37},
        {"type": "number", "minimum": 0, "exclusiveMaximum": 10**18},
    ]
}
"""A text meets no binary fraction on its way; a JSON library may write a number as one."""

_IDENTIFIER: Final[Schema] = {
    "type": "string",
    "minLength": 1,
    "maxLength": ID_LENGTH_MAX,
    "pattern": r"^[^\u0000-\u001f\u007f-\u009f]+$",
}
_NO_NUL: Final = r"^[^\u0000]+$"
_NAME: Final[Schema] = {"type": "string", "maxLength": NAME_LENGTH_MAX, "pattern": _NO_NUL}
_MOMENT: Final[Schema] = {"anyOf": [{"type": "string"}, {"type": "integer"}]}
_LANGUAGE: Final[Schema] = {"type": "string", "pattern": f"^{LANGUAGE.pattern}$"}

_CHECK: Final[Schema] = {
    "type": "object",
    "required": ["provider", "reference", "allowed", "checked_at"],
    "properties": {
        "provider": _IDENTIFIER,
        "reference": _IDENTIFIER,
        "allowed": {"type": "boolean"},
        "checked_at": _MOMENT,
    },
}

_SCHEMAS: Final[dict[str, Schema]] = {
    "user_id": _IDENTIFIER,
    "transaction_id": _IDENTIFIER,
    "hold_id": _IDENTIFIER,
    "amount": AMOUNT,
    "reason": {"type": "string", "maxLength": REASON_LENGTH_MAX, "pattern": _NO_NUL},
    "currency": {"type": "string", "minLength": 1, "maxLength": ID_LENGTH_MAX},
    "nickname": {
        **_IDENTIFIER,
        "minLength": NICKNAME_LENGTH_MIN,
        "maxLength": NICKNAME_LENGTH_MAX,
    },
    "language": _LANGUAGE,
    "email": _NAME,
    "first_name": _NAME,
    "last_name": _NAME,
    "check": _CHECK,
    "ttl_seconds": {"type": "integer", "minimum": 1, "maximum": TOKEN_LIFE_SECONDS_MAX},
    "door": {"type": "string", "enum": ["callback", "betby"]},
    "revoke": {"type": "string", "minLength": 1, "maxLength": TOKEN_LENGTH_MAX},
    "status": {"type": "string", "enum": list(STATUSES)},
    "excluded_until": {
        "anyOf": [*_MOMENT["anyOf"], {"type": "null"}],  # type: ignore[misc]  # it is a list
        "examples": [FOREVER_TEXT, "2027-01-31T00:00:00Z"],
    },
    "limits": {
        "type": "object",
        "propertyNames": {"pattern": _LIMIT_NAME},
        "additionalProperties": {"anyOf": [*AMOUNT["anyOf"], {"type": "null"}]},  # type: ignore[misc]  # as above
    },
    "confirm": {**a_list({"type": "string", "pattern": _LIMIT_NAME}), "minItems": 1},
    "type": {"type": "string", "enum": [state.value for state in RoundState]},
    "from": _MOMENT,
    "to": _MOMENT,
    "cursor": {"type": "string", "minLength": 1, "maxLength": CURSOR_LENGTH_MAX},
    "after": {"type": "string", "minLength": 1, "maxLength": ID_LENGTH_MAX},
    "types": a_list({"type": "string", "enum": [kind.value for kind in LoggedType]}),
    "limit": {
        "type": "integer",
        "minimum": 1,
        "maximum": min(HISTORY_COUNT_MAX, STATEMENT_COUNT_MAX, EVENTS_COUNT_MAX),
    },
}

_IAT: Final = Field(Kind.INTEGER, "unix seconds, near the server's clock")
_JTI: Final = Field(
    Kind.TEXT,
    f"1 to {JTI_LENGTH_MAX} characters, the agent's own and used for this request only; a repeat "
    "hears the first answer for a day",
)


def request_schema(operation: str) -> Schema:
    """Return the schema of an operation's plaintext."""
    form = FORMS[operation]
    claims: dict[str, Schema] = {
        IAT: {"type": "integer", "minimum": 0, "description": _IAT.what},
        OP: {"type": "string", "const": operation, "description": "the operation, as in the path"},
    }
    if operation in ONE_TIME:
        claims[JTI] = {**_IDENTIFIER, "maxLength": JTI_LENGTH_MAX, "description": _JTI.what}
    required = [*claims, *(name for name, field in form.items() if field.is_required)]
    # Of the fields that may be changed one at least is needed. A choice of schemas would say the
    # same, and no generator would make one type of it.
    bounds = {"minProperties": len(required) + 1} if operation == "account/update" else {}
    properties = {**claims, **_properties(form)}
    return {"type": "object", "required": required, "properties": properties, **bounds}


def _properties(form: Mapping[str, Field]) -> Schema:
    return {name: {**_SCHEMAS[name], "description": field.what} for name, field in form.items()}


assert {name for form in FORMS.values() for name in form} == set(_SCHEMAS), (
    "every field has its schema"
)
