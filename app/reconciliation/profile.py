"""A profile says how one aggregator's report is read: its columns, its words, its units, its clock.

It is a small TOML file. Four are shipped in `profiles/`; any other is named by its path. A profile
that contradicts itself is refused before the report is opened.
"""

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from app.wallet.events import RULES, Direction, EventType
from app.wallet.identifiers import ID_LENGTH_MAX
from app.wallet.movement import KeyScope

SHIPPED: Final = Path(__file__).resolve().parent / "profiles"
PROFILE_BYTES_MAX: Final = 65_536
GRACE_SECONDS_MAX: Final = 86_400
SCALE_MAX: Final = 8

FORMATS: Final = ("csv", "tsv", "jsonl", "xlsx")
ZONE_NAME: Final = re.compile(r"[A-Za-z0-9_+/-]{1,64}", re.ASCII)


class ProfileError(Exception):
    """The profile cannot be used; the message says what is wrong in it."""


class Unit(StrEnum):
    """What an amount in the report counts."""

    MAJOR = "major"
    MINOR = "minor"
    HUNDRED_THOUSANDTH = "hundred_thousandth"
    """whole numbers of 1/100,000 of the main unit"""


class Sign(StrEnum):
    """What the sign of an amount says."""

    UNSIGNED = "unsigned"
    """nothing: the direction has its own column, or follows from the type"""
    PLAYER = "player"
    """above zero: the player gained it"""
    HOUSE = "house"
    """above zero: the house gained it"""


class Status(StrEnum):
    """What the aggregator says became of a line."""

    BOOKED = "booked"
    """its money moved"""
    REFUSED = "refused"
    """nothing moved"""
    CANCELED = "canceled"
    """its money moved, and moved back, on this one line"""
    IGNORED = "ignored"
    """nothing is decided yet: the line is left out"""


FIELDS: Final = (
    "transaction_id",
    "amount",
    "time",
    "user_id",
    "event_id",
    "type",
    "direction",
    "currency",
    "status",
)
REQUIRED_FIELDS: Final = FIELDS[:3]

ANY_TYPE: Final = ""
"""The word of a report that has no column for the type."""


@dataclass(frozen=True, slots=True)
class Profile:
    """How a report is read."""

    name: str
    digest: str
    """SHA-256 of the file's text, in hexadecimal digits"""
    door: str
    """the source under which the ledger keeps the door's movements"""
    key_scope: KeyScope
    format: str
    encoding: str
    delimiter: str
    decimal: str
    thousands: str
    sheet: str | None
    time: str
    zone: str | None
    """of times that name none; None: such a time is refused"""
    unit: Unit
    sign: Sign
    zero_lines: bool
    """whether the report has lines that move nothing"""
    grace_seconds: int
    currency: str | None
    """of every line, where the report has no column for it"""
    columns: Mapping[str, str]
    types: Mapping[str, tuple[EventType, ...]]
    directions: Mapping[str, Direction]
    statuses: Mapping[str, Status]
    scales: Mapping[str, int]

    @property
    def day_zone(self) -> str:
        """The zone whose days the report's totals are of."""
        return self.zone or "UTC"


def load_profile(name: str) -> Profile:
    """Load a shipped profile by its name, or any other by its path."""
    path = SHIPPED / f"{name}.toml" if name in shipped_names() else Path(name)
    try:
        # A device has no size, and may have no end.
        with path.open("rb") as file:
            content = file.read(PROFILE_BYTES_MAX + 1)
        is_too_long = len(content) > PROFILE_BYTES_MAX
        text = "" if is_too_long else content.decode("utf-8")
    except (OSError, ValueError) as error:
        raise ProfileError(
            f"There is no profile {name}: it is one of {', '.join(shipped_names())}, or a TOML "
            "file."
        ) from error
    if is_too_long:
        raise ProfileError(f"The profile {name} is longer than {PROFILE_BYTES_MAX} bytes.")
    try:
        return read_profile(path.stem, text)
    except ProfileError as error:
        raise ProfileError(f"The profile {name}: {error}") from error


def shipped_names() -> list[str]:
    """Name the profiles that are shipped."""
    return sorted(path.stem for path in SHIPPED.glob("*.toml"))


