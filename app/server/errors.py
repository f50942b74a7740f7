"""Errors that stop a server at its start, each with a message of one sentence."""


class AddressTakenError(Exception):
    """The address cannot be listened on."""


class ServerFailedError(Exception):
    """The server did not start; its log, above, says why."""
