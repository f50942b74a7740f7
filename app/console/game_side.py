"""The game side at the console: calls of the callback API, signed and sent over HTTP.

It knows the contract and nothing of the server. What is hashed is exactly what is sent.
"""

import json
from collections.abc import Sequence
from typing import Final, NamedTuple
from urllib.parse import urlencode, urlsplit

import httpx2

from app.console.errors import ConsoleError, OutcomeUnknownError
from app.settings import DEMO_CALLBACK_KEY, Settings
from app.simulator.signature import sign

ANSWER_SECONDS: Final = 15

UNREACHABLE: Final = (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError)
"""Errors of the client if no server answers; ValueError: a name that cannot be resolved."""

NOT_SENT: Final = (
    httpx2.ConnectError,
    httpx2.ConnectTimeout,
    httpx2.UnsupportedProtocol,
    httpx2.InvalidURL,
    UnicodeError,
)
"""Errors that are raised before the first byte is sent."""

SIGNATURE: Final = "Hash-Authorization"
REQUEST_ID: Final = "request-id"
SANDBOX: Final = "wallet-sandbox"
"""The header by which a server says that its money is not real."""

FORM: Final = "application/x-www-form-urlencoded"
JSON: Final = "application/json"

METHODS: Final = {
    "sessionCheck": "GET",
    "playerDetails": "GET",
    "getBalance": "GET",
    "getUserToken": "GET",
    "moveFunds": "POST",
    "notification/maintenance": "POST",
}
"""The contract's methods, and how each is sent."""

MOVE_FUNDS: Final = "moveFunds"
MAINTENANCE: Final = "notification/maintenance"

NOT_LET_IN: Final = 400
"""The code for a wrong signature; an unknown player gets another."""

Fields = Sequence[tuple[str, str]]


class Call(NamedTuple):
    """One signed request."""

    address: str
    """the server's, without the method"""
    method: str
    fields: Fields
    signature: str

    @property
    def verb(self) -> str:
        """GET or POST."""
        return METHODS[self.method]

    @property
    def url(self) -> str:
        """What is asked for, with the query of a GET."""
        query = "" if self.verb == "POST" else f"?{urlencode(self.fields)}"
        return f"{self.address}/{self.method}{query}"

    @property
    def body(self) -> str | None:
        """The body of a POST: a form, or for a notice the JSON object of the same fields."""
        if self.verb != "POST":
            return None
        if self.method == MAINTENANCE:
            return json.dumps(dict(self.fields), ensure_ascii=False)
        return urlencode(self.fields)

    @property
    def headers(self) -> dict[str, str]:
        """The headers that the contract asks for."""
        headers = {SIGNATURE: self.signature}
        if self.body is not None:
            headers["Content-Type"] = JSON if self.method == MAINTENANCE else FORM
        return headers


class Said(NamedTuple):
    """A wallet's answer."""

    status: int
    text: str
    """as it came"""
    request_id: str | None
    is_sandbox: bool
    code: int
    """0: all is well"""


def signed(address: str, method: str, fields: Fields, key: str) -> Call:
    """Sign a call with the key that the wallet knows."""
    return Call(address.rstrip("/"), method, fields, sign(fields, key))


def send(call: Call) -> Said:
    """Send a call, and return the answer; ConsoleError or OutcomeUnknownError: there is none."""
    try:
        answer = httpx2.request(
            call.verb,
            call.url,
            content=call.body,
            headers=call.headers,
            timeout=ANSWER_SECONDS,
            trust_env=False,
        )
    except NOT_SENT as error:
        raise ConsoleError(_no_wallet(call.address, error)) from error
    except UNREACHABLE as error:
        if call.method != MOVE_FUNDS:
            raise ConsoleError(_no_wallet(call.address, error)) from error
        raise OutcomeUnknownError(
            f"No answer from {call.address} ({_reason(error)}). Whether it was done is not known: "
            "repeat it under the same transactionId."
        ) from error
    try:
        said = json.loads(answer.content, parse_float=str, parse_constant=str)
        code = 0 if said["status"] is True else int(said["errors"]["code"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        if call.method != MOVE_FUNDS:
            raise ConsoleError(f"What answers at {call.address} is no wallet.") from error
        raise OutcomeUnknownError(
            f"What answered at {call.address} is no wallet (HTTP {answer.status_code}). "
            "Whether it was done is not known: repeat it under the same transactionId."
        ) from error
    return Said(
        answer.status_code,
        answer.text,
        answer.headers.get(REQUEST_ID),
        answer.headers.get(SANDBOX) == "on",
        code,
    )


def address_of(settings: Settings) -> str:
    """Return where a server with these settings listens, as seen from this machine."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"


class Wallet(NamedTuple):
    """A server that accepts our signature."""

    address: str
    key: str
    is_sandbox: bool


def find_wallet(address: str, settings: Settings) -> Wallet:
    """Find the key that the server at an address accepts; raise if there is none."""
    address = address.rstrip("/")
    keys = [secret.get_secret_value() for secret in settings.callback_keys]
    for key in dict.fromkeys([*keys, DEMO_CALLBACK_KEY]):
        fields = (("token", "no-token"), ("userId", "nobody"))
        said = send(signed(address, "getBalance", fields, key))
        if said.code != NOT_LET_IN:
            return Wallet(address, key, said.is_sandbox)
    raise ConsoleError(
        f"The server at {address} accepts no signature of ours: name its key in "
        "WALLET_CALLBACK_KEYS."
    )


def refuse_real_money(wallet: Wallet, against_real: str | None) -> None:
    """Raise unless the server is a sandbox, or its host was typed."""
    host = urlsplit(wallet.address).hostname or ""
    if wallet.is_sandbox or against_real == host:
        return
    if against_real is not None:
        raise ConsoleError(f"The server's host is {host}, and --against-real names another.")
    raise ConsoleError(
        f"The server at {wallet.address} is no sandbox (WALLET_SANDBOX), so its money is real: "
        f"name a sandbox with --url, or type --against-real {host}."
    )


def _no_wallet(address: str, error: Exception) -> str:
    return (
        f"No wallet answers at {address} ({_reason(error)}): "
        "start one with `make run`, or say where it is with --url."
    )


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
