"""Metrics of movements: what was decided, what moved, and the batches they were decided in."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from prometheus_client.core import CounterMetricFamily, Metric

from app.cashier.batch_stats import BatchStats
from app.cashier.batching import Batcher
from app.edges.metrics.series import with_zeros
from app.ledger.errors import LedgerError
from app.telemetry.metrics import by_one, counted, gauged, spread
from app.wallet.alarms import Alarm
from app.wallet.events import EventType
from app.wallet.limit_terms import LIMIT_NAMES
from app.wallet.refusals import Refusal

DECISIONS: Final = tuple(
    (kind.value, decision)
    for kind in EventType
    for decision in ("ACCEPTED", "REPEATED", *Refusal.__members__)
)
ALARMS: Final = tuple(alarm.value for alarm in Alarm)
UNEXPECTED: Final = "unexpected"
FAILURES: Final = (*(error.__name__ for error in LedgerError.__subclasses__()), UNEXPECTED)
"""The known errors; others share one series, since a new series would not start at 0."""


def of_movements(batch_stats: BatchStats) -> Iterator[Metric]:
    """Show what was decided, and what nobody expects."""
    decided = with_zeros(DECISIONS, batch_stats.decided)
    yield counted(
        "wallet_movements",
        "Movements decided; ACCEPTED, REPEATED, or why they were refused",
        ("event_type", "decision"),
        {(kind, decision): n for (kind, decision), n in decided.items()},
    )
    yield _money_moved(batch_stats)
    repeats = sum(n for (_, decision), n in batch_stats.decided.items() if decision == "REPEATED")
    yield counted(
        "wallet_duplicates", "Movements that were in the journal already", (), {(): repeats}
    )
    yield counted(
        "wallet_content_mismatches",
        "Repeats of a transaction id with other content",
        (),
        {(): batch_stats.mismatches},
    )
    yield counted(
        "wallet_alarms",
        "Money may not be where a party expects it: look at the log and at schema ops",
        ("alarm",),
        by_one(with_zeros(ALARMS, batch_stats.alarms)),
    )
    yield counted(
        "wallet_limits_hit",
        "Movements that a limit of the player refused, by the limit; repeats are not counted",
        ("limit",),
        by_one(with_zeros(LIMIT_NAMES, batch_stats.limits_hit)),
    )
    yield counted(
        "wallet_movement_failures",
        "Movements whose callers heard that the outcome is not known",
        ("error",),
        by_one(with_zeros(FAILURES, _failures(batch_stats))),
    )
    yield counted(
        "wallet_movements_unheard",
        "Movements decided after their callers had given up",
        (),
        {(): batch_stats.unheard},
    )


def _money_moved(batch_stats: BatchStats) -> Metric:
    """Return the amounts moved in major units, at each currency's scale; 0 for what did not move.

    The currencies are those of the ledger's wallets at the start, and those that moved since.
    """
    known = ((kind.value, currency) for currency in batch_stats.scales for kind in EventType)
    moved = with_zeros(known, batch_stats.moved)
    family = CounterMetricFamily(
        "wallet_money_moved",
        "Accepted amounts in major units, whichever way they went; for curves, not for books",
        labels=("event_type", "currency"),
    )
    for (kind, currency), amount in sorted(moved.items()):
        family.add_metric((kind, currency), amount / 10 ** batch_stats.scales[currency])
    return family


def of_batches(batcher: Batcher) -> Iterator[Metric]:
    """Show how movements were decided together, and which wait."""
    batch_stats, waiting = batcher.batch_stats, batcher.waiting()
    yield spread(
        "wallet_batch_movements",
        "Movements in one transaction",
        (),
        {(): batch_stats.batches},
        per=1,
    )
    yield spread(
        "wallet_batch_wait_seconds",
        "How long the first of a batch had waited when its transaction began",
        (),
        {(): batch_stats.waits},
    )
    yield spread(
        "wallet_batch_seconds",
        "How long a batch took, retries included",
        (),
        {(): batch_stats.transactions},
    )
    yield gauged(
        "wallet_queue_movements",
        "Movements that wait for their transaction",
        ("lane",),
        {(lane,): w.length for lane, w in enumerate(waiting)},
    )
    yield gauged(
        "wallet_queue_oldest_seconds",
        "How long the movement that came first has waited",
        ("lane",),
        {(lane,): w.oldest_nanoseconds for lane, w in enumerate(waiting)},
        per=10**9,
    )


def _failures(batch_stats: BatchStats) -> dict[str, int]:
    """Count known errors under their names, and all others under one name."""
    counts: Counter[str] = Counter()
    for name, count in dict(batch_stats.failures).items():
        counts[name if name in FAILURES else UNEXPECTED] += count
    return counts
