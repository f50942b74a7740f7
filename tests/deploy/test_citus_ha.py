"""The files of the deployment on Citus with standbys against each other, and their neighbours."""

import re
from typing import Any

import yaml  # type: ignore[import-untyped]  # as in files

from app.settings import setting_names
from tests.deploy.files import ROOT, example_environment, secrets_of

HA = ROOT / "deploy" / "citus" / "ha"
TEXT = (HA / "docker-compose.yml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
FILE = (HA / "patroni.yml").read_text(encoding="utf-8")
PATRONI: dict[str, Any] = yaml.safe_load(FILE)
SINGLE: dict[str, Any] = yaml.safe_load(
    (ROOT / "deploy" / "ha" / "patroni.yml").read_text(encoding="utf-8")
)
IMAGE = (HA / "Dockerfile").read_text(encoding="utf-8")

GROUPS = {
    0: ("coordinator1", "coordinator2"),
    1: ("node1a", "node1b"),
    2: ("node2a", "node2b"),
}


def test_patroni_has_the_settings_of_one_postgresql_and_what_citus_adds() -> None:
    ours, theirs = PATRONI["bootstrap"]["dcs"], SINGLE["bootstrap"]["dcs"]
    added = dict(ours["postgresql"]["parameters"])
    expected = dict(theirs["postgresql"]["parameters"])
    assert added.pop("max_prepared_transactions") >= added.pop("max_connections")
    assert added.pop("citus.enable_statistics_collection") == "off"
    del expected["max_connections"]
    assert added == expected
    without = {name: value for name, value in ours.items() if name != "postgresql"}
    assert without == {name: value for name, value in theirs.items() if name != "postgresql"}
    assert PATRONI["citus"] == {"database": "wallet"}
    # With the usual spread of a checkpoint, a copy begins after minutes.
    assert PATRONI["postgresql"]["basebackup"] == [{"checkpoint": "fast"}]
    assert PATRONI["bootstrap"]["initdb"] == SINGLE["bootstrap"]["initdb"]


def test_every_group_has_two_servers_that_know_which_they_are() -> None:
    for group, names in GROUPS.items():
        for name in names:
            environment = SERVICES[name]["environment"]
            assert environment["PATRONI_NAME"] == name
            assert environment["PATRONI_CITUS_GROUP"] == str(group)
            assert environment["PATRONI_CITUS_DATABASE"] == PATRONI["citus"]["database"]
            assert environment["PATRONI_POSTGRESQL_CONNECT_ADDRESS"] == f"{name}:5432"
            assert SERVICES[name]["networks"] == SERVICES["wallet"]["networks"]
    told = SERVICES["roles"]["command"][0]
    for names in GROUPS.values():
        assert ",".join(names) in told


def test_every_variable_of_the_head_of_patronis_file_is_given() -> None:
    for name in re.findall(r"PATRONI_[A-Z0-9_]+", FILE.partition("\nscope:")[0]):
        assert name in SERVICES["node1a"]["environment"] or f"{name}=" in IMAGE, name


def test_the_wallet_names_both_coordinators_and_no_node() -> None:
    for name in ("migrate", "wallet"):
        environment = SERVICES[name]["environment"]
        assert set(environment) <= set(setting_names())
        for setting, value in environment.items():
            if setting.endswith("DATABASE_URL"):
                coordinators = ",".join(GROUPS[0])
                assert value.endswith(f"@{coordinators}/wallet?target_session_attrs=read-write")
    assert SERVICES["wallet"]["environment"]["WALLET_EXPECT_SYNC"] == "on"


def test_every_secret_is_in_the_example_and_has_no_value() -> None:
    given = example_environment(HA)
    assert set(given) == secrets_of(TEXT)
    assert set(given.values()) == {""}


def test_every_file_that_is_mounted_or_copied_exists() -> None:
    for service in SERVICES.values():
        for mount in service.get("volumes", []):
            source = mount.split(":")[0]
            assert (HA / source).exists() or source in COMPOSE["volumes"], source
    for source in re.findall(r"^COPY (\S+) ", IMAGE, re.MULTILINE):
        assert (HA.parent / source).exists(), source


def test_it_says_that_it_was_never_started() -> None:
    assert re.search(r"never\s+(# )?started", TEXT)
    assert "how this file was run" in FILE
