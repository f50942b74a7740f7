"""The OpenAPI document of all contracts: one line here for each of them."""

from typing import Final

from app.edges.betby import openapi as betby
from app.edges.callback import openapi as callback
from app.edges.openapi import describe
from app.edges.transfer import openapi as transfer
from app.edges.webhooks import openapi as webhooks
from app.version import VERSION

INTRODUCTION: Final = """
The wallet of a betting operator: its contracts stand on one ledger that adds up. The game side
calls `callback`, the operator's own platform calls `transfer`, and what happens is sent as
webhooks.
"""


def description(*, has_betby: bool = False) -> dict[str, object]:
    """Return the OpenAPI document of all contracts; of Betby's where that is served."""
    own = (betby.CONTRACT,) if has_betby else ()
    contracts = (callback.CONTRACT, transfer.CONTRACT, *own, webhooks.CONTRACT)
    return describe("Wallet", VERSION, INTRODUCTION, contracts)
