"""Laws about money, as properties of random sequences of movements."""

from collections import Counter
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.wallet.balance import Pockets, StakeOrder
from app.wallet.early_aborts import OvertakenBet
from app.wallet.events import RULES, DebitFrom, EventType, HouseAccount, Part
from app.wallet.facts import RuleVersion, Wallet
from app.wallet.journal import CHAIN_START, Flag, JournalEntry
from app.wallet.movement import KeyScope, Movement
from app.wallet.outcomes import Declined, Posting, Receipt, Refused, Replay
from app.wallet.refusals import Refusal
from app.wallet.rounds import NOTHING_YET, Tally
from tests.wallet.second_opinion import Account, Answer, Ask, SecondOpinion
from tests.wallet.story import EXPIRED, LIVE, Story, again, token_of, total
from tests.wallet.tales import (
    GAME_TYPES,
    Pass,
    Step,
    long_tale,
    movements,
    stories,
    take,
    tales,
    tell,
)

told_stories = stories().flatmap(lambda story: st.tuples(st.just(story), tales(story.policy)))


@given(told_stories)
def test_money_is_conserved(told: tuple[Story, list[Step]]) -> None:
    story, tale = told
    began = {user_id: wallet.pockets for user_id, wallet in story.wallets.items()}
    tell(story, tale)
    is_conserved(story, began)


@given(told_stories)
def test_no_pocket_goes_below_zero_except_where_the_table_says(
    told: tuple[Story, list[Step]],
) -> None:
    story, tale = told
    tell(story, tale)
    pockets_are_lawful(story)


@given(told_stories)
def test_a_movement_never_takes_from_one_pocket_to_give_to_the_other(
    told: tuple[Story, list[Step]],
) -> None:
    story, tale = told
    tell(story, tale)
    for entry in story.entries:
        assert entry.delta.real * entry.delta.bonus >= 0


@given(told_stories)
def test_every_entry_takes_up_where_the_one_before_left_off(
    told: tuple[Story, list[Step]],
) -> None:
    story, tale = told
    before = {user_id: wallet.pockets for user_id, wallet in story.wallets.items()}
    tell(story, tale)
    for user_id, wallet in story.wallets.items():
        pockets, version, chain = before[user_id], 0, CHAIN_START
        for position, entry in enumerate(entries_of(story, user_id), 1):
            assert (entry.position, entry.before) == (position, pockets)
            version += entry.is_accepted
            assert entry.version == version
            assert entry == entry.chained(chain)
            pockets, chain = entry.after, entry.chain
        assert (wallet.pockets, wallet.version, wallet.chain) == (pockets, version, chain)
        assert wallet.position == len(entries_of(story, user_id))


@given(told_stories)
def test_a_replay_changes_nothing(told: tuple[Story, list[Step]]) -> None:
    story, tale = told
    tell(story, tale)
    outcomes = dict(story.journal)
    for step in tale:
        if not isinstance(step, Movement) or step.key not in outcomes:
            continue
        before = dict(story.wallets), dict(story.rounds)
        receipt = story.one(again(step))
        assert isinstance(receipt, (Replay, Refused))
        assert (story.wallets, story.rounds) == before
        assert story.journal == outcomes
        if isinstance(receipt, Replay):
            assert receipt.entry == outcomes[step.key]
            assert not receipt.is_own
            assert receipt.pockets == story.pockets(step.user_id)


@given(told_stories, st.randoms(use_true_random=False))
def test_any_order_keeps_the_laws(told: tuple[Story, list[Step]], chance: Random) -> None:
    story, tale = told
    began = {user_id: wallet.pockets for user_id, wallet in story.wallets.items()}
    chance.shuffle(tale)
    tell(story, tale)
    is_conserved(story, began)
    pockets_are_lawful(story)
    tallies_agree(story)


@given(told_stories)
def test_a_round_is_the_sum_of_what_happened_in_it(told: tuple[Story, list[Step]]) -> None:
    story, tale = told
    tell(story, tale)
    tallies_agree(story)


