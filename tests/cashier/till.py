"""A ledger with helpers that read like the contract."""

import asyncio
import itertools
import os
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import asyncpg

from app.cashier.move_funds import move_funds
from app.cashier.players import IssuedToken, issue_token, open_account, token_hash
from app.ledger.transaction import Ledger
from app.wallet.balance import Pockets
from app.wallet.buckets import bucket_of
from app.wallet.events import GAME_EVENT_TYPES, Direction, EventType
from app.wallet.facts import Policy
from app.wallet.money import ISO_CURRENCIES
from app.wallet.movement import Key, Movement, facet_of
from app.wallet.outcomes import Receipt
from tests.cashier.homes import ALONE, Home, connect, home_of, homes, rewrite, servers

__all__ = ["AGENT", "Till", "connect", "meanwhile", "numbers", "soon"]

AGENT = "house"
numbers = itertools.count(1)


@dataclass
class Till:
    """Players, and movements written as the contract names them."""

    ledger: Ledger
    superuser_url: str
    policy: Policy = field(default_factory=Policy)
    tokens: dict[str, str] = field(default_factory=dict)
    is_stale_at_first: bool = False
    """raise everybody's revision before the first write, so that every batch runs under locks"""

    async def player(
        self, user_id: str, real: str = "0", bonus: str = "0", currency: str = "USD"
    ) -> str:
        await open_account(
            self.ledger,
            user_id=user_id,
            agent=AGENT,
            currency=ISO_CURRENCIES[currency],
            nickname=f"nick-{user_id}"[:64],
            language="en",
        )
        issued = await issue_token(self.ledger, user_id, timedelta(hours=1))
        assert isinstance(issued, IssuedToken)
        self.tokens[user_id] = issued.token
        if real != "0":
            await self.move(self.movement(user_id, "Deposit", "credit", real))
        if bonus != "0":
            await self.move(self.movement(user_id, "BonusGrant", "credit", bonus))
        return user_id

    async def players(self, count: int, real: str = "0", *, together: bool = False) -> list[str]:
        """Many players at once; `together`: all in one bucket, whose batches may be of several."""
        buckets = len(await homes(self.superuser_url)) if together else 1
        every = (f"player-{next(numbers)}" for _ in itertools.count())
        names = list(
            itertools.islice((name for name in every if bucket_of(name, buckets) == 0), count)
        )
        for name in names:
            await self.player(name)
        if real != "0":
            await self.move(*(self.movement(name, "Deposit", "credit", real) for name in names))
        return names

    def movement(
        self,
        user_id: str,
        event_type: str,
        direction: str,
        amount: str,
        *,
        transaction_id: str | None = None,
        event_id: str = "event-1",
        token: str | None = None,
        bonus_code: str | None = None,
        extra_data: str = "{}",
    ) -> Movement:
        kind, way = EventType(event_type), Direction(direction)
        is_game = kind in GAME_EVENT_TYPES
        return Movement(
            delivery=os.urandom(16),
            key=Key(
                "callback" if is_game else AGENT,
                transaction_id or f"t{next(numbers)}",
                facet_of(kind, way, self.policy.key_scope) if is_game else "",
            ),
            user_id=user_id,
            event_type=kind,
            direction=way,
            amount=amount,
            received_at=datetime.now(UTC),
            token=token_hash(token or self.tokens.get(user_id, "?")) if is_game else None,
            event_id=event_id if is_game else None,
            game_id=1 if is_game else None,
            bonus_code=bonus_code,
            extra_data=extra_data if is_game else None,
        )

    def bet(self, user_id: str = "anna", amount: str = "10", **more: str) -> Movement:
        return self.movement(user_id, "BetPlacing", "debit", amount, **more)

    async def move(
        self, *movements: Movement, has_decided: Callable[[], None] = lambda: None
    ) -> list[Receipt]:
        if self.is_stale_at_first:
            has_decided = self.raise_revisions_once({m.user_id for m in movements})
        return await move_funds(self.ledger, movements, self.policy, has_decided=has_decided)

    def raise_revisions_once(self, user_ids: set[str]) -> Callable[[], None]:
        """What another process does: a write that changes nothing a decision would care for."""
        told: list[bool] = []

        def raise_once() -> None:
            if not told:
                told.append(True)
                meanwhile(self.raise_revisions(user_ids))

        return raise_once

    async def raise_revisions(self, user_ids: set[str]) -> None:
        """A wallet that somebody holds at this moment is about to change anyway."""
        places = await homes(self.superuser_url)
        for bucket, home in enumerate(places):
            there = [name for name in user_ids if bucket_of(name, len(places)) == bucket]
            if not there:
                continue
            async with home.opened() as connection:
                await connection.execute("SET lock_timeout = '20ms'")
                with suppress(asyncpg.LockNotAvailableError):
                    await connection.execute(
                        "UPDATE wallets SET revision = revision + 1 FROM players"
                        " WHERE wallets.player_id = players.player_id AND user_id = ANY($1)",
                        there,
                    )

    async def make(self, script: str) -> None:
        """Make what a trigger calls, on each server where rows are."""
        for url in await self.servers():
            connection = await connect(url)
            try:
                await connection.execute(f"{ALONE} {script}")
            finally:
                await connection.close()

    async def rewrite(self, statement: str, *arguments: object) -> None:
        """Change rows that nobody may change, in every bucket."""
        await rewrite(self.superuser_url, statement, *arguments)

    async def trigger(self, statement: str, table: str = "movements") -> None:
        """Make a trigger where the rows of a table are: in every bucket, if there are several."""
        for home in await homes(self.superuser_url):
            async with home.opened() as connection:
                await connection.execute(statement.format(place=await home.table(table)))

    async def let_money_move_at_any_isolation(self) -> None:
        """Take the database's own check away, so that a test can see the other guards alone."""
        everywhere = "SELECT pg_get_functiondef(oid) FROM pg_proc WHERE proname = $1"
        check = "<> 'serializable'"
        for row in await self.rows(everywhere, "record_movements_v2"):
            assert check in row[0]
            await self.rows(row[0].replace(check, "= 'nothing'"))

    async def one(self, movement: Movement) -> Receipt:
        (receipt,) = await self.move(movement)
        return receipt

    async def rows(self, query: str, *arguments: object) -> Sequence[asyncpg.Record]:
        """Ask the database itself, past the code under test."""
        connection = await connect(self.superuser_url)
        try:
            return await connection.fetch(query, *arguments)
        finally:
            await connection.close()

    async def home_of(self, user_id: str) -> Home:
        """Where a player's rows can be locked and changed by hand."""
        return await home_of(self.superuser_url, user_id)

    async def rows_of(
        self, user_id: str, query: str, *arguments: object
    ) -> Sequence[asyncpg.Record]:
        """Ask the player's bucket itself."""
        async with (await self.home_of(user_id)).opened() as connection:
            return await connection.fetch(query, *arguments)

    async def rows_of_each(self, query: str, *arguments: object) -> Sequence[asyncpg.Record]:
        """Ask every bucket itself, one after the other."""
        found: list[asyncpg.Record] = []
        for home in await homes(self.superuser_url):
            async with home.opened() as connection:
                found += await connection.fetch(query, *arguments)
        return found

    async def servers(self) -> list[str]:
        """The addresses of the servers that have players' rows."""
        return await servers(self.superuser_url)

    async def rows_after(self, script: str, query: str) -> Sequence[asyncpg.Record]:
        """What the database would say after this, which does not last."""
        connection = await connect(self.superuser_url)
        try:
            await connection.execute(script)
            return await connection.fetch(query)
        finally:
            await connection.execute("ROLLBACK")
            await connection.close()

    async def pockets(self, user_id: str = "anna") -> Pockets:
        """What lies in the wallet's row, in cents."""
        (row,) = await self.rows(
            "SELECT (real * 100)::bigint, (bonus * 100)::bigint"
            " FROM wallets JOIN players USING (player_id) WHERE user_id = $1",
            user_id,
        )
        return Pockets(*row)

    async def count(self, table: str, where: str = "true") -> int:
        (row,) = await self.rows(f"SELECT count(*) FROM {table} WHERE {where}")
        counted: int = row[0]
        return counted

    async def is_sound(self) -> None:
        """Wallets stand where their journals left them, and every movement has its one key."""
        adrift = await self.rows(
            """
            SELECT w.player_id FROM wallets w
            LEFT JOIN LATERAL (
                SELECT sum(real_delta) AS real, sum(bonus_delta) AS bonus, max(position) AS last,
                       count(*) AS entries, count(*) FILTER (WHERE decision = 'ACCEPTED') AS version
                FROM movements m WHERE m.player_id = w.player_id
            ) m ON true
            WHERE (w.real, w.bonus, w.position, w.version)
                  IS DISTINCT FROM (coalesce(m.real, 0), coalesce(m.bonus, 0),
                                    coalesce(m.last, 0), m.version)
               OR m.entries <> w.position
            """
        )
        assert adrift == []
        unkeyed = await self.rows(
            """
            SELECT * FROM movements m FULL JOIN transaction_keys k
            USING (player_id, position, source, transaction_id, facet)
            WHERE m.delivery IS NULL OR NOT EXISTS (
                SELECT FROM transaction_keys o WHERE (o.source, o.transaction_id, o.facet)
                    = (k.source, k.transaction_id, k.facet))
            """
        )
        assert unkeyed == []


def meanwhile(work: Coroutine[object, object, object]) -> None:
    """Let another process do this, and be done with it, while everything here stands still."""
    with ThreadPoolExecutor(1) as executor:
        executor.submit(lambda: asyncio.run(work)).result()


async def soon(condition: asyncio.Event, seconds: int = 5) -> None:
    """Wait for something that is about to happen."""
    await asyncio.wait_for(condition.wait(), seconds)
