"""A request of the transfer API as the operations take it, and the operator's settings for them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from app.cashier.players import IssuedToken
from app.edges.transfer.forms import Fields
from app.edges.transfer.one_time import RequestId
from app.ledger.accounts import ChangeNote
from app.wallet.limit_terms import DEFAULT_RAISE_RULES, RaiseRules
from app.wallet.money import Currency


class Request(NamedTuple):
    """A request of a known agent, its fields of the right types."""

    agent: str
    operation: str
    fields: Fields
    asked: str
    """the request as the refusal log and the list of changes store it, as JSON text"""
    delivery: bytes
    received_at: datetime
    time_left: timedelta
    """until the deadline"""
    request_id: RequestId | None
    """of a request that takes effect once"""

    @property
    def note(self) -> ChangeNote:
        """The author and the request, for the list of changes."""
        return ChangeNote(self.agent, self.operation, self.asked, self.delivery, self.received_at)


class TokenForm(NamedTuple):
    """Another contract whose games are launched with a token in a form of its own."""

    sign: Callable[[IssuedToken], str]
    """puts a session into that form"""
    session_of: Callable[[str], str]
    """the session of such a token; ValueError for any other text"""


@dataclass(frozen=True, slots=True)
class Choices:
    """The operator's settings for this contract."""

    currencies: Mapping[str, Currency]
    """the contract's currencies and those of the setting, by code"""
    token_life: timedelta = timedelta(days=1)
    token_is_sliding: bool = False
    raises: RaiseRules = DEFAULT_RAISE_RULES
    deposit_check_is_required: bool = False
    doors: Mapping[str, TokenForm] = field(default_factory=dict)
    """by the name that `account/session` knows them by"""
