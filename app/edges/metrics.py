"""The page `/metrics`: the counters of this process, formatted at each scrape.

Each process has its own counters and its own private port: Prometheus scrapes them all, and queries
add them up. Counters begin at 0 with the process, as Prometheus expects.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, TypeVar

from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector
from typing_extensions import override

from app.cashier.batch_stats import BatchStats
from app.cashier.batching import Batcher
from app.cashier.watch import Seen, Watch
from app.ledger.errors import LedgerError
from app.ledger.event_log.webhooks import Backlog
from app.ledger.sqlstates import CONFLICTS
from app.ledger.transaction import Ledger
from app.telemetry.logs import lines_dropped
from app.telemetry.metrics import Requests, Spread, by_one, counted, gauged, spread
from app.version import VERSION, build_id
from app.wallet.alarms import Alarm
from app.wallet.events import EventType
from app.wallet.journal import EPOCH
from app.wallet.limit_terms import LIMIT_NAMES
from app.wallet.refusals import Refusal

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


DECISIONS: Final = tuple(
    (kind.value, decision)
    for kind in EventType
    for decision in ("ACCEPTED", "REPEATED", *Refusal.__members__)
)
ALARMS: Final = tuple(alarm.value for alarm in Alarm)
UNEXPECTED: Final = "unexpected"
FAILURES: Final = (*(error.__name__ for error in LedgerError.__subclasses__()), UNEXPECTED)
"""The known errors; others share one series, since a new series would not start at 0."""

RETRIES: Final = (*sorted(CONFLICTS), "rolled back at commit")

Key = TypeVar("Key", bound=Hashable)


def _known(known: Iterable[Key], counts: Mapping[Key, int]) -> dict[Key, int]:
    """Return the counts, with 0 for known keys that have none."""
    return {**dict.fromkeys(known, 0), **counts}


def _failures(batch_stats: BatchStats) -> dict[str, int]:
    """Count known errors under their names, and all others under one name."""
    counts: Counter[str] = Counter()
    for name, count in dict(batch_stats.failures).items():
        counts[name if name in FAILURES else UNEXPECTED] += count
    return counts


class Metrics:
    """The metrics page of one process."""

    def __init__(
        self,
        ledger: Ledger,
        batcher: Batcher,
        edges: Mapping[str, Requests],
        watch: Watch | None = None,
        *,
        expects_sync: bool = False,
    ) -> None:
        """`edges`: the requests of each contract, by its name; `watch`: one that has begun.

        `expects_sync`: whether commits are expected to wait for a synchronous standby.
        """
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(
            _ProcessCollector(
                ledger, batcher, edges, watch or Watch(ledger), expects_sync=expects_sync
            )
        )
        ProcessCollector(registry=self._registry)
        GCCollector(registry=self._registry)

    def page(self) -> bytes:
        """Return the current metrics in Prometheus' text format."""
        return generate_latest(self._registry)


class _ProcessCollector(Collector):
    def __init__(
        self,
        ledger: Ledger,
        batcher: Batcher,
        edges: Mapping[str, Requests],
        watch: Watch,
        *,
        expects_sync: bool,
    ) -> None:
        self._ledger = ledger
        self._batcher = batcher
        self._edges = edges
        self._expects_sync = expects_sync
        self._watch = watch

    @override
    def collect(self) -> Iterator[Metric]:
        yield build_info()
        yield from _requests(self._edges)
        yield from _movements(self._batcher.batch_stats)
        yield from _batches(self._batcher)
        yield from _ledger(self._ledger)
        yield from _standby(self._ledger, expects_sync=self._expects_sync)
        yield from _watched(self._watch.seen)
        yield from webhook_attempts({}, {})
        yield from webhooks_seen(self._watch.seen.backlogs, self._watch.seen.numbering_age)
        yield counted(
            "wallet_log_lines_dropped",
            "Log lines that nobody will read: standard error was not read, full or gone",
            (),
            {(): lines_dropped()},
        )


