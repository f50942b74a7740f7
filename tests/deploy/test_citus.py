"""The files of the deployment on Citus against each other, and against their readers."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # as in files

from app.ledger.inspection import DURABLE, PREDICATE_LOCKS
from app.settings import setting_names
from tests.deploy.files import ROOT, example_environment, postgres_settings, secrets_of

CITUS = ROOT / "deploy" / "citus"
TEXT = (CITUS / "docker-compose.yml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
NODES = ("node1", "node2")
SERVERS = ("coordinator", *NODES)


def settings_of(name: str) -> dict[str, str]:
    command = SERVICES[name]["command"]
    assert command[0] == "postgres"
    pairs = [word.removeprefix("-c").partition("=") for word in command[1:]]
    return {key: value for key, _, value in pairs}


@pytest.mark.parametrize("name", SERVERS)
def test_no_server_loses_what_it_answered_or_locks_too_much(name: str) -> None:
    found = settings_of(name)
    assert all(found[setting] == "on" for setting in DURABLE)
    assert all(int(found[setting]) >= least for setting, least in PREDICATE_LOCKS.items())
    single = postgres_settings()
    for setting in ("jit", "random_page_cost", "shared_buffers", "effective_cache_size"):
        assert found[setting] == single[setting]


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_can_have_buckets_moved_to_it(name: str) -> None:
    found = settings_of(name)
    assert found["shared_preload_libraries"] == "citus"
    assert found["wal_level"] == "logical"
    assert int(found["max_prepared_transactions"]) >= int(found["max_connections"])


def test_the_cluster_knows_every_node_by_the_name_that_the_wallet_reaches_it_by() -> None:
    told = " ".join(SERVICES["cluster"]["command"])
    for node in NODES:
        assert f"citus_add_node('{node}', 5432)" in told
        assert SERVICES[node]["networks"] == SERVICES["wallet"]["networks"]
    assert "citus_set_coordinator_host('coordinator', 5432)" in told
    assert set(SERVICES["cluster"]["depends_on"]) == set(SERVERS)


def test_migrations_and_service_have_the_same_buckets_and_use_the_coordinator() -> None:
    buckets = {SERVICES[name]["environment"]["WALLET_BUCKETS"] for name in ("migrate", "wallet")}
    assert len(buckets) == 1
    assert int(buckets.pop()) >= len(NODES)
    for name in ("migrate", "wallet"):
        for setting, value in SERVICES[name]["environment"].items():
            if setting.endswith("DATABASE_URL"):
                assert value.endswith("@coordinator/wallet")


def test_every_variable_of_the_wallet_is_a_setting() -> None:
    for name in ("migrate", "wallet"):
        assert set(SERVICES[name]["environment"]) <= set(setting_names())


def test_every_secret_is_in_the_example_and_has_no_value() -> None:
    given = example_environment(CITUS)
    assert set(given) == secrets_of(TEXT)
    assert set(given.values()) == {""}


def test_every_file_that_is_mounted_exists() -> None:
    mounts = [mount for service in SERVICES.values() for mount in service.get("volumes", [])]
    for mount in mounts:
        source = mount.split(":")[0]
        if source.startswith("."):
            assert (CITUS / source).exists(), source
        else:
            assert source in COMPOSE["volumes"], source


def test_every_image_is_pinned_by_its_version() -> None:
    for service in SERVICES.values():
        assert "build" in service or re.search(r":\d+\.\d+\.\d+$", service["image"])


def test_a_node_signs_in_as_each_role_with_that_ones_password(tmp_path: Path) -> None:
    file = tmp_path / "nodes.pgpass"
    names = ("POSTGRES", "OWNER", "SERVICE", "OPS")
    given = {f"{name}_PASSWORD": f"secret{name}" for name in names}
    subprocess.run(
        ["/bin/sh", str(CITUS / "nodes.sh")],
        env={**given, "PGPASSFILE": str(file), "PATH": "/usr/bin:/bin"},
        check=True,
        timeout=20,
    )
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.read_text(encoding="utf-8").splitlines() == [
        "*:*:*:postgres:secretPOSTGRES",
        "*:*:*:wallet_owner:secretOWNER",
        "*:*:*:wallet_service:secretSERVICE",
        "*:*:*:wallet_ops:secretOPS",
    ]
    for name in SERVERS:
        environment = SERVICES[name]["environment"]
        assert environment["PGPASSFILE"] == "/var/lib/postgresql/data/nodes.pgpass"
        assert set(given) <= set(environment)


def test_it_says_that_it_was_never_started() -> None:
    assert "never started" in TEXT
