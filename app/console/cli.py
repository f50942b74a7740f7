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
from typing import Annotated, Final

import typer
from typer._click.exceptions import ClickException, NoArgsIsHelpError, UsageError
from typer._completion_classes import completion_init
from typer.core import TyperGroup

from app.console.command_table import TABLE
from app.console.composition import Composition
from app.console.deferred import add_rows
from app.console.errors import ConsoleError
from app.console.output.printer import abandon_output, complain, prepare_streams, say
from app.ledger.errors import MigrationBusyError
from app.postgres.errors import PostgresError
from app.server.errors import AddressTakenError, ServerFailedError
from app.settings_parsing import SettingsError
from app.version import VERSION, build_id

NAME: Final = "wallet"
COMPLETES: Final = "_WALLET_COMPLETE"
"""The variable by which a shell asks; `wallet completion` prints the script that sets it."""

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


def commands() -> TyperGroup:
    """Return the whole console; a command's code is imported when it is invoked."""
    root = typer.main.get_group(console)
    for heading, rows in TABLE.items():
        add_rows(root, rows, heading)
    return root


def run_console(composition: Composition, arguments: list[str] | None = None) -> int:
    """Carry out one command and return its exit code."""
    prepare_streams()
    if COMPLETES in os.environ:
        # A shell asks: it is answered below, before any command.
        completion_init()
    try:
        words = _typed() if arguments is None else arguments
        code = commands().main(words, prog_name=NAME, standalone_mode=False, obj=composition)
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


def _typed() -> list[str]:
    """Read the command line as UTF-8 whatever the locale; other bytes become surrogates."""
    return [os.fsencode(word).decode("utf-8", "surrogateescape") for word in sys.argv[1:]]


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
