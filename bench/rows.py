"""The rows of the bench: their names, their contenders, and the ratios between them.

`contenders` starts the servers that the asked rows need, each once: an idle one costs nothing.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from statistics import median

from bench.contenders import Closed, Contender, Function, Paced, Sample, Storm, TpcB
from bench.place import (
    BUCKETS,
    LARGE,
    LARGE_PLAYERS,
    SMALL,
    SMALL_PLAYERS,
    SPLIT,
    TPCB,
    Place,
    Program,
    opponent,
    wallet,
)
from bench.table import Ratio, p50_ms, postgres_us, server_us

SPREAD = "wallet-64"
"""The row that the others are measured against."""

STORM_CALLERS = 2_000

MIXED_LASTS = 3
"""At some 200 requests a second, players get to their wins, aborts and cancels in six seconds."""

ROWS = {
    "wallet-1": "the wallet, a lone request at a time",
    "wallet-16": "the wallet, 16 connections",
    SPREAD: "the wallet, 64 connections",
    "wallet-repeats": "the wallet, 10 % repeats, 64 connections",
    "wallet-mixed": "the wallet, mixed traffic, 64 connections",
    "wallet-storm": "the wallet, 2,000 callers, repeats only",
    "wallet-256": "the wallet, 256 connections",
    "wallet-paced": "the wallet, open loop at half of its rate, 64 connections",
    "wallet-hot": "the wallet, one hot player, 64 connections",
    "wallet-buckets": f"the wallet, {BUCKETS} buckets, 64 connections",
    "wallet-buckets-256": f"the wallet, {BUCKETS} buckets, 256 connections",
    "wallet-two": "the wallet, two processes, 64 connections",
    "wallet-two-128": "the wallet, two processes, 128 connections",
    "wallet-four": "the wallet, four processes, 64 connections",
    "wallet-four-256": "the wallet, four processes, 256 connections",
    "wallet-large": "the wallet, 5 million movements, 64 connections",
    "tpcb": "(a) pgbench, TPC-B-like, 32 clients",
    "function": "(b) pgbench, one SQL function call, 32 clients",
    "function-mixed": "(b) with mixed traffic",
    "function-1": "(b) with one client",
    "function-large": "(b) among 5 million movements",
    "orm-serializable": "(c) FastAPI and ORM, SERIALIZABLE, 64 connections",
    "orm-serializable-mixed": "(c) with mixed traffic",
    "orm-locked": "(d) FastAPI and ORM, READ COMMITTED, 64 connections",
    "orm-locked-mixed": "(d) with mixed traffic",
}
QUICK = (SPREAD, "wallet-repeats", "wallet-mixed", "wallet-storm", "wallet-1", "tpcb", "function")
COMPARED = (
    "tpcb",
    "wallet-large",
    "wallet-repeats",
    "wallet-buckets",
    SPREAD,
    "wallet-mixed",
    "function",
    "function-mixed",
    "wallet-two",
    "wallet-two-128",
    "wallet-four",
    "wallet-four-256",
    "wallet-hot",
    "wallet-storm",
)
"""Who is compared with the first runs near to it."""
RUN_FIRST = {name: place for place, name in enumerate(COMPARED)}

RATIOS = (
    Ratio(SPREAD, "function", "64 connections against (b), one commit per movement"),
    Ratio(SPREAD, "tpcb", "… against (a), TPC-B-like"),
    Ratio(SPREAD, "orm-serializable", "… against (c), ORM at SERIALIZABLE"),
    Ratio(SPREAD, "orm-locked", "… against (d), ORM with a row lock"),
    Ratio("wallet-repeats", SPREAD, "10 % repeats against ordinary traffic"),
    Ratio("wallet-mixed", SPREAD, "mixed traffic against ordinary"),
    Ratio("wallet-mixed", "function-mixed", "… against (b) with the same mix"),
    Ratio("wallet-mixed", "orm-serializable-mixed", "… against (c) with the same mix"),
    Ratio("wallet-mixed", "orm-locked-mixed", "… against (d) with the same mix"),
    Ratio("function-mixed", "function", "(b) with mixed traffic against ordinary"),
    Ratio("wallet-storm", SPREAD, "storm of repeats against ordinary, answers per second"),
    Ratio("wallet-buckets", SPREAD, f"{BUCKETS} buckets against one"),
    Ratio("wallet-buckets", SPREAD, "… server µs a movement", server_us),
    Ratio("wallet-buckets", SPREAD, "… PostgreSQL µs a movement", postgres_us),
    Ratio("wallet-buckets-256", "wallet-256", f"{BUCKETS} buckets against one, 256 connections"),
    Ratio("wallet-two", SPREAD, "two processes against one"),
    Ratio("wallet-two", SPREAD, "… server µs a movement", server_us),
    Ratio("wallet-two", SPREAD, "… PostgreSQL µs a movement", postgres_us),
    Ratio("wallet-two-128", SPREAD, "two processes, as many connections each, against one"),
    Ratio("wallet-two-128", SPREAD, "… server µs a movement", server_us),
    Ratio("wallet-two-128", SPREAD, "… PostgreSQL µs a movement", postgres_us),
    Ratio("wallet-four", SPREAD, "four processes against one"),
    Ratio("wallet-four", SPREAD, "… server µs a movement", server_us),
    Ratio("wallet-four", SPREAD, "… PostgreSQL µs a movement", postgres_us),
    Ratio("wallet-four-256", SPREAD, "four processes, as many connections each, against one"),
    Ratio("wallet-four-256", SPREAD, "… server µs a movement", server_us),
    Ratio("wallet-four-256", SPREAD, "… PostgreSQL µs a movement", postgres_us),
    Ratio("wallet-hot", SPREAD, "one hot player against many players"),
    Ratio("wallet-large", SPREAD, "5 million movements against an almost empty database"),
    Ratio("wallet-large", "function-large", "… against (b) among as many"),
    Ratio("wallet-1", "function-1", "a lone request against (b) with one client, p50", p50_ms),
)

LOADS: Mapping[str, tuple[type[Closed], int, int, str]] = {
    SPREAD: (Closed, 64, SMALL_PLAYERS, "ordinary"),
    "wallet-repeats": (Closed, 64, SMALL_PLAYERS, "repeats"),
    "wallet-mixed": (Closed, 64, SMALL_PLAYERS, "mixed"),
    "wallet-storm": (Storm, STORM_CALLERS, SMALL_PLAYERS, "storm"),
    "wallet-1": (Closed, 1, SMALL_PLAYERS, "ordinary"),
    "wallet-16": (Closed, 16, SMALL_PLAYERS, "ordinary"),
    "wallet-256": (Closed, 256, SMALL_PLAYERS, "ordinary"),
    "wallet-hot": (Closed, 64, 1, "ordinary"),
}
"""Whose load one process on the small database bears: how, connections, players, mix."""

MANY: Mapping[str, tuple[int, int]] = {
    "wallet-two": (2, 64),
    "wallet-two-128": (2, 128),
    "wallet-four": (4, 64),
    "wallet-four-256": (4, 256),
}
"""Several processes and the connections of all of them; a player's requests come to any of them."""


