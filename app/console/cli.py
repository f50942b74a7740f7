"""The console's commands: `wallet …`, or `python -m app …`.

A command reads its settings, does one thing, and says one sentence when it cannot. Its exit code:

    0     done
    1     refused, failed, or the outcome is unknown: the sentence says which
    2     the command line or the settings are at fault, and nothing was done
    130   interrupted

After a commit the exit code is that of the outcome, even if the output could not be written. A
command that only reads ends with 1 if its output could not be written.
"""

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Final

import typer
from typer._click.exceptions import ClickException, NoArgsIsHelpError, UsageError

from app.console.commands.adjust import adjustments
from app.console.commands.agents import agents
from app.console.commands.audit import audit_command
from app.console.commands.backoffice import BuildBackoffice, serve_backoffice
from app.console.commands.backup import backups
from app.console.commands.funds import deposit, grant, revoke, withdraw
from app.console.commands.games import games
from app.console.commands.holds import holds
from app.console.commands.inbox import inbox_commands
from app.console.commands.movements import movements, rounds
from app.console.commands.players import players
from app.console.commands.reconcile import reconcile_command
from app.console.commands.reports import (
    balance_command,
    export,
    report,
    statement_command,
)
from app.console.commands.seals import prove_command, seals, verify_command
from app.console.commands.serve import serve as serve_until_stopped
from app.console.commands.settings import limits, scope, settings
from app.console.commands.simulate import simulate_command
from app.console.commands.status import status
from app.console.commands.tail import tail
from app.console.commands.tokens import tokens
from app.console.commands.transfer import transfer
from app.console.commands.users import login, logout, people
from app.console.data_owner import console_settings
from app.console.database import Database, open_database, reach
from app.console.errors import ConsoleError, OutputLostError
from app.console.ledger_access import who
from app.console.output.printer import (
    abandon_output,
    complain,
    outcome_stands,
    prepare_streams,
    say,
)
from app.ledger.migrations import (
    MigrationBusyError,
    current_revision,
    upgrade,
    wait_for_database,
)
from app.ledger.owner_changes import OwnerChangeError, finish_upgrade
from app.postgres import PostgresError
from app.server.errors import AddressTakenError, ServerFailedError
from app.server.serving import BuildApp
from app.settings import (
    SettingsError,
    load_console_settings,
    load_database_settings,
    load_settings,
)
from app.version import VERSION, build_id

NAME: Final = "wallet"
DONE: Final = 0
FAILED: Final = 1
MISTAKEN: Final = 2

console = typer.Typer(
    name=NAME,
    help="A betting wallet: every cent accounted for, on a real ledger.",
    epilog=(
        "Exit codes: 0 done; 1 refused, not done, or not known whether it was done (the sentence "
        "says which); 2 the command line or the settings are at fault, and nothing was done."
    ),
    no_args_is_help=True,
    add_completion=False,
    # A traceback with local variables would show secrets.
    pretty_exceptions_enable=False,
)


@dataclass(frozen=True, slots=True)
class Composition:
    """The parts of the composition root that the commands need."""

    application: Callable[[], BuildApp]
    """Returns the builder of the server's application; called only by `wallet serve`."""
    backoffice: Callable[[], BuildBackoffice]
    """Returns the builder of the back office; called by `wallet backoffice`, and for the demo."""


def run_console(composition: Composition, arguments: list[str] | None = None) -> int:
    """Carry out one command and return its exit code."""
    prepare_streams()
    try:
        words = _typed() if arguments is None else arguments
        code = console(words, obj=composition, prog_name=NAME, standalone_mode=False)
    except NoArgsIsHelpError:
        # The help is printed.
        return MISTAKEN
    except ClickException as error:
        return _complain(_mistake(error), MISTAKEN)
    except SettingsError as error:
        return _complain(error, MISTAKEN)
    except OSError as error:
        # The help could not be written, or a file of ours not be used.
        abandon_output()
        return _complain(_os_sentence(error), FAILED)
    except (
        AddressTakenError,
        ConsoleError,
        MigrationBusyError,
        PostgresError,
        ServerFailedError,
    ) as error:
        return _complain(error, FAILED)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return code if isinstance(code, int) else DONE


