"""What comes in from another wallet, as entries of the journal and rounds; nothing is decided here.

A player's entries stand in this order:

1. one `Import` for each sign: what the pockets hold, and beside it the stakes of their open bets
2. their bets and payments, as the file has them: `ImportedBet` takes its stake from the pockets
   again, `ImportedPayment` pays
3. one `Import` that takes the sum of those payments away, since the pockets hold it already
4. an entry that moves nothing for each id that was decided, so that its repeat is a repeat

After 3 the pockets are what the file says, and the rounds hold what a win, an abort or a cancel of
tomorrow looks for.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, NamedTuple, TypeAlias

from app.wallet.balance import EMPTY, Pockets
from app.wallet.events import RULES, Direction, EventType
from app.wallet.journal import JournalEntry
from app.wallet.money import Currency, Minor
from app.wallet.movement import Key, KeyScope, facet_of, facet_of_type
from app.wallet.refusals import Refusal
from app.wallet.rounds import Tally

SOURCE: Final = "wallet:import"
"""The source of the keys of what came in; an agent's id has no colon."""

OPERATION: Final = "import"
"""What an account's list of changes calls it."""


class Content(NamedTuple):
    """What was asked for under an id."""

    event_type: EventType
    direction: Direction
    amount: Minor
    event_id: str | None
    game_id: int | None = None


class Decided(NamedTuple):
    """An id that another wallet decided for ever."""

    source: str
    """`callback`, or the agent whose platform asked"""
    transaction_id: str
    content: Content | None
    """None: nothing but the id is known"""
    refusal: Refusal | None
    """None: it was accepted"""


class OpenBet(NamedTuple):
    """A bet that was accepted and not given back, whether it was settled or not."""

    source: str
    transaction_id: str
    event_id: str
    game_id: int | None
    split: Pockets
    """what each pocket paid of it"""


class OpenPayment(NamedTuple):
    """A payment of which something may still be taken back."""

    decided: Decided
    left: Pockets
    """what was not taken back, by the pocket that got it"""


Brought: TypeAlias = OpenBet | OpenPayment | Decided


class Opening(NamedTuple):
    """A player whose account was just opened, and what their pockets hold."""

    player_id: int
    currency: Currency
    pockets: Pockets
    chain: bytes
    """where their chain begins"""
    delivery: bytes
    """one for all that comes in of them"""
    note: str
    """JSON: which import it is"""


class OpenedRound(NamedTuple):
    """A round as what came in leaves it."""

    event_id: str
    game_id: int | None
    tally: Tally
    is_settled: bool


class MovedIn(NamedTuple):
    """Everything to write of one player."""

    entries: list[JournalEntry]
    rounds: list[OpenedRound]


def ids_of(brought: Brought) -> Decided:
    """Return the id that a record says was decided."""
    match brought:
        case OpenBet(source, transaction_id, event_id, game_id, split):
            placed = Content(
                EventType.BET_PLACING, Direction.DEBIT, split.balance, event_id, game_id
            )
            return Decided(source, transaction_id, placed, None)
        case OpenPayment(decided):
            return decided
        case Decided():
            return brought


def facet_decided(decided: Decided, scope: KeyScope) -> str:
    """Return the facet of the key that an id takes."""
    if decided.content is None or RULES[decided.content.event_type].is_cashier:
        return ""
    return facet_of(decided.content.event_type, decided.content.direction, scope)


def move_in(
    opening: Opening, brought: Sequence[Brought], scope: KeyScope, now: datetime
) -> MovedIn:
    """Return the entries and rounds of one player, chained from the beginning of their account."""
    journal = _Journal(opening, scope, now)
    stakes = sum_of(record.split for record in brought if isinstance(record, OpenBet))
    paid = sum_of(record.left for record in brought if isinstance(record, OpenPayment))
    journal.bring(opening.pockets.plus(stakes), "balance")
    for record in brought:
        if isinstance(record, OpenBet):
            journal.bet(record)
        elif isinstance(record, OpenPayment):
            journal.pay(record)
    journal.bring(EMPTY.minus(paid), "payments")
    for record in brought:
        journal.take_id(ids_of(record))
    return MovedIn(journal.entries, list(journal.rounds.values()))


