"""The compose file against what exists: files, settings, ports, roles; and Compose's check."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # its types are a package of their own

from app.ledger.inspection import DURABLE, PREDICATE_LOCKS
from app.postgres import EmbeddedPostgres
from app.postgres.cluster import SUPERUSER
from app.postgres.server_settings import SETTINGS
from app.settings import setting_names
from tests.conftest import sql
from tests.deploy.files import ROOT, compose, dockerfile, environment, postgres_settings

COMPOSE = compose()
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")

EXAMPLE = (ROOT / "deploy" / "example.env").read_text(encoding="utf-8")
REQUIRED = re.findall(r"\$\{([A-Z_]+):\?", TEXT)
FILLED_IN = dict.fromkeys(REQUIRED, "0123456789abcdef0123456789abcdef")

OF_THIS_MACHINE = {
    "shared_buffers",
    "effective_cache_size",
    "maintenance_work_mem",
    "max_wal_size",
    "min_wal_size",
}
"""Settings that a real machine has more of than the embedded server takes."""

ONLY_EMBEDDED = {"unix_socket_permissions"}


def test_the_services_and_their_profiles() -> None:
    profiles = {name: service.get("profiles", []) for name, service in SERVICES.items()}
    assert profiles == {
        "postgres": [],
        "migrate": [],
        "wallet": [],
        "backoffice": [],
        "deliver": ["webhooks"],
        "project": ["slips"],
        "caddy": ["tls"],
        "prometheus": ["monitoring"],
        "alertmanager": ["monitoring"],
        "grafana": ["monitoring"],
    }


def test_every_file_that_is_mounted_exists() -> None:
    mounts = [m for service in SERVICES.values() for m in service.get("volumes", [])]
    for mount in mounts:
        source = mount.split(":")[0]
        if source.startswith("."):
            assert (ROOT / source).exists(), source
        else:
            assert source in COMPOSE["volumes"], source


def test_every_variable_of_the_wallet_is_a_setting() -> None:
    for name in ("migrate", "wallet", "backoffice"):
        for variable in SERVICES[name]["environment"]:
            known = variable in setting_names() or variable == "OTEL_EXPORTER_OTLP_ENDPOINT"
            assert known, variable


def test_every_variable_without_a_default_is_in_the_example() -> None:
    example = (ROOT / "deploy" / "example.env").read_text(encoding="utf-8")
    required = set(re.findall(r"\$\{([A-Z_]+):\?", TEXT))
    assert required == set(re.findall(r"^([A-Z_]+)=", example, re.MULTILINE))
    optional = set(re.findall(r"^# ([A-Z_]+)=", example, re.MULTILINE))
    given = {secret["environment"] for secret in COMPOSE["secrets"].values()}
    assert given <= optional
    assert optional - given <= set(re.findall(r"\$\{([A-Z_]+):-", TEXT))


def test_no_secret_has_a_value_that_everybody_knows() -> None:
    for name, default in re.findall(r"\$\{([A-Z_]+):-([^}]*)\}", TEXT):
        if "KEY" in name or "AGENTS" in name or "PASSWORD" in name:
            assert default == "", name


def test_the_example_has_no_secret_so_that_compose_does_not_start_with_it() -> None:
    for name, value in re.findall(r"^([A-Z_]+)=(.*)$", EXAMPLE, re.MULTILINE):
        assert value == "", name
    assert {"GRAFANA_PASSWORD", "WALLET_CALLBACK_KEYS"} <= set(REQUIRED)


def test_the_wallet_runs_without_anything_to_write_to() -> None:
    for name in ("migrate", "wallet", "backoffice"):
        service = SERVICES[name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert "volumes" not in service


def test_the_migration_comes_between_the_database_and_the_wallet() -> None:
    assert SERVICES["migrate"]["restart"] == "no"
    assert SERVICES["migrate"]["depends_on"]["postgres"]["condition"] == "service_healthy"
    migrated = SERVICES["wallet"]["depends_on"]["migrate"]["condition"]
    assert migrated == "service_completed_successfully"


def test_only_the_migration_knows_the_owner() -> None:
    assert "WALLET_OWNER_DATABASE_URL" in SERVICES["migrate"]["environment"]
    assert "OWNER" not in str(SERVICES["wallet"])
    assert "wallet_service" in SERVICES["wallet"]["environment"]["WALLET_DATABASE_URL"]


def test_ports_are_the_images_and_stay_on_this_machine() -> None:
    set_there = environment()
    expected = [f"127.0.0.1:{set_there[name]}" for name in ("WALLET_PORT", "WALLET_PRIVATE_PORT")]
    assert [port.rpartition(":")[0] for port in SERVICES["wallet"]["ports"]] == expected
    assert "ports" not in SERVICES["postgres"]


def test_the_back_office_reads_as_one_role_acts_as_another_and_knows_no_key() -> None:
    office = SERVICES["backoffice"]
    assert office["command"] == ["backoffice"]
    assert "//wallet_service:" in office["environment"]["WALLET_DATABASE_URL"]
    assert "//wallet_ops:" in office["environment"]["WALLET_OPS_DATABASE_URL"]
    assert not {"WALLET_CALLBACK_KEYS", "WALLET_AGENTS"} & office["environment"].keys()
    assert "OWNER" not in str(office)
    port = environment()["WALLET_BACKOFFICE_PORT"]
    assert office["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert f"127.0.0.1:{port}/login" in str(office["healthcheck"]["test"])


def test_the_front_alone_is_believed() -> None:
    (network,) = COMPOSE["networks"]["inside"]["ipam"]["config"]
    (believed,) = {
        network
        for name in ("wallet", "backoffice")
        for network in SERVICES[name]["environment"]["WALLET_PROXY_NETWORKS"].split(",")
    }
    front = ip_address(SERVICES["caddy"]["networks"]["inside"]["ipv4_address"])
    assert ip_network(believed) == ip_network(front)
    assert front in ip_network(network["subnet"])
    # Nobody else is given this address by chance.
    assert front not in ip_network(network["ip_range"])
    assert front != ip_address(network["gateway"])
    fixed = [name for name, s in SERVICES.items() if isinstance(s["networks"], dict)]
    assert fixed == ["caddy"]


def test_every_image_is_pinned_by_its_version() -> None:
    images = [service["image"] for service in SERVICES.values() if "build" not in service]
    assert len(images) == 5
    for image in images:
        assert re.fullmatch(r"[a-z/]+:v?\d+(\.\d+){1,2}", image), image
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert re.search(r"^ARG PYTHON_VERSION=\d+\.\d+\.\d+$", text, re.MULTILINE)


def test_postgres_is_healthy_only_when_it_answers_by_tcp() -> None:
    """While a new volume is made ready, the image's own server listens on the socket alone."""
    command = SERVICES["postgres"]["healthcheck"]["test"]
    assert command[:2] == ["CMD", "pg_isready"]
    assert "--host=127.0.0.1" in command


