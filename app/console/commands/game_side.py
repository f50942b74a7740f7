"""`wallet call`, `bet`, `win`, `cancel`, `sign`, `verify-signature`: the game side, by hand.

`call` sends what is typed, field by field; the three others ask for a token as the aggregator does,
and fill in what a bet, its win or its cancellation needs.
"""

import os
import secrets
import shlex
from typing import Annotated, Final

import msgspec
import typer

from app.console.arguments import Amount, Url, UserId, checked_text
from app.console.data_owner import console_settings
from app.console.errors import ConsoleError
from app.console.game_side import (
    METHODS,
    MOVE_FUNDS,
    Call,
    Fields,
    Said,
    Wallet,
    address_of,
    find_wallet,
    refuse_real_money,
    send,
    signed,
)
from app.console.output.printer import AsJson, hint, outcome_stands, print_json_text, say, tell
from app.console.signature_faults import difference, explained
from app.settings import DEMO_CALLBACK_KEY, Settings
from app.simulator.signature import sign

GAME_ID: Final = "1037566"
ID_BYTES: Final = 8

Method = Annotated[
    str, typer.Argument(metavar="METHOD", help=f"One of {', '.join(METHODS)}.", show_default=False)
]
Words = Annotated[
    list[str] | None, typer.Argument(metavar="KEY=VALUE", help="The fields, as they are sent.")
]
Given = Annotated[
    str,
    typer.Argument(metavar="SIGNATURE", help="64 hexadecimal digits.", callback=checked_text),
]
AsCurl = Annotated[bool, typer.Option("--curl", help="Print the curl command; send nothing.")]
Explain = Annotated[
    bool, typer.Option("--explain", help="Print the very string that is hashed; send nothing.")
]
Signature = Annotated[
    str | None,
    typer.Option(
        help="Send this signature, or with --explain say where it differs.", callback=checked_text
    ),
]
KeyEnv = Annotated[
    str | None,
    typer.Option(help="The environment variable with the key; else WALLET_CALLBACK_KEYS has it."),
]
AsSent = Annotated[bool, typer.Option("--json", help="The answer alone, as it came.")]
Event = Annotated[str | None, typer.Option(help="The eventId.", callback=checked_text)]
NamedEvent = Annotated[
    str, typer.Option("--event", help="The bet's eventId.", callback=checked_text)
]
Game = Annotated[str, typer.Option(help="The gameId: 1 to 18 digits.")]
TransactionId = Annotated[
    str | None,
    typer.Option("--id", help="The transactionId; else a fresh one.", callback=checked_text),
]
AgainstReal = Annotated[
    str | None,
    typer.Option(metavar="HOST", help="Move real money, on the server of this host."),
]


def call_command(
    method: Method,
    words: Words = None,
    url: Url = None,
    curl: AsCurl = False,
    explain: Explain = False,
    signature: Signature = None,
    key_env: KeyEnv = None,
    as_json: AsSent = False,
) -> None:
    """Call a method of the callback API as the game side does; exit code 0 if all is well.

    For instance: wallet call getBalance token=… userId=alice
    """
    if method not in METHODS:
        raise typer.BadParameter(f"the methods are {', '.join(METHODS)}")
    fields = fields_of(words or [])
    settings = console_settings()
    key = _key_of(settings, key_env)
    if explain:
        say("\n".join(explained(fields, key, signature)))
        return
    call = signed(url or address_of(settings), method, fields, key)
    if signature is not None:
        call = call._replace(signature=signature)
    if curl:
        say(curl_of(call))
        return
    _done(call, as_json=as_json)


def bet_command(
    user_id: UserId,
    amount: Amount,
    event: Event = None,
    game: Game = GAME_ID,
    transaction_id: TransactionId = None,
    url: Url = None,
    against_real: AgainstReal = None,
    curl: AsCurl = False,
    as_json: AsSent = False,
) -> None:
    """Place a bet as the game side does, with a token that it asks for; on a sandbox only."""
    event_id = event or f"event-{secrets.token_hex(ID_BYTES)}"
    wallet = _sandbox(url, against_real)
    asked = ("BetPlacing", "debit", amount)
    bet = _movement(wallet, user_id, asked, event_id, game, transaction_id)
    if curl:
        say(curl_of(bet))
        return
    _done(bet, as_json=as_json)
    who = shlex.quote(user_id)
    hint(
        f"Next: wallet win {who} AMOUNT --event {shlex.quote(event_id)}, or "
        f"wallet cancel {who} {amount} --event {shlex.quote(event_id)}"
    )


def win_command(
    user_id: UserId,
    amount: Amount,
    event: NamedEvent,
    game: Game = GAME_ID,
    transaction_id: TransactionId = None,
    url: Url = None,
    against_real: AgainstReal = None,
    curl: AsCurl = False,
    as_json: AsSent = False,
) -> None:
    """Pay the win of a bet as the game side does; on a sandbox only."""
    wallet = _sandbox(url, against_real)
    win = _movement(wallet, user_id, ("Win", "credit", amount), event, game, transaction_id)
    if curl:
        say(curl_of(win))
        return
    _done(win, as_json=as_json)


