"""Random dense sequences of one player in two events and with Betby, shortened when one differs.

Nearly every step moves money; amounts are a few hundredths and alike, so that proportions are
rounded and amounts meet again; both pockets pay, debts arise, limits are near.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any, NamedTuple

from tests.model.betby_machine import SLIP_WHAT, WholeMachine
from tests.model.machine import BEGINS, CHOICES, PICKS, STAKES, Choice, Houses, next_step

PLAYER = 0
STEPS = 40

LIMITS: tuple[dict[str, str], ...] = (
    *({}, {}, {}, {"stake_day": "0.16"}, {"stake_week": "0.20"}, {"stake_month": "0.30"}),
    *({"loss_day": "0.10"}, {"loss_week": "0.15"}, {"loss_month": "0.20"}, {"stake_bet": "0.05"}),
    *({"deposit_day": "0.30"}, {"deposit_week": "0.40"}),
    *({"stake_day:casino": "0.16"}, {"loss_week:live": "0.15"}, {"stake_bet:live": "0.05"}),
)
BETBY = "betby: "
"""what a step of Betby's own contract begins with"""
PAUSES = (
    *("deposit", "grant", "withdraw", "revoke", "wait", "again", "tip", "history", "gift"),
    *("afford", "tip", "wait"),
    *("limit", "block", "moments", "hold", "close", "confirm", "revoke"),
)
"""what happens between the events now and then"""


class Step(NamedTuple):
    what: str
    which: int
    event: str = "e1"
    is_streamer: bool = False


@dataclass(frozen=True)
class Story:
    choice: Choice
    begin: datetime
    real: str | None
    bonus: str | None
    limits: dict[str, str]
    steps: tuple[Step, ...]


def tell(dice: Random) -> Story:
    """Make up a story."""
    is_streamer = dice.random() < 0.2
    # Some stories are Betby's alone, some the aggregator's alone, and most are of both.
    betby = dice.choice((0, 0, 0.4, 0.8, 1))
    steps, what = [], ""
    for _ in range(dice.randint(STEPS // 4, STEPS)):
        if dice.random() < 0.2:
            steps.append(Step(dice.choice(PAUSES), dice.randrange(10)))
        elif dice.random() < betby:
            steps.append(Step(BETBY + dice.choice(SLIP_WHAT), dice.randrange(10)))
        else:
            event = "e1" if dice.random() < 0.9 else "e2"
            other = dice.random() < 0.05
            what, which = next_step(what, dice.randrange(PICKS)), dice.randrange(10)
            steps.append(Step(what, which, event, is_streamer is not other))
    return Story(
        dice.choice(CHOICES),
        dice.choice(BEGINS),
        dice.choice((None, "0.04", "0.17", "0.50")),
        dice.choice((None, "0.06", "0.19", "0.50")),
        dice.choice(LIMITS),
        tuple(steps),
    )


def live(houses: Houses, story: Story) -> None:
    """Let it happen, beside the model; AssertionError where they differ."""
    machine = WholeMachine(houses)
    machine.clock.now = story.begin
    machine.serve(story.choice)
    machine.open_account(PLAYER, story.real, story.bonus)
    if story.limits:
        machine.update(PLAYER, {"limits": story.limits})
    for step in story.steps:
        _take(machine, step)
    machine.check_pockets(PLAYER)
    machine.history(PLAYER, "ALL")


def _take(machine: WholeMachine, step: Step) -> None:
    what, which = step.what, step.which
    match what:
        case "deposit" | "withdraw":
            machine.pay(PLAYER, f"account/{what}", STAKES[which])
        case "grant" | "revoke":
            machine.pay(PLAYER, f"bonus/{what}", STAKES[which])
        case "wait":
            machine.clock.advance(timedelta(hours=5 * which))
        case "moments":
            machine.clock.advance(timedelta(seconds=120 * which))
        case "again":
            if machine.sent:
                fields, _ = machine.sent[-1 - which % len(machine.sent)]
                machine.send_move(fields, PLAYER, "form")
        case "afford":
            machine.afford(which)
        case "tip":
            machine.move(PLAYER, "Tip", "debit", "tips", STAKES[which])
        case "gift":
            kind = ("PromoWin", "DropAndWin", "technicalFix")[which % 3]
            code = "FREE" if which > 4 else None
            machine.move(PLAYER, kind, "credit", "e1", STAKES[which], code=code)
        case "limit":
            name = ("stake_day", "loss_day", "loss_week")[which % 3]
            machine.update(PLAYER, {"limits": {name: None if which > 4 else STAKES[which]}})
        case "hold":
            machine.pay(PLAYER, "account/hold", STAKES[which])
        case "close":
            operation = "hold/release" if which % 2 else "hold/settle"
            machine.close_hold(which, operation, "owner", again=which > 7)
        case "confirm":
            machine.administer(PLAYER, {"confirm": "what waits"})
        case "revoke" if which > 7:
            machine.revoke(PLAYER, None)
        case "revoke":
            pass
        case "block":
            machine.update(PLAYER, {"status": "blocked" if which > 6 else "active"})
        case "history":
            machine.history(PLAYER, ("ALL", "END", "ING")[which % 3])
        case _ if what.startswith(BETBY):
            machine.slip_step(PLAYER, what.removeprefix(BETBY), which)
        case _:
            machine.step(PLAYER, step.event, what, which, streamer=step.is_streamer)


def shortened(story: Story, is_false: Callable[[Story], bool]) -> Story:
    """Leave out what the difference does not need: halves, quarters … and single steps."""
    size = len(story.steps)
    while size := size // 2 or (1 if size > 1 else 0):
        begin = 0
        while begin < len(story.steps):
            steps = story.steps[:begin] + story.steps[begin + size :]
            shorter = replace(story, steps=steps)
            if is_false(shorter):
                story = shorter
            else:
                begin += size
    plain: tuple[dict[str, Any], ...] = ({"limits": {}}, {"real": None}, {"bonus": None})
    for changes in plain:
        plainer = replace(story, **changes)
        if is_false(plainer):
            story = plainer
    return story
