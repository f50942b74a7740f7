"""The manifests against what exists: settings, ports, commands, probes, and Kubernetes' schemas.

Nothing here needs a cluster: kustomize builds the manifests where it is installed, and the JSON
schemas of Kubernetes say what each may have.
"""

import re
import shutil
import subprocess
from typing import Any, Final

import kubernetes_validate  # type: ignore[import-untyped]  # it has none
import pytest
import yaml  # type: ignore[import-untyped]  # its types are a package of their own

from app.console.command_table import TABLE
from app.settings import Settings, setting_names
from tests.deploy.files import ROOT, compose, dockerfile, environment

FOLDER: Final = ROOT / "deploy" / "kubernetes"
BASE: Final = FOLDER / "base"
VERSIONS: Final = ("1.33", "1.36")
"""Of Kubernetes: an older one that is still looked after, and a newer one."""

LISTED: Final = yaml.safe_load((BASE / "kustomization.yaml").read_text(encoding="utf-8"))


def documents() -> list[dict[str, Any]]:
    """Every manifest of the base, in the order of its kustomization."""
    return [
        document
        for name in LISTED["resources"]
        for document in yaml.safe_load_all((BASE / name).read_text(encoding="utf-8"))
    ]


def named(kind: str) -> dict[str, dict[str, Any]]:
    """The manifests of a kind, by name."""
    return {d["metadata"]["name"]: d for d in documents() if d["kind"] == kind}


DEPLOYMENTS: Final = named("Deployment")
PODS: Final = {
    name: owner["spec"]["template"]["spec"] for name, owner in (DEPLOYMENTS | named("Job")).items()
}
PORTS: Final = {
    "wallet": {"contracts": "WALLET_PORT", "private": "WALLET_PRIVATE_PORT"},
    "wallet-backoffice": {"pages": "WALLET_BACKOFFICE_PORT"},
}
"""The setting that decides each port."""


def container(name: str) -> dict[str, Any]:
    """The one container of a pod."""
    (only,) = PODS[name]["containers"]
    assert isinstance(only, dict)
    return only


def test_every_file_of_the_base_is_listed() -> None:
    there = {path.name for path in BASE.glob("*.yaml")} - {"kustomization.yaml"}
    assert set(LISTED["resources"]) == there


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_own_schemas_take_every_manifest(version: str) -> None:
    for document in documents():
        kubernetes_validate.validate(document, version, strict=True)


