"""Parsing of command line arguments: exact amounts, limits by name, moments with a time zone.

An argument that cannot be parsed gives an error message of one sentence, and exit code 2.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

import typer

from app.console.errors import ConsoleError
from app.settings import agent_fault
from app.wallet.identifiers import ID_LENGTH_MAX
from app.wallet.limit_terms import LIMIT_NAMES, is_limit_name
from app.wallet.moments import FOREVER, FOREVER_TEXT, moment_from_text
from app.wallet.money import AMOUNT_PATTERN

HOST_LENGTH_MAX: Final = 253
HOST: Final = re.compile(r"[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*\.?", re.ASCII)
"""A valid host name: no label is empty, and none is longer than 63 characters."""

NO_LIMIT: Final = "none"


def json_lines(metavar: str) -> Any:  # noqa: ANN401 - as typer types it
    """Return the argument for a file as another wallet writes it."""
    return typer.Argument(
        metavar=metavar,
        help="JSON lines as docs/guide/migrating.md describes them, also gzipped.",
        exists=True,
        dir_okay=False,
        readable=True,
    )


def checked_text(value: str | None) -> str | None:
    """Check that a text can be stored and is allowed by the contracts."""
    if value is None:
        return None
    if not 1 <= len(value) <= ID_LENGTH_MAX:
        raise typer.BadParameter(f"must have 1 to {ID_LENGTH_MAX} characters")
    if not value.isprintable():
        raise typer.BadParameter("must be text without control characters, in UTF-8")
    return value


def checked_agent(value: str | None) -> str | None:
    """Check an agent's id by the rule of the settings, since an account's agent never changes."""
    fault = None if value is None else agent_fault(value)
    if fault is not None:
        raise ConsoleError(f"{value} cannot be an agent: the settings {fault}.")
    return value


def checked_url(value: str | None) -> str | None:
    """Check a server's URL: a scheme, a host, and optionally a port and a path."""
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
    """Check an amount's pattern; its scale is checked once the currency is known."""
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


def read_moment_past(value: str) -> datetime:
    """Read a moment that has passed, and says how far from UTC it is meant."""
    moment = read_moment(value)
    if datetime.fromisoformat(value).tzinfo is None:
        raise typer.BadParameter(
            "must say its offset from UTC: 2026-11-20T12:00:00Z, or 2026-11-20T14:00:00+02:00"
        )
    if moment > datetime.now(UTC):
        raise typer.BadParameter("must be a moment that has passed, and this one is to come")
    return moment


def read_exclusion(value: str) -> datetime:
    """Read the end of an exclusion: a moment, or `forever`."""
    return FOREVER if value == FOREVER_TEXT else read_moment(value)


def checked_exclusion(value: str) -> str:
    """Check that the argument is a moment in the future, or `forever`."""
    return value if value == FOREVER_TEXT else (checked_moment_to_come(value) or value)


def checked_limit_name(values: list[str] | None) -> list[str] | None:
    """Check that each argument names a limit."""
    for value in values or ():
        if not is_limit_name(value):
            raise typer.BadParameter(f"{value} is no limit; there are {', '.join(LIMIT_NAMES)}")
    return values


def checked_moment(value: str | None) -> str | None:
    """Check that `read_moment` accepts the argument."""
    if value is not None:
        read_moment(value)
    return value


def checked_moment_past(value: str | None) -> str | None:
    """Check that `read_moment_past` accepts the argument."""
    if value is not None:
        read_moment_past(value)
    return value


def checked_moment_to_come(value: str | None) -> str | None:
    """Check that the argument is a moment in the future."""
    if value is not None and read_moment(value) <= datetime.now(UTC):
        raise typer.BadParameter("must be a moment to come, and this one has passed")
    return value


def read_limits(words: Iterable[str]) -> dict[str, str | None]:
    """Read `stake_day=100.00 loss_week=none`."""
    limits: dict[str, str | None] = {}
    for word in words:
        name, _, amount = word.partition("=")
        if not is_limit_name(name):
            raise typer.BadParameter(
                f"{name} is no limit; there are {', '.join(LIMIT_NAMES)}; those of stakes and "
                "losses may name a product, as in stake_day:casino"
            )
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
