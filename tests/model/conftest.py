"""A server for each choice of settings, for all tests of the model."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from app.postgres import EmbeddedPostgres
from tests.conftest import clone
from tests.model.betby import UNIT_DECIMALS
from tests.model.betby_caller import betby_setting
from tests.model.caller import CALLBACK_KEY, Caller
from tests.model.contract import slides, zone_of
from tests.model.machine import CHOICES, Houses, agents_setting
from tests.model.served import Clock, serving


@pytest.fixture
def houses(postgres: EmbeddedPostgres, template: str) -> Iterator[Houses]:
    """Serve each choice of settings; a database remembers those that decide money."""
    with ExitStack() as stack:
        database = contextmanager(clone)
        urls = {
            remembered: stack.enter_context(database(postgres, template)).service_url
            for remembered in {(choice.key_scope, choice.stake_order) for choice in CHOICES}
        }
        clock = Clock()
        callers = {}
        for number, choice in enumerate(CHOICES):
            port = stack.enter_context(
                serving(
                    urls[choice.key_scope, choice.stake_order],
                    clock,
                    callback_keys=CALLBACK_KEY,
                    agents=agents_setting(),
                    currencies="BTC:8",
                    limit_zone=str(zone_of(choice.stake_order)),
                    token_renewal="sliding" if slides(choice.duplicate_reply) else "fixed",
                    betby=betby_setting(
                        scales=UNIT_DECIMALS,
                        bonus_wins_to="bonus" if choice.stake_order == "bonus_first" else "real",
                    ),
                    betby_repeated_make=(
                        "replay" if choice.duplicate_reply == "replay" else "refuse"
                    ),
                    lanes=1,
                    pool_size=3,
                    # Half of the servers answer on the fast path, half without it; by this parity
                    # each setting is served both ways.
                    fast_path="on" if number.bit_count() % 2 else "off",
                    **choice._asdict(),
                )
            )
            callers[choice] = caller = Caller(port)
            stack.callback(caller.close)
        yield Houses(clock, callers)
