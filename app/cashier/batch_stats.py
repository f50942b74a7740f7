"""What the tellers of this process have done since it started: plain sums, read at a scrape."""

from collections import Counter
from typing import Final, NamedTuple

from app.telemetry.metrics import Spread
from app.wallet.events import Direction
from app.wallet.money import Minor
from app.wallet.movement import Movement
from app.wallet.outcomes import Declined, Posting, Receipt, Refused, Replay
from app.wallet.refusals import Refusal

BATCH_BOUNDS: Final = (1, 2, 4, 8, 16, 32, 64, 128)


class Waiting(NamedTuple):
    """A lane's queue at this moment."""

    length: int
    oldest_nanoseconds: int
    """how long the one who came first has waited; 0: nobody waits"""


class BatchStats:
    """Counters of one process; every one of them only grows."""

    def __init__(self) -> None:
        """Nothing was done yet."""
        self.batches = Spread(BATCH_BOUNDS)
        """movements in one transaction"""
        self.waits = Spread()
        """how long the first of a batch had waited when its transaction began, in nanoseconds"""
        self.transactions = Spread()
        """how long a batch took, retries included, in nanoseconds"""
        self.decided: Counter[tuple[str, str]] = Counter()
        """event type, decision: ACCEPTED, REPEATED or the refusal's name"""
        self.moved: Counter[tuple[str, str]] = Counter()
        """event type, currency: the sum of accepted amounts, in minor units"""
        self.scales: dict[str, int] = {}
        """of the currencies met"""
        self.mismatches = 0
        """repeats of a transaction id with other content"""
        self.alarms: Counter[str] = Counter()
        """by what was wrong: somebody's money is not where he expects it"""
        self.failures: Counter[str] = Counter()
        """movements whose callers got no receipt, by the error's name"""
        self.unheard = 0
        """movements decided after their callers had given up"""

    def count(self, movement: Movement, receipt: Receipt) -> None:
        """Count a movement whose batch was committed."""
        kind = movement.event_type
        if isinstance(receipt, Posting):
            entry = receipt.entry
            self.decided[kind, "ACCEPTED"] += 1
            self._move(kind, entry.currency.code, entry.currency.scale, entry.amount)
            if entry.flags:
                self.alarms["flagged"] += 1
        elif isinstance(receipt, Declined):
            self.decided[kind, receipt.refusal.name] += 1
        elif isinstance(receipt, Replay):
            self.decided[kind, "REPEATED"] += 1
            self._differ(receipt.differs)
        else:
            self._refuse(movement, receipt)

    def _move(self, kind: str, currency: str, scale: int, amount: Minor) -> None:
        self.moved[kind, currency] += amount
        self.scales[currency] = scale

    def _refuse(self, movement: Movement, receipt: Refused) -> None:
        refusal = receipt.refusal
        self.decided[movement.event_type, refusal.name] += 1
        self._differ(receipt.differs)
        if refusal is Refusal.NO_MATCHING_MOVEMENT and movement.direction is Direction.CREDIT:
            self.alarms["credit without a matching movement"] += 1

    def _differ(self, field: str | None) -> None:
        if field is not None:
            self.mismatches += 1
            self.alarms["repeat with other content"] += 1
