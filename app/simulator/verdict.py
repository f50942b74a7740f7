"""What a run found: differences, answers by code, and every player's balance twice."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

# A person reads the first differences; all that were kept are in the JSON.
_SHOWN_MAX = 10
_MILLISECONDS = 1000


@dataclass(frozen=True, slots=True)
class Difference:
    """An answer that is not the one that was predicted."""

    user_id: str
    #: What was sent, without tokens and keys.
    sent: str
    expected: str
    got: str


@dataclass(frozen=True, slots=True)
class PlayerVerdict:
    """A player's balances as predicted and as the wallet told them, as printed."""

    user_id: str
    currency: str
    expected_balance: str
    expected_real: str
    expected_bonus: str
    #: None where the wallet gave no readable answer.
    balance: str | None
    real: str | None
    bonus: str | None

    @property
    def agrees(self) -> bool:
        """Whether both say the same, to the digit."""
        return (self.balance, self.real, self.bonus) == (
            self.expected_balance,
            self.expected_real,
            self.expected_bonus,
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of a run."""

    seed: int
    run_id: str
    events: int
    events_played: int
    #: Requests sent, repetitions after faults included.
    requests: int
    duration_ms: int
    #: Answers by what they said: ``ok``, a code, ``http 405``, ``timeout``, ``no answer``.
    answers: Mapping[str, int]
    players: tuple[PlayerVerdict, ...]
    #: The first differences; ``differences_total`` counts all of them.
    differences: tuple[Difference, ...]
    differences_total: int

    @property
    def clean(self) -> bool:
        """Whether something was played, and nothing differs."""
        return (
            self.requests > 0
            and self.differences_total == 0
            and all(player.agrees for player in self.players)
        )

    @property
    def requests_per_second(self) -> int:
        """The rate over the whole run, rounded down."""
        return self.requests * _MILLISECONDS // max(self.duration_ms, 1)

    def to_json(self) -> str:
        """Print everything as JSON."""
        document = {
            "clean": self.clean,
            "seed": self.seed,
            "run_id": self.run_id,
            "events": self.events,
            "events_played": self.events_played,
            "requests": self.requests,
            "duration_ms": self.duration_ms,
            "requests_per_second": self.requests_per_second,
            "answers": dict(self.answers),
            "differences_total": self.differences_total,
            "differences": [asdict(each) for each in self.differences],
            "players": [{**asdict(each), "agrees": each.agrees} for each in self.players],
        }
        return json.dumps(document, indent=2, ensure_ascii=False)

    def __rich__(self) -> RenderableType:
        """Show the verdict to a person: ``console.print(verdict)``."""
        parts: list[RenderableType] = [self._answers_table(), self._players_table()]
        if self.differences_total:
            parts.append(self._differences_table())
        seconds, milliseconds = divmod(self.duration_ms, _MILLISECONDS)
        parts.append(
            f"{self.events_played} of {self.events} events, {self.requests} requests in "
            f"{seconds}.{milliseconds:03} s, {self.requests_per_second} a second; "
            f"seed {self.seed}, run {self.run_id}"
        )
        disagreeing = sum(not player.agrees for player in self.players)
        parts.append(
            "[bold green]clean: the wallet and the simulator agree[/]"
            if self.clean
            else f"[bold red]not clean: {self.differences_total} answers differ, "
            f"{disagreeing} of {len(self.players)} balances disagree[/]"
        )
        return Group(*parts)

    def _answers_table(self) -> Table:
        table = Table("answer", title="Answers")
        table.add_column("count", justify="right")
        for answer, count in sorted(self.answers.items()):
            table.add_row(answer, str(count))
        return table

    def _players_table(self) -> Table:
        table = Table("player", "", title="Balances")
        for heading in ("predicted", "by the wallet", "of it real", "bonus"):
            table.add_column(heading, justify="right")
        table.add_column("")
        for player in self.players:
            table.add_row(
                escape(player.user_id),
                escape(player.currency),
                player.expected_balance,
                escape(player.balance or "no answer"),
                escape(player.real or ""),
                escape(player.bonus or ""),
                "[green]agrees[/]" if player.agrees else "[red]differs[/]",
            )
        return table

    def _differences_table(self) -> Table:
        shown = self.differences[:_SHOWN_MAX]
        table = Table(
            "player",
            "sent",
            "expected",
            "got",
            title=f"Differences ({len(shown)} of {self.differences_total})",
        )
        for each in shown:
            texts = (each.user_id, each.sent, each.expected, each.got)
            table.add_row(*map(escape, texts))
        return table