@given(told_stories, st.randoms(use_true_random=False))
def test_a_batch_is_decided_as_its_movements_one_by_one(
    told: tuple[Story, list[Step]], chance: Random
) -> None:
    """Whatever mixture: repeats, refusals, aborts, cancels, aborts before their bets."""
    decided_alike(*told, chance)


@pytest.mark.parametrize("chapter", range(4))
def test_a_long_tale_is_decided_in_batches_as_one_by_one(chapter: int) -> None:
    for seed in range(chapter * 25, chapter * 25 + 25):
        decided_alike(*long_tale(seed), Random(seed))  # noqa: S311 - a tale, not a secret


def decided_alike(story: Story, tale: list[Step], chance: Random) -> None:
    """Tell a tale twice, one by one and in batches, with deliveries repeated in it."""
    other = copy_of(story)
    batch: list[Movement] = []
    for step in [*with_repeats(tale, chance), Pass()]:
        if isinstance(step, Movement):
            batch.append(step)
        if not isinstance(step, Movement) or chance.randrange(5) == 0:
            singly = [story.one(told) for told in batch]
            assert other.tell(*batch) == singly
            batch = []
        if not isinstance(step, Movement):
            take(story, step)
            take(other, step)
    assert without_revisions(other) == without_revisions(story)
    assert other.rounds == story.rounds
    assert other.journal == story.journal


def with_repeats(tale: list[Step], chance: Random) -> list[Step]:
    """The tale, with earlier movements delivered once more among its steps."""
    steps: list[Step] = []
    for step in tale:
        steps.append(step)
        earlier = [one for one in steps[-12:] if isinstance(one, Movement)]
        if earlier and chance.randrange(4) == 0:
            steps.append(again(chance.choice(earlier)))
    return steps


def without_revisions(story: Story) -> dict[str, Wallet]:
    """A batch raises a wallet's revision once, however many of its movements are the player's."""
    return {user_id: wallet._replace(revision=0) for user_id, wallet in story.wallets.items()}


@given(told_stories)
def test_what_the_book_leaves_unread_would_have_changed_nothing(
    told: tuple[Story, list[Step]],
) -> None:
    story, tale = told
    other = replace(copy_of(story), knows_everything=True)
    tell(story, tale)
    tell(other, tale)
    assert other.journal == story.journal
    assert other.wallets == story.wallets


@given(told_stories)
def test_the_second_opinion_agrees(told: tuple[Story, list[Step]]) -> None:
    opinions_agree(*told)


@pytest.mark.parametrize("chapter", range(6))
def test_the_second_opinion_agrees_on_long_tales(chapter: int) -> None:
    """A round must grow before all that can be undone in it is there to be undone."""
    for seed in range(chapter * 40, chapter * 40 + 40):
        opinions_agree(*long_tale(seed))


