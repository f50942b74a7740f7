"""Risk: exposure by event, winners and losers, new players who win, players in debt by age."""

from collections import defaultdict
from typing import Any

from starlette.responses import Response

from app.backoffice.call import Call
from app.ledger.backoffice.risk import EACH


async def show(call: Call) -> Response:
    """Show the page."""
    risk = await call.office.risk.get()
    by_currency: dict[str, dict[str, list[Any]]] = defaultdict(
        lambda: {"winners": [], "losers": [], "new": []}
    )
    for row in risk.results:
        of = by_currency[row.currency]
        of["winners" if row.won > 0 else "losers"].append(row)
        if row.is_new and row.won > 0:
            of["new"].append(row)
    for of in by_currency.values():
        of["winners"] = of["winners"][:EACH]
        of["losers"] = of["losers"][::-1][:EACH]
        of["new"] = of["new"][:EACH]
    return call.page(
        "risk.html",
        at=risk.at,
        exposure=risk.exposure,
        currencies=dict(sorted(by_currency.items())),
        in_debt=risk.in_debt,
    )
