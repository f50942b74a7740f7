"""Run the audit: every law over every range of players, on one consistent snapshot.

It reads while the service runs and takes no locks. Several connections share the snapshot and the
work. Memory is bounded: the database works on one range of players at a time on each connection,
and only a bounded number of offenders is returned. The ranges cover every row, whatever player it
names. An audit since a moment, or of one player, reads what it looks at by key, and its cost
depends on that alone.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from app.cashier import seal_audit
from app.ledger.audit import (
    CHECKS,
    CHECKS_OF_PLAYERS,
    MOVED_SINCE,
    RECENT_CHECKS,
    UPPER_BOUNDS,
    claims,
    invariants_of,
)
from app.ledger.audit.offenders import offenders
from app.ledger.audit.places import AuditedPlace, audited_places, is_of_all_buckets
from app.ledger.audit.scope import Check
from app.ledger.pools import WHOLE_LEDGER
from app.ledger.snapshot import bucket_paths, read_by_key, snapshot
from app.proof.seal import SignedSeal

if TYPE_CHECKING:
    from app.ledger.snapshot import Connection

MOVEMENTS_AT_A_TIME: Final = 2_500_000
"""What is kept of so many while they are chained fits the memory that a hash table may have."""

RANGES_MAX: Final = 8
"""Each range may read whole tables; beyond this, hash tables on disk cost less than one more."""

CONNECTIONS: Final = 2

SMALL_PART: Final = 20
"""Of more than one movement in so many, looking rows up costs more than reading tables whole: among
5 million, 1.4 times as much for one in ten, and 1.8 times for one in five."""

MOVERS_AT_A_TIME: Final = 1000
"""Players whose rows of the coordinator are looked at in one query."""

PLAYER_MIN: Final = -(2**63)
PLAYER_MAX: Final = 2**63 - 1
"""A row may name a player who is not there; the first range begins and the last ends here."""


Task: TypeAlias = tuple[Check, tuple[object, ...]]
"""A check, and what it is asked about."""


class Breach(NamedTuple):
    """One offender against one law."""

    invariant: str
    law: str
    offender: dict[str, Any]


class Findings(NamedTuple):
    """What the audit found, and how much it looked at."""

    breaches: list[Breach]
    invariants: int
    players: int
    movements: int

    @property
    def is_clean(self) -> bool:
        """Whether every law holds."""
        return not self.breaches


class UnknownPlayerError(Exception):
    """The audit was asked for a player who is not there."""


class _Plan(NamedTuple):
    """What is checked, over which scopes, and how much that is."""

    checks: Sequence[Check]
    scopes: Sequence[tuple[object, ...]]
    players: int
    movements: int
    is_small: bool
    """a small part of the ledger, which is read by key"""


async def audit(
    url: str,
    *,
    since: datetime | None = None,
    user_id: str | None = None,
    keys: Sequence[str] = (),
    against: Sequence[SignedSeal] | None = None,
    progress: Callable[[int, int], None] = lambda _done, _of: None,
    connections: int = CONNECTIONS,
    players_at_a_time: int | None = None,
) -> Findings:
    """Check every law; of what was written `since` a moment, or of one player, if that is asked.

    An audit of everything also holds the ledger against its seals, which one of the public `keys`
    must have signed, and those `against` the ones that stand outside of it.

    Buckets on several nodes are audited one after the other, each on a snapshot of its own.

    `progress` is called with (steps done, steps in all). Raises UnknownPlayerError, or the driver's
    errors if the database cannot be reached.
    """
    places = await audited_places(url, user_id)
    looks_above = not places[0].is_whole and since is None and user_id is None
    looks_at_claims = not places[0].is_whole
    steps = _Steps(progress, len(places), looks_at_claims + looks_above)
    parts = []
    for place in places:
        parts.append(
            await _audit_place(
                url,
                place,
                since=since,
                user_id=user_id,
                keys=keys,
                against=against,
                progress=steps.of_place,
                connections=connections,
                players_at_a_time=players_at_a_time,
            )
        )
        steps.next_place()
    if places[0].is_whole:
        return parts[0]
    parts.append(await _audit_claims(url, since, user_id))
    steps.after_places()
    if looks_above:
        parts.append(await _audit_above(url, keys, against))
        steps.after_places()
    breaches = [breach for part in parts for breach in part.breaches]
    # What is about the whole ledger was looked at with each bucket, and is told once.
    once = {(breach.invariant, str(breach.offender)): breach for breach in breaches}
    laws = parts[0].invariants + sum(part.invariants for part in parts[len(places) :])
    return Findings(
        [*once.values()],
        laws,
        sum(part.players for part in parts),
        sum(part.movements for part in parts),
    )


class _Steps:
    """Tells of the steps of one place after the other as of one whole.

    How many a later place has is known when it is looked at; until then, as many as this one.
    """

    def __init__(self, progress: Callable[[int, int], None], places: int, after: int) -> None:
        """`after`: the steps after the last place."""
        self._progress = progress
        self._before = 0
        self._left = places
        self._after = after
        self._of = 0

    def of_place(self, done: int, of: int) -> None:
        self._of = of
        self._progress(self._before + done, self._before + of * self._left + self._after)

    def next_place(self) -> None:
        self._before += self._of
        self._left -= 1

    def after_places(self) -> None:
        self._before += 1
        self._after -= 1
        self._progress(self._before, self._before + self._after)


async def _audit_claims(url: str, since: datetime | None, user_id: str | None) -> Findings:
    """Audit what no bucket can tell by itself: whose the ids are that it has recorded."""
    found = await claims.unclaimed(url, await bucket_paths(url), since=since, user_id=user_id)
    return Findings([Breach(*claims.LAW, offender) for offender in found], 1, 0, 0)


async def _audit_above(
    url: str, keys: Sequence[str], against: Sequence[SignedSeal] | None
) -> Findings:
    """Audit what is about no bucket: approvals; the seals, and the schema that they seal."""
    checks = [check for check in CHECKS if is_of_all_buckets(check)]
    laws = {
        law.name: law
        for law in (*invariants_of(tuple(checks)), *seal_audit.invariants(keys, against))
    }
    async with snapshot(url, settings={"search_path": WHOLE_LEDGER}) as (connection,):
        found = await seal_audit.audit_seals(connection, keys, against)
        for check in checks:
            found += await offenders(connection, check, PLAYER_MIN, PLAYER_MAX)
    breaches = [Breach(name, laws[name].law, offender) for name, offender in found]
    return Findings(breaches, len(laws), 0, 0)


async def _audit_place(
    url: str,
    where: AuditedPlace,
    *,
    since: datetime | None,
    user_id: str | None,
    keys: Sequence[str],
    against: Sequence[SignedSeal] | None,
    progress: Callable[[int, int], None],
    connections: int,
    players_at_a_time: int | None,
) -> Findings:
    is_part = since is not None or user_id is not None
    async with snapshot(url, 1 if user_id else connections, where.settings) as opened:
        plan = await _plan(opened[0], since, user_id, players_at_a_time)
        plan = plan._replace(checks=where.checks(plan.checks))
        if plan.is_small:
            for connection in opened:
                await read_by_key(connection)
        # By check, the longest first, so that the connections end at about the same time.
        tasks = deque[Task]((check, scope) for check in plan.checks for scope in plan.scopes)
        if since is not None and not where.is_whole:
            tasks.extend(await _of_movers(opened[0], since))
        checked = tuple(dict.fromkeys(check for check, _ in tasks))
        looks_at_seals = where.is_whole and not is_part
        steps = len(tasks) + looks_at_seals
        found: list[tuple[str, dict[str, Any]]] = []

        done = 0

        async def work(connection: "Connection") -> None:
            nonlocal done
            while tasks:
                check, scope = tasks.popleft()
                found.extend(await offenders(connection, check, *scope))
                done += 1
                progress(done, steps)

        progress(0, steps)
        async with asyncio.TaskGroup() as group:
            for connection in opened:
                group.create_task(work(connection))
        laws = [*invariants_of(checked)]
        if looks_at_seals:
            laws += seal_audit.invariants(keys, against)
            found += await seal_audit.audit_seals(opened[0], keys, against)
            progress(steps, steps)
    place = {law.name: number for number, law in enumerate(laws)}
    found.sort(key=lambda one: place[one[0]])
    breaches = [Breach(name, laws[place[name]].law, offender) for name, offender in found]
    return Findings(breaches, len(laws), plan.players, plan.movements)


async def _of_movers(connection: "Connection", since: datetime) -> Iterator[Task]:
    """Return the checks of the coordinator's rows about those who moved in this bucket since then.

    By the players' numbers: without them, all of those rows would be sent to the bucket's node.
    """
    movers = [row[0] for row in await connection.fetch(MOVED_SINCE, since)]
    begins = range(0, len(movers) or 1, MOVERS_AT_A_TIME)
    parts = [movers[begin : begin + MOVERS_AT_A_TIME] for begin in begins]
    checks = [check for check in CHECKS_OF_PLAYERS if is_of_all_buckets(check)]
    return ((check, (part,)) for check in checks for part in parts)


async def _plan(
    connection: "Connection",
    since: datetime | None,
    user_id: str | None,
    players_at_a_time: int | None,
) -> _Plan:
    if user_id is not None:
        row = await connection.fetchrow(
            "SELECT player_id, (SELECT count(*) FROM movements m WHERE m.player_id = p.player_id)"
            " AS movements FROM players p WHERE user_id = $1",
            user_id,
        )
        if row is None:
            raise UnknownPlayerError(f"There is no player {user_id}.")
        whom: list[tuple[object, ...]] = [([row["player_id"]],)]
        return _Plan(CHECKS_OF_PLAYERS, whom, 1, row["movements"], is_small=True)
    players = await connection.fetchval("SELECT count(*) FROM players")
    if since is not None:
        movements = await connection.fetchval(
            "SELECT count(*) FROM movements WHERE ledger_time >= $1", since
        )
        in_all = await connection.fetchval("SELECT coalesce(sum(position), 0) FROM wallets")
        is_small = movements * SMALL_PART <= in_all
        return _Plan(RECENT_CHECKS, [(since,)], players, movements, is_small=is_small)
    movements = await connection.fetchval("SELECT count(*) FROM movements")
    ranges = min(-(-movements // MOVEMENTS_AT_A_TIME), RANGES_MAX) or 1
    many = players_at_a_time or max(-(-players // ranges), 1)
    bounds = [row[0] for row in await connection.fetch(UPPER_BOUNDS, many)]
    firsts = [PLAYER_MIN, *(bound + 1 for bound in bounds)]
    scopes = list(zip(firsts, [*bounds, PLAYER_MAX], strict=True))
    return _Plan(CHECKS, scopes, players, movements, is_small=False)
