"""`wallet reconcile`: holds an aggregator's report against the journal.

Exit code 0: both books agree; 1: they differ, whatever the amount; 2: the report, the profile or
the command line is at fault, and nothing was compared or kept.
"""

import csv
from collections.abc import Callable, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from app.cashier.repairs import (
    PROPOSED_MAX,
    NotProposedError,
    Proposal,
    WantedRepair,
    propose_repairs,
)
from app.console.arguments import checked_moment, checked_text, read_moment
from app.console.database import Database, reach, ready_database
from app.console.errors import ConsoleError
from app.console.ledger_access import ask, operator, who
from app.console.output.bad_lines import BAD_LINES_SHOWN, IN_JSON_MAX
from app.console.output.printer import (
    AsJson,
    complain,
    hint,
    outcome_stands,
    print_json,
    show,
)
from app.console.output.progress import progress_bar
from app.console.output.reconciliation import (
    SHOWN_MAX,
    outcome_page,
    outcome_shown,
    proposals_shown,
)
from app.ledger.reconciliation.runs import KEPT_MAX, Difference
from app.reconciliation.documents import (
    DIFFERENCE_COLUMNS,
    REPAIR_COLUMNS,
    difference_record,
    difference_row,
    outcome_record,
)
from app.reconciliation.files import ReportError
from app.reconciliation.profile import GRACE_SECONDS_MAX, Profile, ProfileError, load_profile
from app.reconciliation.reconcile import BadReportError, Outcome, Request, reconcile
from app.reconciliation.repairs import Repair, repair_of
from app.settings import load_database_settings
from app.wallet.events import Direction

if TYPE_CHECKING:
    from collections.abc import Iterator

EXIT_DIFFERS: Final = 1
EXIT_MISTAKEN: Final = 2
ON_PAGE_MAX: Final = 1000
STEPS: Final = {"days": "comparing days", "rounds": "comparing rounds", "lines": "comparing lines"}

ReportFile = Annotated[
    Path,
    typer.Argument(
        metavar="REPORT",
        help="CSV, TSV, JSON lines or XLSX, also gzipped.",
        exists=True,
        dir_okay=False,
        readable=True,
    ),
]
ProfileName = Annotated[
    str,
    typer.Option(
        "--profile",
        metavar="NAME|FILE",
        help="How it is read: fungamess, hub88, betby, generic, or a TOML file.",
        callback=checked_text,
    ),
]
OtherDoor = Annotated[
    str | None,
    typer.Option(help="Another door than the profile's: an agent, say.", callback=checked_text),
]
Since = Annotated[
    str | None,
    typer.Option("--from", help="Else the report's first day.", callback=checked_moment),
]
Until = Annotated[
    str | None,
    typer.Option("--to", help="Else the end of the report's last day.", callback=checked_moment),
]
Grace = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=GRACE_SECONDS_MAX,
        metavar="SECONDS",
        help="How near the period's ends a movement may be on its way; else the profile's.",
    ),
]
SkipBad = Annotated[
    bool, typer.Option("--skip-bad", help="Leave out lines that cannot be read, and list them.")
]
CsvFile = Annotated[
    Path | None, typer.Option("--csv", metavar="FILE", help="All differences.", dir_okay=False)
]
HtmlFile = Annotated[
    Path | None,
    typer.Option("--html", metavar="FILE", help="One page that can be mailed.", dir_okay=False),
]
RepairsFile = Annotated[
    Path | None,
    typer.Option(
        "--repairs",
        metavar="FILE",
        help="Adjustments to propose, as CSV; none is made by itself.",
        dir_okay=False,
    ),
]
Propose = Annotated[
    bool,
    typer.Option(
        "--propose", help="Ask for an adjustment for each difference of money; two people decide."
    ),
]
NoInbox = Annotated[
    bool, typer.Option("--no-inbox", help="List no difference in the inbox: to try a profile.")
]


def reconcile_command(
    report: ReportFile,
    profile: ProfileName,
    door: OtherDoor = None,
    since: Since = None,
    until: Until = None,
    grace: Grace = None,
    skip_bad: SkipBad = False,
    csv_file: CsvFile = None,
    html_file: HtmlFile = None,
    repairs_file: RepairsFile = None,
    proposes: Propose = False,
    no_inbox: NoInbox = False,
    as_json: AsJson = False,
) -> None:
    """Hold an aggregator's report against the journal; exit code 1 on any difference."""
    request = Request(
        path=report,
        profile=_profile(profile, door, grace),
        source=who(),
        skips_bad=skip_bad,
        lists=not no_inbox,
        since=None if since is None else read_moment(since),
        until=None if until is None else read_moment(until),
    )
    files = _Files(csv_file, html_file, repairs_file, request.profile)
    proposals: list[Proposal] = []
    try:
        with ready_database(load_database_settings()) as database:
            outcome, first = reach(_run(database, request, files))
        if proposes:
            proposals = _proposed(files.wanted(outcome.run_id, outcome.file_name))
            if files.repairs > PROPOSED_MAX:
                hint(
                    f"The first {PROPOSED_MAX} of {files.repairs} repairs were asked for: is it "
                    "the right profile? Once these are decided, run it again."
                )
    except BadReportError as error:
        for line, reason in error.bad.kept[:BAD_LINES_SHOWN]:
            complain(f"Line {line} {reason}")
        complain(
            f"{error.bad.count} lines of {report} cannot be read; nothing was compared. Mend them, "
            "or leave them out with --skip-bad."
        )
        raise typer.Exit(EXIT_MISTAKEN) from error
    except ReportError as error:
        complain(error)
        raise typer.Exit(EXIT_MISTAKEN) from error
    with outcome_stands():
        _tell(outcome, first, proposals, as_json=as_json)
    if not outcome.agrees:
        raise typer.Exit(EXIT_DIFFERS)


