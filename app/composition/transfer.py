"""The composition of the transfer contract: the operator's platforms, their keys and currencies."""

from collections.abc import Callable
from datetime import datetime, timedelta

from app.cashier.batching import Batcher
from app.composition.policy import rules_of_raises
from app.edges.betby.tokens import LaunchTokens
from app.edges.transfer.endpoint import Endpoint
from app.edges.transfer.envelope import Agent, Envelopes
from app.edges.transfer.handlers import Handlers
from app.edges.transfer.one_time import OneTime
from app.edges.transfer.request import Choices, TokenForm
from app.ledger.transaction import Ledger
from app.settings import Settings
from app.wallet.money import ISO_CURRENCIES, Currency


def transfer_endpoint(
    settings: Settings,
    ledger: Ledger,
    batcher: Batcher,
    clock: Callable[[], datetime],
    betby: LaunchTokens | None = None,
) -> Endpoint:
    """Return the endpoint of the transfer contract; `betby` signs what its game client opens."""
    by_setting = {code: Currency(code, scale) for code, scale in settings.currencies.items()}
    choices = Choices(
        currencies={**ISO_CURRENCIES, **by_setting},
        token_life=timedelta(seconds=settings.token_life_seconds),
        token_is_sliding=settings.token_renewal == "sliding",  # noqa: S105 - a choice
        raises=rules_of_raises(settings),
        deposit_check_is_required=settings.deposit_check == "required",
        doors={} if betby is None else {"betby": TokenForm(betby.sign, betby.session_of)},
    )
    agents = {
        name: Agent(tuple(key.get_secret_value() for key in agent.keys), agent.networks)
        for name, agent in settings.agents.items()
    }
    envelopes = Envelopes(agents, proxies=settings.proxy_networks)
    return Endpoint(
        ledger,
        Handlers(ledger, batcher, choices, OneTime(ledger, envelopes)),
        envelopes,
        deadline=settings.deadline,
        window=timedelta(seconds=settings.clock_window_seconds),
        clock=clock,
        requires_operation=settings.transfer_op == "required",
    )
