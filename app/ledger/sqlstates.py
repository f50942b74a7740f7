"""What an error of the database, or of the way to it, means: run again, or come back later."""

from typing import Final

import asyncpg

from app.ledger.errors import AdjustmentNotOpenError, SettingsDifferError
from app.ledger.money import statements
from app.ledger.money.statements import FACTS_STALE, NOT_SERIALIZABLE

CONFLICTS: Final = frozenset({"40001", "40P01", "55P03", FACTS_STALE, NOT_SERIALIZABLE})
"""serialization_failure, deadlock_detected, lock_not_available, a stale fact: run again.

Under locks the transaction says itself that it is SERIALIZABLE, whatever the connection's setting.
"""

AWAY_CLASSES: Final = frozenset({"08", "28", "3D", "53", "57", "58"})
"""Classes that mean that the database is away.

They are connection, login, no such database, resources, operator intervention and system error.
"""

AWAY_STATES: Final = frozenset({"0A000", "25006", "25P03", "55000"})
"""A standby, which knows no SERIALIZABLE (0A000) and only reads; an idle transaction ended; or
connections not accepted."""

OTHER_NODE: Final = "XX000"
"""What Citus makes of a failure at another node, whatever it was there: even 40001 or 23505."""

OF_OTHER_NODE: Final = (
    "while executing command on ",
    "could not commit transaction",
    "connection to the remote node",
    "failed to execute task",
    "failure on connection marked as essential",
    "multiple connection failures",
    "could not establish any connections to the node",
    # Of the node's own words where Citus adds none: this server has a SQLSTATE for each of them.
    "could not serialize access",
    "deadlock detected",
    "duplicate key value violates",
)
"""How such a failure tells itself from an internal error of this server."""

LOST: Final = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
)
"""What the driver says when a statement, or the connection, has failed."""


def sqlstate(error: BaseException) -> str | None:
    """The SQLSTATE of a database error, also one that the migrations' engine has wrapped."""
    state: str | None = getattr(getattr(error, "orig", None) or error, "sqlstate", None)
    return state


def refusal_of(error: BaseException) -> Exception | None:
    """Return what it means that the recording function refuses whatever the facts; else None."""
    match sqlstate(error):
        case statements.SETTINGS_DIFFER:
            return SettingsDifferError()
        case statements.ADJUSTMENT_NOT_OPEN:
            return AdjustmentNotOpenError()
        case _:
            return None


def is_conflict(error: BaseException) -> bool:
    """Whether the database asks for the work to be run again."""
    return sqlstate(error) in CONFLICTS


def is_away(error: BaseException) -> bool:
    """Whether the database, or the way to it, is gone for the moment."""
    state = sqlstate(error)
    if state == OTHER_NODE:
        told = f"{error} {getattr(error, 'context', None)}"
        return any(words in told for words in OF_OTHER_NODE)
    if state is not None:
        return state[:2] in AWAY_CLASSES or state in AWAY_STATES
    # The driver raises this if the connection was closed in the middle of a statement.
    return isinstance(error, (OSError, asyncpg.InterfaceError, asyncpg.InternalClientError))
