"""Deliveries of webhooks: who delivers what, how far it has come, and what people do about it.

A deliverer signs on, takes its share of the shards, renews them while it works, and leaves those
that others should have. All of it is beside the money: at READ COMMITTED, in tables of its own.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from app.cashier.event_log import event_reader
from app.ledger.errors import LedgerAwayError
from app.ledger.event_log import webhooks
from app.ledger.event_log.reading import last_number, numbers_after, numbers_of
from app.ledger.event_log.told import Told
from app.ledger.event_log.webhooks import (
    FORGOTTEN_MAX,
    LEASE,
    Backlog,
    Endpoint,
    Retry,
    Shard,
)
from app.ledger.money.book import Book
from app.ledger.transaction import Ledger
from app.wallet.event_log import Cursor, cursor_at, shard_of

__all__ = ["LEASE", "Backlog", "Endpoint", "Retry", "Shard", "Told"]


class Progress(NamedTuple):
    """What a deliverer has done since it last wrote it down, for one agent."""

    agent: str
    shards: Sequence[Shard]
    retries: Sequence[Retry]
    endpoint: Endpoint | None
    """None: nothing has changed"""


class Feed(NamedTuple):
    """Some of an agent's next events, and where the look ended."""

    events: list[Told]
    reached: int
    is_all: bool


class Standing(NamedTuple):
    """An endpoint with what it has not taken."""

    endpoint: Endpoint
    backlog: Backlog
    retries: list[Retry]


async def sign_on(ledger: Ledger, name: str, agents: Collection[str]) -> int | None:
    """Make what is missing of these endpoints, and take a slot; None: try again."""

    async def work(book: Book) -> int | None:
        await webhooks.open_endpoints(book, agents)
        return await webhooks.sign_on(book, name)

    return await ledger.beside_money(work)


async def be_seen(ledger: Ledger, slot: int, name: str) -> int | None:
    """Say that this deliverer lives, and return how many do; None: another one has its slot."""

    async def work(book: Book) -> int | None:
        return await webhooks.be_seen(book, slot, name)

    return await ledger.beside_money(work)


async def claim(ledger: Ledger, name: str, agents: Collection[str], most: int) -> list[Shard]:
    """Take shards that nobody holds."""

    async def work(book: Book) -> list[Shard]:
        return await webhooks.claim_shards(book, name, agents, most)

    return await ledger.beside_money(work)


async def leave(ledger: Ledger, name: str, shards: Collection[tuple[str, int]]) -> None:
    """Leave shards to others."""

    async def work(book: Book) -> None:
        await webhooks.leave_shards(book, name, shards)

    await ledger.beside_money(work)


async def sign_off(ledger: Ledger, name: str) -> None:
    """Leave the slot and every shard to others.

    A claim that was cut off may have been committed: its shards are known by the name alone.
    """

    async def work(book: Book) -> None:
        await webhooks.sign_off(book, name)

    await ledger.beside_money(work)


async def keep(
    ledger: Ledger, name: str, done: Sequence[Progress], *, restored: int
) -> frozenset[tuple[str, int]]:
    """Write down what was done, in one transaction, and return the shards that are still held.

    What is tried again is written with the position that has passed it, or neither is. A person who
    moves an endpoint at this moment does it before all of this, or after. `restored`: the restore
    after which it was done; LedgerAwayError: there was another one since, and nothing is written.
    """

    async def work(book: Book) -> frozenset[tuple[str, int]]:
        if ledger.timeline.restored != restored:
            raise LedgerAwayError("the ledger was restored")
        changed = [p.agent for p in done if p.retries or p.endpoint is not None]
        epochs = await webhooks.lock_endpoints(book, changed) if changed else {}
        shards = [shard for progress in done for shard in progress.shards]
        held = await webhooks.keep_shards(book, name, shards)
        for agent, _, retries, endpoint in done:
            mine = [r for r in retries if (agent, shard_of(r.player_id)) in held]
            if mine:
                await webhooks.note_retries(book, agent, mine, epochs[agent])
            if endpoint is not None:
                await webhooks.note_endpoint(book, endpoint)
        return held

    return await ledger.beside_money(work)


