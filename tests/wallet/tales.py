"""Strategies for property tests: movements in any order, and account changes between them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import TypeVar

from hypothesis import strategies as st

from app.wallet.balance import StakeOrder
from app.wallet.early_aborts import OvertakenBet
from app.wallet.events import GAME_EVENT_TYPES, RULES, Direction, EventType, is_allowed
from app.wallet.facts import Policy, RuleVersion
from app.wallet.limits import Limits
from app.wallet.movement import KeyScope, Movement
from tests.wallet.story import EXPIRED, LIVE, UNKNOWN, Story, movement

PLAYERS = ("anna", "boris")
GAME_TYPES = sorted(GAME_EVENT_TYPES)

# What is drawn oftener stands here oftener.
_ROUND = [
    EventType.BET_PLACING,
    EventType.BET_PLACING,
    EventType.WIN,
    EventType.BET_PLACING_ABORT,
    EventType.BET_PAYED_ABORT,
    EventType.SPORT_BET_CANCEL,
]
KINDS = [
    *(k for k in EventType if not RULES[k].is_named),
    *_ROUND,
    *_ROUND,
    EventType.PROMO_STREAMERS_DEBIT,
]
USERS = ["anna"] * 12 + ["boris"] * 3 + ["nobody"]
EVENTS = ["event-1"] * 3 + ["event-2"]
AMOUNTS = ["0.03", "0.03", "0.03", "0.05", "1", "1.00", "3.33", "0", "60", "0.001"]
TOKENS = [LIVE] * 12 + [EXPIRED, UNKNOWN]
BONUS_CODES = [None, None, None, "", " ", "free"]
IDS = [None] * 12 + [f"id-{number}" for number in range(8)]


@dataclass(frozen=True)
class Block:
    """The operator blocks a player, or lifts the block."""

    user_id: str
    is_blocked: bool


@dataclass(frozen=True)
class Pass:
    """Time passes."""

    days: int = 0
    seconds: int = 0


T = TypeVar("T")
STEP_BYTES = 6
Step = Movement | Block | Pass

policies = st.builds(
    Policy,
    stake_order=st.sampled_from(StakeOrder),
    key_scope=st.sampled_from(KeyScope),
    sport_game_id=st.sampled_from([None, 1, 2]),
    overtaken_bet=st.sampled_from([OvertakenBet.REFUSE, OvertakenBet.REFUSE, OvertakenBet.FLAG]),
    rule_version=st.sampled_from([RuleVersion.CURRENT] * 3 + [RuleVersion.LAST_RELEASE]),
)

limits = st.builds(
    Limits,
    **{name: st.none() | st.integers(0, 3000) for name in Limits._fields},
)

balances = st.integers(0, 1500)


def decoded(number: int, policy: Policy, kinds: Sequence[EventType] = KINDS) -> Movement:
    """Read a movement from one number: one draw each, so that tales grow long."""

    def pick(options: Sequence[T]) -> T:
        nonlocal number
        number, index = divmod(number, len(options))
        return options[index]

    kind, amount, user_id, event_id = pick(kinds), pick(AMOUNTS), pick(USERS), pick(EVENTS)
    is_zero = not amount.strip("0.")
    ways = [way for way in Direction if is_allowed(kind, way, amount_is_zero=is_zero)]
    return movement(
        kind,
        amount,
        direction=pick(ways),
        user_id=user_id,
        event_id=event_id,
        transaction_id=pick(IDS),
        policy=policy,
        token=pick(TOKENS),
        bonus_code=pick(BONUS_CODES),
        game_id=pick([1, 2]),
    )


def movements(policy: Policy, kinds: Sequence[EventType] = KINDS) -> st.SearchStrategy[Movement]:
    return st.integers(0, 256**STEP_BYTES - 1).map(lambda number: decoded(number, policy, kinds))


def tales(
    policy: Policy, *, with_changes: bool = True, steps_max: int = 40
) -> st.SearchStrategy[list[Step]]:
    """A tale from one string of bytes: drawn at once, so that it grows long and stays fast."""

    def read(drawn: bytes) -> list[Step]:
        starts = range(0, len(drawn) - STEP_BYTES + 1, STEP_BYTES)
        numbers = [int.from_bytes(drawn[n : n + STEP_BYTES], "little") for n in starts]
        return [step_of(number) for number in numbers]

    def step_of(number: int) -> Step:
        rest, kind = divmod(number, 32)
        if kind == 0 and with_changes:
            return Pass(days=rest % 9 + 1)
        if kind == 1 and with_changes:
            return Block(PLAYERS[rest % 2], is_blocked=rest % 4 < 2)
        if kind in {2, 3} and with_changes:
            return Pass(seconds=rest % 900)
        return decoded(rest, policy)

    # Left to itself a string of bytes stays short; to fail, a short one is tried last.
    most = STEP_BYTES * steps_max
    short, middling, long = (
        st.binary(min_size=least, max_size=length).map(read)
        for least, length in ((0, most), (most // 2, most // 2), (most, most))
    )
    return short | middling | long


@st.composite
def stories(draw: st.DrawFn) -> Story:
    """Two players with some money and some limits, under some policy."""
    story = Story(draw(policies))
    for user_id in PLAYERS:
        limits_of_player = draw(st.just(Limits()) | limits)
        story.player(user_id, draw(balances), draw(balances), limits=limits_of_player)
    return story


def take(story: Story, step: Block | Pass) -> None:
    if isinstance(step, Block):
        story.change(step.user_id, is_blocked=step.is_blocked)
    else:
        story.now += timedelta(days=step.days, seconds=step.seconds)


def tell(story: Story, tale: list[Step]) -> None:
    """Tell a tale, one step after another."""
    for step in tale:
        if isinstance(step, Movement):
            story.one(step)
        else:
            take(story, step)


def long_tale(seed: int, steps: int = 100) -> tuple[Story, list[Step]]:
    """Two players and a long tale, the same for the same seed."""
    chance = Random(seed)  # noqa: S311 - a tale, not a secret
    policy = Policy(
        chance.choice(list(StakeOrder)),
        chance.choice(list(KeyScope)),
        sport_game_id=1,
        overtaken_bet=chance.choice([OvertakenBet.REFUSE, OvertakenBet.REFUSE, OvertakenBet.FLAG]),
        rule_version=chance.choice([RuleVersion.CURRENT] * 3 + [RuleVersion.LAST_RELEASE]),
    )
    story = Story(policy)
    for user_id in PLAYERS:
        drawn = Limits(*(chance.choice([None, chance.randrange(3000)]) for _ in Limits._fields))
        limits_of_player = drawn if chance.randrange(3) == 0 else Limits()
        real, bonus = chance.randrange(3000), chance.randrange(3000)
        story.player(user_id, real, bonus, limits=limits_of_player)
    tale: list[Step] = []
    for _ in range(steps):
        match chance.randrange(32):
            case 0:
                tale.append(Pass(days=chance.randrange(1, 9)))
            case 1:
                tale.append(Block(chance.choice(PLAYERS), is_blocked=chance.randrange(3) == 0))
            case 2 | 3:
                tale.append(Pass(seconds=chance.randrange(900)))
            case _:
                tale.append(decoded(chance.getrandbits(8 * STEP_BYTES), policy))
    return story, tale