def _requests(edges: Mapping[str, Requests]) -> Iterator[Metric]:
    yield counted(
        "wallet_requests",
        "Requests answered; code 0 is done, event_type is empty where none was understood",
        ("contract", "method", "event_type", "code", "status"),
        {(name, *key): n for name, edge in edges.items() for key, n in edge.answered.items()},
    )
    yield spread(
        "wallet_request_seconds",
        "From a request's arrival to its answer",
        ("contract", "method"),
        {(name, key): s for name, edge in edges.items() for key, s in edge.latency.items()},
    )
    yield counted(
        "wallet_not_admitted",
        "Strangers kept out: a wrong signature, key, agent or network",
        ("contract", "reason"),
        {(name, key): n for name, edge in edges.items() for key, n in edge.not_admitted.items()},
    )
    yield counted(
        "wallet_requests_lacking",
        "Requests admitted without op or jti, because WALLET_TRANSFER_OP is optional",
        ("contract", "method", "lacks"),
        {(name, *key): n for name, edge in edges.items() for key, n in edge.lacking.items()},
    )
    yield counted(
        "wallet_callers_gone",
        "Callers who hung up before their answer",
        ("contract",),
        {(name,): edge.gone for name, edge in edges.items()},
    )


def build_info() -> Metric:
    """Say which wallet this is."""
    return gauged(
        "wallet_build_info",
        "Which wallet this is: always 1, the labels say it",
        ("version", "build"),
        {(VERSION, build_id()): 1},
    )


def webhook_attempts(
    attempts: Mapping[tuple[str, str], int], seconds: Mapping[str, Spread]
) -> Iterator[Metric]:
    """Show what a deliverer has tried: by agent and outcome; a serving process tries nothing."""
    yield counted(
        "wallet_webhook_attempts",
        "Attempts to deliver an event, by their outcome",
        ("agent", "outcome"),
        {(agent, outcome): n for (agent, outcome), n in attempts.items()},
    )
    yield spread(
        "wallet_webhook_seconds",
        "How long an endpoint took to answer",
        ("agent",),
        {(agent,): taken for agent, taken in seconds.items()},
    )


def webhooks_seen(backlogs: Sequence[Backlog], numbering_age: int) -> Iterator[Metric]:
    """Show how webhooks stand in the one ledger: queries take the maximum, never the sum."""
    yield gauged(
        "wallet_webhook_backlog",
        "Events that an endpoint has not taken yet, at most",
        ("agent",),
        {(b.agent,): b.events for b in backlogs},
    )
    yield gauged(
        "wallet_webhook_oldest_seconds",
        "How long ago the oldest of them happened; 0: there is none",
        ("agent",),
        {(b.agent,): b.oldest_seconds for b in backlogs},
    )
    yield gauged(
        "wallet_webhook_parked",
        "Events that were given up after three days, or 1 for an endpoint that was",
        ("agent",),
        {(b.agent,): max(b.parked, int(b.is_parked)) for b in backlogs},
    )
    yield gauged(
        "wallet_events_numbered_seconds",
        "How long ago the ledger was looked through for events, where there are endpoints; else 0",
        (),
        {(): numbering_age if backlogs else 0},
    )


