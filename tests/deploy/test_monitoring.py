"""Alerts and dashboard against the numbers that there are."""

import json
import re
import shutil
import subprocess

import pytest
import yaml  # type: ignore[import-untyped]  # as in files
from prometheus_client.parser import text_string_to_metric_families

from app.cashier.batching import Batcher
from app.cashier.policy import PolicyInForce
from app.edges.metrics import Metrics
from app.ledger.transaction import Ledger
from app.telemetry.metrics import Requests
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
    assert job["static_configs"] == [
        {"targets": [f"wallet:{environment()['WALLET_PRIVATE_PORT']}"]}
    ]
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


def test_prometheus_own_tool_agrees() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed here")
    subprocess.run(
        [promtool, "check", "rules", str(DEPLOY / "prometheus" / "alerts.yml")], check=True
    )
