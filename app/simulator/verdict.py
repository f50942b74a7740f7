"""What a run found: differences, answers by code, and every player's balance twice."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

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
