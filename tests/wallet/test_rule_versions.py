"""During an upgrade the previous release's rules decide, exactly (facts.RuleVersion)."""

import pytest

from app.wallet.facts import Policy, RuleVersion
from app.wallet.journal import Flag
from app.wallet.movement import KeyScope
from app.wallet.outcomes import Posting
from app.wallet.refusals import Refusal
from tests.wallet.story import Story, again, movement, refusal

BET, ABORT, WIN, CANCEL = "BetPlacing", "BetPlacingAbort", "Win", "SportBetCancel"


@pytest.fixture(params=list(KeyScope))
def before(request: pytest.FixtureRequest) -> Story:
    policy = Policy(key_scope=request.param, rule_version=RuleVersion.LAST_RELEASE)
    return Story(policy).player(real=1_000_000)


def now_under(story: Story, version: RuleVersion) -> Policy:
    return Policy(key_scope=story.policy.key_scope, rule_version=version)


def play(story: Story, *moves: tuple[str, str]) -> list[Refusal | None]:
    told = [movement(kind, amount, policy=story.policy) for kind, amount in moves]
    return [refusal(receipt) for receipt in story.tell(*told)]


def test_the_release_before_never_refuses_an_overtaken_bet(before: Story) -> None:
    abort = movement(ABORT, "5", policy=before.policy)
    before.one(abort)
    for _ in range(2):
        receipt = before.one(movement(BET, "5", policy=before.policy))
        assert isinstance(receipt, Posting)
        assert receipt.entry.flags == (Flag.ABORT_OVERTOOK,)
    assert isinstance(before.one(again(abort)), Posting)
    receipt = before.one(movement(BET, "5", policy=before.policy))
    assert isinstance(receipt, Posting)
    assert receipt.entry.flags == (Flag.ABORT_OVERTOOK,), "it never forgets an amount"


def test_the_release_before_remembers_the_amounts_of_refused_aborts_up_to_64(
    before: Story,
) -> None:
    play(before, (BET, "1"), (WIN, "1"), *((ABORT, str(number)) for number in range(1, 71)))
    (round_,) = before.rounds.values()
    assert round_.early_aborts == ()
    assert round_.untimed_aborts == {100 * number for number in range(1, 65)}


def test_what_it_remembered_only_flags_once_the_rules_are_switched(before: Story) -> None:
    play(before, (ABORT, "5"))
    before.policy = now_under(before, RuleVersion.CURRENT)
    receipt = before.one(movement(BET, "5", policy=before.policy))
    assert isinstance(receipt, Posting)
    assert receipt.entry.flags == (Flag.ABORT_OVERTOOK,)


@pytest.mark.parametrize(
    ("version", "told"),
    [
        (RuleVersion.LAST_RELEASE, Refusal.NO_MATCHING_MOVEMENT),
        (RuleVersion.CURRENT, None),
    ],
)
def test_an_abort_beside_a_payment_is_accepted_by_the_current_rules_only(
    before: Story, version: RuleVersion, told: Refusal | None
) -> None:
    before.policy = now_under(before, version)
    assert play(before, (BET, "5"), (BET, "7"), (WIN, "9"), (ABORT, "5"))[-1] is told


@pytest.mark.parametrize(
    ("version", "told"),
    [
        (RuleVersion.LAST_RELEASE, Refusal.NO_MATCHING_MOVEMENT),
        (RuleVersion.CURRENT, Refusal.ALREADY_GIVEN_BACK),
    ],
)
def test_where_no_bet_stands_and_a_payment_does_the_abort_hears_406_or_409(
    before: Story, version: RuleVersion, told: Refusal
) -> None:
    before.policy = now_under(before, version)
    moves = (BET, "5"), (ABORT, "5"), (CANCEL, "1"), (WIN, "9"), (ABORT, "5")
    assert play(before, *moves)[-1] is told


@pytest.mark.parametrize(
    ("version", "told"),
    [
        (RuleVersion.LAST_RELEASE, None),
        (RuleVersion.CURRENT, Refusal.NO_MATCHING_MOVEMENT),
    ],
)
def test_a_win_after_a_covered_cancel_is_accepted_by_the_release_before_only(
    before: Story, version: RuleVersion, told: Refusal | None
) -> None:
    before.policy = now_under(before, version)
    moves = (BET, "5"), (WIN, "9"), (CANCEL, "9"), (ABORT, "5"), (WIN, "9")
    assert play(before, *moves)[-1] is told
