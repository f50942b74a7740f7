"""The book: the ledger's statements as methods that take and return wallet values, not rows.

A `Book` is the ledger inside one open transaction. A `MoneyBook` has the two statements that every
batch of movements uses:

1. `facts_for`  FACTS          keys, wallets, sessions, rounds: everything, once
                FACTS_WITH_ROUNDS  the same with histories and early aborts, if the batch needs them
                FURTHER_FACTS  limits that few players have, and holds, if the batch needs them
2. `record`     RECORD         keys, journal, wallets, rounds, refusals, if all facts still hold
                RECORD_ADJUSTMENT  the same of an adjustment, with its approval
                CONFIRM        instead, if nothing is written and a standby must have what is told

Run under locks, `facts_for` begins with LOCK_WALLETS. Either way the facts are read outside of the
transaction that writes: what is read of a player is proved by their wallet's revision, which RECORD
compares, and a transaction id by its own insert. So a fact that was read too early, or by a
statement that missed a row, ends in an error after which the batch is run again, never in a wrong
decision.
"""

from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias, TypeVar

from app.ledger.money import statements
from app.ledger.money.facts import (
    LACKS_ROUNDS,
    SERVER,
    Known,
    further_question,
    known_of,
    needs_history,
    question_of,
    with_further,
)
from app.ledger.money.rows import (
    as_array,
    counter_row,
    early_abort_row,
    entry_of,
    hold_row,
    journal_row,
    limit_hit_of,
    limit_hit_row,
    position_row,
    refusal_row,
    round_row,
    session_row,
    settings_row,
    wallet_row,
)
from app.ledger.money.statements import Statements
from app.ledger.standby import Standby
from app.ledger.timeline_guard import TimelineGuard
from app.ledger.timelines import Witness
from app.wallet.facts import Policy, Wallet
from app.wallet.journal import JournalEntry
from app.wallet.limits import LimitHit
from app.wallet.movement import Key, Movement
from app.wallet.outcomes import Decisions, Declined, Posting, Receipt, Refused, Replay
from app.wallet.refusal_record import RefusalRecord

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    import asyncpg

    Connection = asyncpg.Connection[asyncpg.Record]

    Lend = Callable[[], AbstractAsyncContextManager[Connection]]


T = TypeVar("T")


class Send(Protocol):
    """How a statement is sent that commits by itself."""

    async def __call__(
        self, connection: "Connection", statement: str, /, *arguments: object
    ) -> None:
        """Return when it is committed."""


class Claims(Protocol):
    """What holds a transaction id for one player, where several nodes have keys."""

    def beside(self, known: Known) -> Known:
        """Return the facts with what other nodes have under the ids of these movements."""

    async def take(self, movements: Sequence[Movement], receipts: Sequence[Receipt]) -> None:
        """Take the ids that are about to be recorded; raises RunAgainError, LedgerAwayError."""

    async def settle(self) -> None:
        """Find out, between two attempts, what stood in the way of the one before."""


