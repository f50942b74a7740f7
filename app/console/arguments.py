"""How the console reads what is typed: amounts exactly, limits by name, moments with their zone.

What cannot be read is a mistake in the command line: a sentence, and exit code 2.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Final

import typer

from app.cashier.account_changes import LIMIT_NAMES
from app.wallet.money import AMOUNT_PATTERN

ID_LENGTH_MAX: Final = 250
"""The contracts' longest id."""

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
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise typer.BadParameter("must be such as 2026-11-20 or 2026-11-20T12:00:00Z") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


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


UserId = Annotated[
    str, typer.Argument(metavar="USER", help="The player's userId.", callback=checked_text)
]
Amount = Annotated[
    str,
    typer.Argument(
        metavar="AMOUNT", help="In the player's currency, such as 100.50.", callback=checked_amount
    ),
]
