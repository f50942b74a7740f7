"""`make pages`: the median time of each page of the back office, on a ledger of millions.

A ledger is generated on an embedded PostgreSQL of its own, with the statistics that the planner
needs, and each page is loaded over HTTP by somebody who has signed in. What is generated looks like
a journal to every query, and is none: its hashes are not a chain.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import asyncpg
import httpx2
import uvicorn

from app.cashier.operators import create_user
from app.composition.backoffice import build_backoffice
from app.ledger.migrations import upgrade
from app.ledger.transaction import Ledger
from app.postgres import EmbeddedPostgres
from app.postgres.cluster import OPS, OWNER, SERVICE, SUPERUSER
from app.server.port import Port
from app.server.serving import take_address
from app.settings import DEMO_CALLBACK_KEY, Settings
from app.wallet.operators import Operator, Role, Via

GOAL_MS = 150
SEARCH_GOAL_MS = 100
LOADS = 15
DAYS = 10
MOVEMENTS_A_PLAYER = 100
PASSWORD = "a password for measuring"  # noqa: S105 - of a database that is thrown away

GENERATE = """
SET session_replication_role = replica;
SET synchronous_commit = off;
INSERT INTO players (user_id, agent, currency, scale, nickname, language, email, created_at)
SELECT 'player-' || n, 'house', 'USD', 2, 'nick-' || n, 'en', 'p' || n || '@example.test',
       now() - interval '11 days'
FROM generate_series(1, {players}) AS n;
INSERT INTO wallets (player_id, real, version, position, chain, agent, currency, scale)
SELECT player_id, 1000, {each}, {each}, decode(repeat('00', 32), 'hex'), agent, currency, scale
FROM players;
INSERT INTO account_openings
SELECT player_id, user_id, agent, currency, scale, decode(repeat('00', 32), 'hex') FROM players;
INSERT INTO movements (player_id, position, version, source, transaction_id, facet, delivery,
    event_type, direction, decision, currency, scale, amount, real_before, bonus_before, real_delta,
    bonus_delta, real_after, bonus_after, contra, event_id, game_id, bonus_code, extra_data,
    reverses, flags, event_time, ledger_time, chain)
SELECT 1 + n % {players}, 1 + n / {players}, 1 + n / {players}, 'callback', 't-' || n, '',
       gen_random_uuid(), kind.name, kind.way, 'ACCEPTED', 'USD', 2, 10, 1000, 0, kind.delta, 0,
       1000 + kind.delta, 0, 'house:games', 'event-' || n % {players} || '-' || n / {players} / 2,
       1 + n % 20, NULL, '{{}}', '', '', at.moment, at.moment + interval '3 ms',
       decode(repeat('00', 32), 'hex')
FROM generate_series(0, {movements} - 1) AS n
CROSS JOIN LATERAL (
    SELECT now() - interval '{days} days' + n * interval '{days} days' / {movements} AS moment
) AS at
JOIN (VALUES (0, 'BetPlacing', 'debit', -10), (1, 'Win', 'credit', 10)) AS kind (turn, name, way,
    delta) ON kind.turn = n / {players} % 2;
INSERT INTO transaction_keys SELECT source, transaction_id, facet, player_id, position
FROM movements;
INSERT INTO rounds (player_id, event_id, is_streamer, agent, currency, scale, game_id, opened_at,
    last_at, bets_placed, bets_standing, stake_real, staked, paid, cancels, settled, refused_aborts)
SELECT player_id, event_id, false, 'house', 'USD', 2, min(game_id), min(ledger_time),
       max(ledger_time), 1, 1, 10, 10, (count(*) - 1) * 10, 0, count(*) > 1, '{{}}'
