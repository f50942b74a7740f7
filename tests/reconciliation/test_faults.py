"""Every fault that was put into a report is found, and nothing else is."""

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from app.simulator import faulty
from app.simulator.report import _FAULTS, Record
from tests.reconciliation.conftest import Played

SEEDS = int(os.environ.get("RECONCILIATION_SEEDS", "4"))
FAULTS = 36

Write = Callable[[list[Record]], Path]


async def test_a_true_report_agrees_with_the_journal(played: Played, report: Write) -> None:
    async with played.run(report(played.records)) as (outcome, differences):
        assert differences == []
        assert outcome.agrees
        assert outcome.lines == len(played.records) > 500
        assert outcome.days.agree == outcome.days.total > 0
        assert outcome.rounds is None, "the search ends at the level that agrees"


def test_the_run_can_carry_every_kind_of_fault(played: Played) -> None:
    _, faults = faulty(played.records, 1, 2 * len(_FAULTS))
    assert Counter(fault.kind for fault in faults) == dict.fromkeys(_FAULTS, 2)


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_every_fault_is_found_and_nothing_else(
    played: Played, report: Write, seed: int
) -> None:
    records, faults = faulty(played.records, seed, FAULTS)
    assert len(faults) == FAULTS
    async with played.run(report(records)) as (outcome, differences):
        found = Counter((each.transaction_id, each.verdict) for each in differences)
        assert found == Counter((fault.transaction_id, fault.verdict) for fault in faults)
        assert outcome.differences == FAULTS
        assert not outcome.agrees
