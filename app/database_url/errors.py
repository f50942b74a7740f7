"""Errors in a database address, with a message that quotes no part of it."""


class DatabaseUrlError(ValueError):
    """The database address cannot be used; the message goes on where a setting's name ends."""