FROM movements GROUP BY player_id, event_id;
"""

PAGES = {
    "search a player": "/search?q=player-77",
    "search a nickname": "/search?q=nick-7",
    "search an e-mail": "/search?q=p77@example.test",
    "search a transaction": "/search?q=t-{some}",
    "search an event": "/search?q=event-77-3",
    "search a Request-Id": "/search?q={delivery}",
    "search nothing": "/search?q=nothing-has-this",
    "player": "/player?id=player-77",
    "sessions of play": "/player/sessions?id=player-77",
    "movement": "/movement?id=t-{some}",
    "round": "/round?event=event-76-3&player=player-77",
    "statement": "/player/statement?id=player-77",
    "inbox": "/inbox",
    "adjustments": "/adjustments",
    "today": "/today?by=game",
    "risk": "/risk",
    "who did what": "/actions",
    "users": "/users",
}


def main() -> int:
    """Generate, measure, print; 1 if a page misses the goal."""
    parser = argparse.ArgumentParser(prog="make pages")
    parser.add_argument("--movements", type=int, default=5_000_000)
    parser.add_argument("--keep", type=Path, help="a folder for the ledger, which stays in it")
    arguments = parser.parse_args()
    with ExitStack() as stack:
        folder = arguments.keep or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="wallet-pages-"))
        )
        settings = {"shared_buffers": "1GB", "max_wal_size": "8GB"}
        server = EmbeddedPostgres.start_or_join(
            folder.resolve(), own=True, fsync=False, settings=settings
        )
        stack.callback(server.stop)
        return measure(server, arguments.movements)


def measure(server: EmbeddedPostgres, movements: int) -> int:
    """Fill the server's database, and load each page."""
    delivery = asyncio.run(fill(server, movements))
    said = {"some": movements // 2, "delivery": delivery}
    slow = 0
    with served(server) as address, httpx2.Client(base_url=address, timeout=60) as client:
        client.post("/login", data={"name": "measurer", "password": PASSWORD})
        print(f"{movements:,d} movements; {LOADS} loads of each page, the first not counted")
        for name, path in PAGES.items():
            times = [load(client, path.format(**said)) for _ in range(LOADS + 1)]
            median = statistics.median(times[1:])
            slow += median > (SEARCH_GOAL_MS if name.startswith("search") else GOAL_MS)
            print(f"{name:22} {median:6.0f} ms   first {times[0]:6.0f} ms")
    return int(slow > 0)


def load(client: httpx2.Client, path: str) -> int:
    """Load a page, with where it leads; return the milliseconds it took."""
    began = time.perf_counter_ns()
    reply = client.get(path, follow_redirects=True)
    took = time.perf_counter_ns() - began
    if reply.status_code != 200:  # noqa: PLR2004 - OK
        raise SystemExit(f"{path} was answered with {reply.status_code}.")
    return took // 1_000_000


async def fill(server: EmbeddedPostgres, movements: int) -> str:
    """Make the schema and the ledger, and return the Request-Id of one movement."""
    await upgrade(server.url_for(OWNER))
    players = max(movements // MOVEMENTS_A_PLAYER, 100)
    each = movements // players
    connection = await asyncpg.connect(server.url_for(SUPERUSER, "wallet").replace("+asyncpg", ""))
    try:
        if not await connection.fetchval("SELECT EXISTS (SELECT FROM players)"):
            await connection.execute(
                GENERATE.format(players=players, movements=players * each, each=each, days=DAYS),
                timeout=1800,
            )
            await connection.execute("VACUUM ANALYZE", timeout=1800)
        delivery = await connection.fetchval(
            "SELECT delivery FROM movements WHERE player_id = 77 ORDER BY position LIMIT 1"
        )
    finally:
        await connection.close()
    ledger = Ledger(server.url_for(SERVICE))
    by = Operator("bench", is_verified=False, roles=frozenset(), via=Via.CONSOLE, source="bench")
    await create_user(ledger, by, "measurer", list(Role), password=PASSWORD, has_code=False)
    await ledger.close()
    return str(delivery)


@contextmanager
def served(server: EmbeddedPostgres) -> Iterator[str]:
    """Serve the back office in a thread, as the demo does."""
    settings = Settings.model_validate({"callback_keys": DEMO_CALLBACK_KEY})
    port = Port(
        lambda: build_backoffice(settings, server.url_for(SERVICE), server.url_for(OPS)),
        connections=16,
        deadline=settings.deadline,
    )
    listening = take_address("127.0.0.1", 0)
    serving = uvicorn.Server(port.config(lifespan="on"))
    thread = threading.Thread(target=serving.run, args=([listening],))
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        serving.should_exit = True
        thread.join(20)


if __name__ == "__main__":
    sys.exit(main())
