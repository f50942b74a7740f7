"""Errors of console commands, each with a message of one sentence."""


class ConsoleError(Exception):
    """The command cannot be carried out."""

    exit_code = 1


class SchemaBehindError(ConsoleError):
    """The database is older than this wallet: run `wallet migrate`."""


class DatabaseAwayError(ConsoleError):
    """The database cannot be reached."""


class OutcomeUnknownError(ConsoleError):
    """Whether it was done is not known."""


class OutputLostError(ConsoleError):
    """Standard output takes no more."""
