"""How the console reads what is typed: amounts exactly, limits by name, moments with their zone.

What cannot be read is a mistake in the command line: a sentence, and exit code 2.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Annotated, Final
from urllib.parse import urlsplit

import typer

from app.cashier.account_changes import LIMIT_NAMES
from app.console.errors import ConsoleError
from app.settings import agent_fault
from app.wallet.moments import moment_from_text
from app.wallet.money import AMOUNT_PATTERN

ID_LENGTH_MAX: Final = 250
"""The contracts' longest id."""

HOST_LENGTH_MAX: Final = 253
HOST: Final = re.compile(r"[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*\.?", re.ASCII)
"""A name that the resolver takes: no label is empty, and none is longer than 63."""

NO_LIMIT: Final = "none"


def checked_text(value: str | None) -> str | None:
    """Hold an argument to what the database can keep and the contracts allow."""
    if value is None:
        return None
    if not 1 <= len(value) <= ID_LENGTH_MAX:
        raise typer.BadParameter(f"must have 1 to {ID_LENGTH_MAX} characters")
    if not value.isprintable():
        raise typer.BadParameter("must be text without control characters, in UTF-8")
    return value


def checked_agent(value: str | None) -> str | None:
    """Hold an agent's id to what the settings take: what is opened under it is for ever."""
    fault = None if value is None else agent_fault(value)
    if fault is not None:
        raise ConsoleError(f"{value} cannot be an agent: the settings {fault}.")
    return value


def checked_url(value: str | None) -> str | None:
    """Hold a server's address to what can be asked: a scheme, a host, perhaps a port and a path."""
    if value is None:
        return None
    try:
        parts = urlsplit(value)
        is_address = (
            value.isascii()
            and value.isprintable()
            and " " not in value
            and parts.scheme in {"http", "https"}
            and parts.port != 0
            and not parts.query
            and not parts.fragment
            and _is_host(parts.hostname or "")
        )
    except ValueError:
        is_address = False
    if not is_address:
        raise typer.BadParameter("must be an address such as http://127.0.0.1:8080")
    return value


def _is_host(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return len(host) <= HOST_LENGTH_MAX and HOST.fullmatch(host) is not None
    return True


def checked_amount(value: str) -> str:
    """Hold an amount to the contracts' pattern; how fine it may be, the currency decides."""
    if not AMOUNT_PATTERN.fullmatch(value):
        raise typer.BadParameter(
            "must be a decimal such as 100.50: digits and at most one point, no sign, no comma"
        )
    if not value.strip("0."):
        raise typer.BadParameter("must be more than 0")
    return value


def read_moment(value: str) -> datetime:
    """Read a moment; a date is its first moment, and what names no zone is UTC."""
    moment = moment_from_text(value)
    if moment is None:
        raise typer.BadParameter(
            "must be such as 2026-11-20 or 2026-11-20T12:00:00Z, from 1970 until the year 9000"
        )
    return moment


def checked_moment(value: str | None) -> str | None:
    """Hold an argument to what `read_moment` reads."""
    if value is not None:
        read_moment(value)
    return value


def checked_moment_to_come(value: str | None) -> str | None:
    """Hold an argument to a moment that has not passed."""
    if value is not None and read_moment(value) <= datetime.now(UTC):
        raise typer.BadParameter("must be a moment to come, and this one has passed")
    return value


def read_limits(words: Iterable[str]) -> dict[str, str | None]:
    """Read `stake_day=100.00 loss_week=none`."""
    limits: dict[str, str | None] = {}
    for word in words:
        name, _, amount = word.partition("=")
        if name not in LIMIT_NAMES:
            raise typer.BadParameter(f"{name} is no limit; there are {', '.join(LIMIT_NAMES)}")
        if amount != NO_LIMIT and not AMOUNT_PATTERN.fullmatch(amount):
            raise typer.BadParameter(f"{name} must be an amount such as 100.50, or {NO_LIMIT}")
        limits[name] = None if amount == NO_LIMIT else amount
    return limits


Url = Annotated[
    str | None,
    typer.Option(
        help="Where the server is; else WALLET_HOST and WALLET_PORT say it.", callback=checked_url
    ),
]
UserId = Annotated[
    str, typer.Argument(metavar="USER", help="The player's userId.", callback=checked_text)
]
Amount = Annotated[
    str,
    typer.Argument(
        metavar="AMOUNT", help="In the player's currency, such as 100.50.", callback=checked_amount
    ),
]