def _profile(name: str, door: str | None, grace: int | None) -> Profile:
    try:
        profile = load_profile(name)
    except ProfileError as error:
        complain(error)
        raise typer.Exit(EXIT_MISTAKEN) from error
    if door is not None:
        profile = replace(profile, door=door)
    return profile if grace is None else replace(profile, grace_seconds=grace)


async def _run(
    database: Database, request: Request, files: "_Files"
) -> tuple[Outcome, list[Difference]]:
    """Reconcile, and write the files while the differences can be read."""
    with progress_bar() as bar:
        task = bar.add_task("reading", total=None)

        def told(what: str, done: int, of: int) -> None:
            bar.update(task, description=STEPS.get(what, what), completed=done, total=of)

        first: list[Difference] = []
        async with reconcile(database.service_url, request, told) as run:
            with files.opened() as write:
                async for each in run.differences(KEPT_MAX):
                    write(each)
                    if len(first) < IN_JSON_MAX:
                        first.append(each)
            files.write_page(run.outcome, first)
            return run.outcome, first


def _proposed(repairs: list[WantedRepair]) -> list[Proposal]:
    by = operator()
    try:
        return ask(lambda ledger: propose_repairs(ledger, by, repairs), changes=True)
    except NotProposedError as error:
        raise ConsoleError(f"{error} The run is kept all the same.") from error


class _Files:
    """The files that were asked for, beside what is printed."""

    def __init__(
        self, differences: Path | None, page_file: Path | None, repairs: Path | None, read: Profile
    ) -> None:
        self._differences = differences
        self._page = page_file
        self._repairs = repairs
        self._profile = read
        self._wanted: list[Repair] = []
        self.repairs = 0
        """how many differences of money there are"""

    @contextmanager
    def opened(self) -> "Iterator[Callable[[Difference], None]]":
        """Open the tables, and return what writes a difference into them."""
        with (
            _table(self._differences, DIFFERENCE_COLUMNS) as differences,
            _table(self._repairs, REPAIR_COLUMNS) as repairs,
        ):

            def write(each: Difference) -> None:
                differences(difference_row(each))
                repair = repair_of(each, self._profile.door, self._type_of(each.word))
                if repair is not None:
                    repairs([value or "" for value in repair])
                    self.repairs += 1
                    if len(self._wanted) < PROPOSED_MAX:
                        self._wanted.append(repair)

            yield write

    def _type_of(self, word: str | None) -> str | None:
        types = self._profile.types.get(word or "", ())
        return types[0].value if len(types) == 1 else None

    def wanted(self, run_id: int, file_name: str) -> list[WantedRepair]:
        """Return the repairs of what was written, as the cashier takes them."""
        return [
            WantedRepair(
                repair_id=each.repair_id,
                user_id=each.user_id,
                direction=Direction(each.direction),
                amount=each.amount,
                currency=each.currency,
                event_id=each.event_id,
                source=each.stands_for_source,
                transaction_id=each.stands_for_transaction_id,
                facet=each.takes_facet,
                note=f"{each.reason}; run {run_id} of {file_name}",
            )
            for each in self._wanted
        ]

    def write_page(self, outcome: Outcome, differences: Sequence[Difference]) -> None:
        """Write the page."""
        if self._page is None:
            return
        with _sentences(self._page), self._page.open("w", encoding="utf-8") as file:
            file.writelines(outcome_page(outcome, differences[:ON_PAGE_MAX]))


@contextmanager
def _table(path: Path | None, columns: Iterable[str]) -> "Iterator[Callable[[list[str]], Any]]":
    """Open a table and write its header; without a path, what is written goes nowhere."""
    if path is None:
        yield lambda _row: None
        return
    with _sentences(path), path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        yield lambda row: writer.writerow([_inert(cell) for cell in row])


def _inert(cell: str) -> str:
    """A cell that a spreadsheet takes for text: a foreign id may be a formula."""
    is_number = cell[1:].replace(".", "", 1).isdecimal()
    return f"'{cell}" if cell[:1] in {"=", "+", "-", "@", "\t", "\r"} and not is_number else cell


@contextmanager
def _sentences(path: Path) -> "Iterator[None]":
    try:
        yield
    except OSError as error:
        raise ConsoleError(
            f"{path} cannot be written ({error.strerror or error}); the run is kept all the same."
        ) from error


def _tell(
    outcome: Outcome,
    first: Sequence[Difference],
    proposals: Sequence[Proposal],
    *,
    as_json: bool,
) -> None:
    if as_json:
        document = outcome_record(outcome)
        document["first_differences"] = [difference_record(each) for each in first]
        document["proposals"] = [
            {
                "repair_id": each.repair.repair_id,
                "transaction_id": each.repair.transaction_id,
                "state": each.state.value,
                "adjustment": each.adjustment_id,
                "words": each.words,
            }
            for each in proposals
        ]
        print_json(document)
        return
    for line, reason in outcome.bad.kept[:BAD_LINES_SHOWN]:
        hint(f"Skipped: line {line} {reason}")
    if outcome.bad.count > BAD_LINES_SHOWN:
        hint(f"Skipped: {outcome.bad.count} lines in all; --json lists the first 1000.")
    show(*outcome_shown(outcome, first[:SHOWN_MAX]))
    if proposals:
        show("", proposals_shown(proposals))
