"""The composition of the back office: pages that act through the cashier and read the views."""

from typing import Final

from starlette.requests import Request

from app.backoffice.application import backoffice_app
from app.composition.policy import rules_of_raises
from app.edges.networks import caller_address
from app.ledger.citus.ledger import PlacedLedger
from app.ledger.ops_views import OpsViews
from app.server.port import Served
from app.settings import Settings
from app.telemetry.logs import configure_logs
from app.version import VERSION

CONNECTIONS: Final = 6
"""Of each role: a page asks for some seven things at once, and waits a little for the rest."""


def build_backoffice(settings: Settings, database_url: str, ops_url: str) -> Served:
    """Compose the back office: pages that act through the cashier and read the views."""
    configure_logs(only_warnings=settings.demo)
    proxies = settings.proxy_networks

    def source_of(request: Request) -> str:
        peer = request.client.host if request.client else None
        forwarded = request.headers.get("x-forwarded-for", "").encode()
        return str(caller_address(peer, forwarded, proxies) or "unknown")

    return Served(
        backoffice_app(
            PlacedLedger(
                database_url,
                pool_size=CONNECTIONS,
                deadline=settings.deadline,
            ),
            OpsViews(ops_url, pool_size=CONNECTIONS),
            source_of=source_of,
            adjust_solo_max=settings.adjust_solo_max,
            raises=rules_of_raises(settings),
            is_demo=settings.demo,
            version=VERSION,
        )
    )
