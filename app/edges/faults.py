"""Log lines of calls that could not be decided, the same at every edge."""

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
