"""The book: the ledger inside one open transaction. Wallet values in and out; rows stop here.

The money road, by statement. At once, each a transaction of its own:

1. `glance`          GLANCE          wallets, sessions, rounds, and their rows' versions; no lock
2. `record_at_once`  RECORD_AT_ONCE  keys, journal, wallets, rounds, if all of these still stand

With care, in one transaction, for whatever is refused, repeated, undone or met by another process:

1. `facts_for`   FACTS           the same, wallets locked
2.               HISTORIES       only for rounds in which something is to be undone
3. `look_up`     ENTRIES_BY_KEY  only for keys found taken, or of movements about to be refused
4. `record`      RECORD          keys, journal, wallets, rounds; KEYS_TAKEN only when one was
5.               NOTE_REFUSALS   only for refusals that are no outcome

RENEW_SESSIONS comes between, about once an hour for each token whose life is renewed by use.
KEEP_OUT comes first where a connection was lost with a RECORD_AT_ONCE on its way.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from app.ledger.money import statements
from app.ledger.money.facts import Places, Sighting, sighting_of
from app.ledger.money.rows import (
    as_array,
    delivery_uuid,
    entry_of,
    journal_row,
    question_row,
    round_row,
    seen_row,
    wallet_row,
)
from app.wallet.events import RULES, Part
from app.wallet.facts import Facts
from app.wallet.journal import JournalEntry
from app.wallet.movement import Key, Movement
from app.wallet.outcomes import Decisions, Declined, Posting
from app.wallet.rounds import Round, RoundKey

if TYPE_CHECKING:
    import asyncpg

    Connection = asyncpg.Connection[asyncpg.Record]

NEEDS_HISTORY = frozenset({Part.ABORT, Part.PAYMENT_ABORT, Part.CANCEL})
"""Movements that undo others must see what there is to undo."""

READS_ROUND = NEEDS_HISTORY | {Part.PAYMENT}
"""A bet opens its round without looking: see `statements`."""


class RefusalNote(NamedTuple):
    """A refusal that is no outcome, or a repeat with other content: what the trail keeps of it."""

    user_id: str
    source: str
    operation: str
    transaction_id: str | None
    event_id: str | None
    event_type: str | None
    direction: str | None
    amount: str | None
    refusal: str
    reason: str
    differs: str | None
    asked: str | None
    delivery: bytes
    event_time: datetime


class Book:
    """Statements as named methods, on one connection inside one transaction."""

    def __init__(self, connection: "Connection", clock: Callable[[], datetime] | None) -> None:
        """`clock`: None means the database's own."""
        self.connection = connection
        self._clock = clock

    def now_given(self) -> datetime | None:
        """The clock's time, or None: the database shall use its own."""
        return self._clock() if self._clock else None

    async def glance(self, movements: Sequence[Movement]) -> Sighting:
        """Read what the batch must know, and lock nothing: good for `record_at_once` only."""
        return sighting_of(movements, await self._ask(statements.GLANCE, movements))

    async def facts_for(
        self, movements: Sequence[Movement], suspects: Iterable[Key]
    ) -> tuple[Facts, Places]:
        """Read what the batch must know, and lock its wallets. `suspects`.

        Keys that may be taken.
        """
        rows = await self._ask(statements.FACTS, movements)
        facts, places, renewals = sighting_of(movements, rows)
        facts = replace(facts, rounds=await self._with_histories(movements, facts))
        await self.renew_sessions(renewals)
        return await self.look_up(facts, suspects), places

    async def _ask(self, statement: str, movements: Sequence[Movement]) -> "list[asyncpg.Record]":
        questions = [question_row(m, reads_round=m.rule.part in READS_ROUND) for m in movements]
        return await self.connection.fetch(statement, as_array(questions), self.now_given())

    async def renew_sessions(self, renewals: Mapping[tuple[int, bytes], datetime]) -> None:
        """Lengthen the lives of tokens that were used, by player id and token hash."""
        if renewals:
            await self.connection.execute(
                statements.RENEW_SESSIONS,
                [player_id for player_id, _ in renewals],
                [token_hash for _, token_hash in renewals],
                list(renewals.values()),
            )

    async def _with_histories(
        self, movements: Sequence[Movement], facts: Facts
    ) -> Mapping[RoundKey, Round]:
        wanted = {
            RoundKey(facts.wallets[m.user_id].player_id, m.event_id, m.rule.is_streamer)
            for m in movements
            if m.rule.part in NEEDS_HISTORY
            and m.event_id is not None
            and m.user_id in facts.wallets
        } & facts.rounds.keys()
        if not wanted:
            return facts.rounds
        events = sorted({(key.player_id, key.event_id) for key in wanted})
        rows = await self.connection.fetch(
            statements.HISTORIES, [event[0] for event in events], [event[1] for event in events]
        )
        histories: dict[RoundKey, list[JournalEntry]] = {key: [] for key in wanted}
        for row in rows:
            entry = entry_of(row)
            rule = RULES[entry.event_type]
            key = RoundKey(entry.player_id, entry.event_id or "", rule.is_streamer)
            if rule.part is not Part.NONE and key in histories:
                histories[key].append(entry)
        return dict(facts.rounds) | {
            key: facts.rounds[key]._replace(history=tuple(history))
            for key, history in histories.items()
        }

    async def look_up(self, facts: Facts, keys: Iterable[Key]) -> Facts:
        """Add to the facts whether these keys are in the journal, and what they are there."""
        asked = list(keys)
        if not asked:
            return facts
        taken = {entry.key: entry for entry in await self.entries_of(asked)}
        return replace(
            facts, taken={**facts.taken, **taken}, free=facts.free | set(asked) - taken.keys()
        )

    async def entries_of(self, keys: Sequence[Key]) -> list[JournalEntry]:
        """The journal entries under these keys."""
        columns = list(zip(*keys, strict=True))
        rows = await self.connection.fetch(statements.ENTRIES_BY_KEY, *map(list, columns))
        return [entry_of(row) for row in rows]

    async def record(self, facts: Facts, places: Places, decisions: Decisions) -> frozenset[Key]:
        """Write what the decisions leave behind, and return the keys that were found taken.

        If there are any, nothing of this may be committed: the batch is decided again, knowing
        them.
        """
        entries = _entries(decisions)
        if not entries and not decisions.round_changes:
            return frozenset()
        counts = await self.connection.fetchrow(
            statements.RECORD, *_written(entries, facts, places, decisions)
        )
        if counts is None:
            raise AssertionError("RECORD always answers")
        if counts["keys"] < len(entries):
            return await self._keys_taken(entries)
        expected = (len(decisions.wallets), len(decisions.round_changes))
        if (counts["moved"], counts["rounds"]) != expected:
            raise AssertionError("a locked wallet or its round was not where its facts said")
        return frozenset()

    async def record_at_once(self, facts: Facts, places: Places, decisions: Decisions) -> None:
        """Write what the decisions leave behind, in a transaction of this statement's own.

        The database raises FACTS_CHANGED, and keeps nothing, unless everything that was glanced at
        still stands and no key was taken.
        """
        entries = _entries(decisions)
        players = [seen_row(id_, version) for id_, version in places.players.items()]
        sessions = [
            seen_row(id_, version, hash_) for (id_, hash_), version in places.sessions.items()
        ]
        await self.connection.execute(
            statements.RECORD_AT_ONCE,
            *_written(entries, facts, places, decisions),
            len(decisions.wallets),
            len(entries),
            len(decisions.round_changes),
            as_array(players),
            len(players),
            as_array(sessions),
            len(sessions),
        )

    async def keep_out(self, user_ids: Collection[str]) -> None:
        """Make sure that no `record_at_once` for these players, sent before, is done after this."""
        if user_ids:
            await self.connection.execute(statements.KEEP_OUT, list(user_ids))

    async def _keys_taken(self, entries: Sequence[JournalEntry]) -> frozenset[Key]:
        rows = await self.connection.fetch(
            statements.KEYS_TAKEN,
            [e.key.source for e in entries],
            [e.key.transaction_id for e in entries],
            [e.key.facet for e in entries],
            [e.player_id for e in entries],
            [e.position for e in entries],
        )
        return frozenset(Key(*row) for row in rows)

    async def log_refusals(self, notes: Sequence[RefusalNote]) -> None:
        """Append to the trail of refusals."""
        if notes:
            columns = _columns(
                [(*n[:12], delivery_uuid(n.delivery), n.event_time) for n in notes],
                RefusalNote._fields,
            )
            await self.connection.execute(statements.LOG_REFUSALS, *columns, self.now_given())

    async def list_unknown_outcomes(self, entries: Sequence[JournalEntry]) -> None:
        """List entries whose caller was told that their outcome is not known."""
        await self.connection.execute(
            statements.LIST_UNKNOWN_OUTCOMES,
            [e.player_id for e in entries],
            [e.position for e in entries],
            self.now_given(),
        )

    async def list_returns(self, entries: Sequence[JournalEntry]) -> None:
        """Take entries off that list: somebody asked for them again and was answered."""
        if entries:
            await self.connection.execute(
                statements.LIST_RETURNS,
                [e.player_id for e in entries],
                [e.position for e in entries],
                self.now_given(),
            )

    async def keep_notice(self, fields: Sequence[object]) -> None:
        """Append a maintenance notice; `fields` in the order of the statement."""
        await self.connection.execute(statements.KEEP_NOTICE, *fields)


def _entries(decisions: Decisions) -> list[JournalEntry]:
    return [
        outcome.entry for outcome in decisions.outcomes if isinstance(outcome, (Posting, Declined))
    ]


def _written(
    entries: Sequence[JournalEntry], facts: Facts, places: Places, decisions: Decisions
) -> tuple[str, str, str, datetime]:
    """What is to be written to the journal, the wallets and the rounds, and the ledger's time."""
    agents = {wallet.player_id: wallet.agent for wallet in facts.wallets.values()}
    before = facts.wallets
    moved = sorted(decisions.wallets.items(), key=lambda item: item[1].player_id)
    return (
        as_array([journal_row(entry) for entry in entries]),
        as_array(
            [
                wallet_row(places.wallets[after.player_id], before[user_id], after)
                for user_id, after in moved
            ]
        ),
        as_array(
            [
                round_row(key, agents[key.player_id], change, places.rounds.get(key))
                for key, change in decisions.round_changes.items()
            ]
        ),
        decisions.now,
    )


def _columns(rows: Sequence[tuple[object, ...]], names: Sequence[str]) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in names]
