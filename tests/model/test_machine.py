import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from app.postgres import EmbeddedPostgres
from tests.conftest import clone
from tests.model.caller import CALLBACK_KEY, Caller
from tests.model.machine import CHOICES, Houses, WalletMachine, agents_setting
from tests.model.served import Clock, serving


@pytest.fixture
def houses(postgres: EmbeddedPostgres, template: str) -> Iterator[Houses]:
    """Serve each choice of settings; a database remembers its key scope, so there are two."""
    with ExitStack() as stack:
        database = contextmanager(clone)
        urls = {
            scope: stack.enter_context(database(postgres, template)).service_url
            for scope in {choice.key_scope for choice in CHOICES}
        }
        clock = Clock()
        callers = {}
        for choice in CHOICES:
            port = stack.enter_context(
                serving(
                    urls[choice.key_scope],
                    clock,
                    callback_keys=CALLBACK_KEY,
                    agents=agents_setting(),
                    currencies="BTC:8",
                    limit_cooling_seconds=0,
                    lanes=1,
                    pool_size=2,
                    **choice._asdict(),
                )
            )
            callers[choice] = caller = Caller(port)
            stack.callback(caller.close)
        yield Houses(clock, callers)


@pytest.mark.timeout(3600)
def test_the_service_does_what_the_contracts_say(houses: Houses) -> None:
    """`--hypothesis-profile=thorough -s` looks for longer, and tells what it saw."""

    class Machine(WalletMachine):
        def __init__(self) -> None:
            super().__init__(houses)

    # Half as many stories as the profile says, for each is fifty steps long.
    stories = settings(max_examples=settings().max_examples // 2, stateful_step_count=50)
    run_state_machine_as_test(Machine, settings=stories)
    sys.stdout.write(
        f"{houses.answers.total()} answers compared: {sorted(houses.answers.items())}\n"
    )
    assert houses.answers["BetPlacing 0"] > 0
