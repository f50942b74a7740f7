"""Batch stats: counters of this process's batches since its start, read at a scrape."""

from collections import Counter
from typing import Final, NamedTuple

from app.telemetry.metrics import Spread
from app.wallet.alarms import alarm_of
from app.wallet.limits import LimitHit
from app.wallet.movement import Movement
from app.wallet.outcomes import Declined, Posting, Receipt, Refused, Replay

BATCH_BOUNDS: Final = (1, 2, 4, 8, 16, 32, 64, 128)
"""The histogram's bounds: powers of two up to the largest batch."""


class Waiting(NamedTuple):
    """A lane's queue at this moment."""

    length: int
    oldest_nanoseconds: int
    """how long the oldest ticket has waited; 0: the queue is empty"""


class BatchStats:
    """The counters of one process, which only grow."""

    def __init__(self) -> None:
        """Start at zero."""
        self.batches = Spread(BATCH_BOUNDS)
        """movements in one transaction"""
        self.waits = Spread()
        """how long the first movement of a batch waited for its transaction, in nanoseconds"""
        self.transactions = Spread()
        """how long a batch took, retries included, in nanoseconds"""
        self.decided: Counter[tuple[str, str]] = Counter()
        """event type, decision: ACCEPTED, REPEATED or the refusal's name"""
        self.moved: Counter[tuple[str, str]] = Counter()
        """event type, currency: the sum of accepted amounts, in minor units"""
        self.scales: dict[str, int] = {}
        """the scale of each currency in `moved`, and of those that the ledger has wallets in"""
        self.mismatches = 0
        """repeats of a transaction id with other content"""
        self.alarms: Counter[str] = Counter()
        """alarms, by kind"""
        self.limits_hit: Counter[str] = Counter()
        """movements that a limit refused, by its name without a product; repeats are not counted"""
        self.failures: Counter[str] = Counter()
        """movements that failed with an error, by the error's name"""
        self.unheard = 0
        """movements decided after their callers had given up"""

    def count(self, movement: Movement, receipt: Receipt) -> None:
        """Count a committed movement."""
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
                self.limits_hit[receipt.detail.limit_name.partition(":")[0]] += 1
        alarm = alarm_of(movement, receipt)
        if alarm is not None:
            self.alarms[alarm] += 1
        if isinstance(receipt, (Replay, Refused)) and receipt.differs is not None:
            self.mismatches += 1
