"""The simulator's and the model's implementations of the contract agree with the rules.

Both are made to judge a running server. Here they are asked without one, on the tales of the laws.
"""

from dataclasses import replace
from datetime import timedelta

import pytest

from app.simulator.moves import Event, Move, Token
from app.simulator.oracle import Oracle, ServerSettings
from app.simulator.pockets import Pockets
from app.wallet.early_aborts import OvertakenBet
from app.wallet.facts import RuleVersion
from app.wallet.limits import Limits
from app.wallet.movement import Movement
from tests.model.books import Player
from tests.model.contract import Model
from tests.wallet.story import EXPIRED, LIVE, Story, token_of
from tests.wallet.tales import GAME_TYPES, Block, Step, long_tale, take
from tests.wallet.test_laws import answer

SEEDS_PER_CHAPTER = 40
chapters = pytest.mark.parametrize("chapter", range(4))


def told(seed: int, overtaken_bet: OvertakenBet) -> tuple[Story, list[Step]]:
    story, tale = long_tale(seed)
    story.policy = replace(
        story.policy, overtaken_bet=overtaken_bet, rule_version=RuleVersion.CURRENT
    )
    return story, tale


def token_kind(step: Movement) -> str:
    kinds = {token_of(step.user_id, kind): kind for kind in (LIVE, EXPIRED)}
    return kinds.get(step.token or b"", "unknown")


def code_of(story: Story, step: Movement) -> int:
    """The contract's code; 0 is success."""
    code = answer(story.one(step)).code
    return 0 if code == 200 else code


@chapters
def test_the_contract_model_agrees(chapter: int) -> None:
    for seed in range(chapter * SEEDS_PER_CHAPTER, (chapter + 1) * SEEDS_PER_CHAPTER):
        story, tale = told(seed, OvertakenBet.REFUSE)
        model = model_of(story)
        for step in tale:
            if not isinstance(step, Movement):
                take(story, step)
                if isinstance(step, Block):
                    model.players[step.user_id].suspended = step.is_blocked
            elif step.event_type in GAME_TYPES:
                expected = model.move_funds(fields_of(step), story.now)
                assert expected.code == code_of(story, step), (seed, step)
            for user_id, player in model.players.items():
                assert (player.real, player.bonus) == story.pockets(user_id), (seed, step)


def model_of(story: Story) -> Model:
    model = Model(
        key_scope=story.policy.key_scope.value, stake_order=story.policy.stake_order.value
    )
    for user_id, wallet in story.wallets.items():
        limits = {k: v for k, v in wallet.limits._asdict().items() if v is not None}
        real, bonus = wallet.pockets
        model.players[user_id] = Player(
            user_id, wallet.agent, "USD", "nick", "en", real=real, bonus=bonus, limits=limits
        )
        model.keep_token(user_id, f"{user_id} {LIVE}", story.now + timedelta(days=4000))
        model.keep_token(user_id, f"{user_id} {EXPIRED}", story.now)
    return model


def fields_of(step: Movement) -> dict[str, str]:
    fields = {
        "token": f"{step.user_id} {token_kind(step)}",
        "userId": step.user_id,
        "eventId": step.event_id or "",
        "direction": step.direction.value,
        "transactionId": step.key.transaction_id,
        "eventType": step.event_type.value,
        "amount": step.amount,
    }
    return fields if step.bonus_code is None else {**fields, "bonusCode": step.bonus_code}


@chapters
@pytest.mark.parametrize("overtaken_bet", list(OvertakenBet))
def test_the_simulators_oracle_agrees(chapter: int, overtaken_bet: OvertakenBet) -> None:
    """The oracle knows no limits, no blocks and no other player's ids."""
    for seed in range(chapter * SEEDS_PER_CHAPTER, (chapter + 1) * SEEDS_PER_CHAPTER):
        story, tale = told(seed, overtaken_bet)
        for user_id in story.wallets:
            story.change(user_id, limits=Limits())
        settings = ServerSettings(
            "conflict",
            story.policy.stake_order.value,
            story.policy.key_scope.value,
            overtaken_bet.value,
        )
        oracles = {
            user_id: Oracle(Pockets(*wallet.pockets), wallet.currency.scale, settings)
            for user_id, wallet in story.wallets.items()
        }
        for step in tale:
            if not isinstance(step, Movement) or step.event_type not in GAME_TYPES:
                continue
            oracle = oracles.get(step.user_id)
            if oracle is None:
                continue
            own_id = f"{step.user_id} {step.key.transaction_id}"
            step = step._replace(key=step.key._replace(transaction_id=own_id))  # noqa: PLW2901
            expected = oracle.move(move_of(step))
            assert expected.code == code_of(story, step), (seed, step)
            now = oracle.pockets
            assert (now.real, now.bonus) == story.pockets(step.user_id), (seed, step)


def move_of(step: Movement) -> Move:
    return Move(
        step.event_type.value,
        step.direction.value,
        step.key.transaction_id,
        Event(step.event_id or "", 1),
        step.amount,
        {LIVE: Token.LIVE, EXPIRED: Token.EXPIRED}.get(token_kind(step), Token.UNKNOWN),
        step.bonus_code,
    )
