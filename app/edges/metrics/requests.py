"""Metrics of the requests of each contract."""

from collections.abc import Iterator, Mapping

from prometheus_client.core import Metric

from app.cashier.request_archive import RequestArchive
from app.telemetry.metrics import Requests, counted, spread


def of_requests(edges: Mapping[str, Requests]) -> Iterator[Metric]:
    """Show what was asked and answered, by contract."""
    yield counted(
        "wallet_requests",
        "Requests answered; code 0 is done, event_type is empty where none was understood",
        ("contract", "method", "event_type", "code", "status"),
        {(name, *key): n for name, edge in edges.items() for key, n in edge.answered.items()},
    )
    yield spread(
        "wallet_request_seconds",
        "From a request's arrival to its answer",
        ("contract", "method"),
        {(name, key): s for name, edge in edges.items() for key, s in edge.latency.items()},
    )
    yield counted(
        "wallet_not_admitted",
        "Strangers kept out: a wrong signature, key, agent or network",
        ("contract", "reason"),
        {(name, key): n for name, edge in edges.items() for key, n in edge.not_admitted.items()},
    )
    yield counted(
        "wallet_requests_lacking",
        "Requests admitted without op or jti, because WALLET_TRANSFER_OP is optional",
        ("contract", "method", "lacks"),
        {(name, *key): n for name, edge in edges.items() for key, n in edge.lacking.items()},
    )
    yield counted(
        "wallet_callers_gone",
        "Callers who hung up before their answer",
        ("contract",),
        {(name,): edge.gone for name, edge in edges.items()},
    )


def of_archive(archive: RequestArchive | None) -> Metric:
    """Show how many requests are kept for disputes; without an archive, none."""
    kept, dropped = (0, 0) if archive is None else (archive.kept, archive.dropped)
    return counted(
        "wallet_requests_archived",
        "Requests of moveFunds for the archive; dropped: the database did not take them in time",
        ("result",),
        {("kept",): kept, ("dropped",): dropped},
    )
