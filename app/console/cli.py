"""The console's commands: `wallet …`, or `python -m app …`.

A command reads its settings, does one thing, and says one sentence when it cannot: exit code 2 when
the settings are at fault, 1 otherwise.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import typer

from app.console.commands.agents import agents
from app.console.commands.audit import audit_command
from app.console.commands.funds import deposit, grant, revoke, withdraw
from app.console.commands.movements import movements, rounds
from app.console.commands.players import players
from app.console.commands.serve import serve as serve_until_stopped
from app.console.commands.settings import scope, settings
from app.console.commands.simulate import simulate_command
from app.console.commands.tokens import tokens
from app.console.commands.transfer import transfer
from app.console.database import Database, open_database, reach
from app.console.errors import ConsoleError
from app.console.ledger_access import who
from app.console.output.printer import complain, say
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
from app.settings import SettingsError, load_database_settings, load_settings

console = typer.Typer(
    name="wallet",
    help="A betting wallet: every cent accounted for, on a real ledger.",
    no_args_is_help=True,
    add_completion=False,
    # A traceback with local variables would show secrets.
    pretty_exceptions_enable=False,
)


@dataclass(frozen=True, slots=True)
class House:
    """What the commands are handed by the place where the house is put together."""

    application: Callable[[], BuildApp]
    """Returns what builds the server's application; asked only by who serves."""


def run_console(house: House, arguments: list[str] | None = None) -> int:
    """Carry out one command and return its exit code."""
    try:
        console(arguments, obj=house, standalone_mode=True)
    except SettingsError as error:
        return _complain(error, 2)
    except (
        AddressTakenError,
        ConsoleError,
        MigrationBusyError,
        PostgresError,
        ServerFailedError,
    ) as error:
        return _complain(error, 1)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


@console.command()
def serve(
    context: typer.Context,
    demo: Annotated[
        bool, typer.Option("--demo", help="With a demo operator, its players and public keys.")
    ] = False,
) -> None:
    """Serve the two contracts; with no database named, on an embedded PostgreSQL."""
    settings = load_settings(demo=demo)
    serve_until_stopped(settings, context.ensure_object(House).application(), say)


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
    if before == after:
        say(f"The schema already was the newest, {after}.")
    else:
        say(f"The schema went from {before or 'nothing'} to {after}.")


def _finish(database: Database) -> None:
    try:
        is_new = reach(finish_upgrade(database.owner_url, who()))
    except OwnerChangeError as error:
        raise ConsoleError(str(error)) from error
    say("The upgrade is finished." if is_new else "There is no upgrade to finish.")


console.command("simulate")(simulate_command)
console.command("audit")(audit_command)
console.add_typer(players)
console.add_typer(tokens)
console.add_typer(settings)
console.add_typer(scope)
console.command("deposit")(deposit)
console.command("withdraw")(withdraw)
console.command("grant")(grant)
console.command("revoke")(revoke)
console.add_typer(movements)
console.add_typer(rounds)
console.add_typer(agents)
console.command("transfer")(transfer)


def _complain(error: Exception, exit_code: int) -> int:
    """Say what went wrong, where complaints go."""
    complain(error)
    return exit_code
