"""Rounds of Betby's contract: the money follows what stands, in every chain of rollbacks.

The law is the contract's: an operation stands unless a rollback that stands names it. It is written
down here once more, by recursion, and shares no rule with the wallet.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.wallet.balance import Pockets
from app.wallet.decision import decide_all
from app.wallet.events import RULES, EventType, Part
from app.wallet.facts import Facts, Policy, Wallet
from app.wallet.journal import CHAIN_START, Flag, JournalEntry
from app.wallet.limits import NO_LIMITS, Usage
from app.wallet.money import ISO_CURRENCIES
from app.wallet.movement import Key, Movement, Names
from app.wallet.named import event_id_of, rollback_of
from app.wallet.outcomes import Posting, Refused
from app.wallet.refusals import Refusal
from app.wallet.rounds import Round, RoundKey
from tests.wallet.story import NOON

PLAYER, USER = 1, "anna"
EVENT = event_id_of("b1")
ROUND = RoundKey(PLAYER, EVENT, is_streamer=False)
STAKE, OPENING = Pockets(300, 700), Pockets(300, 900)
STEPS_MAX = 8
PAYS = {EventType.BETBY_WIN: 500, EventType.BETBY_NO_RISK: 1000, EventType.BETBY_LOST: 0}


@dataclass(frozen=True)
class Told:
    """An operation as Betby knows it: our id of it, and what it is."""

    position: int
    kind: EventType
    parent: int | None = None
    """the number of the operation that a rollback names"""


@dataclass(frozen=True)
class Play:
    """A wallet, its one round of Betby's, and what Betby knows of it."""

    wallet: Wallet
    round: Round
    told: tuple[Told, ...] = ()

    # --- what Betby does -----------------------------------------------------------------------

    def make(self) -> "Play":
        play, _ = self._move(EventType.BETBY_MAKE, 1000, Names())
        return replace(play, told=())

    def settle(self, kind: EventType) -> "tuple[Play, JournalEntry | Refusal]":
        return self._move(kind, PAYS.get(kind, 1000), Names(1))

    def roll_back(self, number: int) -> "tuple[Play, JournalEntry | Refusal]":
        entries = {entry.position: entry for entry in self.round.history or ()}
        parent = entries[self.told[number].position]
        is_rollback = RULES[parent.event_type].part is Part.CANCEL
        target = entries[parent.reverses[0].position] if is_rollback else None
        kind = rollback_of(parent, target)
        assert kind is not None
        names = Names(1, parent.position)
        play, entry = self._move(kind, parent.amount, names)
        if play.told != self.told:
            told = (*play.told[:-1], replace(play.told[-1], parent=number))
            play = replace(play, told=told)
        return play, entry

    def _move(
        self, kind: EventType, units: int, names: Names
    ) -> "tuple[Play, JournalEntry | Refusal]":
        number = self.wallet.position + 1
        (direction,) = RULES[kind].directions
        movement = Movement(
            delivery=number.to_bytes(16, "big"),
            key=Key("betby", f"b{number}", ""),
            user_id=USER,
            event_type=kind,
            direction=direction,
            amount=f"{units // 100}.{units % 100:02}",
            received_at=NOON,
            event_id=EVENT,
            names=names,
        )
        facts = Facts(NOON, {USER: self.wallet}, {}, {ROUND: self.round}, {})
        decisions = decide_all([movement], facts, Policy())
        (receipt,) = decisions.receipts
        if isinstance(receipt, Refused):
            return self, receipt.refusal
        assert isinstance(receipt, Posting)
        entry, wallet = receipt.entry, decisions.wallets[USER]
        if entry.event_type is EventType.BETBY_NO_EFFECT:
            assert entry.delta == Pockets(0, 0)
            return replace(self, wallet=wallet), entry
        told = (*self.told, Told(entry.position, entry.event_type))
        return Play(wallet, decisions.rounds[ROUND].round, told), entry

    # --- what stands, by the contract's words ---------------------------------------------------

    def stands(self, number: int) -> bool:
        return not any(
            each.parent == number and self.stands(later) for later, each in enumerate(self.told)
        )

    def standing(self, *kinds: EventType) -> list[EventType]:
        return [
            each.kind
            for number, each in enumerate(self.told)
            if each.kind in kinds and self.stands(number)
        ]

    @property
    def is_given_back(self) -> bool:
        return bool(self.standing(EventType.BETBY_REFUND))

    @property
    def expected(self) -> int:
        """The balance that follows from what stands."""
        paid = sum(PAYS[kind] for kind in self.standing(*PAYS))
        stake = 0 if self.is_given_back else STAKE.balance
        return OPENING.balance - stake + paid

    @property
    def balance(self) -> int:
        return self.wallet.pockets.balance


def opened() -> Play:
    wallet = Wallet(
        player_id=PLAYER,
        agent="house",
        currency=ISO_CURRENCIES["USD"],
        pockets=OPENING,
        version=0,
        position=0,
        chain=CHAIN_START,
        revision=0,
        is_blocked=False,
        limits=NO_LIMITS,
        usage=Usage(1),
    )
    return Play(wallet, Round(history=())).make()


