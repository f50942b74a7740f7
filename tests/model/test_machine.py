import sys

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.model.betby_machine import WholeMachine
from tests.model.machine import Houses


@pytest.mark.timeout(3600)
def test_the_service_does_what_the_contracts_say(houses: Houses) -> None:
    """`--hypothesis-profile=thorough -s` looks for longer, and tells what it saw."""

    class Machine(WholeMachine):
        def __init__(self) -> None:
            super().__init__(houses)

    # A quarter of the stories that the profile says, for each is fifty steps long.
    stories = settings(max_examples=settings().max_examples // 4, stateful_step_count=50)
    run_state_machine_as_test(Machine, settings=stories)
    sys.stdout.write(
        f"{houses.answers.total()} answers compared: {sorted(houses.answers.items())}\n"
    )
    assert houses.answers["BetPlacing 0"] > 0
    assert houses.answers["make 0"] > 0
