"""The cashier's fixtures: a ledger, and a TCP proxy to the database that can be cut."""

from tests.cashier.conftest import far_till, line, till
from tests.ledger.tls_server import guarded

__all__ = ["far_till", "guarded", "line", "till"]