def read_profile(name: str, text: str) -> Profile:
    """Read a profile; raise ProfileError with one sentence about what is wrong."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ProfileError(f"it is not TOML: {error}.") from error
    reader = _Reader(table)
    columns = reader.words("columns", str)
    for field in columns:
        if field not in FIELDS:
            raise ProfileError(f"[columns] has no field {field}; there are {', '.join(FIELDS)}.")
    for field in REQUIRED_FIELDS:
        if field not in columns:
            raise ProfileError(f"[columns] must name the column of {field}.")
    profile = Profile(
        name=name,
        digest=sha256(text.encode()).hexdigest(),
        door=reader.text("door"),
        key_scope=reader.one_of("key_scope", KeyScope, KeyScope.TRANSACTION),
        format=reader.choice("format", FORMATS, "csv"),
        encoding=reader.text("encoding", "utf-8"),
        delimiter=reader.text("delimiter", ","),
        decimal=reader.choice("decimal", (".", ","), "."),
        thousands=reader.choice("thousands", ("", ",", ".", " ", "'"), ""),
        sheet=reader.optional("sheet"),
        time=reader.text("time", "iso"),
        zone=reader.optional("zone"),
        unit=reader.one_of("unit", Unit, Unit.MAJOR),
        sign=reader.one_of("sign", Sign, Sign.UNSIGNED),
        zero_lines=reader.choice("zero_lines", ("reported", "omitted"), "reported") == "reported",
        grace_seconds=reader.number("grace_seconds", 0, GRACE_SECONDS_MAX),
        currency=reader.optional("currency"),
        columns=columns,
        types=reader.types(),
        directions=reader.words("directions", Direction),
        statuses=reader.words("statuses", Status),
        scales=reader.scales(),
    )
    reader.finish()
    _check(profile)
    return profile


def _check(profile: Profile) -> None:
    """Refuse what is well formed and contradicts itself."""
    if len(profile.door) > ID_LENGTH_MAX:
        raise ProfileError("the door's name is too long.")
    if profile.zone is not None:
        try:
            ZoneInfo(profile.zone if ZONE_NAME.fullmatch(profile.zone) else "?")
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ProfileError(
                f"there is no time zone {profile.zone}; write Europe/Berlin, or UTC."
            ) from error
    try:
        is_ascii = "\n,".encode(profile.encoding) == b"\n,"
    except LookupError as error:
        raise ProfileError(f"there is no encoding {profile.encoding}.") from error
    if not is_ascii:
        raise ProfileError(f"the encoding {profile.encoding} cannot be read line by line.")
    if len(profile.delimiter) != 1 or profile.delimiter in '"\r\n':
        raise ProfileError("the delimiter must be one character.")
    if profile.decimal == profile.thousands:
        raise ProfileError("decimal and thousands must be different characters.")
    for field, table in (("type", "types"), ("direction", "directions"), ("status", "statuses")):
        if (field in profile.columns) != bool(getattr(profile, table)):
            raise ProfileError(f"a column for {field} and the table [{table}] need each other.")
    if (
        profile.unit is Unit.MINOR
        and profile.currency is None
        and "currency" not in profile.columns
    ):
        raise ProfileError("minor units need a column for the currency, or `currency`.")
    if profile.sign is Sign.UNSIGNED and "direction" not in profile.columns:
        for word, types in profile.types.items() or [(ANY_TYPE, tuple(EventType))]:
            if usual_direction(types) is None:
                raise ProfileError(
                    f"which way {word or 'a line'} goes cannot be told: it needs a column for the "
                    "direction, or amounts with a sign."
                )


def usual_direction(types: tuple[EventType, ...]) -> Direction | None:
    """The direction in which all of these types move money; None: there are two."""
    ways = {way for kind in types for way in RULES[kind].directions - RULES[kind].zero_only}
    return ways.pop() if len(ways) == 1 else None


class _Reader:
    """Takes values out of the file's table, and says of each what it may be."""

    def __init__(self, table: dict[str, Any]) -> None:
        self._table = dict(table)

    def optional(self, name: str) -> str | None:
        value = self._table.pop(name, None)
        if value is not None and (not isinstance(value, str) or not value):
            raise ProfileError(f"{name} must be text.")
        return value

    def text(self, name: str, default: str | None = None) -> str:
        value = self.optional(name) or default
        if value is None:
            raise ProfileError(f"{name} must be named.")
        return value

    def choice(self, name: str, values: tuple[str, ...], default: str) -> str:
        value = self._table.pop(name, default)
        if value not in values:
            raise ProfileError(f"{name} must be one of {', '.join(map(repr, values))}.")
        return str(value)

    def one_of(self, name: str, kind: Callable[[str], Any], default: StrEnum) -> Any:  # noqa: ANN401 - the member of whichever enum was asked for
        return _member(name, kind, self._table.pop(name, default.value))

    def number(self, name: str, default: int, maximum: int) -> int:
        value = self._table.pop(name, default)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= maximum:
            raise ProfileError(f"{name} must be a number from 0 to {maximum}.")
        return value

    def words(self, name: str, kind: Callable[[str], Any]) -> dict[str, Any]:
        table = self._table.pop(name, {})
        if not isinstance(table, dict):
            raise ProfileError(f"{name} must be a table: [{name}].")
        return {str(word): _member(f"{name}.{word}", kind, value) for word, value in table.items()}

    def types(self) -> dict[str, tuple[EventType, ...]]:
        table = self._table.pop("types", {})
        if not isinstance(table, dict):
            raise ProfileError("types must be a table: [types].")
        found: dict[str, tuple[EventType, ...]] = {}
        taken: set[EventType] = set()
        for word, value in table.items():
            named = value if isinstance(value, list) else [value]
            types = tuple(_member(f"types.{word}", EventType, each) for each in named)
            if not types or taken & set(types) or len(set(types)) < len(types):
                raise ProfileError(
                    f"types.{word} must name event types that no other word names: else a movement "
                    "of ours could be called by two words."
                )
            taken |= set(types)
            found[word] = types
        return found

    def scales(self) -> dict[str, int]:
        table = self._table.pop("scales", {})
        if not isinstance(table, dict) or not all(
            isinstance(scale, int) and 0 <= scale <= SCALE_MAX for scale in table.values()
        ):
            raise ProfileError(f"scales must give each currency 0 to {SCALE_MAX} decimals.")
        return {str(code): int(scale) for code, scale in table.items()}

    def finish(self) -> None:
        if self._table:
            raise ProfileError(f"it has a name that means nothing here: {min(self._table)}.")


def _member(name: str, kind: Callable[[str], Any], value: object) -> Any:  # noqa: ANN401 - as above
    if isinstance(value, str) and value:
        try:
            return kind(value)
        except ValueError:
            pass
    known = (
        f"one of {', '.join(kind)}"
        if isinstance(kind, type) and issubclass(kind, StrEnum)
        else "text"
    )
    raise ProfileError(f"{name} must be {known}.")
