"""What is wrong with a database address is told in one clause that quotes none of it."""


class DatabaseUrlError(ValueError):
    """The database address cannot be used; the message goes on where a setting's name ends."""
