"""Alerts and dashboard against the metrics that exist."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]  # as in files
from prometheus_client.parser import text_string_to_metric_families

from app.cashier.batching import Batcher
from app.cashier.policy import PolicyInForce
from app.edges.callback.endpoint import ANSWERS
from app.edges.callback.endpoint import METHODS as CALLBACK_METHODS
from app.edges.metrics import ALARMS, Metrics
from app.ledger.transaction import Ledger
from app.telemetry.metrics import Requests
from app.wallet.alarms import Alarm
from app.wallet.facts import Policy
from tests.deploy.files import ROOT, compose, environment

DEPLOY = ROOT / "deploy"
ALERTS = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text(encoding="utf-8"))
DASHBOARD = json.loads(
    (DEPLOY / "grafana" / "dashboards" / "wallet.json").read_text(encoding="utf-8")
)
NAME = re.compile(r"\b(wallet_[a-z_]+)")


@pytest.fixture(scope="module")
def names() -> set[str]:
    """Every name that Prometheus would know, whether it has samples yet or not."""
    ledger = Ledger("postgresql+asyncpg://nobody@127.0.0.1:1/nowhere")
    page = Metrics(
        ledger, Batcher(ledger, PolicyInForce(Policy())), {"callback": Requests(("moveFunds",))}
    ).page()
    found = set()
    for family in text_string_to_metric_families(page.decode()):
        ends = {"counter": ["_total"], "histogram": ["_bucket", "_count", "_sum"]}
        found |= {family.name + end for end in ends.get(family.type, [""])}
    return found


def expressions() -> list[str]:
    rules = [rule["expr"] for group in ALERTS["groups"] for rule in group["rules"]]
    return rules + [t["expr"] for panel in DASHBOARD["panels"] for t in panel["targets"]]


def test_every_number_that_is_watched_or_drawn_exists(names: set[str]) -> None:
    used = {name for expression in expressions() for name in NAME.findall(expression)}
    assert len(used) > 15
    assert used - names == set()


def test_every_number_is_drawn(names: set[str]) -> None:
    drawn = {
        n
        for panel in DASHBOARD["panels"]
        for t in panel["targets"]
        for n in NAME.findall(t["expr"])
    }
    families = {re.sub(r"_(bucket|count|sum)$", "", name) for name in drawn}
    ours = {
        re.sub(r"_(bucket|count|sum)$", "", name) for name in names if name.startswith("wallet_")
    }
    assert ours - families == set()


def test_every_number_is_on_the_page(names: set[str]) -> None:
    page = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    told = set(NAME.findall(page))
    ours = {
        re.sub(r"_(bucket|count|sum)$", "", name) for name in names if name.startswith("wallet_")
    }
    assert ours <= told


def test_alerts_name_views_that_exist_in_words() -> None:
    told = " ".join(r["annotations"]["summary"] for g in ALERTS["groups"] for r in g["rules"])
    migrations = "".join(
        p.read_text(encoding="utf-8") for p in (ROOT / "migrations" / "sql").rglob("*.sql")
    )
    for view in re.findall(r"ops\.([a-z_]+)", told):
        assert f"CREATE VIEW ops.{view} " in migrations


def test_prometheus_asks_the_private_port_of_the_wallet() -> None:
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
    (job,) = config["scrape_configs"]
    assert job["metrics_path"] == "/metrics"
    address = f"wallet:{environment()['WALLET_PRIVATE_PORT']}"
    assert job["static_configs"] == [{"targets": [address]}]
    # The other workers' ports are asked for.
    (discovery,) = job["http_sd_configs"]
    assert discovery["url"] == f"http://{address}/metrics/targets"
    assert all((DEPLOY / "prometheus" / name).is_file() for name in config["rule_files"])


def test_grafana_finds_its_source_and_its_dashboard() -> None:
    provisioning = DEPLOY / "grafana" / "provisioning"
    (source,) = yaml.safe_load(
        (provisioning / "datasources" / "prometheus.yml").read_text(encoding="utf-8")
    )["datasources"]
    assert {panel["datasource"]["uid"] for panel in DASHBOARD["panels"]} == {source["uid"]}
    (provider,) = yaml.safe_load(
        (provisioning / "dashboards" / "wallet.yml").read_text(encoding="utf-8")
    )["providers"]
    mounts = compose()["services"]["grafana"]["volumes"]
    assert f"./deploy/grafana/dashboards:{provider['options']['path']}:ro" in mounts


def test_panels_do_not_overlap_and_are_told_apart() -> None:
    places = [tuple(panel["gridPos"].values()) for panel in DASHBOARD["panels"]]
    assert len(set(places)) == len(places)
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize(
    "words",
    [
        ("check", "rules", str(DEPLOY / "prometheus" / "alerts.yml")),
        ("check", "config", str(DEPLOY / "prometheus" / "prometheus.yml")),
        ("test", "rules", str(Path(__file__).with_name("alerts_test.yml"))),
    ],
    ids=" ".join,
)
def test_prometheus_own_tool_agrees(words: tuple[str, ...]) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed here")
    done = subprocess.run([promtool, *words], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_kind_of_event_is_on_the_page_before_it_happens() -> None:
    """A counter that is born at 1 has not increased: its first alarm would page nobody."""
    assert set(ALARMS) == {alarm.value for alarm in Alarm}
    ledger = Ledger("postgresql+asyncpg://nobody@127.0.0.1:1/nowhere")
    edges = {"callback": Requests(CALLBACK_METHODS, answers=ANSWERS, not_admitted=("signature",))}
    page = Metrics(ledger, Batcher(ledger, PolicyInForce(Policy())), edges).page().decode()
    for series in (
        *(f'wallet_alarms_total{{alarm="{alarm}"}} 0.0' for alarm in ALARMS),
        'wallet_movement_failures_total{error="LedgerAwayError"} 0.0',
        'wallet_movement_failures_total{error="unexpected"} 0.0',
        "wallet_movements_unheard_total 0.0",
        "wallet_log_lines_dropped_total ",
        'wallet_ledger_retries_total{reason="40001"} 0.0',
        'wallet_not_admitted_total{contract="callback",reason="signature"} 0.0',
        'wallet_movements_total{decision="INSUFFICIENT_FUNDS",event_type="BetPlacing"} 0.0',
        'contract="callback",event_type="BetPlacing",method="moveFunds",status="200"} 0.0',
        'code="400",contract="callback",event_type="",method="moveFunds",status="503"} 0.0',
    ):
        assert series in page, series


def test_errors_that_nobody_expects_share_one_series() -> None:
    ledger = Ledger("postgresql+asyncpg://nobody@127.0.0.1:1/nowhere")
    batcher = Batcher(ledger, PolicyInForce(Policy()))
    batcher.batch_stats.failures["ZeroDivisionError"] += 1
    batcher.batch_stats.failures["DeadlineError"] += 2
    page = Metrics(ledger, batcher, {}).page().decode()
    assert 'wallet_movement_failures_total{error="unexpected"} 1.0' in page
    assert 'wallet_movement_failures_total{error="DeadlineError"} 2.0' in page
    assert "ZeroDivisionError" not in page
