"""A short piece of the torture; `make torture` has the long one, and all faults."""

import random

import pytest
from typing_extensions import override

from tests.torture import rounds
from tests.torture.betby import METHODS
from tests.torture.faults import FAULTS, Fault
from tests.torture.rounds import torture

SECONDS = 6
"""Each fault has its round of a second, and no fault a second one."""

SHORT = (
    ("cut-before-commit", "cut-after-commit", "conflicts", "pool-exhausted", "postmaster-killed"),
    (
        *("server-killed", "many-deliveries", "bad-clients"),
        *("database-away", "database-frozen", "repeats", "many-discards"),
    ),
)
"""The faults that need no long wait, for two workers."""


@pytest.mark.timeout(300)
@pytest.mark.parametrize("names", SHORT, ids=" ".join)
async def test_nothing_is_lost_and_nothing_done_twice(names: tuple[str, ...]) -> None:
    report = await torture(SECONDS, random.getrandbits(20), names)
    assert report.is_good, "\n".join(report.lines())
    assert sorted(report.faults) == sorted(names)
    assert report.acknowledged > 0
    assert report.operations >= report.acknowledged
    for method in METHODS:
        assert report.codes[f"{method} 0"] > 0


class Thief(Fault):
    name = "thief"

    @override
    async def strike(self) -> None:
        """Wait for the end."""

    @override
    async def mend(self) -> None:
        boss = await self.stage.postmaster.connect()
        # With the revision: else a movement that is under way writes the cent back.
        await boss.execute(
            "UPDATE wallets SET real = real - 0.01, revision = revision + 1 WHERE player_id ="
            " (SELECT player_id FROM players WHERE user_id = $1)",
            self.players[0].user_id,
        )
        await boss.close()


@pytest.mark.timeout(120)
async def test_a_stolen_cent_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FAULTS, Thief.name, Thief)
    monkeypatch.setattr(rounds, "ROUND_SECONDS", 1.0)
    report = await torture(1, 1, [Thief.name])
    assert not report.is_good
    complaints = "\n".join(report.complaints)
    assert "audit" in complaints
    assert "-1-0 has" in complaints  # the books of player 0