def chains(play: Play, steps: int) -> Iterator[Play]:
    """Every chain of rollbacks of so many steps; what has no effect leads nowhere new."""
    yield play
    if steps == 0:
        return
    for number in range(len(play.told)):
        after, _ = play.roll_back(number)
        if after.told == play.told:
            assert after.balance == play.balance
        else:
            assert play.stands(number), "what does not stand is not undone"
            yield from chains(after, steps - 1)


@pytest.mark.parametrize(
    "kind", [EventType.BETBY_WIN, EventType.BETBY_NO_RISK, EventType.BETBY_REFUND]
)
def test_the_money_follows_what_stands_in_every_chain_of_eight_steps(kind: EventType) -> None:
    settled, entry = opened().settle(kind)
    assert isinstance(entry, JournalEntry)
    count = 0
    for play in chains(settled, STEPS_MAX - 1):
        count += 1
        assert play.balance == play.expected, play.told
        assert play.wallet.pockets.bonus >= 0
    assert count > STEPS_MAX


def test_the_stake_comes_back_once_in_every_chain_of_refunds_wins_and_rollbacks() -> None:
    """`--hypothesis-profile=thorough` goes on to eight steps."""
    is_thorough = settings().max_examples > settings.get_profile("ordinary").max_examples
    count = 0
    for play in mixed(opened(), STEPS_MAX if is_thorough else STEPS_MAX - 2):
        count += 1
        assert play.balance == play.expected, play.told
        assert play.round.tally.bets_open == (0 if play.is_given_back else 1)
    assert count > 800


def mixed(play: Play, steps: int) -> Iterator[Play]:
    """Every chain of refunds, wins and rollbacks of so many steps that have an effect."""
    yield play
    if steps == 0:
        return
    nexts = [play.settle(kind) for kind in (EventType.BETBY_REFUND, EventType.BETBY_WIN)]
    nexts += [play.roll_back(number) for number in range(len(play.told))]
    for after, _ in nexts:
        if after.told != play.told:
            yield from mixed(after, steps - 1)


def test_what_stands_again_is_where_it_had_been() -> None:
    """A payment is shared as its bet was, and comes and goes in these parts."""
    play, _ = opened().settle(EventType.BETBY_WIN)
    paid = play.wallet.pockets
    assert paid == Pockets(150, 200 + 350)
    for number in range(4):
        play, _ = play.roll_back(number)
        taken = number % 2 == 0
        assert play.wallet.pockets == (Pockets(0, 200) if taken else paid)
    refunded, _ = opened().settle(EventType.BETBY_REFUND)
    undone, _ = refunded.roll_back(0)
    again, _ = undone.roll_back(1)
    assert (refunded.wallet.pockets, undone.wallet.pockets) == (OPENING, OPENING.minus(STAKE))
    assert again.wallet.pockets == OPENING


def test_a_rollback_counts_towards_the_losses_what_it_moves() -> None:
    play, _ = opened().settle(EventType.BETBY_WIN)
    before = play.wallet.usage
    for number in range(4):
        play, _ = play.roll_back(number)
        moved = PAYS[EventType.BETBY_WIN] if number % 2 == 0 else 0
        assert play.wallet.usage.loss_day == before.loss_day + moved


def test_a_payment_and_a_refund_that_both_stand_are_flagged() -> None:
    play, _ = opened().settle(EventType.BETBY_WIN)
    play, _ = play.roll_back(0)
    play, refund = play.settle(EventType.BETBY_REFUND)
    play, again = play.roll_back(1)
    flags = [each.flags for each in (refund, again) if isinstance(each, JournalEntry)]
    assert flags == [(), (Flag.PAID_BET_GIVEN_BACK,)]


def test_a_bet_may_be_settled_and_rolled_back_any_number_of_times() -> None:
    play, _ = opened().settle(EventType.BETBY_WIN)
    for number in range(1000):
        play, _ = play.roll_back(number)
    assert play.balance == OPENING.balance - STAKE.balance + PAYS[EventType.BETBY_WIN]
    play, _ = play.roll_back(1000)
    assert play.balance == OPENING.balance - STAKE.balance


@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                (*PAYS, EventType.BETBY_REFUND, *(EventType.BETBY_ROLLBACK,) * 5),
            ),
            st.integers(0, STEPS_MAX),
        ),
        min_size=2,
        max_size=STEPS_MAX,
    )
)
def test_any_chain_of_settlements_and_rollbacks_moves_what_stands(
    steps: list[tuple[EventType, int]],
) -> None:
    play = opened()
    for kind, which in steps:
        before = play
        if kind is EventType.BETBY_ROLLBACK:
            if not play.told:
                continue
            number = len(play.told) - 1 - which % len(play.told)
            play, said = play.roll_back(number)
            assert not isinstance(said, Refusal)
            assert play.told == before.told or before.stands(number)
        else:
            play, said = play.settle(kind)
            is_refused = isinstance(said, Refusal)
            assert is_refused is (before.is_given_back and kind is not EventType.BETBY_REFUND)
        assert play.balance == play.expected, play.told
        tally = play.round.tally
        assert tally.bets_open == (0 if play.is_given_back else 1)
        assert tally.paid_net == sum(PAYS[each] for each in play.standing(*PAYS))
        assert tally.stakes == (Pockets(0, 0) if play.is_given_back else STAKE)
