"""What the description says of the transfer API: each operation's plaintext, and its answers.

The envelope is described once, as the security scheme. Under `application/jose` the schema is that
of the plaintext, so that a generator makes typed models, and a client adds one layer that seals
requests and opens answers.
"""

from collections.abc import Iterable
from typing import Final

from app.edges.openapi import (
    JOSE,
    JSON,
    Contract,
    Operation,
    Schema,
    answer,
    body,
    either,
    ref,
)
from app.edges.transfer.answer_schemas import ANSWER_SCHEMAS
from app.edges.transfer.codes import HTTP_STATUSES, WORDS, Code
from app.edges.transfer.examples import DONE, FAULTS, REFUSED, REQUESTS, example_of
from app.edges.transfer.fields import request_schema
from app.edges.transfer.forms import JTI_LENGTH_MAX
from app.edges.transfer.operations import FORMS, ONE_TIME

PREFIX: Final = "/transfer/v1"

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
    "account/statement": "What was decided of a player's money, newest first, page by page",
    "events": "What has happened since a cursor",
}
assert set(SUMMARIES) == set(FORMS), "every operation is described"

INTRODUCTION: Final = f"""
The operator's own platform calls these. A request is one `POST` whose body is an envelope, and the
security scheme `envelope` says how it is made. **Schemas under `application/jose` are those of the
plaintext.**

* Every answer is `code`, `message` and `data`. HTTP 200 is code 0, 202 a refusal, 500 a fault.
* Codes 3, 4 and 6 before the key is known are plain JSON, whatever was accepted; an answer that
  holds a token is always an envelope.
* A `transaction_id` has one outcome for ever. A repeat hears the first answer, byte for byte.
* {" and ".join(f"`{name}`" for name in sorted(ONE_TIME))} take effect once under their `jti`, 1 to
  {JTI_LENGTH_MAX} characters.
* Send amounts as text; read numbers as decimals. Names that are new may come with any release.
"""

ENVELOPE: Final[Schema] = {
    "type": "http",
    "scheme": "jwe",
    "description": (
        "The whole body is one compact JWE (RFC 7516) with `Content-Type: application/jose`; there "
        'is no header to send. Its header is `{"alg":"dir","enc":"A256GCM","kid":"<agent id>"}` '
        "without `zip` and `crit`, its key the agent's 256 bits, its plaintext the JSON object "
        "that the request's schema describes: `iat` (unix seconds), `op` (as in the path), `jti` "
        "where it is needed, and the operation's fields. An answer is such an envelope under the "
        "same key for who sends `Accept: application/jose`, and always if it holds a token; else "
        "it is JSON. Vectors: docs/vectors.json."
    ),
    "x-envelope": {"alg": "dir", "enc": "A256GCM", "kid": "agent id", "keyBits": 256},
}

SECURITY: Final = {"envelope": ENVELOPE}

_ALWAYS: Final = (
    *(Code.MISSING, Code.KEY, Code.FORMAT, Code.EXPIRED, Code.AGENT),
    *(Code.VALUE, Code.DENIED),
)
"""Refusals that every operation may meet: the envelope, the form, the agent's networks."""

_FURTHER: Final[dict[str, tuple[Code, ...]]] = {
    "account/deposit": (Code.BLOCKED,),
    "account/withdraw": (Code.BALANCE,),
    "account/hold": (Code.BALANCE,),
    "account/session": (Code.BLOCKED,),
    "bonus/grant": (Code.BLOCKED,),
    "bonus/revoke": (Code.BLOCKED, Code.BALANCE),
}

_MOVING: Final = frozenset(
    {
        *("account/deposit", "account/withdraw", "account/hold", "hold/settle", "hold/release"),
        *("bonus/grant", "bonus/revoke"),
    }
)
"""Operations that move money, whose refusal may be an outcome."""


def camel(operation: str) -> str:
    """Return an operation's name as a type's: `account/init` is AccountInit."""
    return "".join(word.capitalize() for word in operation.split("/"))


def refusals_of(operation: str) -> tuple[Code, ...]:
    """Return the codes that an operation may be refused with."""
    return tuple(sorted({*_ALWAYS, *_FURTHER.get(operation, ())}))


def _described(operation: str) -> Operation:
    once = " Takes effect once under its `jti`." if operation in ONE_TIME else ""
    return Operation(
        "post",
        operation.replace("/", "_"),
        SUMMARIES[operation],
        f"{SUMMARIES[operation]}. The body is the plaintext's envelope.{once}",
        {
            200: _done(operation),
            202: _refused(operation),
            500: _faults(),
        },
        body({JOSE: ref(f"{camel(operation)}Request")}, REQUESTS[operation]),
    )


def _done(operation: str) -> Schema:
    schemas, examples = DONE[operation]
    described = _words((Code.DONE,))
    if operation != "account/session":
        schema = either(*map(ref, schemas))
        return answer(described, {JSON: schema, JOSE: schema}, examples)
    # A token is never in plain JSON.
    issued, revoked = map(ref, schemas)
    sealed = answer(described, {JOSE: either(issued, revoked)}, examples)
    plain = answer(described, {JSON: revoked}, {"revoked": examples["revoked"]})
    # Generators take what comes first.
    return {**sealed, "content": {**_content(sealed), **_content(plain)}}


def _content(said: Schema) -> dict[str, object]:
    content = said["content"]
    assert isinstance(content, dict)
    return content


def _refused(operation: str) -> Schema:
    codes = refusals_of(operation)
    schema = either(ref("Declined"), ref("Refused")) if operation in _MOVING else ref("Refused")
    examples = {
        str(code.value): REFUSED[operation, code]
        if (operation, code) in REFUSED
        else example_of(code)
        for code in codes
    }
    return answer(_words(codes), {JSON: schema, JOSE: schema}, examples)


def _faults() -> Schema:
    codes = [code for code in Code if HTTP_STATUSES[code] == HTTP_STATUSES[Code.ERROR]]
    examples = {str(code.value): FAULTS[code] for code in codes}
    return answer(_words(codes), {JSON: ref("Fault"), JOSE: ref("Fault")}, examples)


def _words(codes: Iterable[Code]) -> str:
    return "; ".join(f"{code.value} {WORDS[code]}" for code in codes)


CONTRACT: Final = Contract(
    "transfer",
    INTRODUCTION,
    {f"{PREFIX}/{operation}": _described(operation) for operation in FORMS},
    {
        **{f"{camel(operation)}Request": request_schema(operation) for operation in FORMS},
        **ANSWER_SCHEMAS,
    },
    SECURITY,
)
