"""The service with its log lines and its numbers taken out: what it would cost without them.

For the bench alone, which runs it beside the service as it is. What is left of them is a call of a
function that does nothing.
"""

from app.__main__ import main
from app.cashier.takings import Takings
from app.edges.callback import remarks
from app.telemetry.metrics import Requests, Spread


def nothing(*_: object) -> None:
    """Say nothing, count nothing."""


def take_out() -> None:
    """Take out what a decided movement writes to the log, and what is counted of it."""
    remarks.decided = nothing
    Requests.count = nothing  # type: ignore[method-assign]
    Spread.add = nothing  # type: ignore[method-assign]
    Takings.count = nothing  # type: ignore[method-assign]


if __name__ == "__main__":
    take_out()
    main()
