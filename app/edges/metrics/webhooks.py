"""Metrics of webhooks: what a deliverer has tried, and how they stand in the one ledger."""

from collections.abc import Iterator, Mapping, Sequence

from prometheus_client.core import Metric

from app.ledger.event_log.webhooks import Backlog
from app.telemetry.metrics import Spread, counted, gauged, spread


def webhook_attempts(
    attempts: Mapping[tuple[str, str], int], seconds: Mapping[str, Spread]
) -> Iterator[Metric]:
    """Show what a deliverer has tried: by agent and outcome; a serving process tries nothing."""
    yield counted(
        "wallet_webhook_attempts",
        "Attempts to deliver an event, by their outcome",
        ("agent", "outcome"),
        {(agent, outcome): n for (agent, outcome), n in attempts.items()},
    )
    yield spread(
        "wallet_webhook_seconds",
        "How long an endpoint took to answer",
        ("agent",),
        {(agent,): taken for agent, taken in seconds.items()},
    )


def webhooks_seen(backlogs: Sequence[Backlog], numbering_age: int) -> Iterator[Metric]:
    """Show how webhooks stand in the one ledger: queries take the maximum, never the sum."""
    yield gauged(
        "wallet_webhook_backlog",
        "Events that an endpoint has not taken yet, at most",
        ("agent",),
        {(b.agent,): b.events for b in backlogs},
    )
    yield gauged(
        "wallet_webhook_oldest_seconds",
        "How long ago the oldest of them happened; 0: there is none",
        ("agent",),
        {(b.agent,): b.oldest_seconds for b in backlogs},
    )
    yield gauged(
        "wallet_webhook_parked",
        "Events that were given up after three days, or 1 for an endpoint that was",
        ("agent",),
        {(b.agent,): max(b.parked, int(b.is_parked)) for b in backlogs},
    )
    yield gauged(
        "wallet_events_numbered_seconds",
        "How long ago the ledger was looked through for events, where there are endpoints; else 0",
        (),
        {(): numbering_age if backlogs else 0},
    )
