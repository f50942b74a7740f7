"""What stops a server before it serves, told in one sentence."""


class AddressTakenError(Exception):
    """The address cannot be listened on."""


class ServerFailedError(Exception):
    """The server did not start; its log, above, says why."""