def _movements(batch_stats: BatchStats) -> Iterator[Metric]:
    decided = _known(DECISIONS, batch_stats.decided)
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
        by_one(_known(ALARMS, batch_stats.alarms)),
    )
    yield counted(
        "wallet_limits_hit",
        "Movements that a limit of the player refused, by the limit; repeats are not counted",
        ("limit",),
        by_one(_known(LIMIT_NAMES, batch_stats.limits_hit)),
    )
    yield counted(
        "wallet_movement_failures",
        "Movements whose callers heard that the outcome is not known",
        ("error",),
        by_one(_known(FAILURES, _failures(batch_stats))),
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
    moved = _known(known, batch_stats.moved)
    family = CounterMetricFamily(
        "wallet_money_moved",
        "Accepted amounts in major units, whichever way they went; for curves, not for books",
        labels=("event_type", "currency"),
    )
    for (kind, currency), amount in sorted(moved.items()):
        family.add_metric((kind, currency), amount / 10 ** batch_stats.scales[currency])
    return family


def _batches(batcher: Batcher) -> Iterator[Metric]:
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


def _watched(seen: Seen) -> Iterator[Metric]:
    """Show what every process sees of the one ledger: queries take the maximum, never the sum."""
    yield gauged(
        "wallet_ready",
        "Whether this process could serve when it last asked the database: 1 or 0",
        (),
        {(): int(seen.is_ready)},
    )
    yield gauged(
        "wallet_inbox_open",
        "Exceptions of the inbox that nobody has closed, by kind",
        ("kind",),
        {(kind.value,): open_.number for kind, open_ in seen.inbox.items()},
    )
    yield gauged(
        "wallet_inbox_oldest_seconds",
        "How long the oldest of them has been waiting; 0: there is none",
        ("kind",),
        {(kind.value,): open_.oldest_seconds for kind, open_ in seen.inbox.items()},
    )
    yield gauged(
        "wallet_adjustments_waiting",
        "Adjustments that were asked for and wait for a second person",
        (),
        {(): seen.adjustments_waiting},
    )
    audits = {"everything": seen.upkeep.whole_audit, "recent": seen.upkeep.recent_audit}
    yield gauged(
        "wallet_audit_last_timestamp_seconds",
        "When the last audit was run, of everything and of what was recent; 0: never",
        ("scope",),
        {(scope,): 0 if run is None else _seconds(run.ran_at) for scope, run in audits.items()},
    )
    yield gauged(
        "wallet_audit_breaches",
        "How many laws' offenders the last audit found",
        ("scope",),
        {(scope,): 0 if run is None else run.breaches for scope, run in audits.items()},
    )
    backup = seen.upkeep.backup
    yield gauged(
        "wallet_backup_last_timestamp_seconds",
        "When the last backup ended that `wallet backup note` was told of; 0: of none",
        (),
        {(): 0 if backup is None else _seconds(backup.finished_at)},
    )
    yield gauged(
        "wallet_seals_itself",
        "Whether this process has a key, and seals the ledger once a day: 1 or 0",
        (),
        {(): int(seen.seals)},
    )
    sealed_at = seen.upkeep.sealed_at
    yield gauged(
        "wallet_seal_last_timestamp_seconds",
        "When the ledger was last sealed; 0: never",
        (),
        {(): 0 if sealed_at is None else _seconds(sealed_at)},
    )


def _seconds(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(seconds=1)


def _ledger(ledger: Ledger) -> Iterator[Metric]:
    yield counted(
        "wallet_ledger_retries",
        "Transactions run again, by SQLSTATE or another reason",
        ("reason",),
        by_one(_known(RETRIES, ledger.retries)),
    )
    pool = ledger.pool_use()
    yield gauged(
        "wallet_pool_connections",
        "Connections to the database: busy, or open and idle",
        ("state",),
        {("busy",): pool.busy, ("idle",): pool.idle},
    )
    yield gauged(
        "wallet_pool_connections_max",
        "Connections this process may open",
        (),
        {(): pool.most},
    )


def _standby(ledger: Ledger, *, expects_sync: bool) -> Iterator[Metric]:
    standby = ledger.standby
    yield gauged(
        "wallet_standby",
        "1 where it is so: a synchronous standby is expected, commits wait for one, it is silent",
        ("state",),
        {
            ("expected",): int(expects_sync),
            ("wanted",): int(standby.is_wanted),
            ("silent",): int(standby.is_silent),
        },
    )
    yield gauged(
        "wallet_commits_let_go",
        "Commits that may still wait for the standby though their callers were answered",
        (),
        {(): ledger.commits_let_go},
    )
