"""The rounds of the torture: callers call, a fault occurs, then everything must add up.

After each round, with the world whole again and every call decided:

1. the audit finds nothing;
2. every acknowledged movement is in the journal once, and nothing else is;
3. every balance is what the callers' own books say;
4. each player's answers are explained by one order of whole movements.
"""

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Protocol

import asyncpg
from typing_extensions import override

from app.cashier.audit import audit
from tests.history.checker import explain
from tests.torture.betby import METHODS, BetbyHand
from tests.torture.caller import Caller
from tests.torture.faults import FAULTS, Fault
from tests.torture.player import Hand, Player, Tally, hundredths
from tests.torture.stage import Stage, staged

PLAYERS = 8
HANDS = 3
"""callers of one player, at once"""

ROUND_SECONDS = 4.0
OPENING = 4_000
"""hundredths: little, so that it runs out now and then"""

JOURNAL = """
SELECT p.user_id, m.name, count(*)::int AS times,
       (sum(m.real_delta + m.bonus_delta) * 100)::bigint AS moved
FROM (
    SELECT *, rtrim(transaction_id || ' ' || facet) AS name
    FROM movements WHERE decision = 'ACCEPTED'
) m JOIN players p USING (player_id)
GROUP BY p.user_id, m.name
"""
"""A discard has its bet's id, and another key."""

BALANCES = """
SELECT user_id, ((real + bonus) * 100)::bigint AS balance
FROM wallets JOIN players USING (player_id)
"""


@dataclass
class Report:
    """What was survived, and at what price."""

    seed: int
    faults: list[str] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    strikes: int = 0
    acknowledged: int = 0
    refused: int = 0
    calls: int = 0
    unanswered: int = 0
    unavailable: int = 0
    lost: int = 0
    doubled: int = 0
    unasked: int = 0
    """movements in the journal that nobody was told of"""
    operations: int = 0
    """answers explained by the checker of histories"""
    slowest_503: float = 0.0
    codes: Counter[str] = field(default_factory=Counter)
    complaints: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def is_good(self) -> bool:
        return not (self.lost or self.doubled or self.unasked or self.complaints)

    def lines(self) -> list[str]:
        """Say it, for people."""
        words = [
            f"faults survived     {self.strikes} strikes of {', '.join(self.faults)}",
            *(f"not tried           {name}: {why}" for name, why in self.skipped.items()),
            f"movements           {self.acknowledged} acknowledged, {self.refused} refused",
            f"lost                {self.lost}",
            f"doubled             {self.doubled}",
            f"never asked for     {self.unasked}",
            (
                f"calls               {self.calls}, of them {self.unanswered} without an answer, "
                f"{self.unavailable} told to ask again (slowest {self.slowest_503:.1f} s)"
            ),
            f"answers explained   {self.operations}",
            f"by Betby's contract {self._betby()}",
            f"seed                {self.seed} ({self.seconds:.0f} s)",
        ]
        return words + [f"WRONG               {complaint}" for complaint in self.complaints]

    def _betby(self) -> str:
        told = ((name, self.codes[name]) for name in sorted(self.codes))
        words = [f"{name}: {count}" for name, count in told if name.split()[0] in METHODS]
        return ", ".join(words) or "nothing"


class World(Protocol):
    """What callers call, and where it is looked up afterwards what became of it."""

    @property
    def ports(self) -> Sequence[int]:
        """Where the servers listen."""

    @property
    def superuser_url(self) -> str:
        """The database for whoever may see all of it."""


