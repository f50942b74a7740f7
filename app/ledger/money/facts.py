"""Converts the rows of FACTS or FACTS_WITH_ROUNDS into the facts of the decision.

Columns are read by position, many at a time: reading them one by one, by name, costs more than the
rest of the conversion.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from app.ledger.limits import limits_in_force
from app.ledger.money.rows import (
    currency_of,
    early_abort_of,
    entry_of_json,
    limit_hit_of,
    minor,
    moment_of,
    question_row,
)
from app.wallet.balance import Pockets
from app.wallet.barring import is_barred
from app.wallet.events import RULES, Part, Rule
from app.wallet.facts import Facts, SourceAndId, Wallet
from app.wallet.further_limits import Counter, FurtherLimits, GameName
from app.wallet.holds import Hold, HoldKey, HoldState
from app.wallet.journal import JournalEntry, microseconds
from app.wallet.limits import NO_LIMITS, Usage
from app.wallet.money import Currency
from app.wallet.movement import Movement
from app.wallet.refusals import Refusal
from app.wallet.rounds import Round, RoundKey, Tally
from app.wallet.sessions import renewed

if TYPE_CHECKING:
    import asyncpg

    Row = asyncpg.Record

NOW: Final = 1
WAITS: Final = 2
WALLET: Final = slice(3, 23)
SESSION: Final = slice(23, 25)
ROUND: Final = slice(25, 36)
ABORTS: Final = 36
TAKEN: Final = 37
HISTORY: Final = 38
SERVER: Final = slice(39, 41)
LACKS_ROUNDS: Final = 41
"""The positions of columns in a row of FACTS."""

NEEDS_HISTORY: Final = frozenset({Part.ABORT, Part.PAYMENT_ABORT, Part.CANCEL})
"""The parts whose movements need the round's history, because they undo others."""


def needs_history(rule: Rule) -> bool:
    """Whether a movement needs its round's history: it undoes another, or names its bet."""
    return rule.part in NEEDS_HISTORY or rule.is_named


_IN_ROUNDS: Final = NEEDS_HISTORY | {Part.BET, Part.PAYMENT}


def question_of(movement: Movement) -> str:
    """Return what FACTS is asked for a movement, as a row."""
    part = movement.rule.part
    return question_row(
        movement,
        is_in_round=part in _IN_ROUNDS,
        needs_history=needs_history(movement.rule),
        may_need_history=part is Part.PAYMENT,
    )


class Known(NamedTuple):
    """The facts read for a batch, and what only the book needs."""

    facts: Facts
    renewals: dict[tuple[int, bytes], datetime]
    """the new expiry of tokens to renew, by player id and token hash"""
    unheard: frozenset[tuple[int, int]]
    """entries under the movements' ids that are listed as unknown outcomes: player, position"""
    waits_for_standby: bool
    """whether a commit waits for a synchronous standby"""


