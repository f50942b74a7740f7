"""`wallet audit`: every law of the ledger, checked beside the running service."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from app.cashier.audit import Findings, audit
from app.ops.database import open_database, reach
from app.settings import load_database_settings

EXIT_BROKEN = 1

Since = Annotated[
    datetime | None,
    typer.Option(help="Only what was touched from then on (UTC).", formats=["%Y-%m-%dT%H:%M:%S"]),
]
AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]


def audit_command(since: Since = None, as_json: AsJson = False) -> None:
    """Check every law of the ledger; exit code 1 and the offenders if one is broken."""
    begin = since.replace(tzinfo=UTC) if since else None
    with open_database(load_database_settings()) as database, _bar() as bar:
        task = bar.add_task("auditing", total=None)
        findings = reach(
            audit(
                database.service_url,
                since=begin,
                progress=lambda done, of: bar.update(task, completed=done, total=of),
            )
        )
    if as_json:
        print(json.dumps(_as_dict(findings), default=_plain))
    else:
        _show(findings)
    if not findings.is_clean:
        raise typer.Exit(EXIT_BROKEN)


def _bar() -> Progress:
    """A bar on the terminal's error stream; nothing where nobody watches."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )


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
    console = Console()
    looked_at = (
        f"{findings.invariants} laws, {findings.players} players, {findings.movements} movements"
    )
    if findings.is_clean:
        console.print(f"[green]clean[/]: {looked_at}")
        return
    table = Table("law", "offender", title=f"{len(findings.breaches)} breaches ({looked_at})")
    for breach in findings.breaches:
        offender = ", ".join(f"{name} {_plain(value)}" for name, value in breach.offender.items())
        table.add_row(breach.law, offender)
    console.print(table)
