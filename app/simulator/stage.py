"""What the simulator is given: a running server, players on it, and how much to play."""

import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Literal

from app.simulator.verdict import Verdict

DuplicateReply = Literal["conflict", "replay"]
StakeOrder = Literal["real_first", "bonus_first"]
KeyScope = Literal["transaction", "transaction_event"]
OvertakenBet = Literal["refuse", "flag"]

# Ids are at most 250 characters; a run id of 64 leaves room for player, kind and number.
_RUN_ID = re.compile(r"[A-Za-z0-9-]{1,64}")


@dataclass(frozen=True, slots=True)
class StagePlayer:
    """A player as they stand before the first request of this run."""

    user_id: str
    currency: str
    #: Decimal places of the currency: 2 for USD, 0 for JPY, 8 for BTC.
    scale: int
    #: A token that stays live for the whole run.
    token: str = field(repr=False)
    #: A token of the same player that has expired already.
    expired_token: str = field(repr=False)
    #: What the real pocket holds, in the currency's main unit; may be below zero.
    real: Decimal
    #: What the bonus pocket holds, in the currency's main unit.
    bonus: Decimal


@dataclass(frozen=True, slots=True)
class Stage:
    """A running server, its settings, and players whom nobody else uses during the run."""

    #: Where the callback's methods live, for example ``http://127.0.0.1:8080``.
    base_url: str
    #: The secret that signs; never shown, never written.
    callback_key: str = field(repr=False)
    duplicate_reply: DuplicateReply
    stake_order: StakeOrder
    key_scope: KeyScope
    #: The gameId under which Betby's sports bets come, if the operator set one.
    sport_game_id: int | None
    players: tuple[StagePlayer, ...]
    #: What becomes of a bet whose abort came first. The simulator sends such a bet a few requests
    #: after its abort, well within the 600 seconds that the contract gives it.
    overtaken_bet: OvertakenBet = "refuse"

    def after(self, verdict: Verdict) -> "Stage":
        """Return the stage with the balances that the books of a run ended with."""
        return replace(
            self,
            players=tuple(
                replace(
                    player, real=Decimal(told.expected_real), bonus=Decimal(told.expected_bonus)
                )
                for player, told in zip(self.players, verdict.players, strict=True)
            ),
        )


def new_run_id() -> str:
    """Name a run after the present moment, so that no two runs share an id."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S-%f}"


@dataclass(frozen=True, slots=True)
class Options:
    """How much is played, how fast, and when to stop."""

    #: Game events (rounds, sports bets, promotions…) over all players.
    events: int = 2000
    #: With the stage and these options, the seed decides everything that is sent.
    seed: int = 1
    #: Part of every id of this run, so that the same seed may be played twice.
    run_id: str = field(default_factory=new_run_id)
    #: Requests a second over all players; None plays flat out.
    rate: int | None = None
    #: Players who play at the same time.
    concurrency: int = 16
    #: After so many seconds no new event begins; None plays them all.
    deadline_seconds: int | None = None
    #: How long one answer is waited for. The contract's own deadline is 10 seconds.
    timeout_seconds: int = 15
    #: Deliveries of one request before its outcome is given up as unknown.
    attempts_max: int = 8
    #: Differences kept word for word; the rest is only counted.
    differences_max: int = 50

    def __post_init__(self) -> None:
        """Refuse what cannot be played."""
        if not _RUN_ID.fullmatch(self.run_id):
            raise ValueError("a run id is 1 to 64 letters, digits and dashes")
        if self.events < 0:
            raise ValueError("events: 0 or more")
        least_one = {
            "rate": self.rate,
            "concurrency": self.concurrency,
            "deadline_seconds": self.deadline_seconds,
            "timeout_seconds": self.timeout_seconds,
            "attempts_max": self.attempts_max,
            "differences_max": self.differences_max,
        }
        for name, value in least_one.items():
            if value is not None and value < 1:
                raise ValueError(f"{name}: 1 or more")