class _Reading:
    """Facts while they are being collected."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.wallets: dict[str, Wallet] = {}
        self.sessions: dict[tuple[int, bytes], datetime] = {}
        self.renewals: dict[tuple[int, bytes], datetime] = {}
        self.rounds: dict[RoundKey, Round] = {}
        self.taken: dict[SourceAndId, tuple[JournalEntry, ...]] = {}
        self.unheard: set[tuple[int, int]] = set()

    def add_session(self, player_id: int, token: bytes, columns: Sequence[Any]) -> None:
        expires_at, life_seconds = columns
        self.sessions[player_id, token] = expires_at
        if life_seconds is not None:
            until = renewed(expires_at, timedelta(seconds=life_seconds), self.now)
            if until is not None:
                self.renewals[player_id, token] = until

    def add_round(
        self, key: RoundKey, currency: Currency, row: "Row", *, needs_history: bool
    ) -> None:
        known = self.rounds.get(key)
        # An event may have a round and no entry, if only an early abort has come so far.
        history = row[HISTORY] or ("[]" if needs_history else None)
        if known is None or (known.history is None and history is not None):
            self.rounds[key] = _round_of(row[ROUND], currency, row[ABORTS], history, key)

    def add_taken(self, source_and_id: SourceAndId, entries: str) -> None:
        found = []
        for values, is_unheard in json.loads(entries):
            entry = entry_of_json(values)
            found.append(entry)
            if is_unheard:
                self.unheard.add((entry.player_id, entry.position))
        self.taken[source_and_id] = tuple(found)


class FurtherQuestion(NamedTuple):
    """What FURTHER_FACTS is asked, as its arguments."""

    players: list[int]
    """who have limits of deposits or of products"""
    games: list[int]
    hold_sources: list[str]
    hold_ids: list[str]
    declined_players: list[int]
    declined_positions: list[int]
    """entries that a limit may have refused, and that will be told again"""


_FOR_A_LIMIT: Final = frozenset({Refusal.LIMIT_EXCEEDED, Refusal.DEPOSIT_LIMIT})


def further_question(movements: Sequence[Movement], facts: Facts) -> FurtherQuestion | None:
    """Return what must be read beyond FACTS; None, which is the rule: nothing."""
    limited = {w.player_id for w in facts.wallets.values() if w.further is not None}
    holds = [movement.hold for movement in movements if movement.hold is not None]
    declined = [
        entry
        for entries in facts.taken.values()
        for entry in entries
        if entry.refusal in _FOR_A_LIMIT
    ]
    if not (limited or holds or declined):
        return None
    games: set[int | None] = set()
    if limited:
        games = {movement.game_id for movement in movements}
        games |= {e.game_id for round_ in facts.rounds.values() for e in round_.history or ()}
    return FurtherQuestion(
        sorted(limited),
        sorted(game_id for game_id in games if game_id is not None),
        [hold.source for hold in holds],
        [hold.transaction_id for hold in holds],
        [entry.player_id for entry in declined],
        [entry.position for entry in declined],
    )


def with_further(known: Known, row: "Row") -> Known:
    """Add what FURTHER_FACTS returned to the facts."""
    counters, games, holds, hits = (json.loads(text or "[]") for text in row)
    facts = known.facts
    currencies = {wallet.player_id: wallet.currency for wallet in facts.wallets.values()}
    wallets = {
        user_id: wallet
        if wallet.further is None
        else wallet._replace(
            further=FurtherLimits(
                wallet.further.limits,
                _counters((c[1:] for c in counters if c[0] == wallet.player_id), wallet.currency),
            )
        )
        for user_id, wallet in facts.wallets.items()
    }
    named: dict[int, list[GameName]] = {}
    for game_id, since, product in games:
        named.setdefault(game_id, []).append(GameName(moment_of(since), product))
    after = replace(
        facts,
        wallets=wallets,
        games={game_id: tuple(names) for game_id, names in named.items()},
        holds={
            HoldKey(source, hold_id): Hold(
                player_id, position, minor(amount, currencies[player_id]), HoldState(state)
            )
            for source, hold_id, player_id, position, amount, state in holds
            if player_id in currencies
        },
        limit_hits={
            (player_id, position): limit_hit_of(hit, currencies[player_id])
            for player_id, position, *hit in hits
            if player_id in currencies
        },
    )
    return known._replace(facts=after)


def known_of(
    movements: Sequence[Movement], rows: "Sequence[Row]", *, money_until: datetime | None = None
) -> Known:
    """Convert the rows that FACTS returned for these movements.

    `money_until`: until when money is taken under tokens that the ledger lost in a restore.
    """
    reading = _Reading(rows[0][NOW] if rows else movements[0].received_at)
    wallets = reading.wallets
    for row in rows:
        movement = movements[row[0] - 1]
        wallet = wallets.get(movement.user_id)
        if wallet is None:
            wallet = wallets[movement.user_id] = _wallet_of(row[WALLET], reading.now)
        token = movement.token
        if token is not None and row[SESSION.start] is not None:
            reading.add_session(wallet.player_id, token, row[SESSION])
        if movement.event_id is not None and (
            row[ROUND.start] is not None or row[HISTORY] is not None
        ):
            key = RoundKey(wallet.player_id, movement.event_id, movement.rule.is_streamer)
            reading.add_round(key, wallet.currency, row, needs_history=needs_history(movement.rule))
        if row[TAKEN] is not None:
            reading.add_taken(movement.key[:2], row[TAKEN])
    return Known(
        Facts(
            reading.now,
            wallets,
            reading.sessions,
            reading.rounds,
            reading.taken,
            money_until=money_until,
        ),
        reading.renewals,
        frozenset(reading.unheard),
        bool(rows) and rows[0][WAITS],
    )


def _wallet_of(columns: Sequence[Any], now: datetime) -> Wallet:
    player_id, agent, code, scale, terms, blocked, excluded_until, real, bonus, *more = columns
    version, position, chain, revision, usage_day, *used = more
    currency = currency_of(code, scale)
    limits, further = NO_LIMITS, None
    if terms is not None:
        limits, further_in_force = limits_in_force(terms, microseconds(now))
        if further_in_force is not None:
            # Its counters are read by FURTHER_FACTS.
            further = FurtherLimits(further_in_force, {})
    return Wallet(
        player_id,
        agent,
        currency,
        Pockets(minor(real, currency), minor(bonus, currency)),
        version,
        position,
        chain,
        revision,
        is_barred(is_blocked=blocked, excluded_until=excluded_until, now=now),
        limits,
        Usage(usage_day, *[minor(text, currency) for text in used]),
        further,
    )


def _counters(rows: Iterable[Sequence[Any]], currency: Currency) -> dict[str, Counter]:
    return {
        name: Counter(on_day, *[minor(amount, currency) for amount in sums])
        for name, on_day, *sums in rows
    }


def _round_of(
    columns: Sequence[Any],
    currency: Currency,
    aborts: str | None,
    history: str | None,
    key: RoundKey,
) -> Round:
    settled, *sums, untimed = columns
    return Round(
        Tally() if settled is None else tally_of(sums, currency),
        bool(settled),
        tuple(early_abort_of(values, currency) for values in json.loads(aborts or "[]")),
        frozenset([minor(text, currency) for text in untimed or ()]),
        None if history is None else tuple(_of_round(key, json.loads(history))),
    )


def tally_of(sums: Sequence[Any], currency: Currency) -> Tally:
    """Convert the sums of a row of `rounds`, in the statement's order, amounts as text."""
    bets_placed, bets_open, stake_real, stake_bonus, staked, paid, taken_back, *more = sums
    cancels, uncovered = more
    return Tally(
        bets_placed,
        bets_open,
        minor(stake_real, currency),
        minor(stake_bonus, currency),
        minor(staked, currency),
        minor(paid, currency),
        minor(taken_back, currency),
        cancels,
        minor(uncovered, currency),
    )


def _of_round(key: RoundKey, entries: Iterable[Sequence[Any]]) -> Iterable[JournalEntry]:
    """Return the event's entries of this round: accepted ones, and declined bets."""
    for values in entries:
        entry = entry_of_json(values)
        rule = RULES[entry.event_type]
        if rule.is_streamer is key.is_streamer and (
            rule.part is Part.BET or (entry.is_accepted and rule.part is not Part.NONE)
        ):
            yield entry
