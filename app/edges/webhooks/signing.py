"""The headers of a webhook by the Standard Webhooks specification: id, timestamp, signature.

Each of an endpoint's secrets signs: while one is being changed, a receiver with either of both
finds a signature of its own.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from standardwebhooks.webhooks import Webhook

from app.wallet.journal import EPOCH

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - what every secret begins with


class Signer:
    """Signs for one endpoint."""

    def __init__(self, secrets: Sequence[str]) -> None:
        self._webhooks = [Webhook(secret) for secret in secrets]

    def headers(self, event_id: str, now: datetime, body: str) -> bytes:
        """Return the three headers of a delivery at this moment, each with its line's end."""
        signatures = " ".join(w.sign(event_id, now, body) for w in self._webhooks)
        seconds = int((now - EPOCH).total_seconds())
        return (
            f"webhook-id: {event_id}\r\nwebhook-timestamp: {seconds}\r\n"
            f"webhook-signature: {signatures}\r\n"
        ).encode("ascii")
