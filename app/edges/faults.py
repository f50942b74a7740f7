"""Log lines of calls that were not decided, the same at every edge."""

import structlog

from app.ledger.errors import LedgerAwayError


def unavailable(
    logger: structlog.stdlib.BoundLogger,
    operation: str,
    error: Exception,
    delivery: bytes,
    **caller: object,
) -> None:
    """Log a ledger error, except those of an outage, which the ledger logs once by itself."""
    if isinstance(error, LedgerAwayError):
        return
    logger.error(
        "unavailable",
        operation=operation,
        **caller,
        error=type(error).__name__,
        delivery=delivery.hex(),
    )


def failed(
    logger: structlog.stdlib.BoundLogger,
    operation: str,
    error: Exception,
    delivery: bytes,
    **caller: object,
) -> None:
    """Log an unexpected error, with its traceback."""
    logger.error(
        "failed",
        operation=operation,
        **caller,
        error=type(error).__name__,
        delivery=delivery.hex(),
        exc_info=error,
    )


def not_admitted(
    logger: structlog.stdlib.BoundLogger,
    operation: str,
    code: int,
    reason: str,
    peer: str | None,
    delivery: bytes,
) -> None:
    """Log a request that nobody has signed whom we know, or that cannot be read."""
    logger.warning(
        "security",
        operation=operation,
        code=code,
        reason=reason,
        peer=peer,
        delivery=delivery.hex(),
    )
