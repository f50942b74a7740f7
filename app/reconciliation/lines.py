"""Turns the cells of one line into what is compared: an amount with a sign, a moment with a zone.

Amounts stay text from the report to the database: a point is moved, and nothing is calculated. A
line that cannot be read raises LineError with the reason; its number is added by whoever counts.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from app.reconciliation.profile import ANY_TYPE, Profile, Sign, Status, Unit, usual_direction
from app.wallet.events import Direction, EventType
from app.wallet.identifiers import ID_LENGTH_MAX
from app.wallet.journal import EPOCH
from app.wallet.moments import is_within_bounds
from app.wallet.money import FIAT_INTEGER_DIGITS

WORD_LENGTH_MAX: Final = 64
HUNDRED_THOUSANDTH_DIGITS: Final = 5
DIGITS_MAX: Final = FIAT_INTEGER_DIGITS

NUMBER: Final = re.compile(r"(-?)([0-9]{1,26})(?:\.([0-9]{1,18}))?", re.ASCII)
UNIX: Final = re.compile(r"([0-9]{1,17})(?:\.([0-9]{1,9}))?", re.ASCII)
MICROSECOND_DIGITS: Final = 6
MILLISECONDS: Final = 1000

PARTS: Final = {
    "Y": ("year", r"[0-9]{4}"),
    "m": ("month", r"[0-9]{1,2}"),
    "d": ("day", r"[0-9]{1,2}"),
    "H": ("hour", r"[0-9]{1,2}"),
    "M": ("minute", r"[0-9]{1,2}"),
    "S": ("second", r"[0-9]{1,2}"),
    "f": ("microsecond", r"[0-9]{1,6}"),
}
"""The parts of a time's pattern; `%z` is not among them: such a time is ISO 8601."""


class LineError(Exception):
    """The line cannot be read; the message completes "Line 7 …"."""


class Line(NamedTuple):
    """One line of the report, as it is compared."""

    line: int
    transaction_id: str
    user_id: str | None
    event_id: str | None
    word: str
    """the report's word for the type; empty where it has none"""
    direction: str
    amount: str
    """major units, what the player gained: below zero, they paid"""
    currency: str | None
    happened_at: str
    """ISO 8601 with its offset"""
    status: str


def line_reader(
    profile: Profile, header: Sequence[str], scales: Mapping[str, int]
) -> Callable[[int, Sequence[str]], Line | None]:
    """Return the function that reads a line's cells; None from it: the line is left out.

    `scales` are the decimals of the currencies that the ledger knows. Raises LineError if a column
    that the profile names is not there.
    """
    places = _places(profile, header)
    cell_count = len(header)
    at = places.get
    id_at, amount_at, time_at = places["transaction_id"], places["amount"], places["time"]
    user_at, event_at, currency_at = at("user_id"), at("event_id"), at("currency")
    type_at, direction_at, status_at = at("type"), at("direction"), at("status")
    ways = _ways(profile)
    read_time = time_reader(profile)
    read_amount = amount_reader(profile, scales)
    directions, statuses = dict(profile.directions), dict(profile.statuses)
    unsigned, by_house = profile.sign is Sign.UNSIGNED, profile.sign is Sign.HOUSE
    booked, ignored, debit = Status.BOOKED, Status.IGNORED, Direction.DEBIT

    def read(number: int, cells: Sequence[str]) -> Line | None:
        if len(cells) != cell_count:
            raise LineError(_ragged(len(cells), cell_count))
        status = booked if status_at is None else statuses.get(cells[status_at])
        if status is ignored:
            return None
        if status is None:
            raise _unknown("status", cells, status_at)
        word = ANY_TYPE if type_at is None else cells[type_at]
        if word not in ways:
            raise _unknown("type", cells, type_at)
        currency = profile.currency if currency_at is None else cells[currency_at]
        negative, amount = read_amount(cells[amount_at], currency)
        way = ways[word] if direction_at is None else directions.get(cells[direction_at])
        if unsigned:
            if negative:
                raise LineError("has an amount below zero, and the profile says `unsigned`.")
            if way is None:
                raise _unknown("direction", cells, direction_at)
            negative = way is debit
        else:
            negative = negative is not by_house
            way = debit if negative else Direction.CREDIT
        return Line(
            number,
            _named(cells[id_at], "transaction id"),
            None if user_at is None else _named(cells[user_at], "user id"),
            None if event_at is None else cells[event_at],
            word,
            way,
            f"-{amount}" if negative else amount,
            currency,
            read_time(cells[time_at]),
            status,
        )

    return read