class RequestClaim(Protocol):
    """What holds a request's one-time id for one player, where several nodes have ids."""

    async def take(self, book: "Book") -> None:
        """Take the id in the work's transaction, before its row is written; else end the work."""

    async def hold(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Run the work, and again when it is known what stood in the way."""


class Approval(NamedTuple):
    """The approval of an adjustment, recorded in the transaction of its movement."""

    adjustment_id: int
    decided_by: str
    is_verified: bool
    via: str
    came_from: str
    note: str | None
    solo_max: str
    """what one person alone may move in the adjustment's currency, in major units"""


AboveWork: TypeAlias = Callable[["Book"], Awaitable[None]]


class Book:
    """The ledger inside one open transaction."""

    def __init__(self, connection: "Connection", clock: Callable[[], datetime] | None) -> None:
        """`clock`: None means the database's own."""
        self.connection = connection
        self._clock = clock
        self._now: datetime | None = None
        self.first: list[AboveWork] | None = None
        """what is committed elsewhere before this; None: everything is within this one's reach"""

    async def above(self, work: AboveWork) -> None:
        """Do what writes a table of no player: here, or, from a node that lacks it, before this.

        Nothing is done that is not noted. Where the commit at the node fails then, or its process
        dies, the note stands alone.
        """
        if self.first is None:
            await work(self)
        else:
            self.first.append(work)

    def now_given(self) -> datetime | None:
        """The clock's time, one for the whole transaction; None: the database uses its own."""
        if self._now is None and self._clock is not None:
            self._now = self._clock()
        return self._now

    async def entries_of(self, keys: Sequence[Key]) -> list[JournalEntry]:
        """The journal entries under these keys."""
        if not keys:
            return []
        columns = list(zip(*keys, strict=True))
        rows = await self.connection.fetch(statements.ENTRIES_BY_KEY, *map(list, columns))
        return [entry_of(row) for row in rows]

    async def limit_hit_of(self, entry: JournalEntry) -> LimitHit | None:
        """Which limit refused a movement; None: none did, or an earlier release did not keep it."""
        row = await self.connection.fetchrow(statements.LIMIT_HIT, entry.player_id, entry.position)
        return None if row is None else limit_hit_of(tuple(row), entry.currency)

    async def fence(self, user_ids: Collection[str]) -> None:
        """Raise these players' revisions, after which nothing can be recorded on older facts."""
        if user_ids:
            await self.connection.execute(statements.FENCE, list(user_ids))

    async def renew_session(self, player_id: int, token_hash: bytes, expires_at: datetime) -> None:
        """Set the new expiry of a token that was used and has not expired."""
        await self.connection.execute(
            statements.RENEW_SESSION, player_id, token_hash, expires_at, self.now_given()
        )

    async def log_refusals(self, records: Sequence[RefusalRecord]) -> None:
        """Append to the refusal log."""
        if records:
            rows = as_array([refusal_row(record) for record in records])
            await self.connection.execute(statements.LOG_REFUSALS, rows, self.now_given())

    async def list_unknown_outcomes(self, entries: Sequence[JournalEntry]) -> None:
        """List entries whose caller was told that the outcome is unknown."""
        await self.connection.execute(
            statements.LIST_UNKNOWN_OUTCOMES,
            [str(e.player_id) for e in entries],
            [str(e.position) for e in entries],
            self.now_given(),
        )

    async def keep_notice(self, fields: Sequence[object]) -> None:
        """Append a maintenance notice; `fields` in the order of the statement."""
        await self.connection.execute(statements.KEEP_NOTICE, *fields)


class MoneyBook:
    """The statements of a batch of movements, run once without locks or once under locks."""

    def __init__(
        self,
        read: "Lend",
        write: "Lend",
        send: Send,
        clock: Callable[[], datetime] | None,
        *,
        takes_locks: bool,
        standby: Standby,
        timeline: TimelineGuard,
        statements: Statements,
        claims: Claims | None = None,
    ) -> None:
        """`read` lends a connection at READ COMMITTED, `write` one that is SERIALIZABLE.

        `claims`: where the keys of this bucket do not hold uniqueness over all of them.
        """
        self._statements = statements
        self._read = read
        self._write = write
        self._send = send
        self._standby = standby
        self._timeline = timeline
        self._claims = claims
        self._movements: Sequence[Movement] = ()
        self._clock = clock
        self._takes_locks = takes_locks
        self.user_ids: frozenset[str] = frozenset()
        """the players whose facts were read"""
        self.is_writing = False
        """whether a statement was sent that may be committed"""
        self.witness: Witness | None = None
        """a movement that was sent with it"""

    async def facts_for(self, movements: Sequence[Movement]) -> Known:
        """Read all facts that decide these movements, in one snapshot."""
        self.user_ids = frozenset([movement.user_id for movement in movements])
        questions = as_array([question_of(movement) for movement in movements])
        if self._takes_locks:
            async with self._write() as connection:
                await connection.execute(self._statements.lock_wallets, list(self.user_ids))
        now = self._clock() if self._clock else None
        async with self._read() as connection:
            rows = await self._rows(connection, movements, questions, now)
            if rows:
                self._timeline.note(*rows[0][SERVER])
            known = known_of(movements, rows, money_until=self._timeline.money_until)
            further = further_question(movements, known.facts)
            if further is not None:
                row = await connection.fetchrow(
                    self._statements.further_facts, *(list(map(str, column)) for column in further)
                )
                known = known if row is None else with_further(known, row)
        if rows:
            self._standby.note(is_wanted=known.waits_for_standby)
        if self._claims is None:
            return known
        self._movements = movements
        return self._claims.beside(known)

    async def _rows(
        self,
        connection: "Connection",
        movements: Sequence[Movement],
        questions: str,
        now: datetime | None,
    ) -> "list[asyncpg.Record]":
        if not any(needs_history(movement.rule) for movement in movements):
            rows = await connection.fetch(self._statements.facts, questions, now)
            if not any(row[LACKS_ROUNDS] for row in rows):
                return rows
        return await connection.fetch(self._statements.facts_with_rounds, questions, now)

    async def record(
        self,
        known: Known,
        decisions: Decisions,
        policy: Policy,
        refusals: Sequence[RefusalRecord] = (),
        approval: Approval | None = None,
    ) -> None:
        """Write the decisions; without locks, this is a transaction of its own.

        An `approval` is written with the adjustment that it approves, if that moves anything; where
        the player is on another node than approvals are, by the caller, after this.
        The database raises FACTS_STALE, and keeps nothing, where a fact has changed since it was
        read, and SETTINGS_DIFFER where `policy` is not what it remembers.
        """
        if self._claims is not None:
            await self._claims.take(self._movements, decisions.receipts)
        returned = _returned(known, decisions)
        arguments: tuple[object, ...] = ()
        if decisions.wallets or refusals or known.renewals or returned:
            arguments = _arguments(known, decisions, policy, refusals, returned)
            statement = self._statements.record
            if approval is not None:
                statement = self._statements.record_adjustment
                arguments = (*arguments, *approval) if self._claims is None else arguments
        elif known.waits_for_standby and any(map(_tells_of_what_stands, decisions.receipts)):
            statement = statements.CONFIRM
        else:
            return
        async with self._write() as connection:
            if not self._timeline.knows(connection):
                await self._timeline.check(connection)
            self.is_writing, self.witness = bool(arguments), _witness(decisions)
            await self._send(connection, statement, *arguments)


def _witness(decisions: Decisions) -> Witness | None:
    """Return one of the movements that were decided for ever; None: there is none."""
    for wallet in decisions.wallets.values():
        return Witness(wallet.player_id, wallet.position, wallet.chain)
    return None


def _returned(known: Known, decisions: Decisions) -> list[str]:
    """Return the listed entries whose callers repeat the request and are answered now."""
    if not known.unheard:
        return []
    return [
        position_row(receipt.entry.player_id, receipt.entry.position)
        for receipt in decisions.receipts
        if isinstance(receipt, Replay)
        and not receipt.is_own
        and (receipt.entry.player_id, receipt.entry.position) in known.unheard
    ]


def _tells_of_what_stands(receipt: object) -> bool:
    """Whether a receipt repeats an outcome that another transaction wrote."""
    return isinstance(receipt, Replay) or (
        isinstance(receipt, Refused) and receipt.pockets is not None
    )


def _arguments(
    known: Known,
    decisions: Decisions,
    policy: Policy,
    refusals: Sequence[RefusalRecord],
    returned: list[str],
) -> tuple[object, ...]:
    """Return the arguments of RECORD, with wallets in the order of their players."""
    before = known.facts.wallets
    moved = sorted(decisions.wallets.items(), key=lambda item: item[1].player_id)
    refused_aborts = {
        key.player_id for key, after in decisions.rounds.items() if after.round.untimed_aborts
    }
    by_player: dict[int, Wallet] = {wallet.player_id: wallet for _, wallet in moved}
    return (
        settings_row(policy),
        as_array(
            [
                wallet_row(
                    before[user_id], after, has_refused_aborts=after.player_id in refused_aborts
                )
                for user_id, after in moved
            ]
        ),
        as_array(
            [
                journal_row(receipt.entry)
                for receipt in decisions.receipts
                if isinstance(receipt, (Posting, Declined))
            ]
        ),
        as_array(
            [
                round_row(key, by_player[key.player_id], after)
                for key, after in decisions.rounds.items()
            ]
        ),
        as_array(
            [
                early_abort_row(key, by_player[key.player_id].currency, abort)
                for key, after in decisions.rounds.items()
                for abort in after.early_aborts.values()
            ]
        ),
        as_array([refusal_row(record) for record in refusals]),
        as_array([session_row(*session, until) for session, until in known.renewals.items()]),
        as_array(returned),
        as_array(
            [
                counter_row(after.player_id, after.currency, name, counter)
                for user_id, after in moved
                if after.further is not None and after.further is not before[user_id].further
                for name, counter in after.further.counters.items()
            ]
        ),
        as_array(
            [
                limit_hit_row(receipt.entry, receipt.detail)
                for receipt in decisions.receipts
                if isinstance(receipt, Declined) and isinstance(receipt.detail, LimitHit)
            ]
        ),
        as_array(
            [hold_row(after, by_player[after.hold.player_id].currency) for after in decisions.holds]
        ),
        decisions.now,
    )
