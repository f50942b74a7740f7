"""A ledger with a projector beside it."""

from tests.cashier.conftest import other_till as other_till_fixture
from tests.cashier.conftest import till as till_fixture

till = till_fixture
other_till = other_till_fixture