def _places(profile: Profile, header: Sequence[str]) -> dict[str, int]:
    where = {name: place for place, name in enumerate(header)}
    if len(where) < len(header):
        twice = next(name for name in header if header.count(name) > 1)
        raise LineError(f"names the column {twice} twice.")
    for field, column in profile.columns.items():
        if column not in where:
            raise LineError(
                f"has no column {column}, which the profile {profile.name} reads as {field}: is it "
                f"the right profile? There are {', '.join(header)}."
            )
    return {field: where[column] for field, column in profile.columns.items()}


def _ways(profile: Profile) -> dict[str, Direction | None]:
    types = profile.types or {ANY_TYPE: tuple(EventType)}
    return {word: usual_direction(kinds) for word, kinds in types.items()}


def _ragged(found: int, expected: int) -> str:
    return f"has {found} cells, and the header has {expected}: it is cut off, or misses a quote."


def _unknown(what: str, cells: Sequence[str], place: int | None) -> LineError:
    word = "" if place is None else cells[place]
    if not word:
        return LineError(f"has no {what}.")
    table = "statuses" if what == "status" else f"{what}s"
    return LineError(f"has the {what} {word[:WORD_LENGTH_MAX]!r}, which is not in [{table}].")


def _named(text: str, what: str) -> str:
    if 1 <= len(text) <= ID_LENGTH_MAX:
        return text
    if not text:
        raise LineError(f"has no {what}.")
    raise LineError(f"has a {what} of more than {ID_LENGTH_MAX} characters.")


def amount_reader(
    profile: Profile, scales: Mapping[str, int]
) -> Callable[[str, str | None], tuple[bool, str]]:
    """Return the function that reads an amount: whether it is below zero, and its digits."""
    known = {**scales, **profile.scales}
    decimal, thousands, unit = profile.decimal, profile.thousands, profile.unit
    grouped = None
    if thousands:
        group, point = re.escape(thousands), re.escape(decimal)
        grouped = re.compile(rf"-?[0-9]{{1,3}}(?:{group}[0-9]{{3}})+(?:{point}[0-9]+)?", re.ASCII)
    plain, match = decimal == "." and grouped is None, NUMBER.fullmatch

    def read(text: str, currency: str | None) -> tuple[bool, str]:
        written = text
        if not plain:
            if grouped is not None and grouped.fullmatch(text):
                text = text.replace(thousands, "")
            if decimal != ".":
                # A point that is neither decimal nor apart thousands leaves no amount.
                text = text.replace(".", "?").replace(decimal, ".")
        found = match(text)
        if found is None:
            raise LineError(_no_amount(written, profile))
        sign, whole, fraction = found.groups()
        if unit is not Unit.MAJOR:
            if fraction is not None and fraction.strip("0"):
                raise LineError(f"has the amount {written}, and the profile says whole units.")
            digits = HUNDRED_THOUSANDTH_DIGITS
            if unit is Unit.MINOR:
                digits = _scale(known, currency)
            padded = whole.zfill(digits + 1)
            whole, fraction = padded[: len(padded) - digits], padded[len(padded) - digits :]
        if len(whole) > DIGITS_MAX and len(whole.lstrip("0")) > DIGITS_MAX:
            raise LineError(f"has an amount of more than {DIGITS_MAX} digits.")
        return sign == "-", f"{whole}.{fraction}" if fraction else whole

    return read


def _scale(known: Mapping[str, int], currency: str | None) -> int:
    if currency is not None and currency in known:
        return known[currency]
    raise LineError(f"has the currency {currency!r}: give its decimals in the profile's [scales].")


