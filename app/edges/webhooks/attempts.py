"""What became of each attempt to deliver an event, counted for the metrics."""

from collections import Counter
from collections.abc import Collection
from typing import Final

from app.edges.webhooks.connection import CLOSED
from app.telemetry.metrics import Spread

NO_ANSWER: Final = "no answer in time"
NOT_CONNECTED: Final = "not connected"
NAME_UNKNOWN: Final = "name unknown"
ADDRESS_REFUSED: Final = "address refused"
NO_TLS: Final = "tls"

OUTCOMES: Final = (
    "delivered",
    "refused",
    "redirected",
    NO_ANSWER,
    CLOSED,
    NOT_CONNECTED,
    NO_TLS,
    NAME_UNKNOWN,
    ADDRESS_REFUSED,
    "answer unusable",
)
"""The label of each attempt in the metrics."""


class Counts:
    """What this process has delivered, for the metrics."""

    def __init__(self, agents: Collection[str]) -> None:
        self.attempts: Counter[tuple[str, str]] = Counter(
            {(agent, outcome): 0 for agent in agents for outcome in OUTCOMES}
        )
        """by agent and outcome"""
        self.seconds = {agent: Spread() for agent in agents}