def sum_of(parts: Iterable[Pockets]) -> Pockets:
    """Add pocket by pocket."""
    total = EMPTY
    for part in parts:
        total = total.plus(part)
    return total


class _Journal:
    """A player's journal while it is written."""

    def __init__(self, opening: Opening, scope: KeyScope, now: datetime) -> None:
        self.entries: list[JournalEntry] = []
        self.rounds: dict[str, OpenedRound] = {}
        self._opening = opening
        self._scope = scope
        self._now = now
        self._pockets = EMPTY
        self._version = 0
        self._chain = opening.chain

    def bring(self, amount: Pockets, what: str) -> None:
        """Move these amounts in (below zero: out), an entry for each sign."""
        gained = Pockets(max(amount.real, 0), max(amount.bonus, 0))
        lost = Pockets(min(amount.real, 0), min(amount.bonus, 0))
        for delta, way in ((gained, Direction.CREDIT), (lost, Direction.DEBIT)):
            if delta != EMPTY:
                name = f"{self._opening.delivery.hex()}-{what}"
                key = Key(SOURCE, name, facet_of_type(EventType.IMPORT, way))
                content = Content(EventType.IMPORT, way, abs(delta.balance), None)
                self._add(key, content, delta)

    def bet(self, bet: OpenBet) -> None:
        """Place a bet as the other wallet split it."""
        content = Content(
            EventType.IMPORTED_BET, Direction.DEBIT, bet.split.balance, bet.event_id, bet.game_id
        )
        self._add(_own_key(ids_of(bet)), content, EMPTY.minus(bet.split))
        change = Tally(1, 1, bet.split.real, bet.split.bonus, bet.split.balance)
        self._follow(content, change, is_settled=False)

    def pay(self, payment: OpenPayment) -> None:
        """Pay what may still be taken back."""
        said = payment.decided.content
        if said is None:
            raise AssertionError("a payment's content is known")
        content = Content(
            EventType.IMPORTED_PAYMENT,
            Direction.CREDIT,
            payment.left.balance,
            said.event_id,
            said.game_id,
        )
        self._add(_own_key(payment.decided), content, payment.left)
        self._follow(content, Tally(paid=payment.left.balance), is_settled=True)

    def take_id(self, decided: Decided) -> None:
        """Take an id, and move nothing."""
        key = Key(decided.source, decided.transaction_id, facet_decided(decided, self._scope))
        unknown = Content(EventType.IMPORT, Direction.CREDIT, 0, None)
        refusal = decided.refusal or Refusal.DECIDED_ELSEWHERE
        self._add(key, decided.content or unknown, EMPTY, refusal)

    def _follow(self, content: Content, change: Tally, *, is_settled: bool) -> None:
        if content.event_id is None:
            raise AssertionError("a bet and a payment are of an event")
        known = self.rounds.get(content.event_id)
        self.rounds[content.event_id] = OpenedRound(
            content.event_id,
            known.game_id if known else content.game_id,
            known.tally.plus(change) if known else change,
            is_settled,
        )

    def _add(
        self, key: Key, content: Content, delta: Pockets, refusal: Refusal | None = None
    ) -> None:
        self._version += refusal is None
        opening = self._opening
        entry = JournalEntry(
            opening.player_id,
            len(self.entries) + 1,
            self._version,
            key,
            opening.delivery,
            content.event_type,
            content.direction,
            refusal,
            content.amount,
            opening.currency,
            self._pockets,
            delta,
            RULES[content.event_type].contra,
            content.event_id,
            content.game_id,
            None,
            # Of a bet it would be read as the game side's.
            opening.note if content.event_type is EventType.IMPORT else None,
            (),
            (),
            self._now,
            self._now,
            b"",
        ).chained(self._chain)
        self.entries.append(entry)
        self._pockets = self._pockets.plus(delta)
        self._chain = entry.chain


def _own_key(decided: Decided) -> Key:
    """Return a key under which what came in is found by its old id, and takes nobody's."""
    content = decided.content
    if content is None:
        raise AssertionError("the content of a bet or a payment is known")
    facet = f"{decided.source}:{facet_of_type(content.event_type, content.direction)}"
    return Key(SOURCE, decided.transaction_id, facet)
