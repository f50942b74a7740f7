"""When to try again: pauses that grow, for an endpoint and for one event, and an end of them.

A failure that says nothing about the event (no connection, no answer, 429, 503) is the endpoint's;
so are refusals of several events on end. Then nothing is sent but one event at a time, each after a
longer pause. A refusal while other events are taken is that event's alone.
"""

from datetime import datetime, timedelta
from random import SystemRandom
from typing import Final

from app.cashier.deliveries import Endpoint, Retry
from app.wallet.event_log import RetryState

GIVEN_UP_AFTER: Final = timedelta(days=3)
"""Transfer contract, section 5: as long as a weekend and a holiday."""

ENDPOINT_FIRST_MS: Final = 500
ENDPOINT_MAX_MS: Final = 300_000
"""An endpoint that is back is tried within five minutes."""

EVENT_FIRST_MS: Final = 5_000
EVENT_MAX_MS: Final = 3_600_000

REFUSALS_ON_END_MAX: Final = 5
"""Different events refused without one that was taken: it is not for what they say."""

GONE: Final = 410
"""The receiver wants no more (Standard Webhooks): parked at once."""

OF_THE_ENDPOINT: Final = frozenset({429, 503, GONE})
"""Answers that say nothing about the event; so do redirects."""

_jitter: Final = SystemRandom()


def failed(endpoint: Endpoint, outcome: str, now: datetime) -> Endpoint:
    """Return the endpoint after one more failure that is its own."""
    failures = endpoint.failures + 1
    since = endpoint.failing_since or now
    return endpoint._replace(
        failures=failures,
        failing_since=since,
        next_attempt_at=now + pause(failures, ENDPOINT_FIRST_MS, ENDPOINT_MAX_MS),
        last_outcome=outcome,
        is_parked=now - since >= GIVEN_UP_AFTER or outcome == str(GONE),
    )


def succeeded(endpoint: Endpoint, outcome: str, now: datetime) -> Endpoint:
    """Return the endpoint after it has taken an event."""
    return endpoint._replace(
        failures=0,
        failing_since=None,
        next_attempt_at=None,
        last_outcome=outcome,
        delivered_at=now,
    )


def refused(retry: Retry, outcome: str, now: datetime, *, may_give_up: bool = True) -> Retry:
    """Return an event after it was refused once more."""
    attempts, since = retry.attempts + 1, retry.failing_since or now
    is_given_up = may_give_up and now - since >= GIVEN_UP_AFTER
    return retry._replace(
        state=RetryState.PARKED if is_given_up else RetryState.WAITING,
        attempts=attempts,
        failing_since=since,
        next_attempt_at=now + pause(attempts, EVENT_FIRST_MS, EVENT_MAX_MS),
        last_outcome=outcome,
    )


def pause(failures: int, first_ms: int, most_ms: int) -> timedelta:
    """Return a pause that doubles with each failure, jittered by a fifth."""
    # Beyond 30 doublings every first pause is longer than the longest.
    milliseconds = min(first_ms * 2 ** min(failures - 1, 30), most_ms)
    return timedelta(milliseconds=_jitter.uniform(0.8, 1.2) * milliseconds)
