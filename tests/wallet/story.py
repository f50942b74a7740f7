"""A story: movements decided one after another, with a dictionary in place of the ledger.

It stands where the book and the database stand: it hands the decision the facts that the book
would read (and no more), and carries the outcomes on. A history holds what was accepted in a round
and the bets declined there, whether or not a row was ever written for it.
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from app.wallet.balance import EMPTY, Pockets
from app.wallet.decision import decide_all
from app.wallet.events import GAME_EVENT_TYPES, RULES, Direction, EventType, Part
from app.wallet.facts import Facts, Policy, Wallet
from app.wallet.journal import CHAIN_START, JournalEntry
from app.wallet.limits import NO_LIMITS, Limits, Usage
from app.wallet.money import ISO_CURRENCIES, Currency
from app.wallet.movement import Key, KeyScope, Movement, facet_of
from app.wallet.outcomes import Decisions, Declined, Posting, Receipt, Refused, Replay
from app.wallet.refusals import Refusal
from app.wallet.rounds import Round, RoundKey

AGENT = "house"
NOON = datetime(2026, 11, 18, 12, tzinfo=UTC)
"""A Wednesday."""

LIVE, EXPIRED, UNKNOWN = "live", "expired", "unknown"
DEBITS = {
    EventType.BET_PLACING,
    EventType.BET_PAYED_ABORT,
    EventType.SPORT_BET_CANCEL,
    EventType.TIP,
    EventType.PROMO_STREAMERS_DEBIT,
    EventType.PROMO_STREAMERS_BET_PAYED_ABORT,
    EventType.WITHDRAWAL,
    EventType.BONUS_REVOKE,
}
"""The event types whose usual direction is debit."""

UNDOES = {Part.ABORT, Part.PAYMENT_ABORT, Part.CANCEL}

deliveries = itertools.count(1)


def token_of(user_id: str, kind: str) -> bytes:
    return sha256(f"{user_id}:{kind}".encode()).digest()


def movement(
    event_type: EventType | str,
    amount: str = "10",
    *,
    direction: Direction | str | None = None,
    user_id: str = "anna",
    event_id: str = "event",
    transaction_id: str | None = None,
    policy: Policy | None = None,
    token: str = LIVE,
    bonus_code: str | None = None,
    game_id: int = 1,
    extra_data: str | None = "{}",
    source: str = AGENT,
) -> Movement:
    """A movement as an edge would hand it over; a fresh transaction id unless one is named."""
    kind = EventType(event_type)
    usual = Direction.DEBIT if kind in DEBITS else Direction.CREDIT
    way = Direction(direction) if direction else usual
    number = next(deliveries)
    is_cashier = kind not in GAME_EVENT_TYPES
    scope = (policy or Policy()).key_scope
    facet = "" if is_cashier else facet_of(kind, way, scope)
    return Movement(
        delivery=number.to_bytes(16, "big"),
        key=Key(source if is_cashier else "callback", transaction_id or f"t{number}", facet),
        user_id=user_id,
        event_type=kind,
        direction=way,
        amount=amount,
        received_at=NOON,
        token=None if is_cashier else token_of(user_id, token),
        event_id=None if is_cashier else event_id,
        game_id=None if is_cashier else game_id,
        bonus_code=bonus_code,
        extra_data=None if is_cashier else extra_data,
    )


def again(told: Movement, **changes: Any) -> Movement:  # noqa: ANN401 - any field
    """Another delivery of the same transaction id, with other content if so wished."""
    delivery = next(deliveries).to_bytes(16, "big")
    return told._replace(delivery=delivery, **changes)


@dataclass
class Story:
    """Players, and everything that was decided about them."""

    policy: Policy = field(default_factory=Policy)
    now: datetime = NOON
    knows_everything: bool = False
    """hand the decision every fact there is, not only those the book would read"""
    wallets: dict[str, Wallet] = field(default_factory=dict)
    sessions: dict[tuple[int, bytes], datetime] = field(default_factory=dict)
    rounds: dict[RoundKey, Round] = field(default_factory=dict)
    journal: dict[Key, JournalEntry] = field(default_factory=dict)

    @property
    def entries(self) -> list[JournalEntry]:
        """The journal in the order in which it was written."""
        return list(self.journal.values())

    def player(
        self,
        user_id: str = "anna",
        real: int = 0,
        bonus: int = 0,
        currency: Currency = ISO_CURRENCIES["USD"],
        limits: Limits = NO_LIMITS,
    ) -> "Story":
        player_id = len(self.wallets) + 1
        self.wallets[user_id] = Wallet(
            player_id=player_id,
            agent=AGENT,
            currency=currency,
            pockets=Pockets(real, bonus),
            version=0,
            position=0,
            chain=CHAIN_START,
            revision=0,
            is_blocked=False,
            limits=limits,
            usage=Usage(1),
        )
        self.sessions[player_id, token_of(user_id, LIVE)] = self.now + timedelta(days=4000)
        self.sessions[player_id, token_of(user_id, EXPIRED)] = self.now
        return self

    def pockets(self, user_id: str = "anna") -> Pockets:
        return self.wallets[user_id].pockets

    def change(self, user_id: str = "anna", /, **changes: Any) -> None:  # noqa: ANN401 - any field
        """What the operator does to an account."""
        self.wallets[user_id] = self.wallets[user_id]._replace(**changes)

    def tell(self, *movements: Movement) -> list[Receipt]:
        """Decide a batch, remember what it leaves behind, and return the receipts."""
        decisions = decide_all(movements, self.facts_for(movements), self.policy)
        self._carry_on(decisions)
        return decisions.receipts

    def widen(self) -> None:
        """What `wallet scope widen` does to a ledger whose keys are transaction ids alone."""
        self.policy = replace(self.policy, key_scope=KeyScope.TRANSACTION_EVENT)

    def in_scope(self, told: Movement) -> Movement:
        """The same movement as an edge hands it over under the key scope that holds now."""
        if told.rule.is_cashier:
            return told
        facet = facet_of(told.event_type, told.direction, self.policy.key_scope)
        return told._replace(key=told.key._replace(facet=facet))

    def one(self, told: Movement) -> Receipt:
        (receipt,) = self.tell(told)
        return receipt

    def facts_for(self, movements: Sequence[Movement]) -> Facts:
        """What the book would read for these movements, and no more."""
        taken: dict[tuple[str, str], tuple[JournalEntry, ...]] = {}
        asked = {told.key[:2] for told in movements}
        for key, entry in self.journal.items():
            if key[:2] in asked:
                taken[key[:2]] = (*taken.get(key[:2], ()), entry)
        return Facts(
            now=self.now,
            wallets={
                m.user_id: self.wallets[m.user_id] for m in movements if m.user_id in self.wallets
            },
            sessions=self.sessions,
            rounds=dict(self._rounds_read(movements)),
            taken=taken,
        )

    def _rounds_read(self, movements: Sequence[Movement]) -> Iterator[tuple[RoundKey, Round]]:
        undone: set[RoundKey] = set()
        read: set[RoundKey] = set()
        for told in movements:
            wallet = self.wallets.get(told.user_id)
            if wallet is None or told.event_id is None or told.rule.part is Part.NONE:
                continue
            key = RoundKey(wallet.player_id, told.event_id, told.rule.is_streamer)
            read.add(key)
            if told.rule.part in UNDOES or self.knows_everything:
                undone.add(key)
        for key in read & self.rounds.keys():
            round_, tally = self.rounds[key], self.rounds[key].tally
            is_unsure = tally.cancels > 0 and tally.bets_open == 0 and tally.uncovered == 0
            is_needed = key in undone or is_unsure
            yield key, round_ if is_needed else round_._replace(history=None)

    def _carry_on(self, decisions: Decisions) -> None:
        written = [r.entry for r in decisions.receipts if isinstance(r, (Posting, Declined))]
        for entry in written:
            assert entry.key not in self.journal, "a key is taken once"
            self.journal[entry.key] = entry
        for user_id, wallet in decisions.wallets.items():
            self.wallets[user_id] = wallet._replace(revision=wallet.revision + 1)
        for key, after in decisions.rounds.items():
            histories = self.rounds.get(key, Round(history=())).history
            self.rounds[key] = after.round._replace(history=histories)
        for entry in written:
            rule = RULES[entry.event_type]
            if rule.part is Part.NONE or entry.event_id is None:
                continue
            key = RoundKey(entry.player_id, entry.event_id, rule.is_streamer)
            if not entry.is_accepted and rule.part is not Part.BET and not self.knows_everything:
                continue
            if entry.is_accepted:
                assert key in self.rounds, "an accepted movement leaves its round behind"
            round_ = self.rounds.get(key, Round(history=()))
            self.rounds[key] = round_._replace(history=(*(round_.history or ()), entry))


def delta(receipt: Receipt) -> Pockets:
    """What an accepted movement gave or took."""
    assert isinstance(receipt, Posting), receipt
    return receipt.entry.delta


def refusal(receipt: Receipt) -> Refusal | None:
    """Why a movement was refused, by an outcome or without one; None: it was not."""
    if isinstance(receipt, Replay):
        return receipt.entry.refusal
    return receipt.refusal if isinstance(receipt, (Refused, Declined)) else None


def total(parts: Iterable[Pockets]) -> Pockets:
    result = EMPTY
    for part in parts:
        result = result.plus(part)
    return result
