"""`wallet shadow`: another wallet's traffic decided again here, and every difference told.

Exit code 0: both wallets answer alike; 1: they differ; 2: the file, the ledger or the command line
is at fault, and nothing was decided.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TextIO

import typer

from app.console.arguments import json_lines
from app.console.composition import Composition
from app.console.database import reach, ready_database
from app.console.errors import ConsoleError
from app.console.ledger_access import who
from app.console.output.bad_lines import IN_JSON_MAX, complain_of_lines
from app.console.output.layout import Facts, Rows
from app.console.output.printer import AsJson, complain, hint, outcome_stands, print_json, say, show
from app.console.output.progress import progress_bar
from app.settings import Settings, load_console_settings
from app.takeover.comparing import MEANINGS, Cause, Comparison, Difference, Said
from app.takeover.shadow import (
    NoShadowError,
    TrafficClock,
    begin_shadow,
    require_shadow,
    shadow,
)
from app.takeover.staging import BadFileError
from app.takeover.traffic import Traffic, look_through

if TYPE_CHECKING:
    from app.console.composition import Shadowing

EXIT_DIFFERS: Final = 1
EXIT_MISTAKEN: Final = 2
SHOWN_MAX: Final = 20

TrafficFile = Annotated[
    Path | None,
    json_lines("[FILE]"),
]
Begin = Annotated[
    bool, typer.Option("--begin", help="Mark the named, empty ledger as a shadow's, for good.")
]
OutFile = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE", help="All differences, JSON lines.", dir_okay=False),
]


def shadow_command(
    context: typer.Context,
    file: TrafficFile = None,
    begin: Begin = False,
    out: OutFile = None,
    as_json: AsJson = False,
) -> None:
    """Decide a copy of another wallet's traffic here, and report every difference."""
    if (file is None) is not begin:
        raise typer.BadParameter("name a file of traffic, or --begin")
    settings = load_console_settings()
    shadowing = context.ensure_object(Composition).shadow()
    try:
        with ready_database(settings) as database:
            if file is None:
                reach(begin_shadow(database.service_url, who()))
                say("The ledger is a shadow now: `wallet import` brings the players in.")
                return
            comparison, listed = _compared(settings, database.service_url, file, out, shadowing)
    except (NoShadowError, BadFileError) as error:
        complain(error)
        raise typer.Exit(EXIT_MISTAKEN) from error
    with outcome_stands():
        _tell(comparison, listed, as_json=as_json)
    if comparison.differences:
        raise typer.Exit(EXIT_DIFFERS)


def _compared(
    settings: Settings, url: str, file: Path, out: Path | None, shadowing: "Shadowing"
) -> tuple[Comparison, list[Difference]]:
    reach(require_shadow(url))
    traffic = look_through(file)
    _refuse_bad_lines(file, traffic)
    listed: list[Difference] = []

    def keep(stream: TextIO | None) -> Callable[[Difference], None]:
        def tell(difference: Difference) -> None:
            if len(listed) < IN_JSON_MAX:
                listed.append(difference)
            if stream is not None:
                stream.write(json.dumps(_record(difference), ensure_ascii=False) + "\n")

        return tell

    async def run(tell: Callable[[Difference], None]) -> Comparison:
        clock = TrafficClock()
        async with shadowing(settings, url, clock) as deciding:
            return await shadow(file, deciding, clock, tell, progress)

    try:
        with _written(out) as stream, progress_bar() as bar:
            task = bar.add_task("deciding", total=traffic.exchanges)

            def progress(done: int) -> None:
                bar.update(task, completed=done)

            return reach(run(keep(stream))), listed
    except OSError as error:
        raise ConsoleError(f"{out} cannot be written: {error.strerror or error}.") from error


def _refuse_bad_lines(file: Path, traffic: Traffic) -> None:
    complain_of_lines(traffic.bad)
    if traffic.bad_count:
        complain(f"{traffic.bad_count} lines of {file} cannot be read; nothing was decided.")
        raise typer.Exit(EXIT_MISTAKEN)
    if not traffic.exchanges:
        raise BadFileError(f"{file} is empty: each line must be an exchange.")


@contextmanager
def _written(path: Path | None) -> Iterator[TextIO | None]:
    if path is None:
        yield None
        return
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        yield stream


def _record(difference: Difference) -> dict[str, Any]:
    return {
        **difference._asdict(),
        "cause": difference.cause.name.lower(),
        "theirs": _said(difference.theirs),
        "ours": _said(difference.ours),
    }


def _said(said: Said) -> dict[str, Any]:
    amounts = {name: getattr(said, name) for name in ("balance", "real", "bonus")}
    return {
        "status": said.status,
        "code": said.code,
        **{name: None if amount is None else str(amount) for name, amount in amounts.items()},
    }


def _tell(comparison: Comparison, listed: list[Difference], *, as_json: bool) -> None:
    if comparison.repeats_here * 2 > comparison.accepted > 0:
        hint(
            "Most of it is a repeat here: was this traffic compared before? A shadow decides each "
            "id once; begin another one."
        )
    if as_json:
        print_json(
            {
                "compared": comparison.compared,
                "differences": comparison.differences,
                "players": len(comparison.players_apart),
                "causes": {cause.name.lower(): n for cause, n in _by_count(comparison.causes)},
                "listed": [_record(difference) for difference in listed],
            }
        )
        return
    show(
        Facts(
            "The wallets differ" if comparison.differences else "The wallets answer alike",
            {
                "compared": str(comparison.compared),
                "differences": str(comparison.differences),
                "players": str(len(comparison.players_apart)),
            },
        )
    )
    if not comparison.differences:
        return
    show(
        Rows(
            "By cause",
            ("cause", "exchanges", "meaning"),
            [(c.value, str(n), (MEANINGS[c],)) for c, n in _by_count(comparison.causes)],
            amounts="exchanges",
        ),
        Rows(
            f"The first {min(len(listed), SHOWN_MAX)}",
            ("line", "cause", "player", "what", "event", "id", "there", "here"),
            [_row(difference) for difference in listed[:SHOWN_MAX]],
            amounts="line",
        ),
    )


def _row(difference: Difference) -> tuple[str, ...]:
    return (
        str(difference.line),
        difference.cause.value,
        difference.user_id,
        difference.event_type,
        difference.event_id,
        difference.transaction_id,
        _words(difference.theirs),
        _words(difference.ours),
    )


def _words(said: Said) -> str:
    code = "no answer" if said.code is None else "accepted" if said.code == 0 else str(said.code)
    return code if said.balance is None else f"{code}, {said.balance}"


def _by_count(causes: Counter[Cause]) -> list[tuple[Cause, int]]:
    return sorted(causes.items(), key=lambda item: (-item[1], item[0]))
