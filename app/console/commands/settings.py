"""`wallet settings …` and `wallet scope widen`: recorded changes of settings that decide money.

A server sends them with every batch, and the database refuses a batch whose settings differ: change
a setting here and in the servers' environment, and restart the servers.
"""

import re
from datetime import timedelta
from typing import Annotated, Final

import typer

from app.cashier.policy import policy_of_ledger
from app.console.database import open_database, reach
from app.console.errors import ConsoleError
from app.console.ledger_access import ask, commands, who
from app.console.output.layout import Facts
from app.console.output.printer import AsJson, print_json, tell
from app.console.output.printer import show as show_parts
from app.ledger.owner_changes import (
    CHANGEABLE,
    OwnerChangeError,
    change_decision_setting,
    rezone_limits,
    widen_key_scope,
)
from app.settings import load_database_settings
from app.settings_parsing import time_zone
from app.wallet.balance import StakeOrder
from app.wallet.early_aborts import OvertakenBet

settings: Final = commands("settings", "The settings that decide money, as the ledger remembers.")
limits: Final = commands("limits", "The days that players' limits count in.")
scope: Final = commands("scope", "What a transaction id of the game side names.")

SECONDS_MAX: Final = 86400

Name = Annotated[str, typer.Argument(help=f"One of {', '.join(CHANGEABLE)}.")]
Value = Annotated[str, typer.Argument(help="The new value.")]


_HINTS: Final = {
    "key_scope": "; `wallet scope widen` widens the key scope",
    "limit_zone": "; `wallet limits rezone` changes the time zone of limits",
}


def _checked_zone(value: str) -> str:
    try:
        return time_zone(value)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


Zone = Annotated[
    str,
    typer.Argument(metavar="ZONE", help="IANA, such as Europe/London.", callback=_checked_zone),
]


@settings.command("show")
def show(as_json: AsJson = False) -> None:
    """Show what the ledger remembers."""
    policy = ask(policy_of_ledger)
    facts: dict[str, str | int] = {
        "rule_version": policy.rule_version.value,
        "key_scope": policy.key_scope.value,
        "stake_order": policy.stake_order.value,
        "overtaken_bet": policy.overtaken_bet.value,
        "overtaken_seconds": policy.overtaken_window // timedelta(seconds=1),
        "limit_zone": policy.limit_days.name,
    }
    if as_json:
        print_json(facts)
    else:
        show_parts(Facts("decision settings", facts))


@settings.command("change")
def change(name: Name, value: Value, as_json: AsJson = False) -> None:
    """Change one setting, as the role that owns the schema; who did it is kept."""
    new = _read(name, value)
    with open_database(load_database_settings()) as database:
        before = reach(change_decision_setting(database.owner_url, who(), name, new))
    sentence = (
        f"{name} was {before} and is {new} now: set WALLET_{name.upper()} and restart the servers."
    )
    tell(sentence, {"name": name, "before": before, "after": new}, as_json=as_json)


@scope.command("widen")
def widen(as_json: AsJson = False) -> None:
    """Let a transaction id name its event type and direction, too; it is never narrowed."""
    with open_database(load_database_settings()) as database:
        try:
            was_narrow = reach(widen_key_scope(database.owner_url, who()))
        except OwnerChangeError as error:
            raise ConsoleError(str(error)) from error
    sentence = (
        "The key scope is transaction_event now: set WALLET_KEY_SCOPE and restart the servers."
        if was_narrow
        else "The key scope already was transaction_event."
    )
    tell(sentence, {"key_scope": "transaction_event", "changed": was_narrow}, as_json=as_json)


@limits.command("rezone")
def rezone(zone: Zone, as_json: AsJson = False) -> None:
    """Count limits in another time zone's days from now on.

    Windows that are running go on: what is used of them stays used until they end by the new zone.
    """
    with open_database(load_database_settings()) as database:
        try:
            before = reach(rezone_limits(database.owner_url, who(), zone))
        except OwnerChangeError as error:
            raise ConsoleError(str(error)) from error
    was = f"Limits counted in the days of {before or 'no zone yet'}"
    sentence = (
        f"Limits count in the days of {zone} already."
        if before == zone
        else f"{was} and count in those of {zone} now: set WALLET_LIMIT_ZONE and restart the "
        "servers."
    )
    tell(sentence, {"before": before, "after": zone}, as_json=as_json)


def _read(name: str, value: str) -> str | int:
    """Read the value of a setting, or say which values there are."""
    choices: dict[str, tuple[str, ...]] = {
        "stake_order": tuple(StakeOrder),
        "overtaken_bet": tuple(OvertakenBet),
    }
    if name in choices:
        if value in choices[name]:
            return value
        raise ConsoleError(f"{name} is one of {', '.join(choices[name])}.")
    if name == "overtaken_seconds":
        if re.fullmatch(r"[0-9]{1,5}", value, re.ASCII) and int(value) <= SECONDS_MAX:
            return int(value)
        raise ConsoleError(f"overtaken_seconds is a whole number from 0 to {SECONDS_MAX}.")
    hint = _HINTS.get(name, "")
    raise ConsoleError(f"{name} is not one of {', '.join(CHANGEABLE)}{hint}.")
