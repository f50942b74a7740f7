"""The files of the replicated deployment against each other, and against their readers."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # as in files

from app.ledger.inspection import DURABLE, PREDICATE_LOCKS
from app.settings import setting_names
from tests.deploy.files import ROOT, example_environment, postgres_settings, secrets_of

HA = ROOT / "deploy" / "ha"
TEXT = (HA / "docker-compose.yml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
PATRONI: dict[str, Any] = yaml.safe_load((HA / "patroni.yml").read_text(encoding="utf-8"))
DCS = PATRONI["bootstrap"]["dcs"]
PARAMETERS = {name: str(value) for name, value in DCS["postgresql"]["parameters"].items()}
HAPROXY = (HA / "haproxy.cfg").read_text(encoding="utf-8")
PAGE = (ROOT / "docs" / "ha.md").read_text(encoding="utf-8")
NODES = ("db1", "db2")

LOG_BYTES_BESIDE_COMMITS = 1 << 30
"""More than vacuum and its like write before Patroni takes a standby that hangs off its list."""


def test_a_nodes_postgres_has_the_settings_of_the_single_one() -> None:
    single = postgres_settings()
    assert {name: PARAMETERS.get(name) for name in single} == single


def test_nothing_acknowledged_may_be_lost_by_these_settings() -> None:
    assert DCS["synchronous_mode"] is True
    assert all(PARAMETERS[name] == "on" for name in DURABLE)
    assert all(int(PARAMETERS[name]) >= least for name, least in PREDICATE_LOCKS.items())
    assert DCS["loop_wait"] + 2 * DCS["retry_timeout"] <= DCS["ttl"]


def test_log_that_nobody_was_told_of_keeps_no_synchronous_standby_from_taking_over() -> None:
    assert DCS["maximum_lag_on_failover"] >= LOG_BYTES_BESIDE_COMMITS


def test_every_setting_that_replication_adds_is_explained() -> None:
    added = PARAMETERS.keys() - postgres_settings().keys()
    chosen = {name for name in DCS if name != "postgresql"} | added
    unexplained = {
        name
        for name in chosen
        if name not in PAGE and not name.startswith("tcp_keepalives") and name != "hot_standby"
    }
    assert unexplained == set()


def test_every_node_is_known_to_haproxy_and_to_the_wallet() -> None:
    for node in NODES:
        assert HAPROXY.count(f"server {node} {node}:5432 check port 8008") == 2
        environment = SERVICES[node]["environment"]
        assert environment["PATRONI_NAME"] == node
        assert environment["PATRONI_POSTGRESQL_CONNECT_ADDRESS"] == f"{node}:5432"
        assert environment["PATRONI_RESTAPI_CONNECT_ADDRESS"] == f"{node}:8008"
    url = SERVICES["wallet"]["environment"]["WALLET_DATABASE_URL"]
    assert url.endswith("@db1:5432,db2:5432/wallet?target_session_attrs=read-write")
    assert "@haproxy:5001/" in SERVICES["wallet"]["environment"]["WALLET_REPORTS_DATABASE_URL"]
    assert SERVICES["wallet"]["environment"]["WALLET_EXPECT_SYNC"] == "on"


def test_the_members_of_etcd_name_each_other() -> None:
    members = [name for name in SERVICES if name.startswith("etcd")]
    everybody = ",".join(f"{name}=http://{name}:2380" for name in members)
    for name in members:
        command = SERVICES[name]["command"]
        assert f"--name={name}" in command
        assert f"--initial-cluster={everybody}" in command
        assert f"--advertise-client-urls=http://{name}:2379" in command
    hosts = ",".join(f"{name}:2379" for name in members)
    assert all(SERVICES[node]["environment"]["PATRONI_ETCD3_HOSTS"] == hosts for node in NODES)


def test_every_variable_of_the_head_of_patronis_file_is_given() -> None:
    head = (HA / "patroni.yml").read_text(encoding="utf-8").partition("\nscope:")[0]
    image = (HA / "Dockerfile").read_text(encoding="utf-8")
    for name in re.findall(r"PATRONI_[A-Z0-9_]+", head):
        assert name in SERVICES["db1"]["environment"] or f"{name}=" in image, name


def test_every_variable_of_the_wallet_is_a_setting() -> None:
    for name in ("migrate", "wallet"):
        assert set(SERVICES[name]["environment"]) <= set(setting_names())


def test_every_secret_is_in_the_example_and_has_no_value() -> None:
    given = example_environment(HA)
    assert set(given) == secrets_of(TEXT)
    assert set(given.values()) == {""}


def test_every_file_that_is_mounted_or_copied_exists() -> None:
    mounts = [mount for service in SERVICES.values() for mount in service.get("volumes", [])]
    for mount in mounts:
        source = mount.split(":")[0]
        if source.startswith("."):
            assert (HA / source).exists(), source
        else:
            assert source in COMPOSE["volumes"], source
    image = (HA / "Dockerfile").read_text(encoding="utf-8")
    for source in re.findall(r"^COPY (\S+) ", image, re.MULTILINE):
        assert (HA / source).exists(), source


def test_every_image_is_pinned_by_its_version() -> None:
    built = {service["image"] for service in SERVICES.values() if "build" in service}
    for service in SERVICES.values():
        image = service["image"]
        assert image in built or re.fullmatch(r"[a-z]+:\d+\.\d+", image), image


def test_what_was_not_run_is_said() -> None:
    assert "**were not run**" in PAGE


@pytest.mark.skipif(
    shutil.which("haproxy", path="/usr/sbin:/usr/bin") is None,
    reason="haproxy is not installed here",
)
def test_haproxy_itself_understands_the_file(tmp_path: Path) -> None:
    file = tmp_path / "haproxy.cfg"
    # Names of nodes are looked up when the file is read.
    file.write_text(re.sub(r"\bdb\d:", "127.0.0.1:", HAPROXY), encoding="utf-8")
    program = shutil.which("haproxy", path="/usr/sbin:/usr/bin")
    assert program is not None
    done = subprocess.run(
        [program, "-c", "-f", str(file)], check=False, capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 0, done.stderr