class Books:
    """Callers with books of their own, and the comparison of these with the ledger."""

    def __init__(self, world: World, report: Report, dice: Random) -> None:
        self.world = world
        self.report = report
        self.dice = dice
        self.tally = Tally()
        self.players: list[Player] = []
        self.hands: list[Hand] = []
        self.rounds = 0

    async def play(self, name: str, scene: Callable[[], Awaitable[None]]) -> None:
        """Let new callers play while the scene lasts, then compare."""
        began = datetime.now(UTC)
        self.rounds += 1
        self.tally = Tally()
        self._seat()
        try:
            await asyncio.gather(*(hands[0].open_account(OPENING) for hands in self._tables()))
            await scene()
            await self._settle(began)
        finally:
            for hand in self.hands:
                hand.close()
            self._count(name)

    def _seat(self) -> None:
        number = f"{self.report.seed}-{self.rounds}"
        self.players = [Player(f"player-{number}-{seat}") for seat in range(PLAYERS)]
        self.hands = [
            self._hand(player, number) for player in self.players for number in range(HANDS)
        ]

    def _hand(self, player: Player, number: int) -> Hand:
        caller = Caller(self.world.ports, self._dice())
        return Hand(player, number, caller, self._dice(), self.tally)

    def _dice(self) -> Random:
        return Random(self.dice.getrandbits(64))  # noqa: S311 — a simulation

    def _tables(self) -> list[list[Hand]]:
        return [self.hands[seat * HANDS : (seat + 1) * HANDS] for seat in range(PLAYERS)]

    async def _settle(self, began: datetime) -> None:
        """Hold books, journal, balances and histories against each other."""
        await self._audit(began - timedelta(days=1))
        url = self.world.superuser_url.replace("+asyncpg", "")
        boss = await asyncpg.connect(url, timeout=10)
        try:
            journal = {
                (row["user_id"], row["name"]): (row["times"], row["moved"])
                for row in await boss.fetch(JOURNAL)
            }
            balances = {row["user_id"]: row["balance"] for row in await boss.fetch(BALANCES)}
        finally:
            await boss.close()
        for player in self.players:
            self._compare(player, journal, balances)
            await self._ask(player)
            story = explain(player.history, player.opening)
            self.report.operations += len(story.order)
            if not story.is_explained:
                self.tally.complaints.append(f"history of {player.user_id}: {story}")

    async def _audit(self, since: datetime | None) -> None:
        findings = await audit(self.world.superuser_url, since=since)
        self.tally.complaints += [f"audit: {breach}" for breach in findings.breaches]

    def _compare(
        self,
        player: Player,
        journal: dict[tuple[str, str], tuple[int, int]],
        balances: dict[str, int],
    ) -> None:
        user_id = player.user_id
        mine = {name: row for (user, name), row in journal.items() if user == user_id}
        for name, moved in player.accepted.items():
            times, really = mine.pop(name, (0, 0))
            if times == 0:
                self.report.lost += 1
                self.tally.complaints.append(f"lost: {name} of {user_id}")
            elif times > 1 or really != moved:
                self.report.doubled += 1
                self.tally.complaints.append(f"{name} of {user_id} moved {really}, not {moved}")
        self.report.unasked += len(mine)
        self.tally.complaints += [f"never asked for: {name} of {user_id}" for name in mine]
        if balances.get(user_id) != player.expected:
            self.tally.complaints.append(
                f"{user_id} has {balances.get(user_id)}, not {player.expected}"
            )

    async def _ask(self, player: Player) -> None:
        """Ask each server: they must agree with the books as well."""
        fields = {"token": player.token, "userId": player.user_id}
        for port in self.world.ports:
            caller = Caller([port], self.dice)
            reply = await caller.ask("getBalance", fields)
            caller.close()
            said = reply.said
            if reply.code or hundredths(said["balance"]) != player.expected:
                words = f"{player.user_id} is told {reply.body!r}, not {player.expected}"
                self.tally.complaints.append(words)

    def _count(self, name: str) -> None:
        report, tally = self.report, self.tally
        if name not in report.faults:
            report.faults.append(name)
        report.codes.update(tally.codes)
        report.acknowledged += tally.acknowledged
        report.refused += tally.refused
        report.calls += tally.calls
        report.unanswered += tally.unanswered
        report.unavailable += tally.unavailable
        report.slowest_503 = max(report.slowest_503, tally.slowest_503)
        report.complaints += [f"[{name}] {complaint}" for complaint in tally.complaints]


class Torturer(Books):
    """The rounds on one stage."""

    def __init__(self, stage: Stage, report: Report, dice: Random, betby_share: float) -> None:
        super().__init__(stage, report, dice)
        self.stage = stage
        self.betby_share = betby_share

    @override
    def _hand(self, player: Player, number: int) -> Hand:
        caller = Caller(self.world.ports, self._dice())
        hand = BetbyHand(player, number, caller, self._dice(), self.tally)
        hand.betby_share = self.betby_share
        return hand

    async def round(self, kind: type[Fault], seconds: float) -> None:
        """Play one round of one fault."""

        async def scene() -> None:
            fault = kind(self.stage, self.players, self.tally, self.dice)
            await fault.prepare()
            await self._play(fault, seconds)

        await self.play(kind.name, scene)

    async def _play(self, fault: Fault, seconds: float) -> None:
        ends = time.monotonic() + seconds
        playing = asyncio.gather(
            *(hand.play(lambda: time.monotonic() < ends) for hand in self.hands)
        )
        try:
            while time.monotonic() < ends and not playing.done():
                await asyncio.sleep(fault.pause_seconds * (0.5 + self.dice.random()))
                fault.strikes += 1
                await fault.strike()
        finally:
            await fault.mend()
            await playing
            self.report.strikes += fault.strikes


async def torture(
    seconds: float,
    seed: int,
    names: Sequence[str] = (),
    *,
    betby_share: float = BetbyHand.betby_share,
    is_talkative: bool = False,
) -> Report:
    """Play rounds of the named faults, or of all, for about so many seconds.

    `betby_share`: of the stories, those that go by Betby's own contract.
    """
    dice = Random(seed)  # noqa: S311 — a simulation
    report = Report(seed)
    chosen = []
    for name in names or FAULTS:
        why_not = FAULTS[name].why_not()
        if why_not is None:
            chosen.append(FAULTS[name])
        else:
            report.skipped[name] = why_not
    if not chosen:
        return report
    began = time.monotonic()
    ends = began + seconds
    while True:
        dice.shuffle(chosen)
        # Each gets its turn, and what needs a world of its own comes last.
        turns = sorted(chosen, key=lambda kind: kind.needs_small_disk)
        round_seconds = min(ROUND_SECONDS, max(1.0, seconds / max(len(turns), 1) / 2))
        for is_small in (False, True):
            kinds = [kind for kind in turns if kind.needs_small_disk is is_small]
            if not kinds:
                continue
            reply = dice.choice(("conflict", "replay"))
            async with staged(duplicate_reply=reply, small_disk=is_small) as stage:
                torturer = Torturer(stage, report, dice, betby_share)
                for kind in kinds:
                    if is_talkative:
                        sys.stderr.write(f"{time.monotonic() - began:6.1f} s  {kind.name}\n")
                    await torturer.round(kind, round_seconds)
                    if report.complaints:
                        break
                report.complaints += [f"logged: {line}" for line in stage.faults_logged()]
            if report.complaints:
                break
        if report.complaints or time.monotonic() >= ends:
            break
    report.seconds = time.monotonic() - began
    return report
