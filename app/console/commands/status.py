"""`wallet status`: what runs here and how it fares; exit code 1 if anything is wrong."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Final

import typer
from pydantic import SecretBytes, SecretStr
from rich.console import RenderableType
from rich.text import Text

from app.cashier.status import Standing, standing
from app.console.data_owner import console_settings
from app.console.database import open_database, reach
from app.console.errors import DatabaseAwayError
from app.console.output.ages import age
from app.console.output.layout import Facts
from app.console.output.printer import AsJson, print_json
from app.console.output.printer import show as show_parts
from app.console.processes import Process, running_processes
from app.ledger.citus.ledger import PlacedLedger
from app.ledger.revisions import current_revision, head_revision
from app.ledger.upkeep import AuditRun
from app.settings import DatabaseSettings, Settings
from app.version import VERSION, build_id
from app.wallet.inbox import WORDS
from app.wallet.words import moment

MASKED: Final = "…"
EXIT_UNWELL: Final = 1
SERVED_WITH: Final = {
    "key_scope": "key_scope",
    "stake_order": "stake_order",
    "overtaken_bet": "overtaken_bet",
}
"""Settings of the environment, and the ledger's own that they must equal."""

LedgerOnly = Annotated[
    bool, typer.Option("--ledger-only", help="Do not ask the serving processes on this machine.")
]


@dataclass(frozen=True, slots=True)
class Report:
    """All that is known, and what of it is wrong."""

    settings: Mapping[str, str]
    revision: str | None
    standing: Standing | None
    processes: list[Process] | None
    """None: they were not asked"""
    problems: list[str]


def status(ledger_only: LedgerOnly = False, as_json: AsJson = False) -> None:
    """Say what runs here and how it fares; exit code 1 if anything is wrong."""
    settings = console_settings()
    report = _report(settings, ask_processes=not ledger_only)
    if as_json:
        print_json(_document(report))
    else:
        show_parts(*_shown(report))
    if report.problems:
        raise typer.Exit(EXIT_UNWELL)


def _report(settings: Settings, *, ask_processes: bool) -> Report:
    problems: list[str] = []
    revision, found = None, None
    try:
        with open_database(settings) as database:
            revision = reach(current_revision(database.service_url))
            if revision == head_revision():
                found = reach(_standing(database.service_url))
    except DatabaseAwayError as error:
        problems.append(str(error))
    else:
        if found is None:
            problems.append(
                f"The schema is at {revision or 'nothing'}, and this wallet's newest is "
                f"{head_revision()}: run `wallet migrate`."
            )
    if found is not None:
        problems += found.problems()
        problems += _differences(settings, found)
    processes = None
    if ask_processes:
        processes = running_processes(settings.private_host, settings.private_port)
        if not processes:
            problems.append(
                "No process serves here: nothing answers at "
                f"{settings.private_host}:{settings.private_port}."
            )
        problems += [problem for process in processes for problem in process.problems()]
    return Report(_in_force(settings), revision, found, processes, problems)


async def _standing(url: str) -> Standing:
    ledger = PlacedLedger(url, pool_size=2)
    try:
        return await standing(ledger)
    finally:
        await ledger.close()


def _differences(settings: Settings, found: Standing) -> list[str]:
    """Say where the environment would not be served with this ledger."""
    return [
        f"WALLET_{name.upper()} is {getattr(settings, name)} here, and the ledger decides with "
        f"{getattr(found.policy, of_ledger)}."
        for name, of_ledger in SERVED_WITH.items()
        if str(getattr(settings, name)) != str(getattr(found.policy, of_ledger))
    ]


def _in_force(settings: DatabaseSettings) -> dict[str, str]:
    """Return every setting with its value; a secret is masked, and says only that it is there."""
    return {
        f"WALLET_{name.upper()}": _masked(getattr(settings, name))
        for name in type(settings).model_fields
    }


def _masked(value: object) -> str:
    if value is None or (isinstance(value, (tuple, Mapping)) and not value):
        return "not set"
    match value:
        case SecretStr() | SecretBytes():
            return MASKED
        case tuple():
            return ", ".join(map(_masked, value))
        case Mapping():
            # An agent is a model whose keys are secrets: its name is all that is shown.
            return ", ".join(
                f"{name}: {part}" if isinstance(part, (str, int)) else str(name)
                for name, part in value.items()
            )
        case _:
            return str(value)


