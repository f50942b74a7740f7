"""Metrics of the ledger: connections, retries, the standby, and what every process sees of it."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from prometheus_client.core import Metric

from app.cashier.watch import Seen
from app.edges.metrics.series import with_zeros
from app.ledger.sqlstates import CONFLICTS
from app.ledger.transaction import Ledger
from app.telemetry.metrics import by_one, counted, gauged
from app.wallet.journal import EPOCH

RETRIES: Final = (*sorted(CONFLICTS), "rolled back at commit")


def of_ledger(ledger: Ledger) -> Iterator[Metric]:
    """Show retries and connections."""
    yield counted(
        "wallet_ledger_retries",
        "Transactions run again, by SQLSTATE or another reason",
        ("reason",),
        by_one(with_zeros(RETRIES, ledger.retries)),
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


def of_standby(ledger: Ledger, *, expects_sync: bool) -> Iterator[Metric]:
    """Show whether commits wait for a synchronous standby, and which did not."""
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
        "wallet_bucket_standby",
        "The same of each bucket that is on a node of its own",
        ("bucket", "state"),
        {
            (str(bucket), state): int(is_so)
            for bucket, of_it in ledger.bucket_standbys.items()
            for state, is_so in (("wanted", of_it.is_wanted), ("silent", of_it.is_silent))
        },
    )
    yield gauged(
        "wallet_commits_let_go",
        "Commits that may still wait for the standby though their callers were answered",
        (),
        {(): ledger.commits_let_go},
    )


def of_watch(seen: Seen) -> Iterator[Metric]:
    """Show what every process sees of the one ledger: queries take the maximum, never the sum."""
    yield gauged(
        "wallet_ready",
        "Whether this process could serve when it last asked the database: 1 or 0",
        (),
        {(): int(seen.is_ready)},
    )
    yield gauged(
        "wallet_bucket_ready",
        "Whether a bucket on a node of its own could be served when it was last asked: 1 or 0",
        ("bucket",),
        {(str(bucket),): int(fault is None) for bucket, fault in seen.bucket_faults.items()},
    )
    yield gauged(
        "wallet_inbox_open",
        "Exceptions of the inbox that nobody has closed, by kind",
        ("kind",),
        {(kind.value,): open_.number for kind, open_ in seen.inbox.items()},
    )
    yield gauged(
        "wallet_inbox_oldest_seconds",
        "How long the one that was listed first has been waiting; 0: there is none",
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