@contextmanager
def contenders(
    place: Place, names: Sequence[str], samples: Mapping[str, Sequence[Sample]]
) -> Iterator[list[Contender]]:
    """Start the servers that the rows need, and say who takes part."""

    def half() -> float:
        return median(sample.rate for sample in samples[SPREAD]) / 2

    with ExitStack() as stack:
        ready: list[Contender] = []
        if any(name in LOADS or name == "wallet-paced" for name in names):
            one = stack.enter_context(wallet(place, SMALL, 1))
            ready += [load_of(name, place, SMALL, one) for name in names if name in LOADS]
            if "wallet-paced" in names:
                ready.append(_paced(place, one, half))
        for workers in (2, 4):
            rows = [name for name in names if name in MANY and MANY[name][0] == workers]
            if rows:
                many = stack.enter_context(wallet(place, SMALL, workers))
                ready += [
                    Closed(
                        name,
                        place,
                        SMALL,
                        many.pids,
                        port=many.port,
                        connections=MANY[name][1],
                    )
                    for name in rows
                ]
        in_buckets = {"wallet-buckets": 64, "wallet-buckets-256": 256}
        if in_buckets.keys() & set(names):
            several = stack.enter_context(wallet(place, SPLIT, 1, WALLET_BUCKETS=str(BUCKETS)))
            ready += [
                Closed(
                    name,
                    place,
                    SPLIT,
                    several.pids,
                    port=several.port,
                    connections=connections,
                    players=SMALL_PLAYERS,
                )
                for name, connections in in_buckets.items()
                if name in names
            ]
        if "wallet-large" in names:
            large = stack.enter_context(wallet(place, LARGE, 1))
            ready.append(
                Closed(
                    "wallet-large", place, LARGE, large.pids, port=large.port, players=LARGE_PLAYERS
                )
            )
        for row, isolation in (
            ("orm-serializable", "SERIALIZABLE"),
            ("orm-locked", "READ COMMITTED"),
        ):
            mixes = {row: "ordinary", f"{row}-mixed": "mixed"}
            if mixes.keys() & set(names):
                other = stack.enter_context(opponent(place, isolation))
                ready += [
                    Closed(
                        name,
                        place,
                        SMALL,
                        other.pids,
                        port=other.port,
                        mix=mix,
                        lasts=MIXED_LASTS if mix == "mixed" else 1,
                    )
                    for name, mix in mixes.items()
                    if name in names
                ]
        functions: tuple[Contender, ...] = (
            TpcB("tpcb", place, TPCB),
            Function("function", place, SMALL),
            Function("function-mixed", place, SMALL, is_mixed=True),
            Function("function-1", place, SMALL, clients=1),
            Function("function-large", place, LARGE),
        )
        ready += [function for function in functions if function.name in names]
        yield sorted(ready, key=lambda contender: RUN_FIRST.get(contender.name, len(RUN_FIRST)))


def load_of(name: str, place: Place, database: str, server: Program, file: str = "-") -> Closed:
    """One of the loads on one process; `file` has the players, where they were not made in SQL."""
    kind, connections, players, mix = LOADS[name]
    return kind(
        name,
        place,
        database,
        server.pids,
        port=server.port,
        connections=connections,
        players=players,
        mix=mix,
        players_file=file,
    )


def _paced(place: Place, server: Program, rate: Callable[[], float]) -> Paced:
    return Paced("wallet-paced", place, SMALL, server.pids, port=server.port, rate=rate)