async def standing(ledger: Ledger, agents: Collection[str]) -> list[Endpoint]:
    """Return how endpoints stand."""

    async def work(book: Book) -> list[Endpoint]:
        return await webhooks.endpoints(book, agents)

    return await ledger.read_only(work, confirmed=False)


async def retries_of(
    ledger: Ledger, agent: str, shards: Collection[int]
) -> tuple[list[Retry], int]:
    """Return what is to be tried again for the players of these shards, in order, and the epoch."""

    async def work(book: Book) -> tuple[list[Retry], int]:
        return await webhooks.retries_of(book, agent, shards)

    return await ledger.read_only(work, confirmed=False)


async def feed(
    ledger: Ledger, agent: str, after: int, shards: Collection[int], count_max: int
) -> Feed:
    """Read an agent's next events, those of these shards only; each is on the standby."""
    tell = await event_reader(ledger)

    async def work(book: Book) -> Feed:
        rows = await numbers_after(book, agent, after, count_max)
        mine = [row for row in rows if shard_of(row.player_id) in shards]
        reached = rows[-1].number if rows else after
        return Feed(await tell(book, mine) if mine else [], reached, is_all=len(rows) < count_max)

    return await ledger.read_only(work)


async def forget(ledger: Ledger) -> bool:
    """Forget some retries that were taken long ago; return whether there may be more."""

    async def work(book: Book) -> bool:
        return await webhooks.forget_delivered(book, FORGOTTEN_MAX) == FORGOTTEN_MAX

    return await ledger.beside_money(work)


async def tell_again(ledger: Ledger, agent: str, numbers: Sequence[int]) -> list[Told]:
    """Read events by their numbers."""
    tell = await event_reader(ledger)

    async def work(book: Book) -> list[Told]:
        rows = await numbers_of(book, agent, numbers)
        return await tell(book, rows) if rows else []

    return await ledger.read_only(work)


# --- what people do -----------------------------------------------------------------------------


async def backlogs(ledger: Ledger) -> list[Backlog]:
    """Return what each endpoint has not heard yet."""
    return await ledger.read_only(webhooks.backlogs, confirmed=False)


async def show(ledger: Ledger, agent: str | None = None) -> list[Standing]:
    """Return how endpoints stand, with what they have not taken; None: all of them."""

    async def work(book: Book) -> list[Standing]:
        found = await webhooks.endpoints(book, None if agent is None else [agent])
        behind = {backlog.agent: backlog for backlog in await webhooks.backlogs(book)}
        return [
            Standing(
                endpoint, behind[endpoint.agent], await webhooks.open_retries(book, endpoint.agent)
            )
            for endpoint in found
        ]

    return await ledger.read_only(work, confirmed=False)


async def retry(ledger: Ledger, agent: str) -> int | None:
    """Try everything again at once that an endpoint has not taken; None: no such endpoint."""

    async def work(book: Book) -> int | None:
        return await webhooks.retry_now(book, agent)

    return await ledger.beside_money(work)


async def replay(ledger: Ledger, agent: str, after: Cursor | None) -> int | None:
    """Deliver everything after a cursor again (None: everything); return how much that is.

    None: there is no such endpoint, or the cursor is of no event of this agent.
    """
    tell = await event_reader(ledger)

    async def work(book: Book) -> int | None:
        number = 0
        if after is not None:
            rows = await numbers_of(book, agent, [after.number])
            events = await tell(book, rows) if rows else []
            if [cursor_at(event.number, event.id) for event in events] != [after]:
                return None
            number = after.number
        if not await webhooks.replay_after(book, agent, number):
            return None
        return await last_number(book, agent) - number

    return await ledger.beside_money(work)
