"""Access to the ledger for console commands about players and money.

The database is opened for one piece of work; the system user is recorded with every change;
refusals and ledger errors become one sentence.
"""

import json
import secrets
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import structlog
import typer

from app.cashier.sign_in import current_session
from app.console.database import reach, ready_database
from app.console.errors import ConsoleError, OutcomeUnknownError
from app.console.operator_here import here, kept_token
from app.ledger.accounts import ChangeNote
from app.ledger.citus.ledger import PlacedLedger
from app.ledger.errors import LedgerError, LedgerRestoredError
from app.ledger.transaction import Ledger
from app.settings import load_database_settings
from app.telemetry.logs import for_people
from app.wallet.operators import Operator
from app.wallet.refusals import Refusal

T = TypeVar("T")

DELIVERY_BYTES: Final = 16


def commands(name: str, about: str) -> typer.Typer:
    """Make a group of commands: `wallet NAME …`."""
    return typer.Typer(name=name, help=about, no_args_is_help=True, pretty_exceptions_enable=False)


def ask(work: Callable[[Ledger], Coroutine[Any, Any, T]], *, changes: bool = False) -> T:
    """Do one piece of work on the ledger of the named database, or of the embedded one.

    `changes`: it writes, and if the ledger does not say how that ended, nobody knows.
    """
    with ready_database(load_database_settings()) as database, _log_on_standard_error():
        return reach(_worked(database.service_url, work, changes=changes))


@contextmanager
def _log_on_standard_error() -> Iterator[None]:
    """Keep what the ledger logs off the output, which may be a program's to read."""
    if structlog.is_configured():
        yield
        return
    structlog.configure(
        processors=for_people(), logger_factory=structlog.PrintLoggerFactory(sys.stderr)
    )
    try:
        yield
    finally:
        structlog.reset_defaults()


async def _worked(
    url: str, work: Callable[[Ledger], Coroutine[Any, Any, T]], *, changes: bool
) -> T:
    ledger = PlacedLedger(url, pool_size=1)
    try:
        return await work(ledger)
    except LedgerRestoredError as error:
        raise ConsoleError(f"Nothing was done: {error}.") from error
    except LedgerError as error:
        if not changes:
            raise
        raise OutcomeUnknownError(
            f"Whether it was done is not known ({_without_period(error)}). Repeating the command "
            "does no harm."
        ) from error
    finally:
        await ledger.close()


def _without_period(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".")


def granted(answer: T | Refusal, user_id: str) -> T:
    """Return the answer, or raise with the refusal in words."""
    if not isinstance(answer, Refusal):
        return answer
    if answer is Refusal.PLAYER_UNKNOWN:
        raise ConsoleError(
            f"There is no player {user_id}; `wallet player open {user_id} …` opens an account."
        )
    raise ConsoleError(f"Refused: {answer.value}.")


def operator() -> Operator:
    """Return who acts at the console: whoever signed in, else the system user, not verified."""
    token = kept_token()
    if token is None:
        return here()
    session = ask(lambda ledger: current_session(ledger, token, here().source))
    if session is None:
        raise ConsoleError("Your session has ended: `wallet login` again, or `wallet logout`.")
    return session.operator


def who() -> str:
    """Name who acts at the console, in a form that no agent's id has."""
    return operator().noted_as


def note_of(operation: str, asked: Mapping[str, Any]) -> ChangeNote:
    """Note a change for the list of changes, as the transfer API does."""
    return ChangeNote(
        source=who(),
        operation=operation,
        asked=json.dumps(asked, default=str),
        delivery=secrets.token_bytes(DELIVERY_BYTES),
        event_time=datetime.now(UTC),
    )
