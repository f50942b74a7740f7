"""What can go wrong here is told in one sentence a person can act on."""


class PostgresError(Exception):
    """The embedded PostgreSQL could not be started."""
