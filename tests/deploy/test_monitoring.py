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
from app.edges.metrics.movements import ALARMS
from app.edges.metrics.page import Metrics
from app.ledger.applied_views import FOLDER as VIEWS
from app.ledger.citus.ledger import PlacedLedger
from app.settings import Settings
from app.telemetry.metrics import Requests
from app.wallet.alarms import Alarm
from app.wallet.facts import Policy
from app.wallet.inbox import ExceptionKind
from tests.conftest import Database
from tests.deploy.files import ROOT, compose, environment
from tests.ops_sql.conftest import Psql
from tests.ops_sql.conftest import told as told_fixture

told = told_fixture

DEPLOY = ROOT / "deploy"
ALERTS = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text(encoding="utf-8"))
DASHBOARD = json.loads(
    (DEPLOY / "grafana" / "dashboards" / "wallet.json").read_text(encoding="utf-8")
)
MONEY = json.loads((DEPLOY / "grafana" / "dashboards" / "money.json").read_text(encoding="utf-8"))
RULES = {rule["alert"]: rule for group in ALERTS["groups"] for rule in group["rules"]}
RUNBOOK = ROOT / "docs" / "runbook.md"
PLAYED = [Path(__file__).with_name(f"alerts_{what}.yml") for what in ("test", "days_test")]
NAME = re.compile(r"\b(wallet_[a-z_]+)")


@pytest.fixture(scope="module")
def names() -> set[str]:
    """Every name that Prometheus would know, whether it has samples yet or not."""
    ledger = PlacedLedger("postgresql+asyncpg://nobody@127.0.0.1:1/nowhere")
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
    told = " ".join(rule["annotations"]["summary"] for rule in RULES.values())
    told += RUNBOOK.read_text(encoding="utf-8")
    views = "".join(p.read_text(encoding="utf-8") for p in VIEWS.glob("*.sql"))
    for view in re.findall(r"ops\.([a-z_]+)", told):
        assert f"CREATE VIEW ops.{view} " in views, view


