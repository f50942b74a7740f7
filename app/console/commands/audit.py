"""`wallet audit`: checks every invariant of the ledger while the service runs."""

import json
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from app.cashier.audit import CONNECTIONS, Breach, Findings, UnknownPlayerError, audit
from app.cashier.upkeep import remember_audit
from app.console.arguments import checked_moment, checked_text, read_moment
from app.console.commands.seals import known_keys, seals_of
from app.console.database import reach, ready_database
from app.console.errors import ConsoleError, DatabaseAwayError
from app.console.operator_here import here
from app.console.output.layout import Rows
from app.console.output.printer import AsJson, hint, print_json, show
from app.console.output.progress import progress_bar
from app.ledger.citus.ledger import PlacedLedger
from app.settings import load_database_settings

EXIT_BROKEN = 1

REMEMBERING = timedelta(seconds=3)
"""A standby can be audited, and not be written to."""

Since = Annotated[
    str | None,
    typer.Option(
        help="Only what was touched from then on, such as 2026-11-20 (UTC).",
        callback=checked_moment,
    ),
]


Player = Annotated[
    str | None, typer.Option(help="Only this player, since their first day.", callback=checked_text)
]
Keys = Annotated[
    list[str] | None,
    typer.Option("--key", help="A public key that seals, beside those of the settings."),
]
Against = Annotated[
    Path | None,
    typer.Option(help="The file outside the database that seals are appended to."),
]
Jobs = Annotated[
    int, typer.Option(min=1, max=16, help="Connections that share the work; one a core or fewer.")
]


def audit_command(
    since: Since = None,
    player: Player = None,
    key: Keys = None,
    against: Against = None,
    jobs: Jobs = CONNECTIONS,
    as_json: AsJson = False,
) -> None:
    """Check every law of the ledger; exit code 1 and the offenders if one is broken."""
    if since is not None and player is not None:
        raise typer.BadParameter("--since and --player exclude each other")
    if against is not None and (since is not None or player is not None):
        raise typer.BadParameter("--against looks at everything: leave --since and --player out")
    settings = load_database_settings()
    keys = known_keys(settings, key or ())
    outside = None if against is None else seals_of(against)
    begin = None if since is None else read_moment(since)
    ran_at, began = datetime.now(UTC), time.monotonic_ns()
    with ready_database(settings) as database, progress_bar() as bar:
        task = bar.add_task("auditing", total=None)
        try:
            findings = reach(
                audit(
                    database.reports_url,
                    since=begin,
                    user_id=player,
                    keys=keys,
                    against=outside,
                    connections=jobs,
                    progress=lambda done, of: bar.update(task, completed=done, total=of),
                )
            )
        except UnknownPlayerError as error:
            raise ConsoleError(str(error)) from error
        took = timedelta(microseconds=(time.monotonic_ns() - began) // 1000)
        if player is None:
            _remember(database.service_url, findings, ran_at, begin, took)
    if as_json:
        print_json(json.loads(json.dumps(_as_dict(findings), default=_plain)))
    else:
        _show(findings)
    if not findings.is_clean:
        raise typer.Exit(EXIT_BROKEN)


def _remember(
    url: str, findings: Findings, ran_at: datetime, since: datetime | None, took: timedelta
) -> None:
    """Keep what was found, where the database lets us; what was found is told in any case."""

    async def work() -> None:
        ledger = PlacedLedger(url, pool_size=2, deadline=REMEMBERING)
        try:
            by = here().noted_as
            await remember_audit(ledger, findings, ran_at=ran_at, since=since, took=took, by=by)
        finally:
            await ledger.close()

    try:
        reach(work())
    except DatabaseAwayError as error:
        hint(f"This run is not remembered for `wallet status`: {error}")


def _as_dict(findings: Findings) -> dict[str, Any]:
    return {
        "clean": findings.is_clean,
        "invariants": findings.invariants,
        "players": findings.players,
        "movements": findings.movements,
        "breaches": [breach._asdict() for breach in findings.breaches],
    }


def _plain(value: object) -> str:
    """Amounts and bytes as text: exact, and readable for any program."""
    if isinstance(value, bytes):
        return value.hex()
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def _show(findings: Findings) -> None:
    looked_at = (
        f"{findings.invariants} laws, {findings.players} players, {findings.movements} movements"
    )
    if findings.is_clean:
        show(Text.assemble(("clean", "green"), f": {looked_at}"))
        return
    rows = ((breach.law, _offender(breach)) for breach in findings.breaches)
    title = f"{len(findings.breaches)} breaches ({looked_at})"
    show(Rows(title, ("law", "offender"), rows))


def _offender(breach: Breach) -> str:
    return ", ".join(f"{name} {_plain(value)}" for name, value in breach.offender.items())