@pytest.mark.parametrize("chapter", range(3))
def test_the_second_opinion_agrees_after_the_key_scope_was_widened(chapter: int) -> None:
    for seed in range(1000 + chapter * 40, 1040 + chapter * 40):
        story, tale = long_tale(seed)
        story.policy = replace(story.policy, key_scope=KeyScope.TRANSACTION)
        tale = with_repeats(tale, Random(seed))  # noqa: S311 - a tale, not a secret
        opinions_agree(story, tale, widened_at=len(tale) // 2)


@pytest.mark.parametrize("kind", sorted(k for k in EventType if not RULES[k].is_named))
@settings(max_examples=20)
@given(data=st.data())
def test_every_movement_the_table_allows_has_an_answer(
    kind: EventType, data: st.DataObject
) -> None:
    story = data.draw(stories())
    tell(story, data.draw(tales(story.policy, steps_max=10)))
    told = data.draw(movements(story.policy, [kind]))
    assert isinstance(story.one(told), (Posting, Declined, Replay, Refused))


def is_conserved(story: Story, began: dict[str, Pockets]) -> None:
    house: Counter[HouseAccount] = Counter()
    for user_id, wallet in story.wallets.items():
        entries = entries_of(story, user_id)
        assert began[user_id].plus(total(e.delta for e in entries)) == wallet.pockets
        for entry in entries:
            signed = entry.amount if entry.direction.value == "credit" else -entry.amount
            assert entry.delta.balance == (signed if entry.is_accepted else 0)
            house[entry.contra] -= entry.delta.balance
    change = total(w.pockets for w in story.wallets.values()).minus(total(began.values()))
    assert change.balance + sum(house.values()) == 0


def pockets_are_lawful(story: Story) -> None:
    for entry in story.entries:
        after = entry.after
        assert after.bonus >= 0
        if entry.event_type is EventType.SPORT_BET_CANCEL:
            continue
        assert after.real >= min(entry.before.real, 0)
        # A payment is taken back from a pocket that has money, whatever the other one owes.
        takes_back_in_debt = (
            RULES[entry.event_type].debit_from is DebitFrom.AS_PAID and entry.before.real < 0
        )
        if entry.delta.balance < 0 and entry.key.source != "house" and not takes_back_in_debt:
            assert after.balance >= 0, "a debit that may not overdraw left a debt"
        if entry.delta.balance >= 0 and entry.event_type is not EventType.BONUS_GRANT:
            paid_to_bonus_in_debt = entry.delta.bonus > 0 and after.real < 0
            assert not paid_to_bonus_in_debt, "a debt is paid first"


def opinions_agree(story: Story, tale: list[Step], *, widened_at: int | None = None) -> None:
    policy = story.policy
    opinion = SecondOpinion(
        bonus_first=policy.stake_order is StakeOrder.BONUS_FIRST,
        by_event=policy.key_scope is KeyScope.TRANSACTION_EVENT,
        refuses_overtaken=policy.overtaken_bet is OvertakenBet.REFUSE,
        as_the_release_before=policy.rule_version is RuleVersion.LAST_RELEASE,
    )
    for user_id, wallet in story.wallets.items():
        named = {k: v for k, v in wallet.limits._asdict().items() if v is not None}
        opinion.accounts[user_id] = Account(*wallet.pockets, limits=named)
    for number, step in enumerate(tale):
        if number == widened_at:
            story.widen()
            opinion.by_event = True
        if not isinstance(step, Movement):
            take(story, step)
        elif step.event_type in GAME_TYPES:
            theirs = opinion.ask(asked(step, story))
            receipt = story.one(story.in_scope(step))
            assert answer(receipt) == theirs, (step, tale)
        for user_id, account in opinion.accounts.items():
            if not isinstance(step, Movement):
                account.is_blocked = story.wallets[user_id].is_blocked
            assert story.pockets(user_id) == (account.real, account.bonus)
    for (user_id, event_id, is_streamer), event in opinion.events.items():
        player_id = story.wallets[user_id].player_id
        round_ = story.rounds.get((player_id, event_id, is_streamer))  # type: ignore[call-overload]
        tally = round_.tally if round_ else NOTHING_YET
        assert tally.bets_placed == len(event.of("bet"))
        assert tally.bets_open == len(event.standing("bet"))
        assert tally.stakes == Pockets(
            sum(bet.real for bet in event.standing("bet")),
            sum(bet.bonus for bet in event.standing("bet")),
        )
        assert tally.paid_net == sum(p.real + p.bonus for p in event.payments())
        assert (tally.cancels, tally.uncovered) == (event.cancels, event.uncovered)


def entries_of(story: Story, user_id: str) -> list[JournalEntry]:
    player_id = story.wallets[user_id].player_id
    return [entry for entry in story.entries if entry.player_id == player_id]


def copy_of(story: Story) -> Story:
    return replace(
        story,
        wallets=dict(story.wallets),
        sessions=dict(story.sessions),
        rounds=dict(story.rounds),
        journal=dict(story.journal),
    )


def tallies_agree(story: Story) -> None:
    """Recompute every round from the journal alone."""
    for key, round_ in story.rounds.items():
        entries = [
            entry
            for entry in story.entries
            if entry.is_accepted
            and (entry.player_id, entry.event_id) == (key.player_id, key.event_id)
            and RULES[entry.event_type].is_streamer == key.is_streamer
            and RULES[entry.event_type].part is not Part.NONE
        ]
        assert [e for e in round_.history or () if e.is_accepted] == entries
        assert round_.tally == recomputed(entries)
        assert round_.tally.bets_open >= 0
        assert round_.tally.paid_net >= 0
        assert min(round_.tally.stakes) >= 0


def recomputed(entries: list[JournalEntry]) -> Tally:
    """The sums of a round: what its entries did, looked up by position."""
    by_position = {entry.position: entry for entry in entries}
    gives = {e.position: e for e in entries}
    standing = {e.position for e in entries if RULES[e.event_type].part is Part.BET}
    given_back: dict[int, int] = {}
    paid = taken_back = uncovered = cancels = staked = 0
    for entry in entries:
        part = RULES[entry.event_type].part
        staked += entry.amount * (part is Part.BET)
        paid += entry.amount * (part is Part.PAYMENT)
        cancels += part is Part.CANCEL
        undone = 0
        for reversal in entry.reverses:
            undone += reversal.parts.balance
            if part is Part.ABORT:
                standing.remove(reversal.position)
                given_back[entry.position] = reversal.position
            elif RULES[by_position[reversal.position].event_type].part is Part.ABORT:
                standing.add(given_back[reversal.position])
            else:
                taken_back += reversal.parts.balance
        uncovered += (entry.amount - undone) * (part is Part.CANCEL)
    return Tally(
        bets_placed=sum(RULES[e.event_type].part is Part.BET for e in entries),
        bets_open=len(standing),
        stake_real=-sum(gives[p].delta.real for p in standing),
        stake_bonus=-sum(gives[p].delta.bonus for p in standing),
        staked=staked,
        paid=paid,
        taken_back=taken_back,
        cancels=cancels,
        uncovered=uncovered,
    )


CODES = {
    Refusal.PLAYER_UNKNOWN: 404,
    Refusal.AMOUNT_TOO_FINE: 400,
    Refusal.EVENT_TYPE_DIFFERS: 400,
    Refusal.MOVEMENT_DIFFERS: 409,
    Refusal.TOKEN_UNKNOWN: 417,
    Refusal.TOKEN_EXPIRED: 410,
    Refusal.PLAYER_BLOCKED: 405,
    Refusal.NO_MATCHING_MOVEMENT: 406,
    Refusal.ALREADY_GIVEN_BACK: 409,
    Refusal.BET_OVERTAKEN: 400,
    Refusal.LIMIT_EXCEEDED: 456,
    Refusal.INSUFFICIENT_FUNDS: 402,
    Refusal.BALANCE_TOO_LARGE: 400,
}


TOLD_FLAGS = {Flag.ABORT_OVERTOOK, Flag.ABORT_BESIDE_PAYMENT}


def answer(receipt: Receipt) -> Answer:
    """What the contract's codes make of a receipt."""
    if isinstance(receipt, Posting):
        flags = [flag for flag in receipt.entry.flags if flag in TOLD_FLAGS]
        return Answer(200, *receipt.entry.delta, flag=flags[0] if flags else None)
    if isinstance(receipt, Replay):
        refusal = receipt.entry.refusal
        code = 409 if refusal is None else CODES[refusal]
        return Answer(code, is_repeat=True, differs=receipt.differs)
    differs = receipt.differs if isinstance(receipt, Refused) else None
    words = "overtaken" if receipt.refusal is Refusal.BET_OVERTAKEN else None
    return Answer(CODES[receipt.refusal], differs=differs, words=words)


def asked(told: Movement, story: Story) -> Ask:
    kinds = {token_of(told.user_id, kind): kind for kind in (LIVE, EXPIRED)}
    return Ask(
        user=told.user_id,
        transaction_id=told.key.transaction_id,
        event_type=told.event_type.value,
        direction=told.direction.value,
        amount=told.amount,
        event=told.event_id or "",
        bonus_code=told.bonus_code,
        token=kinds.get(told.token or b"", "unknown"),
        at=story.now,
    )
