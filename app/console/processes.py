"""The serving processes of this machine, asked on their private ports for what they count.

Any of them tells the addresses of all; each answers for itself.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import httpx2
from prometheus_client.parser import text_string_to_metric_families

SECONDS_MAX: Final = 3
PROCESSES_MAX: Final = 64

SHOWN: Final = {
    "wallet_pool_connections": "pool",
    "wallet_pool_connections_max": "pool_max",
    "wallet_queue_movements": "queue",
    "wallet_log_lines_dropped_total": "log_lines_dropped",
}
"""What of a metrics page is shown: its name, and the name here."""


@dataclass(frozen=True, slots=True)
class Process:
    """One serving process."""

    address: str
    answer: str
    """`ready`, or why it is not"""
    numbers: dict[str, int]

    def facts(self) -> dict[str, str | int]:
        """Return what is known of it, by name."""
        return {"state": self.answer, **self.numbers}

    def problems(self) -> Iterator[str]:
        """Yield what is wrong with it, a sentence each."""
        if self.answer != "ready":
            yield f"The process at {self.address} is not ready: {self.answer}."
        if self.numbers.get("log_lines_dropped", 0):
            yield f"The process at {self.address} has dropped log lines: nobody reads them."


def running_processes(host: str, port: int) -> list[Process]:
    """Ask every serving process of this machine; none answers: an empty list."""
    if port == 0:
        return []
    origin = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    with httpx2.Client(timeout=SECONDS_MAX, trust_env=False) as client:
        try:
            groups = json.loads(client.get(f"{origin}/metrics/targets").text)
            targets = [target for group in groups for target in group["targets"]]
        except (httpx2.HTTPError, ValueError, KeyError, TypeError):
            return []
        return [_asked(client, target) for target in targets[:PROCESSES_MAX]]


def _asked(client: httpx2.Client, address: str) -> Process:
    try:
        readiness = client.get(f"http://{address}/health/ready").json()
        page = client.get(f"http://{address}/metrics").text
    except (httpx2.HTTPError, ValueError):
        return Process(address, "it does not answer", {})
    answer = "ready" if readiness.get("status") == "ready" else str(readiness.get("reason"))
    return Process(address, answer, _numbers(page))


def _numbers(page: str) -> dict[str, int]:
    numbers: dict[str, int] = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            name = SHOWN.get(sample.name)
            if name is not None:
                labels = [name, *sample.labels.values()] if name == "pool" else [name]
                key = "_".join(labels)
                numbers[key] = numbers.get(key, 0) + int(sample.value)
    return numbers