def sections() -> dict[str, dict[str, str]]:
    """The runbook's sections by name, below each of its two parts."""
    parts = re.split(r"^# (.+)$", RUNBOOK.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    found = {}
    for title, body in zip(parts[::2], parts[1::2], strict=True):
        names = re.split(r"^## (.+)$", body, flags=re.MULTILINE)[1:]
        found[title] = dict(zip(names[::2], names[1::2], strict=True))
    return found


def test_the_runbook_has_every_alert_and_every_kind_of_exception_and_no_other() -> None:
    told = sections()
    assert set(told["Alerts"]) == set(RULES)
    assert set(told["Inbox"]) == {kind.value for kind in ExceptionKind}


def test_every_section_of_the_runbook_says_what_it_means_how_to_look_and_what_to_do() -> None:
    for part in ("Alerts", "Inbox"):
        for name, body in sections()[part].items():
            for word in ("**Means.**", "**Look.**", "**Do.**"):
                assert word in body, name


def test_every_rule_has_a_severity_and_a_link_to_its_section() -> None:
    for name, rule in RULES.items():
        assert rule["labels"]["severity"] in {"page", "ticket"}, name
        assert rule["annotations"]["runbook"] == f"docs/runbook.md#{name.lower()}"


def test_every_rule_is_played_until_it_tells_somebody() -> None:
    tests = [t for p in PLAYED for t in yaml.safe_load(p.read_text(encoding="utf-8"))["tests"]]
    checks = [check for test in tests for check in test["alert_rule_test"]]
    assert {c["alertname"] for c in checks if c.get("exp_alerts")} == set(RULES)


def test_alertmanager_has_a_receiver_for_every_severity_and_no_secret() -> None:
    config = yaml.safe_load(
        (DEPLOY / "alertmanager" / "alertmanager.yml").read_text(encoding="utf-8")
    )
    receivers = {receiver["name"]: receiver for receiver in config["receivers"]}
    (paged,) = config["route"]["routes"]
    assert paged["matchers"] == ['severity="page"']
    assert {config["route"]["receiver"], paged["receiver"]} == set(receivers)
    secrets = compose()["secrets"]
    for receiver in receivers.values():
        (hook,) = receiver["webhook_configs"]
        assert set(hook) == {"url_file", "send_resolved"}
        assert Path(hook["url_file"]).name in secrets
    for rule in config["inhibit_rules"]:
        for matcher in (*rule["source_matchers"], *rule["target_matchers"]):
            assert set(re.findall(r"[A-Z]\w+", matcher)) <= set(RULES)


def test_what_is_told_reaches_alertmanager() -> None:
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
    (manager,) = config["alerting"]["alertmanagers"]
    assert manager["static_configs"] == [{"targets": ["alertmanager:9093"]}]
    assert "alertmanager" in compose()["services"]


def test_the_money_dashboard_asks_what_operations_may_ask(told: Database) -> None:
    """Every panel's SQL is asked as wallet_ops, whose views are all it may read."""
    psql = Psql(told)
    source = yaml.safe_load(
        (DEPLOY / "grafana" / "provisioning" / "datasources" / "ledger.yml").read_text(
            encoding="utf-8"
        )
    )["datasources"][0]
    assert source["user"] == "wallet_ops"
    assert source["secureJsonData"]["password"] == "$OPS_PASSWORD"
    assert "OPS_PASSWORD" in compose()["services"]["grafana"]["environment"]
    for panel in MONEY["panels"]:
        assert panel["datasource"]["uid"] == source["uid"]
        (target,) = panel["targets"]
        psql.rows(target["rawSql"])


def test_the_money_dashboard_does_not_overlap() -> None:
    places = [tuple(panel["gridPos"].values()) for panel in MONEY["panels"]]
    assert len(set(places)) == len(places) == len({panel["id"] for panel in MONEY["panels"]})


def test_prometheus_asks_the_private_port_of_the_wallet() -> None:
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
    job, delivering, projecting = config["scrape_configs"]
    assert projecting["static_configs"] == [{"targets": ["project:8091"]}]
    assert Settings.model_fields["project_port"].default == 8091
    assert delivering["static_configs"] == [{"targets": ["deliver:8090"]}]
    assert Settings.model_fields["deliver_port"].default == 8090
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
        *(("test", "rules", str(path)) for path in PLAYED),
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
    ledger = PlacedLedger("postgresql+asyncpg://nobody@127.0.0.1:1/nowhere")
    edges = {"callback": Requests(CALLBACK_METHODS, answers=ANSWERS, not_admitted=("signature",))}
    page = Metrics(ledger, Batcher(ledger, PolicyInForce(Policy())), edges).page().decode()
    for series in (
        *(f'wallet_alarms_total{{alarm="{alarm}"}} 0.0' for alarm in ALARMS),
        'wallet_movement_failures_total{error="LedgerAwayError"} 0.0',
        'wallet_movement_failures_total{error="unexpected"} 0.0',
        "wallet_movements_unheard_total 0.0",
        "wallet_log_lines_dropped_total ",
        'wallet_requests_archived_total{result="dropped"} 0.0',
        'wallet_ledger_retries_total{reason="40001"} 0.0',
        'wallet_not_admitted_total{contract="callback",reason="signature"} 0.0',
        'wallet_movements_total{decision="INSUFFICIENT_FUNDS",event_type="BetPlacing"} 0.0',
        'contract="callback",event_type="BetPlacing",method="moveFunds",status="200"} 0.0',
        'code="400",contract="callback",event_type="",method="moveFunds",status="503"} 0.0',
        *(f'wallet_inbox_open{{kind="{kind.value}"}} 0.0' for kind in ExceptionKind),
        *(f'wallet_inbox_oldest_seconds{{kind="{kind.value}"}} 0.0' for kind in ExceptionKind),
        *(f'wallet_audit_breaches{{scope="{scope}"}} 0.0' for scope in ("everything", "recent")),
        "wallet_adjustments_waiting 0.0",
        "wallet_backup_last_timestamp_seconds 0.0",
        "wallet_seal_last_timestamp_seconds 0.0",
        "wallet_seals_itself 0.0",
        "wallet_ready 0.0",
    ):
        assert series in page, series


def test_errors_that_nobody_expects_share_one_series() -> None:
    ledger = PlacedLedger("postgresql+asyncpg://nobody@127.0.0.1:1/nowhere")
    batcher = Batcher(ledger, PolicyInForce(Policy()))
    batcher.batch_stats.failures["ZeroDivisionError"] += 1
    batcher.batch_stats.failures["DeadlineError"] += 2
    page = Metrics(ledger, batcher, {}).page().decode()
    assert 'wallet_movement_failures_total{error="unexpected"} 1.0' in page
    assert 'wallet_movement_failures_total{error="DeadlineError"} 2.0' in page
    assert "ZeroDivisionError" not in page