def _show_version(wanted: bool) -> None:
    if wanted:
        say(f"wallet {VERSION} (build {build_id()})")
        raise typer.Exit


@console.callback()
def _options(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", help="Say version and build.", is_eager=True, callback=_show_version
        ),
    ] = False,
) -> None:
    """Handle the options before the command."""


@console.command()
def serve(
    context: typer.Context,
    demo: Annotated[
        bool, typer.Option("--demo", help="With a demo operator, its players and public keys.")
    ] = False,
) -> None:
    """Serve the two contracts; with no database named, on an embedded PostgreSQL."""
    settings = load_settings(demo=demo)
    composition = context.ensure_object(Composition)
    serve_until_stopped(
        settings,
        composition.application(),
        composition.backoffice() if settings.demo else None,
        _announce,
    )


@console.command()
def backoffice(context: typer.Context) -> None:
    """Serve the back office: the pages of support, risk, finance and compliance."""
    serve_backoffice(console_settings(), context.ensure_object(Composition).backoffice, _announce)


@console.command()
def migrate(
    finish: Annotated[
        bool,
        typer.Option(
            "--finish", help="End an upgrade: no process of the release before runs any more."
        ),
    ] = False,
) -> None:
    """Bring the database's schema to the newest revision, as the role that owns it."""
    with open_database(load_database_settings()) as database:
        reach(wait_for_database(database.owner_url, complain))
        if finish:
            _finish(database)
            return
        before = reach(current_revision(database.owner_url))
        reach(upgrade(database.owner_url))
        after = reach(current_revision(database.owner_url))
    with outcome_stands():
        if before == after:
            say(f"The schema already was the newest, {after}.")
        else:
            say(f"The schema went from {before or 'nothing'} to {after}.")


def _finish(database: Database) -> None:
    try:
        is_new = reach(
            finish_upgrade(
                database.owner_url,
                who(),
                raises_are_confirmed=load_console_settings().limit_raise == "confirm",
            )
        )
    except OwnerChangeError as error:
        raise ConsoleError(str(error)) from error
    say("The upgrade is finished." if is_new else "There is no upgrade to finish.")


console.command("simulate")(simulate_command)
console.command("audit")(audit_command)
console.command("reconcile")(reconcile_command)
console.command("statement")(statement_command)
console.command("balance")(balance_command)
console.add_typer(export)
console.add_typer(report)
console.add_typer(players)
console.add_typer(tokens)
console.add_typer(settings)
console.add_typer(scope)
console.add_typer(limits)
console.add_typer(games)
console.command("deposit")(deposit)
console.command("withdraw")(withdraw)
console.command("grant")(grant)
console.command("revoke")(revoke)
console.add_typer(holds)
console.add_typer(movements)
console.add_typer(rounds)
console.add_typer(agents)
console.add_typer(seals)
console.command("prove")(prove_command)
console.command("verify-proof")(verify_command)
console.add_typer(people)
console.command("login")(login)
console.command("logout")(logout)
console.command("transfer")(transfer)
console.add_typer(inbox_commands)
console.add_typer(adjustments)
console.command("status")(status)
console.command("tail")(tail)
console.add_typer(backups)


def _typed() -> list[str]:
    """Read the command line as UTF-8 whatever the locale; other bytes become surrogates."""
    return [os.fsencode(word).decode("utf-8", "surrogateescape") for word in sys.argv[1:]]


def _announce(words: str) -> None:
    """Print something while serving, which continues even if it cannot be written."""
    with suppress(OutputLostError):
        say(words)


def _mistake(error: ClickException) -> str:
    """Return the error in the command line as one sentence, with a reference to the help."""
    words = error.format_message().rstrip(".")
    context = error.ctx if isinstance(error, UsageError) else None
    return f"{words}. See `{context.command_path} --help`." if context else f"{words}."


def _os_sentence(error: OSError) -> str:
    where = f" ({error.filename})" if error.filename else ""
    return f"It cannot be done here{where}: {error.strerror or error}."


def _complain(error: Exception | str, exit_code: int) -> int:
    """Print an error on standard error, and return the exit code."""
    complain(error)
    return exit_code
