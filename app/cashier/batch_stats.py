"""What the batches of this process have done since it started: plain sums, read at a scrape."""

from collections import Counter
from typing import Final, NamedTuple

from app.telemetry.metrics import Spread
from app.wallet.alarms import alarm_of
from app.wallet.limits import LimitHit
from app.wallet.movement import Movement
from app.wallet.outcomes import Declined, Posting, Receipt, Refused, Replay

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
        self.limits_hit: Counter[str] = Counter()
        """by the limit's name: bets that it refused, each counted once"""
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
            self.moved[kind, entry.currency.code] += entry.amount
            self.scales[entry.currency.code] = entry.currency.scale
            if not entry.flags:
                return
        elif isinstance(receipt, Replay):
            self.decided[kind, "REPEATED"] += 1
        else:
            self.decided[kind, receipt.refusal.name] += 1
            if isinstance(receipt, Declined) and isinstance(receipt.detail, LimitHit):
                self.limits_hit[receipt.detail.limit_name] += 1
        alarm = alarm_of(movement, receipt)
        if alarm is not None:
            self.alarms[alarm] += 1
        if isinstance(receipt, (Replay, Refused)) and receipt.differs is not None:
            self.mismatches += 1
