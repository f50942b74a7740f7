"""The metric that says which wallet this is."""

from prometheus_client.core import Metric

from app.telemetry.metrics import gauged
from app.version import VERSION, build_id


def build_info() -> Metric:
    """Say which wallet this is."""
    return gauged(
        "wallet_build_info",
        "Which wallet this is: always 1, the labels say it",
        ("version", "build"),
        {(VERSION, build_id()): 1},
    )