def cancel_command(
    user_id: UserId,
    amount: Amount,
    event: NamedEvent,
    game: Game = GAME_ID,
    transaction_id: TransactionId = None,
    url: Url = None,
    against_real: AgainstReal = None,
    curl: AsCurl = False,
    as_json: AsSent = False,
) -> None:
    """Give a bet back as the game side does (BetPlacingAbort); on a sandbox only."""
    wallet = _sandbox(url, against_real)
    asked = ("BetPlacingAbort", "credit", amount)
    abort = _movement(wallet, user_id, asked, event, game, transaction_id)
    if curl:
        say(curl_of(abort))
        return
    _done(abort, as_json=as_json)


def sign_command(
    words: Words = None, explain: Explain = False, key_env: KeyEnv = None, as_json: AsJson = False
) -> None:
    """Print the signature of these fields: what the header Hash-Authorization must hold."""
    fields, key = fields_of(words or []), _key_of(console_settings(), key_env)
    lines, signature = explained(fields, key, None), sign(fields, key)
    document = {"signature": signature} | ({"explained": lines} if explain else {})
    tell("\n".join(lines) if explain else signature, document, as_json=as_json)


def verify_command(
    given: Given, words: Words = None, key_env: KeyEnv = None, as_json: AsJson = False
) -> None:
    """Check a signature of these fields; exit code 1, and what made it wrong, if it is."""
    fields, key = fields_of(words or []), _key_of(console_settings(), key_env)
    sentence = difference(fields, key, given)
    is_right = given == sign(fields, key)
    if as_json or is_right:
        tell(sentence, {"is_right": is_right, "words": sentence}, as_json=as_json)
    if not is_right:
        raise typer.Exit(1) if as_json else ConsoleError(sentence)


def fields_of(words: list[str]) -> Fields:
    """Read the words `key=value`; a value may be empty, and may hold `=`."""
    fields = []
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise typer.BadParameter(f"{word!r} is not of the form key=value")
        if not word.isprintable():
            raise typer.BadParameter("a field must be text in UTF-8, without control characters")
        fields.append((name, value))
    return fields


def curl_of(call: Call) -> str:
    """Write a call as a curl command, ready to paste."""
    words = [["curl", "-sS", *(["-X", "POST"] if call.body == "" else []), call.url]]
    words += [["-H", f"{name}: {value}"] for name, value in call.headers.items()]
    if call.body:
        words.append(["-d", call.body])
    return " \\\n  ".join(shlex.join(part) for part in words)


def _key_of(settings: Settings, key_env: str | None) -> str:
    """Return the key to sign with: a variable's, else the settings' first, else the demo's."""
    if key_env is not None:
        key = os.environ.get(key_env, "")
        if not key or not key.isprintable():
            raise ConsoleError(f"The environment variable {key_env} holds no key.")
        return key
    keys = [secret.get_secret_value() for secret in settings.callback_keys]
    return keys[0] if keys else DEMO_CALLBACK_KEY


def _sandbox(url: str | None, against_real: str | None) -> Wallet:
    """Find the server, and make sure that no real money is moved by accident."""
    settings = console_settings()
    wallet = find_wallet(url or address_of(settings), settings)
    refuse_real_money(wallet, against_real)
    return wallet


def _movement(
    wallet: Wallet,
    user_id: str,
    asked: tuple[str, str, str],
    event_id: str,
    game_id: str,
    transaction_id: str | None,
) -> Call:
    """Ask for a token as the aggregator does, and sign a movement under it."""
    told = send(signed(wallet.address, "getUserToken", [("userId", user_id)], wallet.key))
    if told.code != 0:
        raise ConsoleError(f"There is no token for {user_id}: {told.text}")
    event_type, direction, amount = asked
    fields = [
        ("token", str(msgspec.json.decode(told.text)["token"])),
        ("userId", user_id),
        ("gameId", game_id),
        ("extraData", "{}"),
        ("eventId", event_id),
        ("direction", direction),
        ("transactionId", transaction_id or f"hand-{secrets.token_hex(ID_BYTES)}"),
        ("eventType", event_type),
        ("amount", amount),
    ]
    return signed(wallet.address, MOVE_FUNDS, fields, wallet.key)


def _done(call: Call, *, as_json: bool) -> None:
    """Send a call and print it with its answer; exit code 1 for any answer but a good one."""
    said = send(call)
    with outcome_stands():
        if as_json:
            print_json_text(said.text)
        else:
            say("\n".join([*_request_lines(call), "", *_answer_lines(said)]))
    if said.code != 0:
        raise typer.Exit(1)


def _request_lines(call: Call) -> list[str]:
    lines = [f"{call.verb} {call.url}"]
    lines += [f"{name}: {value}" for name, value in call.headers.items()]
    return lines if call.body is None else [*lines, "", call.body]


def _answer_lines(said: Said) -> list[str]:
    lines = [f"HTTP {said.status}"]
    if said.request_id is not None:
        lines.append(f"Request-Id: {said.request_id}")
    return [*lines, msgspec.json.format(said.text.encode(), indent=2).decode()]