def _shown(report: Report) -> list[RenderableType]:
    parts: list[RenderableType] = [
        Facts("wallet", {"version": f"{VERSION} (build {build_id()})", "schema": report.revision})
    ]
    if report.standing is not None:
        parts += ["", *_standing_shown(report.standing)]
    for process in report.processes or []:
        parts += ["", Facts(f"process {process.address}", process.facts())]
    parts += ["", Facts("settings", report.settings), ""]
    if report.problems:
        parts.append(Text(f"not well: {len(report.problems)} found", "bold red"))
        parts.append(Facts("", {"": tuple(report.problems)}))
    else:
        parts.append(Text("well", "bold green"))
    return parts


def _standing_shown(found: Standing) -> list[RenderableType]:
    server = found.server
    return [
        Facts(
            "database",
            {
                "server": f"PostgreSQL {server.version}"
                + (", a standby" if server.is_standby else ""),
                "database": f"{server.database} as {server.role}",
                "size": f"{server.size_bytes // 2**20} MiB",
                "connections": f"{server.connections} of {server.settings['max_connections']}",
                "clock": f"this machine is {_milliseconds(found.clock_offset)} ms ahead",
                **server.settings,
            },
        ),
        "",
        Facts(
            "ledger",
            {
                "rule version": f"{found.policy.rule_version.value}",
                "key scope": found.policy.key_scope.value,
                "stake order": found.policy.stake_order.value,
                "overtaken bet": found.policy.overtaken_bet.value,
                "last audit": _audit_words(found, found.upkeep.whole_audit),
                "last partial audit": _audit_words(found, found.upkeep.recent_audit),
                "last backup": _backup_words(found),
                "last seal": _seal_words(found),
                "adjustments": f"{found.adjustments_waiting} wait for a second person",
                "inbox": _inbox_words(found),
            },
        ),
    ]


def _audit_words(found: Standing, run: AuditRun | None) -> str:
    if run is None:
        return "none"
    result = f"{run.breaches} breaches" if run.breaches else "clean"
    ago = age(run.ran_at, found.server.now)
    return f"{result}, {ago} ago, {run.movements} movements, by {run.by}"


def _backup_words(found: Standing) -> str:
    backup = found.upkeep.backup
    if backup is None:
        return "none was told of (`wallet backup note`)"
    return f"{age(backup.finished_at, found.server.now)} ago: {backup.note}"


def _seal_words(found: Standing) -> str:
    sealed_at = found.upkeep.sealed_at
    return "none" if sealed_at is None else f"{age(sealed_at, found.server.now)} ago"


def _inbox_words(found: Standing) -> tuple[str, ...] | str:
    waiting = tuple(
        f"{open_.number} open: {WORDS[kind]}" for kind, open_ in found.inbox.items() if open_.number
    )
    return waiting or "empty"


def _milliseconds(offset: timedelta) -> int:
    return offset // timedelta(milliseconds=1)


def _document(report: Report) -> dict[str, Any]:
    return {
        "well": not report.problems,
        "problems": report.problems,
        "version": VERSION,
        "build": build_id(),
        "schema": report.revision,
        "schema_newest": head_revision(),
        "ledger": None if report.standing is None else _standing_document(report.standing),
        "processes": None
        if report.processes is None
        else [{"address": each.address, **each.facts()} for each in report.processes],
        "settings": dict(report.settings),
    }


def _standing_document(found: Standing) -> dict[str, Any]:
    server, upkeep = found.server, found.upkeep
    return {
        "server_version": server.version,
        "database": server.database,
        "role": server.role,
        "size_bytes": server.size_bytes,
        "is_standby": server.is_standby,
        "connections": server.connections,
        "server_settings": server.settings,
        "clock_offset_milliseconds": _milliseconds(found.clock_offset),
        "rule_version": found.policy.rule_version.value,
        "key_scope": found.policy.key_scope.value,
        "stake_order": found.policy.stake_order.value,
        "overtaken_bet": found.policy.overtaken_bet.value,
        "last_audit": _run_document(upkeep.whole_audit),
        "last_partial_audit": _run_document(upkeep.recent_audit),
        "last_backup": None
        if upkeep.backup is None
        else {**upkeep.backup._asdict(), "finished_at": moment(upkeep.backup.finished_at)},
        "last_seal": None if upkeep.sealed_at is None else moment(upkeep.sealed_at),
        "adjustments_waiting": found.adjustments_waiting,
        "inbox": {kind.value: open_._asdict() for kind, open_ in found.inbox.items()},
    }


def _run_document(run: AuditRun | None) -> dict[str, Any] | None:
    if run is None:
        return None
    since = None if run.since is None else moment(run.since)
    return {**run._asdict(), "ran_at": moment(run.ran_at), "since": since}
