"""`wallet transfer OPERATION key=value …`: a client of the transfer API, over HTTP.

It knows the contract and nothing of the server: a compact JWE (dir, A256GCM) under the agent's key,
whose plaintext is one JSON object; the answer comes back the same way.

    key=text          a text, and a number where the contract wants a whole number
    key:=json         JSON as written: numbers, true, null
    limits.name=100   a member of an object; `limits.name:=null` lifts a limit
"""

import base64
import json
import os
import re
import secrets
import time
from collections.abc import Iterable, Mapping
from typing import Annotated, Final, NamedTuple

import httpx2
import msgspec
import typer
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from app.console.arguments import Url, checked_agent
from app.console.data_owner import console_settings
from app.console.errors import ConsoleError, OutcomeUnknownError
from app.console.game_side import NOT_SENT, UNREACHABLE, address_of
from app.console.output.printer import outcome_stands, print_json_text
from app.settings import Settings
from app.settings_parsing import AGENT_KEY_BYTES

PATH: Final = "/transfer/v1"
JOSE: Final = "application/jose"
ANSWER_SECONDS: Final = 30
OPERATION: Final = re.compile(r"[a-z]+(?:/[a-z]+)?", re.ASCII)
WHOLE: Final = re.compile(r"-?[0-9]{1,15}", re.ASCII)
WHOLE_NUMBERS: Final = frozenset({"ttl_seconds", "limit"})
"""Fields that the contract wants as JSON numbers; amounts may be either."""

_ANSWERS: Final = jwe.JWERegistry()
_ANSWERS.max_ciphertext_length = 1 << 26  # joserfc's own bound is shorter than a page of 1000

NANOSECONDS: Final = 1_000_000_000

JTI_BYTES: Final = 16
"""As many random bits as a UUID has, and more."""

JTI_NEEDED: Final = frozenset({"account/session", "account/update"})
"""What the contract asks an id of; money has its transaction_id, and the rest changes nothing."""


class Request(NamedTuple):
    """What goes into the envelope, and how to repeat it."""

    operation: str
    plaintext: bytes
    jti: str
    """as JSON"""

    @property
    def repeat(self) -> str:
        """What to do where no answer came."""
        under = "under the same transaction_id"
        if self.operation in JTI_NEEDED:
            under = f"with jti:='{self.jti}', within a day"
        return f"Whether it was done is not known: repeat it {under}."


class Caller(NamedTuple):
    """An agent and its key."""

    agent: str
    key: OctKey


class Said(NamedTuple):
    """A wallet's answer."""

    code: int
    text: str
    """as it came"""
    indented: str


Operation = Annotated[
    str, typer.Argument(metavar="OPERATION", help="Such as account/balance or account/deposit.")
]
Words = Annotated[
    list[str] | None, typer.Argument(metavar="KEY=VALUE", help="The fields; `key:=json` for JSON.")
]
AgentName = Annotated[
    str | None,
    typer.Option(
        help="Else the only agent of WALLET_AGENTS, or the demo's.", callback=checked_agent
    ),
]
KeyEnv = Annotated[
    str | None,
    typer.Option(help="The environment variable with the agent's key; else WALLET_AGENTS has it."),
]
AsSent = Annotated[bool, typer.Option("--json", help="The answer as it came, on one line.")]


def transfer(
    operation: Operation,
    words: Words = None,
    url: Url = None,
    agent: AgentName = None,
    key_env: KeyEnv = None,
    as_json: AsSent = False,
) -> None:
    """Call the transfer API as an agent does; exit code 0 only for an answer of code 0.

    Where no answer comes, the sentence says whether nothing was done, or whether it is not known.

    For instance: wallet transfer account/deposit user_id=alice transaction_id=t-1 amount=10.00
    """
    if not OPERATION.fullmatch(operation):
        raise typer.BadParameter("an operation is such as account/balance or history")
    settings = console_settings()
    caller = _caller(settings, agent, key_env)
    address = f"{(url or address_of(settings)).rstrip('/')}{PATH}/{operation}"
    answer = _sent(address, caller, request_of(operation, words or []))
    with outcome_stands():
        print_json_text(answer.text if as_json else answer.indented)
    if answer.code != 0:
        raise typer.Exit(1)


