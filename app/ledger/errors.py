"""The errors of the ledger; none of them is a decision about money.

LedgerError
├── LedgerAwayError    the database cannot be reached, or the outcome of a commit is unknown
│   └── LedgerRestoredError  the ledger was restored, and nobody has said yes to it
├── LedgerBusyError    too much load: a full queue, or attempts exhausted
├── DeadlineError      the request's deadline has passed
└── SettingsDifferError  the settings that decide money are not those stored in the ledger
"""


class LedgerError(Exception):
    """The ledger could not answer."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())


class LedgerAwayError(LedgerError):
    """The database cannot be reached; ask again under the same transaction id."""


class LedgerRestoredError(LedgerAwayError):
    """The ledger was restored to a moment, and nobody has said yet that it may be served."""


class LedgerBusyError(LedgerError):
    """The ledger has too much to do; ask again under the same transaction id."""


class DeadlineError(LedgerError):
    """The deadline passed before the movement was decided.

    Ask again under the same transaction id.
    """


class SettingsDifferError(LedgerError):
    """This process decides by other settings than the ledger remembers; nothing was recorded."""


class AdjustmentNotOpenError(Exception):
    """Somebody decided about the adjustment meanwhile, or it expired; nothing was moved."""

    def __init__(self) -> None:
        super().__init__(AdjustmentNotOpenError.__doc__)


class MigrationBusyError(Exception):
    """The migration met a lock that did not open in time; what was done is kept, run it again."""
