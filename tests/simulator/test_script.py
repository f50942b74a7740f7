"""The script is determined by seed, stage and options, and covers the contract."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import pytest

from app.simulator.laws import LAWS
from app.simulator.moves import Move
from app.simulator.player_script import Step
from app.simulator.scenario_mix import LIMIT_CURRENCIES, NEAR_THE_LIMIT, SCENES, share_scenes
from app.simulator.script import write_scripts
from app.simulator.stage import (
    DuplicateReply,
    KeyScope,
    Options,
    OvertakenBet,
    Stage,
    StagePlayer,
    StakeOrder,
)

CURRENCIES = (
    ("USD", 2, "1000.00", "55.55"),
    ("JPY", 0, "100000", "0"),
    ("BTC", 8, "0.5", "0.1"),
    ("XTS", 2, "1000.00", "55.55"),
    ("XT8", 8, "0.5", "0.1"),
)
STAGE = Stage(
    base_url="http://127.0.0.1:1",
    callback_key="key-of-the-test",
    duplicate_reply="conflict",
    stake_order="real_first",
    key_scope="transaction",
    sport_game_id=None,
    players=tuple(
        StagePlayer(
            user_id=f"player-{number}",
            currency=currency,
            scale=scale,
            token=f"live-{number}",
            expired_token=f"expired-{number}",
            real=Decimal(real),
            bonus=Decimal(bonus),
        )
        for number, (currency, scale, real, bonus) in enumerate(CURRENCIES * 2)
    ),
)
AMOUNT = re.compile(r"[0-9]{1,18}(\.[0-9]{1,18})?", re.ASCII)
OPTIONS = Options(events=400, seed=1, run_id="test")


def steps(stage: Stage, options: Options) -> Iterator[tuple[str, Step]]:
    for script in write_scripts(stage, options):
        for step in script.opening():
            yield "opening", step
        for scene in script.scenes:
            for step in script.scene(scene):
                yield scene.__name__, step
        yield "last_look", script.last_look()


def test_the_same_seed_sends_the_same() -> None:
    assert list(steps(STAGE, OPTIONS)) == list(steps(STAGE, OPTIONS))


def test_amounts_near_the_digits_limit_come_in_currencies_made_for_them_only() -> None:
    scripts = write_scripts(STAGE, replace(OPTIONS, events=2000))
    playing = {
        player.currency
        for player, script in zip(STAGE.players, scripts, strict=True)
        if NEAR_THE_LIMIT & set(script.scenes)
    }
    assert playing == LIMIT_CURRENCIES
    amounts = [
        delivery.content.amount
        for player, script in zip(STAGE.players, scripts, strict=True)
        if player.currency not in LIMIT_CURRENCIES
        for scene in script.scenes
        for step in script.scene(scene)
        for delivery in step.deliveries
        if isinstance(delivery.content, Move)
    ]
    # More digits than an amount may have are refused, and move nothing.
    assert max(Decimal(text) for text in amounts if AMOUNT.fullmatch(text)) < 10**9


def test_another_seed_sends_something_else() -> None:
    assert list(steps(STAGE, OPTIONS)) != list(steps(STAGE, replace(OPTIONS, seed=2)))


def test_pace_and_deadline_do_not_change_what_is_sent() -> None:
    paced = replace(OPTIONS, rate=5, concurrency=1, deadline_seconds=9, timeout_seconds=3)
    assert list(steps(STAGE, OPTIONS)) == list(steps(STAGE, paced))


def test_no_id_of_one_run_comes_in_another() -> None:
    def ids(run_id: str) -> set[str]:
        return {
            name
            for _, step in steps(STAGE, replace(OPTIONS, run_id=run_id))
            for delivery in step.deliveries
            if isinstance(delivery.content, Move)
            for name in (delivery.content.transaction_id, delivery.content.event.event_id)
        }

    assert not ids("one") & ids("two")


def test_no_plan_knows_a_token_or_the_key() -> None:
    told = repr(list(steps(STAGE, OPTIONS))) + repr(STAGE)
    for player in STAGE.players:
        assert player.token not in told
        assert player.expired_token not in told
    assert STAGE.callback_key not in told


@pytest.mark.parametrize("duplicate_reply", ["conflict", "replay"])
@pytest.mark.parametrize("stake_order", ["real_first", "bonus_first"])
@pytest.mark.parametrize("key_scope", ["transaction", "transaction_event"])
@pytest.mark.parametrize("overtaken_bet", ["refuse", "flag"])
def test_every_row_and_every_code_comes_under_all_settings(
    duplicate_reply: DuplicateReply,
    stake_order: StakeOrder,
    key_scope: KeyScope,
    overtaken_bet: OvertakenBet,
) -> None:
    stage = replace(
        STAGE,
        duplicate_reply=duplicate_reply,
        stake_order=stake_order,
        key_scope=key_scope,
        overtaken_bet=overtaken_bet,
    )
    accepted: Counter[tuple[str, str]] = Counter()
    codes: Counter[int] = Counter()
    debts = 0
    for _, step in steps(stage, OPTIONS):
        for delivery, expected in zip(step.deliveries, step.expected, strict=True):
            codes[expected.code] += 1
            debts += expected.printed.real.startswith("-")
            assert not expected.printed.bonus.startswith("-")
            if isinstance(delivery.content, Move) and expected.moved and not expected.code:
                accepted[delivery.content.event_type, delivery.content.direction] += 1
    assert set(accepted) == set(LAWS)
    assert set(codes) == {0, 400, 402, 404, 406, 409, 410, 417}
    assert debts


def test_every_scene_comes_as_often_as_its_weight_and_all_shares_hold_what_was_asked() -> None:
    scenes = sum(number for _, number in SCENES)
    shares = share_scenes(7, scenes, 5)
    played = Counter(scene for share in shares for scene in share)
    assert played == dict(SCENES)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    assert sum(map(len, share_scenes(7, 1001, 3))) == 1001


@pytest.mark.parametrize("key_scope", ["transaction", "transaction_event"])
def test_overtaken_bets_are_refused_and_their_aborts_hear_409(key_scope: KeyScope) -> None:
    told: Counter[tuple[str, int]] = Counter()
    for scene, step in steps(replace(STAGE, key_scope=key_scope), OPTIONS):
        if scene in {"abort_before_bet", "streamer_abort_before_bet"}:
            for delivery, expected in zip(step.deliveries, step.expected, strict=True):
                assert isinstance(delivery.content, Move) or expected.code == 0
                if isinstance(delivery.content, Move):
                    told[delivery.content.event_type, expected.code] += 1
    for bet, abort in (
        ("BetPlacing", "BetPlacingAbort"),
        ("PromoStreamersDebit", "PromoStreamersBetPlacingAbort"),
    ):
        assert told[bet, 400]
        assert told[bet, 0]
        assert told[abort, 406]
        assert told[abort, 409]
        assert told[abort, 0]


def test_no_scene_makes_a_player_rich_without_bound() -> None:
    options = replace(OPTIONS, events=6000)
    for script in write_scripts(replace(STAGE, players=STAGE.players[:2]), options):
        for scene in script.scenes:
            for _ in script.scene(scene):
                pass
        assert script.writer.balance < 200_000 * script.writer.coin


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"run_id": "a b"}, "run id"),
        ({"run_id": ""}, "run id"),
        ({"events": -1}, "events"),
        ({"rate": 0}, "rate"),
        ({"concurrency": 0}, "concurrency"),
    ],
)
def test_options_that_cannot_be_played_are_refused(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        replace(OPTIONS, **wrong)  # type: ignore[arg-type]