def _no_amount(text: str, profile: Profile) -> str:
    shown = text[:WORD_LENGTH_MAX]
    if not text:
        return "has no amount."
    if re.fullmatch(r"-?[0-9.,]+[eE][+-]?[0-9]+", text):
        return f"has the amount {shown!r} with an exponent: export the column as text."
    if re.fullmatch(r"-?[0-9]{1,3}(?:[,.' \u00a0\u202f][0-9]{3})+(?:[.,][0-9]+)?", text):
        return (
            f"has the amount {shown!r} with thousands apart: say `thousands` and `decimal` in the "
            "profile."
        )
    return f"has the amount {shown!r}, which is none (decimal {profile.decimal!r})."


def time_reader(profile: Profile) -> Callable[[str], str]:
    """Return the function that reads a moment, and prints it in ISO 8601 with its offset."""
    zone = None if profile.zone is None else ZoneInfo(profile.zone)
    if profile.zone == "UTC":
        zone = UTC  # type: ignore[assignment]  # its offset is found without a look-up
    if profile.time in {"unix", "unix_ms"}:
        in_milliseconds = profile.time == "unix_ms"
        return lambda text: _checked(_unix(text, in_milliseconds=in_milliseconds))
    parse = datetime.fromisoformat if profile.time == "iso" else _by_pattern(profile.time)

    def read(text: str) -> str:
        try:
            moment = parse(text)
        except ValueError as error:
            raise LineError(
                f"has the time {text[:WORD_LENGTH_MAX]!r}, which is not {profile.time}."
            ) from error
        if moment.tzinfo is None:
            if zone is None:
                raise LineError(
                    f"has the time {text!r} without a zone, and the profile names none: `zone`."
                )
            moment = moment.replace(tzinfo=zone)
        return _checked(moment)

    return read


def _checked(moment: datetime) -> str:
    # The bounds are far from the ends of time, so that no offset can overflow.
    if not 1 < moment.year < 9999 or not is_within_bounds(moment):  # noqa: PLR2004 - as datetime's
        raise LineError(f"has a time outside the years 1970 to 9000: {moment.isoformat()}.")
    return moment.isoformat()


def _unix(text: str, *, in_milliseconds: bool) -> datetime:
    found = UNIX.fullmatch(text)
    if found is None:
        raise LineError(f"has the time {text[:WORD_LENGTH_MAX]!r}, which is no Unix time.")
    whole, fraction = int(found[1]), found[2] or ""
    try:
        if in_milliseconds:
            seconds, milliseconds = divmod(whole, MILLISECONDS)
            return EPOCH + timedelta(seconds=seconds, milliseconds=milliseconds)
        digits = fraction[:MICROSECOND_DIGITS].ljust(MICROSECOND_DIGITS, "0")
        return EPOCH + timedelta(seconds=whole, microseconds=int(digits))
    except OverflowError as error:
        raise LineError(f"has the time {text}, which no clock shows.") from error


def _by_pattern(pattern: str) -> Callable[[str], datetime]:
    """Compile a pattern such as `%d.%m.%Y %H:%M:%S`; the library's own takes ten times as long."""
    names: list[str] = []
    compiled = ""
    pieces = re.split(r"%(.)", pattern)
    for text, letter in zip(pieces[::2], [*pieces[1::2], ""], strict=True):
        compiled += re.escape(text)
        if letter:
            name, digits = PARTS.get(letter, ("", ""))
            if not name or name in names:
                raise LineError(f"cannot be read: the profile's time has a wrong %{letter}.")
            names.append(name)
            compiled += f"({digits})"
    if not {"year", "month", "day"} <= set(names):
        raise LineError("cannot be read: the profile's time has no %Y, %m and %d.")
    match = re.compile(compiled, re.ASCII).fullmatch

    def parse(text: str) -> datetime:
        found = match(text)
        if found is None:
            raise ValueError(text)
        values = dict(zip(names, found.groups(), strict=True))
        micro = values.pop("microsecond", "")
        parts = {name: int(value) for name, value in values.items()}
        return datetime(  # noqa: DTZ001 - the profile's zone is added by the caller
            parts["year"],
            parts["month"],
            parts["day"],
            parts.get("hour", 0),
            parts.get("minute", 0),
            parts.get("second", 0),
            int(micro.ljust(MICROSECOND_DIGITS, "0")) if micro else 0,
        )

    return parse