def test_the_goodbye_is_longer_than_the_deadline() -> None:
    grace = int(SERVICES["wallet"]["stop_grace_period"].removesuffix("s"))
    assert grace >= 10 + 10
    assert any(step.name == "STOPSIGNAL" and step.rest == "SIGTERM" for step in dockerfile())


def test_postgres_has_the_settings_the_embedded_server_has() -> None:
    given = postgres_settings()
    for name, value in SETTINGS.items():
        if name not in ONLY_EMBEDDED | OF_THIS_MACHINE:
            assert given[name] == value, name
    assert given.keys() == SETTINGS.keys() - ONLY_EMBEDDED


def test_postgres_has_the_settings_the_wallet_looks_for_at_its_start() -> None:
    given = postgres_settings()
    assert all(given[name] == "on" for name in DURABLE)
    assert all(int(given[name]) >= least for name, least in PREDICATE_LOCKS.items())


@pytest.fixture(scope="module")
def composed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """A real server with the settings of the compose file."""
    folder = tmp_path_factory.mktemp("data")
    # A test has less memory than a database server.
    given = postgres_settings() | {"shared_buffers": "64MB"}
    with EmbeddedPostgres.start_or_join(folder, fsync=False, settings=given) as server:
        yield server


def test_a_real_server_takes_these_settings(composed: EmbeddedPostgres) -> None:
    for name, value in postgres_settings().items():
        if name != "shared_buffers":
            same = f"SELECT current_setting('{name}') = '{value}'"
            assert sql(composed, same, SUPERUSER) == "t", name


def test_every_setting_of_postgres_is_explained() -> None:
    page = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([a-z_]+)` \| `([^`]+)` \|", page, re.MULTILINE))
    given = postgres_settings()
    assert rows.items() <= given.items()
    unexplained = given.keys() - rows.keys()
    assert unexplained <= {
        "superuser_reserved_connections",
        "log_timezone",
        "log_line_prefix",
        "log_checkpoints",
    }


def test_compose_itself_understands_the_file(tmp_path: Path) -> None:
    docker = shutil.which("docker")
    if (
        docker is None
        or subprocess.run(
            [docker, "compose", "version"], check=False, capture_output=True
        ).returncode
    ):
        pytest.skip("docker compose is not installed here")
    for profile in ("", "tls", "monitoring"):
        command = [docker, "compose", "--env-file", str(ROOT / "deploy" / "example.env")]
        command += ["--profile", profile] if profile else []
        done = subprocess.run(
            [*command, "config", "--quiet"], cwd=ROOT, check=False, capture_output=True, text=True,
            env={"PATH": "/usr/bin:/bin:/usr/local/bin", "HOME": str(tmp_path), **FILLED_IN},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr


def test_the_file_of_seals_mounts_a_key_and_a_folder_for_the_wallet_alone() -> None:
    text = (ROOT / "deploy" / "seal" / "docker-compose.yml").read_text(encoding="utf-8")
    added = yaml.safe_load(text)
    assert set(added["services"]) == {"wallet"}
    wallet = added["services"]["wallet"]
    assert set(wallet["environment"]) <= set(setting_names())
    (secret,) = wallet["secrets"]
    assert wallet["environment"]["WALLET_SEAL_KEY"] == f"/run/secrets/{secret}"
    (mount,) = wallet["volumes"]
    assert wallet["environment"]["WALLET_SEAL_TO"].startswith(mount["target"] + "/")
    # Compose does not start while either is missing, and makes neither.
    assert mount["source"].startswith("${WALLET_SEALS:?")
    assert added["secrets"][secret]["file"].startswith("${WALLET_SEAL_KEY_FILE:?")
    assert mount["bind"] == {"create_host_path": False}
