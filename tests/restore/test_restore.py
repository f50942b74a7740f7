"""A short piece of `make test-restore`: a ledger killed under load comes back to a moment."""

import pytest

from tests.restore.run import drill


@pytest.mark.timeout(240)
async def test_a_restored_ledger_has_all_until_the_moment_and_the_rest_is_named() -> None:
    report = await drill(0.4, only_moment=True)
    assert report.is_good, "\n".join(report.lines())
    (restored,) = report.restores
    assert 0 < len(restored.missing) < restored.told
