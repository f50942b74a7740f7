"""The TLS proxy against the contracts' paths."""

import re
import shutil
import subprocess

import pytest

from app.composition.description import description
from tests.deploy.files import ROOT, compose, environment

CADDYFILE = ROOT / "deploy" / "caddy" / "Caddyfile"
TEXT = CADDYFILE.read_text(encoding="utf-8")


def paths_of(matcher: str) -> set[str]:
    """The paths that a named matcher lets through."""
    (block,) = re.findall(rf"^\t@{matcher} \{{(.*?)\n\t\}}", TEXT, re.DOTALL | re.MULTILINE)
    return {
        path for line in re.findall(r"^\s*path (.+)$", block, re.MULTILINE) for path in line.split()
    }


def served() -> set[str]:
    """Every path of the contracts, as they are described."""
    paths = description()["paths"]
    assert isinstance(paths, dict)
    return set(paths)


def test_exactly_the_contracts_paths_pass_with_and_without_a_slash() -> None:
    callback = {path for path in served() if not path.startswith("/transfer/")}
    assert callback
    assert paths_of("callback") == callback | {f"{path}/" for path in callback}
    assert paths_of("transfer") == {"/transfer/v1/*"}
    assert all(path.startswith("/transfer/v1/") for path in served() - callback)


def test_each_contract_has_its_own_list_of_callers() -> None:
    caddy = compose()["services"]["caddy"]["environment"]
    for matcher, variable in (("callback", "CALLBACK_NETWORKS"), ("transfer", "TRANSFER_NETWORKS")):
        (block,) = re.findall(rf"^\t@{matcher} \{{(.*?)\n\t\}}", TEXT, re.DOTALL | re.MULTILINE)
        assert f"remote_ip {{${variable}:" in block
        assert variable in caddy


def test_the_back_office_has_a_name_and_a_list_of_networks_of_its_own() -> None:
    caddy = compose()["services"]["caddy"]["environment"]
    (site,) = re.findall(
        r"^\{\$BACKOFFICE_DOMAIN:[^}]+\} \{(.*?)^\}", TEXT, re.DOTALL | re.MULTILINE
    )
    assert "@people remote_ip {$BACKOFFICE_NETWORKS:" in site
    assert f"reverse_proxy backoffice:{environment()['WALLET_BACKOFFICE_PORT']}" in site
    assert "header_up X-Forwarded-For {remote_host}" in site
    assert "request>uri delete" in site
    assert {"BACKOFFICE_DOMAIN", "BACKOFFICE_NETWORKS"} <= caddy.keys()
    contracts = TEXT[TEXT.index("{$WALLET_DOMAIN") : TEXT.index("{$BACKOFFICE_DOMAIN")]
    assert "backoffice" not in contracts


def test_nothing_private_passes_and_nothing_is_redirected() -> None:
    rules = "\n".join(line for line in TEXT.splitlines() if not line.strip().startswith("#"))
    assert "redir" not in rules
    for word in ("/metrics", "/health", "/docs", "8081"):
        assert word not in rules
    assert "respond 404" in rules


def test_the_front_forwards_to_the_wallets_port_as_the_caller_it_saw() -> None:
    wallet = f"wallet:{environment()['WALLET_PORT']}"
    assert f"reverse_proxy {{$BALANCER:{wallet}}}" in TEXT
    assert "header_up X-Forwarded-For {remote_host}" in TEXT


def test_a_token_does_not_reach_the_fronts_log() -> None:
    assert re.search(r"request>uri query \{\s+replace token REDACTED", TEXT)
    assert "request>headers delete" in TEXT


def test_caddy_itself_agrees() -> None:
    caddy = shutil.which("caddy")
    if caddy is None:
        pytest.skip("caddy is not installed here")
    subprocess.run([caddy, "adapt", "--config", str(CADDYFILE)], check=True, capture_output=True)