def test_a_mistake_is_noticed_by_the_schemas() -> None:
    document = named("Deployment")["wallet"] | {"spec": {"replica": 2}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(document, VERSIONS[0], strict=True)


def test_there_is_a_deployment_for_each_process_that_compose_runs() -> None:
    services = compose()["services"]
    of_the_wallet = {tuple(s["command"]) for s in services.values() if s.get("image") == "wallet"}
    assert {tuple(container(name)["args"]) for name in PODS} == of_the_wallet


def test_every_command_exists() -> None:
    known = {row.words for rows in TABLE.values() for row in rows}
    for name in PODS:
        assert container(name)["args"][0] in known


def test_every_variable_is_a_setting() -> None:
    for name in PODS:
        for variable in container(name)["env"]:
            assert variable["name"] in setting_names(), variable
    settings = (BASE / "settings.env").read_text(encoding="utf-8")
    assert set(re.findall(r"^(\w+)=", settings, re.MULTILINE)) <= set(setting_names())
    overlay = (FOLDER / "overlays/example/kustomization.yaml").read_text(encoding="utf-8")
    assert set(re.findall(r"- (\w+)=", overlay)) <= set(setting_names())


def test_every_secret_is_a_reference_and_the_readme_makes_it() -> None:
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    for name in PODS:
        for variable in container(name)["env"]:
            assert "value" not in variable, variable
            reference = variable["valueFrom"]["secretKeyRef"]
            assert f"secret generic {reference['name']} " in readme
            assert re.search(rf"--from-(literal|file)={reference['key']}=", readme), reference
    assert not named("Secret")


def test_only_the_migration_knows_the_owner_and_only_the_wallet_the_keys() -> None:
    known = {name: {variable["name"] for variable in container(name)["env"]} for name in PODS}
    owners = {name for name, names in known.items() if "WALLET_OWNER_DATABASE_URL" in names}
    keepers = {name for name, names in known.items() if "WALLET_CALLBACK_KEYS" in names}
    assert (owners, keepers) == ({"wallet-migrate"}, {"wallet"})


def test_the_migration_has_the_settings_of_those_it_migrates_for() -> None:
    for name in ("wallet", "wallet-migrate"):
        assert container(name)["envFrom"] == [{"configMapRef": {"name": "wallet-settings"}}]


def test_ports_are_the_images() -> None:
    for name, ports in PORTS.items():
        given = {port["name"]: str(port["containerPort"]) for port in container(name)["ports"]}
        assert given == {port: environment()[variable] for port, variable in ports.items()}
    defaults = {"wallet-deliver": "deliver_port", "wallet-project": "project_port"}
    for name, setting in defaults.items():
        (port,) = container(name)["ports"]
        assert port["containerPort"] == Settings.model_fields[setting].default


def test_services_lead_to_ports_of_pods_that_exist() -> None:
    services = named("Service")
    assert set(services) == {"wallet", "wallet-private", "wallet-backoffice"}
    for service in services.values():
        name = service["spec"]["selector"]["app.kubernetes.io/name"]
        there = {port["name"]: port["containerPort"] for port in container(name)["ports"]}
        for port in service["spec"]["ports"]:
            assert there[port["targetPort"]] == port["port"]
    # The world's port and ours are never behind one name.
    assert [p["name"] for p in services["wallet"]["spec"]["ports"]] == ["contracts"]


def test_probes_ask_what_the_private_port_answers() -> None:
    paths = (ROOT / "app" / "edges" / "probes.py").read_text(encoding="utf-8")
    for name in DEPLOYMENTS:
        one = container(name)
        ports = {port["name"] for port in one["ports"]}
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            asked = one[probe]["httpGet"]
            assert asked["port"] in ports - {"contracts"}, (name, probe)
            assert asked["path"] == "/login" or f'"{asked["path"]}"' in paths
        live = one["livenessProbe"]["httpGet"]["path"]
        assert live != "/health/ready", "a database that is away restarts nobody"


def test_nothing_runs_with_more_rights_than_it_needs() -> None:
    user = next(step for step in dockerfile() if step.name == "USER").rest
    for name, pod in PODS.items():
        assert pod["automountServiceAccountToken"] is False
        # Kubernetes would set WALLET_PORT to the service's address.
        assert pod["enableServiceLinks"] is False
        security = pod["securityContext"]
        assert f"{security['runAsUser']}:{security['runAsGroup']}" == user
        assert security["runAsNonRoot"] is True
        one = container(name)
        assert one["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        # Where people sign in at the console, the session is kept in memory.
        signs_in = name in {"wallet", "wallet-backoffice"}
        mounts = {mount["name"]: mount["mountPath"] for mount in one["volumeMounts"]}
        home = {"home": "/srv/wallet/.local"} if signs_in else {}
        assert mounts == {"tmp": "/tmp"} | home  # noqa: S108 - the pod's own
        assert all(volume["emptyDir"]["medium"] == "Memory" for volume in pod["volumes"])
        assert {"requests", "limits"} <= one["resources"].keys()


def test_the_goodbye_is_longer_than_the_deadline() -> None:
    grace = PODS["wallet"]["terminationGracePeriodSeconds"]
    settings = (BASE / "settings.env").read_text(encoding="utf-8")
    (deadline,) = re.findall(r"^WALLET_DEADLINE_SECONDS=(\d+)$", settings, re.MULTILINE)
    waits = re.findall(r"sleep\((\d+)\)", str(container("wallet")["lifecycle"]))
    assert grace >= int(deadline) + 10 + int(waits[0])


def test_nobody_is_reached_but_by_a_policy() -> None:
    policies = named("NetworkPolicy")
    nothing = policies["nothing"]["spec"]
    assert nothing == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    opened = {
        (policy["spec"]["podSelector"]["matchLabels"]["app.kubernetes.io/name"], port["port"])
        for policy in policies.values()
        for rule in policy["spec"].get("ingress", [])
        for port in rule["ports"]
        if rule["from"]
    }
    there = {
        (name, port["containerPort"]) for name in DEPLOYMENTS for port in container(name)["ports"]
    }
    assert opened == there


def test_a_drained_node_leaves_a_wallet_that_serves() -> None:
    budget = named("PodDisruptionBudget")["wallet"]["spec"]
    replicas = DEPLOYMENTS["wallet"]["spec"]["replicas"]
    assert budget["minAvailable"] < replicas
    assert DEPLOYMENTS["wallet"]["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    selectors = [d["spec"]["selector"] for d in documents() if d["kind"] == "PodDisruptionBudget"]
    assert all(
        selector["matchLabels"]["app.kubernetes.io/name"] in DEPLOYMENTS for selector in selectors
    )


def test_the_image_is_the_overlays_to_name_and_never_the_latest() -> None:
    assert {container(name)["image"] for name in PODS} == {"wallet"}
    overlay = FOLDER / "overlays" / "example" / "kustomization.yaml"
    for file in (BASE / "kustomization.yaml", overlay):
        (image,) = yaml.safe_load(file.read_text(encoding="utf-8"))["images"]
        assert image["name"] == "wallet"
        assert image["newTag"] != "latest"


def test_kustomize_builds_the_overlay_and_the_schemas_take_it() -> None:
    kubectl, kustomize = shutil.which("kubectl"), shutil.which("kustomize")
    if kubectl is None and kustomize is None:
        pytest.skip("neither kubectl nor kustomize is installed here")
    command = [kubectl, "kustomize"] if kubectl else [str(kustomize), "build"]
    done = subprocess.run(
        [*command, str(FOLDER / "overlays" / "example")],
        check=False,
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert done.returncode == 0, done.stderr
    built = list(yaml.safe_load_all(done.stdout))
    for document in built:
        kubernetes_validate.validate(document, VERSIONS[0], strict=True)
    images = set(re.findall(r"image: (\S+)", done.stdout))
    assert images == {"registry.example/wallet:1"}
    (database,) = (d for d in built if d["metadata"]["name"] == "database")
    assert database["spec"]["egress"][0]["to"][0]["ipBlock"]["cidr"] == "10.20.30.0/28"
    (settings,) = (d for d in built if d["kind"] == "ConfigMap")
    assert "WALLET_TRUSTED_NETWORKS" in settings["data"]
    assert "WALLET_DEADLINE_SECONDS" in settings["data"]
