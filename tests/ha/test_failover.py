"""A short piece of `make test-ha`: one primary dies and one is swapped, and nothing is lost."""

import random

import pytest

from tests.ha import run
from tests.ha.cluster import missing_programs
from tests.ha.events import PostmasterKilled, Switchover
from tests.ha.run import fail_over

MISSING = missing_programs()


@pytest.mark.timeout(300)
@pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
async def test_nothing_acknowledged_is_lost_when_the_primary_dies_or_is_swapped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(run, "BEFORE_SECONDS", 0.5)
    monkeypatch.setattr(run, "AFTER_SECONDS", 0.2)
    kinds = (PostmasterKilled, Switchover)
    report = await fail_over(2, random.getrandbits(20), kinds, also_asynchronous=False)
    assert report.is_good, "\n".join(report.lines())
    assert report.failovers == 2
    assert report.acknowledged > 0
