"""Errors of the embedded server, each with a message that says what to do."""


class PostgresError(Exception):
    """The embedded PostgreSQL could not be started."""
