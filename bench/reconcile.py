"""Measure `wallet reconcile`: a report of a million lines against a journal of as many movements.

`make bench-reconcile` starts a PostgreSQL of its own, writes journal and report, and prints lines a
second and the peak memory of this process. The journal is written by SQL, not by the road: what is
measured reads movements, keys and players, and nothing else.
"""

import argparse
import asyncio
import resource
import sys
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from app.database_url import connect_arguments
from app.ledger.connecting import connect
from app.ledger.migrations import upgrade
from app.postgres import EmbeddedPostgres
from app.postgres.cluster import OWNER, SERVICE, SUPERUSER
from app.reconciliation.profile import load_profile
from app.reconciliation.reconcile import Request, reconcile

PLAYERS = 2000
SINCE = datetime(2026, 3, 1, tzinfo=UTC)

JOURNAL = (
    "SET session_replication_role = replica",
    """
    INSERT INTO players (user_id, agent, currency, scale, nickname, language, created_at)
    SELECT 'player-' || n, 'house', 'USD', 2, 'nick', 'en', '2026-01-01'
    FROM generate_series(1, {players}) n
    """,
    # Bets and wins by turns, a round for each pair, spread evenly over five days.
    """
    INSERT INTO movements (player_id, position, version, source, transaction_id, facet, delivery,
        event_type, direction, decision, currency, scale, amount, real_before, bonus_before,
        real_delta, bonus_delta, real_after, bonus_after, contra, event_id, game_id, reverses,
        flags, event_time, ledger_time, chain)
    SELECT 1 + n % {players}, 1 + n / {players}, 1 + n / {players}, 'callback', 'tx-' || n, '',
           md5(n::text)::uuid, CASE WHEN is_bet THEN 'BetPlacing' ELSE 'Win' END,
           CASE WHEN is_bet THEN 'debit' ELSE 'credit' END, 'ACCEPTED', 'USD', 2, 1.25, 1000, 0,
           delta, 0, 1000 + delta, 0, 'house:games', 'round-' || n % {players} || '-' ||
           n / {players} / 2, 4711, '', '', at, at, decode(repeat('00', 32), 'hex')
    FROM generate_series(0, {lines} - 1) n
    CROSS JOIN LATERAL (SELECT n / {players} % 2 = 0 AS is_bet) b
    CROSS JOIN LATERAL (
        SELECT CASE WHEN is_bet THEN -1.25 ELSE 1.25 END AS delta,
               timestamptz '2026-03-01 00:00:00+00' + n * (interval '5 days' / {lines}) AS at) d
    """,
    """
    INSERT INTO transaction_keys (source, transaction_id, facet, player_id, position)
    SELECT source, transaction_id, facet, player_id, position FROM movements
    """,
    "ANALYZE",
)


def write_report(path: Path, lines: int, wrong: int) -> None:
    """Write the report, every so-many-th line with another amount."""
    step = timedelta(days=5) / lines
    with path.open("w", encoding="utf-8") as file:
        file.write(
            "transactionId,userId,eventId,eventType,direction,amount,currency,createdAt,status\n"
        )
        for n in range(lines):
            is_bet = n // PLAYERS % 2 == 0
            words = "BetPlacing,debit" if is_bet else "Win,credit"
            amount = "9.99" if wrong and n % wrong == 0 else "1.25"
            file.write(
                f"tx-{n},player-{1 + n % PLAYERS},round-{n % PLAYERS}-{n // PLAYERS // 2},{words},"
                f"{amount},USD,{(SINCE + n * step).isoformat()},success\n"
            )


async def make_journal(url: str, lines: int) -> None:
    """Write the journal as superuser, past the triggers."""
    connection = await connect(connect_arguments(url))
    try:
        for statement in JOURNAL:
            await connection.execute(statement.format(players=PLAYERS, lines=lines))
    finally:
        await connection.close()


async def measure(url: str, path: Path) -> tuple[int, int, int]:
    """Reconcile, and return lines, differences, and milliseconds."""
    profile = replace(load_profile("fungamess"), grace_seconds=0)
    began = time.monotonic_ns()
    async with reconcile(url, Request(path, profile, "console:bench")) as run:
        passed = (time.monotonic_ns() - began) // 1_000_000
        return run.outcome.lines, run.outcome.differences, passed


def main() -> None:
    """Measure a report that agrees, and one in which every thousandth line is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=1_000_000)
    lines = parser.parse_args().lines
    with tempfile.TemporaryDirectory(prefix="wallet-reconcile-") as folder:
        server = EmbeddedPostgres.start_or_join(Path(folder) / "data")
        try:
            asyncio.run(upgrade(server.url_for(OWNER)))
            asyncio.run(make_journal(server.url_for(SUPERUSER, "wallet"), lines))
            for wrong in (0, 1000):
                path = Path(folder) / f"report-{wrong}.csv"
                write_report(path, lines, wrong)
                found = asyncio.run(measure(server.url_for(SERVICE), path))
                count, differences, passed = found
                peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
                print(
                    f"{count} lines ({path.stat().st_size >> 20} MB), {differences} differences: "
                    f"{passed / 1000:.1f} s, {count * 1000 // passed} lines/s, peak {peak} MB"
                )
        finally:
            server.stop(wait_for_users_seconds=5)


if __name__ == "__main__":
    sys.exit(main())
