"""What the API pages say of the transfer API: each operation's plaintext, and its answers."""

from typing import Final, NamedTuple

from app.edges.transfer.codes import HTTP_STATUSES, WORDS, Code
from app.edges.transfer.forms import IAT, JTI, JTI_LENGTH_MAX, OP, Field, Kind
from app.edges.transfer.operations import FORMS, ONE_TIME

SUMMARIES: Final = {
    "account/init": "Open an account",
    "account/deposit": "Put real money in",
    "account/withdraw": "Take real money out",
    "account/hold": "Begin a withdrawal: the money leaves the balance",
    "hold/settle": "A withdrawal under way was paid out",
    "hold/release": "A withdrawal under way is given back",
    "account/balance": "What a player has",
    "account/session": "Issue a token that a game is launched with, or revoke one",
    "account/update": "Block, exclude, limit a player; change their language",
    "bonus/grant": "Put bonus money in",
    "bonus/revoke": "Take bonus money out",
    "transaction/check": "What became of a transaction",
    "history": "Rounds, newest first, page by page",
    "events": "What has happened since a cursor",
}
assert set(SUMMARIES) == set(FORMS), "every operation is described"

ENVELOPE: Final = (
    "The body is a compact JWE (`alg: dir`, `enc: A256GCM`, `kid`: the agent's id) under the "
    "agent's 256-bit key. So is an answer that holds a token, and every other for who accepts "
    "`application/jose`. The plaintext is one JSON object:\n\n"
)

_JTI: Final = Field(
    Kind.TEXT,
    f"1 to {JTI_LENGTH_MAX} characters, the agent's own and used for this request only; a repeat "
    "hears the first answer for a day",
)

_TYPES: Final[dict[Kind, object]] = {
    Kind.TEXT: "string",
    Kind.INTEGER: "integer",
    Kind.AMOUNT: ["string", "number"],
    Kind.MOMENT: ["string", "integer"],
    Kind.OBJECT: "object",
    Kind.TEXTS: "array",
}


class Described(NamedTuple):
    """What FastAPI is told of one operation."""

    summary: str
    description: str
    responses: dict[int | str, dict[str, object]]
    extra: dict[str, object]


def described(operation: str) -> Described:
    """Describe one operation."""
    fields = {
        IAT: Field(Kind.INTEGER, "unix seconds, near the server's clock"),
        OP: Field(Kind.TEXT, f"`{operation}`, as in the path"),
        **({JTI: _JTI} if operation in ONE_TIME else {}),
        **FORMS[operation],
    }
    lines = [
        f"* `{name}`{'' if field.is_required else ' (optional)'}: {field.kind.value}; {field.what}"
        for name, field in fields.items()
    ]
    body = {
        "required": True,
        "content": {"application/jose": {"schema": {"type": "string", "format": "jwe"}}},
    }
    return Described(
        SUMMARIES[operation],
        ENVELOPE + "\n".join(lines),
        {status: _response(status) for status in sorted(set(HTTP_STATUSES.values()))},
        {"requestBody": body, "x-plaintext": plaintext_schema(fields)},
    )


def plaintext_schema(fields: dict[str, Field]) -> dict[str, object]:
    """The JSON Schema of an envelope's content."""
    return {
        "type": "object",
        "required": [name for name, field in fields.items() if field.is_required],
        "properties": {
            name: {"type": _TYPES[field.kind], "description": field.what}
            for name, field in fields.items()
        },
    }


def _response(status: int) -> dict[str, object]:
    codes = [code for code in Code if HTTP_STATUSES[code] == status]
    schema = {
        "type": "object",
        "required": ["code", "message", "data"],
        "properties": {
            "code": {"type": "integer", "enum": [code.value for code in codes]},
            "message": {"type": "string"},
            "data": {"type": "object"},
        },
    }
    return {
        "description": "; ".join(f"{code.value} {WORDS[code]}" for code in codes),
        "content": {
            "application/json": {"schema": schema},
            "application/jose": {"schema": {"type": "string", "format": "jwe"}},
        },
    }