def request_of(operation: str, words: Iterable[str]) -> Request:
    """Write the JSON object that goes into the envelope; numbers keep every digit."""
    members: dict[str, str] = {
        "iat": str(time.time_ns() // NANOSECONDS),
        "op": json.dumps(operation),
        "jti": json.dumps(secrets.token_urlsafe(JTI_BYTES)),
    }
    objects: dict[str, dict[str, str]] = {}
    for word in words:
        name, value = _read(word)
        outer, dot, inner = name.partition(".")
        if dot:
            objects.setdefault(outer, {})[inner] = value
        else:
            members[name] = value
    members |= {name: _object(inner) for name, inner in objects.items()}
    return Request(operation, _object(members).encode(), members["jti"])


def _read(word: str) -> tuple[str, str]:
    """Read one `key=value` or `key:=json`, the value as JSON text."""
    name, equals, value = word.partition("=")
    as_json = name.endswith(":")
    name = name.removesuffix(":")
    if not equals or not name or not word.isprintable():
        raise typer.BadParameter(f"{word!r} is not of the form key=value")
    if as_json:
        try:
            json.loads(value)
        except (ValueError, RecursionError):
            raise typer.BadParameter(f"what follows {name}:= is not JSON") from None
        return name, value
    is_number = name in WHOLE_NUMBERS and WHOLE.fullmatch(value) is not None
    return name, str(int(value)) if is_number else json.dumps(value)


def _object(members: Mapping[str, str]) -> str:
    return "{" + ",".join(f"{json.dumps(name)}:{value}" for name, value in members.items()) + "}"


def _caller(settings: Settings, agent: str | None, key_env: str | None) -> Caller:
    """Find out who calls, and under which key."""
    known = settings.agents
    if agent is None:
        if len(known) != 1:
            raise ConsoleError("Name the agent with --agent: WALLET_AGENTS names none, or several.")
        (agent,) = known
    if key_env is not None:
        return Caller(agent, _key_of(key_env))
    if agent not in known:
        raise ConsoleError(
            f"WALLET_AGENTS has no key for the agent {agent}: name the environment variable that "
            "has it with --key-env."
        )
    secret = known[agent].keys[0].get_secret_value()
    return Caller(agent, OctKey.import_key(secret))


def _key_of(key_env: str) -> OctKey:
    text = os.environ.get(key_env, "").rstrip("=")
    try:
        secret = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        secret = b""  # Not base64, or not even ASCII.
    if len(secret) != AGENT_KEY_BYTES:
        raise ConsoleError(f"{key_env} must hold a key of 256 bits as base64url, 43 characters.")
    return OctKey.import_key(secret)


def _sent(address: str, caller: Caller, request: Request) -> Said:
    """Send the envelope, and return what the answer's holds; an error met before is plain JSON."""
    header = {"alg": "dir", "enc": "A256GCM", "kid": caller.agent}
    try:
        answer = httpx2.post(
            address,
            content=jwe.encrypt_compact(header, request.plaintext, caller.key),
            headers={"Content-Type": JOSE, "Accept": JOSE},
            timeout=ANSWER_SECONDS,
            trust_env=False,
        )
    except NOT_SENT as error:
        raise ConsoleError(
            f"No wallet answers at {address} ({_reason(error)}): nothing was sent, and nothing was "
            "done; you may repeat it under the same transaction_id. Start one with `make run`, or "
            "say where it is with --url."
        ) from error
    except UNREACHABLE as error:
        raise OutcomeUnknownError(
            f"No answer from {address} ({_reason(error)}). {request.repeat}"
        ) from error
    content = answer.content
    if answer.headers.get("content-type", "").partition(";")[0] == JOSE:
        try:
            content = jwe.decrypt_compact(content, caller.key, registry=_ANSWERS).plaintext or b""
        except (JoseError, ValueError) as error:
            raise OutcomeUnknownError(
                f"The answer of {address} does not open with our key. {request.repeat}"
            ) from error
    try:
        return _read_answer(content)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise OutcomeUnknownError(
            f"What answered at {address} is no wallet (HTTP {answer.status_code}). {request.repeat}"
        ) from error


def _read_answer(content: bytes) -> Said:
    """Read the wallet's shape; ValueError, KeyError, TypeError or RecursionError for any other."""
    text = content.decode()
    code = json.loads(text)["code"]
    if not isinstance(code, int):
        raise TypeError
    # msgspec's DecodeError is a ValueError; numbers keep every digit.
    return Said(code, text, msgspec.json.format(content, indent=2).decode())


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
