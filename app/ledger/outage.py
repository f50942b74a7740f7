"""Log once that the database went away, why and which host, and once that it is back."""

import socket
import ssl
import time
from typing import Final

import structlog

from app.database_url import host_of

logger: Final = structlog.get_logger("ledger")

READ_ONLY: Final = frozenset({"0A000", "25006"})
WORDS: Final = {
    **dict.fromkeys(READ_ONLY, "the server only reads: it is a standby"),
    "28P01": "the password is wrong",
    "28000": "the server does not let this role in",
    "3D000": "there is no such database",
    "53300": "the server has no connection left",
    "57P01": "the server was stopped by its administrator",
    "57P02": "the server crashed",
    "57P03": "the server is starting or stopping",
}
"""The meaning of a SQLSTATE, in words that name neither role nor database."""

REFUSED: Final = "nobody listens there"
SILENT: Final = "it does not answer in time"
UNKNOWN_HOST: Final = "the host's name is not known"
CUT: Final = "the connection was cut"


class Outage:
    """Whether the database is away, for one process."""

    def __init__(self, url: str) -> None:
        """`url`: only its hosts and ports are ever logged."""
        self._host = host_of(url)
        self._since: int | None = None
        self._only_reads = False

    def begin(self, error: BaseException) -> None:
        """Note that a connection was not accepted, or that the server aborted a statement."""
        if self._since is not None:
            return
        self._since = time.monotonic_ns()
        self._only_reads = getattr(error, "sqlstate", None) in READ_ONLY
        logger.error("database away", host=self._host, reason=reason_of(error))

    def end(self, *, wrote: bool = True) -> None:
        """Note that the database works again; a read alone does not end an outage of writes."""
        if self._since is None or (self._only_reads and not wrote):
            return
        seconds = (time.monotonic_ns() - self._since) // 10**9
        self._since = None
        logger.warning("database back", host=self._host, away_seconds=seconds)


def reason_of(error: BaseException) -> str:
    """Return why the database is away; the driver's own text may quote the address."""
    for cause in (error, error.__cause__, error.__context__):
        state = getattr(cause, "sqlstate", None)
        if state in WORDS:
            return WORDS[state]
        if isinstance(cause, ConnectionRefusedError | FileNotFoundError):
            return REFUSED
        if isinstance(cause, TimeoutError):
            return SILENT
        if isinstance(cause, socket.gaierror):
            return UNKNOWN_HOST
        if isinstance(cause, ssl.SSLError):
            return f"TLS: {cause.reason or 'it was not agreed on'}".lower().replace("_", " ")
    state = getattr(error, "sqlstate", None)
    return f"SQLSTATE {state}" if state else CUT
