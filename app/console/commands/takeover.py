"""`wallet import` and `wallet export state`: players move here from another wallet, or away.

Exit code 0: everything stands; 1: the ledger refused, or it is not known; 2: the file or the
command line is at fault, and nothing was written.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TextIO

import typer

from app.console.accounts import agent_for
from app.console.arguments import checked_agent, json_lines
from app.console.data_owner import known_agents
from app.console.database import reach, ready_database
from app.console.errors import ConsoleError
from app.console.ledger_access import operator
from app.console.output.bad_lines import IN_JSON_MAX, complain_of_lines
from app.console.output.layout import Facts, Rows
from app.console.output.printer import (
    AsJson,
    complain,
    hint,
    outcome_stands,
    print_json,
    say,
    show,
    write_out,
)
from app.console.output.progress import progress_bar
from app.ledger.imports.session import ImportedBeforeError, ImportRunsError, TakenMeanwhileError
from app.settings import Settings, load_console_settings
from app.takeover.exporting import NotExportedError, export_state
from app.takeover.importing import Imported, LawBrokenError, import_state
from app.takeover.staging import BadFileError, BadLinesError, Progress, Request
from app.wallet.money import ISO_CURRENCIES
from app.wallet.words import moment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.progress import TaskID

EXIT_MISTAKEN: Final = 2

StateFile = Annotated[
    Path,
    json_lines("FILE"),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Do all of it, checks and audit too, and keep nothing.")
]
OfAgent = Annotated[
    str | None,
    typer.Option("--agent", help="Whose players; else the only agent.", callback=checked_agent),
]
OutFile = Annotated[
    Path | None, typer.Option("--out", metavar="FILE", help="Into a file.", dir_okay=False)
]


def import_command(file: StateFile, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Bring players in from another wallet: balances, open bets, decided ids, tokens."""
    settings = load_console_settings()
    try:
        with (
            ready_database(settings) as database,
            _shown_progress() as progress,
        ):
            request = Request(
                file,
                frozenset(known_agents(settings)),
                _currencies(settings),
                operator(),
                dry_run,
                progress,
            )
            done = reach(import_state(database.service_url, request))
    except BadLinesError as error:
        _tell_bad_lines(file, error, as_json=as_json)
        raise typer.Exit(EXIT_MISTAKEN) from error
    except BadFileError as error:
        complain(error)
        raise typer.Exit(EXIT_MISTAKEN) from error
    except ImportedBeforeError as error:
        raise ConsoleError(
            f"This file was imported on {moment(error.imported_at)} by {error.by}: nothing was "
            "written again."
        ) from error
    except (LawBrokenError, ImportRunsError, TakenMeanwhileError) as error:
        raise ConsoleError(f"{str(error).rstrip('.')}. Nothing was written.") from error
    with outcome_stands():
        _tell(done, as_json=as_json)


def export_state_command(
    agent: OfAgent = None, out: OutFile = None, as_json: AsJson = False
) -> None:
    """Export the state of an agent's players, as `wallet import` elsewhere reads it."""
    settings = load_console_settings()
    # An agent that has left the settings may still have players to move.
    whose = agent or agent_for(settings, None)
    try:
        with ready_database(settings) as database, _written(out) as stream:
            done = reach(
                export_state(
                    database.reports_url,
                    whose,
                    _currencies(settings),
                    (lambda text: write_out(text + "\n"))
                    if stream is None
                    else (lambda text: _line(stream, text)),
                )
            )
    except NotExportedError as error:
        raise ConsoleError(str(error)) from error
    except OSError as error:
        raise ConsoleError(f"{out} cannot be written: {error.strerror or error}.") from error
    if done.limits_left_out:
        hint(
            f"{done.limits_left_out} limits of deposits or of products are not in it: set them "
            "again where the players go."
        )
    if out is None:
        return
    if as_json:
        print_json({"file": str(out), **done._asdict()})
    else:
        say(f"{done.players} players, {done.lines} lines in {out}")


def _currencies(settings: Settings) -> "Mapping[str, int]":
    return {code: one.scale for code, one in ISO_CURRENCIES.items()} | dict(settings.currencies)


@contextmanager
def _written(path: Path | None) -> Iterator[TextIO | None]:
    """Open the file that takes the lines; None: standard output does."""
    if path is None:
        yield None
        return
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        yield stream


def _line(stream: TextIO, text: str) -> None:
    stream.write(text + "\n")


@contextmanager
def _shown_progress() -> Iterator[Progress]:
    """Show each step on a terminal, as far as it has come."""
    with progress_bar() as bar:
        tasks: dict[str, TaskID] = {}

        def tell(what: str, done: int, of: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=of or None)
            bar.update(tasks[what], completed=done)

        yield tell


def _tell_bad_lines(file: Path, error: BadLinesError, *, as_json: bool) -> None:
    if as_json:
        lines = [{"line": line, "fault": words} for line, words in error.bad[:IN_JSON_MAX]]
        print_json({"imported": False, "bad_lines": error.count, "lines": lines})
    complain_of_lines(error.bad)
    are = "line of" if error.count == 1 else "lines of"
    complain(f"{error.count} {are} {file} cannot be imported; nothing was written.")


def _tell(done: Imported, *, as_json: bool) -> None:
    counted = done.counted
    totals = json.loads(counted.totals)
    if as_json:
        print_json(
            {
                "imported": done.import_id is not None,
                "import": done.import_id,
                "sha256": done.digest,
                "agent": done.agent,
                "lines": done.lines,
                "players": counted.players,
                "open_bets": counted.bets,
                "payments": counted.payments,
                "decided": counted.decided,
                "tokens": counted.tokens,
                "totals": totals,
            }
        )
        return
    title = (
        "A dry run: nothing was kept"
        if done.import_id is None
        else f"Import {done.import_id} of {moment(done.imported_at)}"
    )
    show(
        Facts(
            title,
            {
                "agent": done.agent,
                "players": str(counted.players),
                "open bets": str(counted.bets),
                "payments": str(counted.payments),
                "decided ids": str(counted.decided),
                "tokens": str(counted.tokens),
                "audit": "every law holds",
            },
        ),
        Rows(
            "Brought in",
            ("currency", "real", "bonus", "open stakes"),
            [
                (code, sums["real"], sums["bonus"], sums["open_stakes"])
                for code, sums in sorted(totals.items())
            ],
            amounts="real bonus open stakes",
        ),
    )
