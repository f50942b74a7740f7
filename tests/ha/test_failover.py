"""A short piece of `make test-ha`: the primary dies under load, and nothing is lost."""

import random

import pytest

from tests.ha import run
from tests.ha.cluster import missing_programs
from tests.ha.events import PostmasterKilled
from tests.ha.run import fail_over

MISSING = missing_programs()

QUICK = {"loop_wait": 1, "retry_timeout": 4}
"""Patroni looks more often than deployed, since a short test waits for it several times."""


@pytest.mark.timeout(300)
@pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
async def test_nothing_acknowledged_is_lost_when_the_primary_dies(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(run, "BEFORE_SECONDS", 0.5)
    monkeypatch.setattr(run, "AFTER_SECONDS", 0.2)
    report = await fail_over(
        1,
        random.getrandbits(20),
        [PostmasterKilled],
        changes=QUICK,
        also_asynchronous=False,
    )
    assert report.is_good, "\n".join(report.lines())
    assert report.failovers == 1
    assert report.acknowledged > 0
