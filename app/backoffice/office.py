"""What the pages need: the ledger for acts, the views for reading, and how people sign in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from starlette.requests import Request

from app.backoffice.figures import Figures
from app.backoffice.rendering import Pages
from app.cashier.status import Standing
from app.ledger.backoffice.risk import Risk
from app.ledger.backoffice.today import Today
from app.ledger.ops_views import OpsViews
from app.ledger.transaction import Ledger
from app.wallet.limit_terms import RaiseRules


@dataclass(frozen=True, slots=True)
class Office:
    """The parts of the back office, put together by the composition root."""

    ledger: Ledger
    views: OpsViews
    pages: Pages
    source_of: Callable[[Request], str]
    """the address that a request comes from"""
    today: Figures[Today]
    risk: Figures[Risk]
    standing: Figures[Standing]
    """the state of the ledger, and what of it is wrong"""
    adjust_solo_max: Mapping[str, str]
    """what one person alone may move by an adjustment, by currency"""
    raises: RaiseRules
    """how limits are raised: a lift of a block needs the rules, and raises none"""
    is_demo: bool
    """people have no second factor, and the cookie may go over plain HTTP"""
