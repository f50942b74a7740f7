"""Time lines of the ledger: whether a server still has the ledger that was known, and who said so.

A time line is one history of the ledger. It goes on when a standby takes over, which has everything
that was answered; it ends when the ledger is restored to a moment, which lacks what came after. The
two look alike to whoever connects: PostgreSQL begins a timeline of its own at both. What tells them
apart is that a standby has been running when the last movement that it has was made, and that a
restored server was started after it; and that whoever has answered movements finds them there.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

CLOCKS_APART_MAX: Final = timedelta(seconds=2)
"""How far the clocks of two database nodes may be apart: one of them started, the other wrote."""

MONEY_HOURS_USUAL: Final = 168
MONEY_HOURS_MAX: Final = 2160
"""How long money is taken under unknown tokens after a restore: a week unless somebody says
otherwise, which most sports bets are settled in, and three months at most."""

REASON_LENGTH_MAX: Final = 1000


class TimelineKind(StrEnum):
    """How a time line began. The values are those of the database."""

    FIRST = "first"
    """the first one of this ledger"""
    TAKEN_OVER = "taken_over"
    """a standby took over, and goes on where the primary ended"""
    RESTORED = "restored"
    """something that was answered may be missing: nobody is served before somebody has said yes"""


class Server(NamedTuple):
    """The server that answers, and how fresh its ledger is."""

    system_identifier: int
    timeline_id: int
    started_at: datetime
    """when its first process was started"""
    alive_at: datetime | None
    """the latest moment at which its ledger says that somebody wrote to it"""


class Known(NamedTuple):
    """The time line that the ledger remembers."""

    number: int
    kind: TimelineKind
    system_identifier: int
    timeline_id: int


class Beginning(NamedTuple):
    """A time line that has begun, and what was seen of it."""

    kind: TimelineKind
    why: str


def beginning(
    server: Server, known: Known | None, *, lost: int, is_all_there: bool
) -> Beginning | None:
    """Return the time line that has begun on this server; None: the known one goes on.

    `lost`: how many of the movements that the process answered last are missing. `is_all_there`: it
    answered some a moment before the server changed, and all of them are there.
    """
    if known is None:
        return Beginning(TimelineKind.FIRST, "the ledger had none before")
    if lost:
        return Beginning(
            TimelineKind.RESTORED,
            f"{lost} of the movements that a process had answered last are missing",
        )
    if server.system_identifier != known.system_identifier:
        return Beginning(
            TimelineKind.RESTORED,
            f"the database is in another cluster: {server.system_identifier} instead of "
            f"{known.system_identifier}",
        )
    if server.timeline_id == known.timeline_id:
        return None
    turned = f"PostgreSQL's timeline is {server.timeline_id} and was {known.timeline_id}"
    if was_following(server):
        return Beginning(
            TimelineKind.TAKEN_OVER, f"{turned}; the server followed the one before until its end"
        )
    if is_all_there:
        return Beginning(TimelineKind.TAKEN_OVER, f"{turned}; what was answered last is all there")
    return Beginning(
        TimelineKind.RESTORED,
        f"{turned}, and the server was started after the last movement that it has",
    )


def was_following(server: Server) -> bool:
    """Whether the server ran already when the last of what it has was written."""
    return server.alive_at is not None and server.started_at + CLOCKS_APART_MAX <= server.alive_at
