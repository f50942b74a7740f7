"""Templates to pages: foreign texts made visible and escaped, money and moments in one form."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse

from app.visible import visible
from app.wallet.money import Currency
from app.wallet.operators import Permission

TEMPLATES: Final = Path(__file__).parent / "templates"

NAVIGATION: Final = (
    ("/", "Search", Permission.LOOK.name),
    ("/inbox", "Inbox", Permission.LOOK.name),
    ("/adjustments", "Adjustments", Permission.LOOK.name),
    ("/reconciliation", "Reconciliation", Permission.REPORT.name),
    ("/today", "Today", Permission.REPORT.name),
    ("/risk", "Risk", Permission.RISK.name),
    ("/actions", "Who did what", Permission.ACTIONS.name),
    ("/users", "Users", Permission.USERS.name),
)
"""The pages that are not about one id: address, label, and what one must be allowed."""

SHORT_LENGTH: Final = 24
SHORT_BEGINNING: Final = 10
"""In a table; the end of an id tells more than its beginning."""

LATE_SECONDS: Final = 4 * 3600
TOO_LATE_SECONDS: Final = 24 * 3600
"""When an exception is shown as late: half a shift, and a day."""

AGES: Final = ((86400, "d"), (3600, "h"), (60, "min"))


class Pages:
    """The templates, loaded once."""

    def __init__(self, *, version: str) -> None:
        """`version` is shown at the foot of each page."""
        environment = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters.update(
            heat=heat,
            milliseconds=milliseconds,
            seen=seen,
            short=short,
            money=money,
            minor=minor,
            when=when,
            day=day,
            age=age,
            count=count,
            size=size,
        )
        environment.globals.update(address=address, version=version, navigation=NAVIGATION)
        self._environment = environment

    def render(self, template: str, *, status: int = 200, **context: Any) -> HTMLResponse:  # noqa: ANN401
        """Return a page, which no browser keeps."""
        text = self._environment.get_template(template).render(**context)
        return HTMLResponse(text, status_code=status, headers={"cache-control": "no-store"})


def address(path: str, **parameters: object) -> str:
    """Return the address of a page: every id is a parameter, whatever characters it has."""
    given = [(name, str(value)) for name, value in parameters.items() if value not in {None, ""}]
    return f"{path}?{urlencode(given)}" if given else path


def seen(value: object) -> str:
    """Return a foreign text with every character that does not print as its escape."""
    return "" if value is None else visible(str(value))


def short(value: object) -> str:
    """Return a long id as its beginning and its end, where ids differ; the page has all of it."""
    text = seen(value)
    if len(text) <= SHORT_LENGTH:
        return text
    return f"{text[:SHORT_BEGINNING]}…{text[SHORT_BEGINNING - SHORT_LENGTH + 1 :]}"


def money(amount: Decimal | str | None) -> Markup:
    """Return an exact amount in groups of three digits; a negative one is marked."""
    if amount is None:
        return Markup("–")
    text = format(Decimal(amount), ",f")
    if text.startswith("-"):
        return Markup('<span class="minus">−{}</span>').format(text[1:])
    return escape(text)


def minor(amount: int | None, currency: Currency) -> Markup:
    """Return an amount in minor units as `money` does."""
    return money(None if amount is None else currency.text(amount))


def when(moment: datetime | None) -> Markup:
    """Return a moment (UTC) to the second; all of it when it is pointed at."""
    if moment is None:
        return Markup("–")
    utc = moment.astimezone(UTC)
    exact = utc.isoformat(timespec="microseconds").replace("+00:00", "Z")
    shown = utc.strftime("%Y-%m-%d %H:%M:%S")
    return Markup('<time datetime="{0}" title="{0}">{1}</time>').format(exact, shown)


def day(moment: datetime) -> str:
    """Return the UTC day of a moment."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d")


def age(moment: datetime | None) -> str:
    """Return how long ago a moment was, in its largest unit."""
    if moment is None:
        return "–"
    seconds = _seconds_since(moment)
    for unit, name in AGES:
        if seconds >= unit:
            return f"{seconds // unit} {name}"
    return f"{max(seconds, 0)} s"


def _seconds_since(moment: datetime) -> int:
    return (datetime.now(UTC) - moment) // timedelta(seconds=1)


def milliseconds(duration: timedelta | None) -> str:
    """Return a short duration; what the clocks of two machines differ by is no duration."""
    if duration is None:
        return "–"
    return f"{max(duration // timedelta(milliseconds=1), 0):,d} ms"


def heat(since: datetime | int) -> str:
    """Return the colour of an age, given as a moment or in seconds: calm, late, or too late."""
    seconds = _seconds_since(since) if isinstance(since, datetime) else since
    if seconds >= TOO_LATE_SECONDS:
        return "bad"
    return "warn" if seconds >= LATE_SECONDS else "info"


def count(number: int | None) -> str:
    """Return a whole number in groups of three digits."""
    return "–" if number is None else format(number, ",d")


def size(items: Iterable[Any] | Mapping[Any, Any]) -> int:
    """Return how many there are."""
    return len(list(items))
