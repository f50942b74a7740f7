"""Every test of a connection runs both ways: with the fast path, and without it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from tests.server.stub import Station, station

WAYS = ("fast path", "framework")


@pytest.fixture(scope="module", params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    assert isinstance(request.param, str)
    return request.param


@pytest.fixture(scope="module")
def patient_station(way: str) -> Iterator[Station]:
    with station(way) as served:
        yield served


@pytest.fixture(scope="module")
def hurried_station(way: str) -> Iterator[Station]:
    with station(way, deadline=timedelta(seconds=0.3)) as served:
        yield served


@pytest.fixture
def served(patient_station: Station) -> Iterator[Station]:
    with used(patient_station):
        yield patient_station


@pytest.fixture
def hurried(hurried_station: Station) -> Iterator[Station]:
    """A port with a short deadline."""
    with used(hurried_station):
        yield hurried_station


@contextmanager
def used(served: Station) -> Iterator[None]:
    """One test on a port that others use, too."""
    served.go_on()
    served.settle()
    served.stub.forget()
    yield
    served.go_on()
