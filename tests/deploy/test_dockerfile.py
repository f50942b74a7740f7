"""The Dockerfile against what exists: files, ports, commands, paths."""

import ast
import fnmatch
import json
import re
import tomllib

from app.console.cli import commands
from app.edges.metrics.page import Metrics
from app.edges.probes import Readiness, probes_app
from app.settings import Settings
from tests.deploy.files import ROOT, dockerfile, environment

STEPS = dockerfile()
LAST = STEPS[-1].stage


def of(name: str, stage: int = LAST) -> list[str]:
    return [step.rest for step in STEPS if step.name == name and step.stage == stage]


def test_there_are_two_stages_on_the_same_slim_image() -> None:
    images = [step.rest.split()[0] for step in STEPS if step.name == "FROM"]
    assert images == ["python:${PYTHON_VERSION}-slim"] * 2
    (version,) = re.findall(r"PYTHON_VERSION=(\S+)", " ".join(of("ARG", 0)))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert f">={version}" >= project["project"]["requires-python"]


def test_everything_copied_exists_and_reaches_the_builder() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    allowed = [line[1:] for line in ignored if line.startswith("!")]
    assert "*" in ignored
    copied = [
        source
        for step in STEPS
        if step.name == "COPY" and "--from=" not in step.rest
        for source in step.words[:-1]
    ]
    assert copied
    for source in copied:
        assert (ROOT / source).exists(), source
    assert sorted(copied) == sorted(allowed)


def test_dependencies_come_from_locks_with_hashes_as_wheels() -> None:
    installs = [step for step in STEPS if step.name == "RUN" and " install " in step.rest]
    locks = []
    for step in installs:
        assert step.stage != LAST
        assert "--require-hashes" in step.rest
        assert "--only-binary :all:" in step.rest
        locks += re.findall(r"-r (\S+)", step.rest)
    assert locks == ["requirements/service.lock", "requirements/tracing.lock"]
    for lock in locks:
        assert "pgserver" not in (ROOT / lock).read_text(encoding="utf-8")


def test_the_final_stage_installs_nothing_and_is_nobody() -> None:
    for step in STEPS:
        if step.stage == LAST and step.name == "RUN":
            assert not re.search(r"apt|apk|pip|gcc|build-essential|curl|wget", step.rest), step.rest
    (user,) = of("USER")
    uid, _, gid = user.partition(":")
    assert int(uid) > 1000
    assert int(gid) > 1000
    later = [step.name for step in STEPS[[s.name for s in STEPS].index("USER") :]]
    assert "RUN" not in later
    assert "COPY" not in later


def test_it_listens_on_the_ports_that_are_exposed() -> None:
    set_here = environment()
    (exposed,) = of("EXPOSE")
    ports = ("WALLET_PORT", "WALLET_PRIVATE_PORT", "WALLET_BACKOFFICE_PORT")
    assert exposed.split() == [set_here[name] for name in ports]
    fields = Settings.model_fields
    defaults = (fields[name.removeprefix("WALLET_").lower()].default for name in ports)
    assert exposed.split() == [str(port) for port in defaults]
    for name in set_here:
        if name.startswith("WALLET_"):
            assert name.removeprefix("WALLET_").lower() in fields, name


def test_the_health_check_asks_a_path_that_exists() -> None:
    (check,) = of("HEALTHCHECK")
    _, _, command = check.partition("CMD ")
    program, flag, code = json.loads(command)
    assert (program, flag) == ("python", "-c")
    ast.parse(code)
    (path,) = re.findall(r"'(/[a-z/]+)'", code)

    async def well() -> str | None:
        return None

    app = probes_app(Readiness(well), Metrics.__new__(Metrics))
    assert path in {getattr(route, "path", "") for route in app.routes}


def test_the_command_is_one_of_the_consoles() -> None:
    (entry,), (command,) = of("ENTRYPOINT"), of("CMD")
    (program,) = json.loads(entry)
    copies = [
        step
        for step in STEPS
        if step.name == "COPY" and "--from=" not in step.rest and step.rest.endswith(f"/{program}")
    ]
    (script,) = [ROOT / step.words[0] for step in copies]
    assert script.stat().st_mode & 0o111
    assert "python -m app" in script.read_text(encoding="utf-8")
    assert set(json.loads(command)) <= commands().commands.keys()


def test_nothing_secret_is_baked_in() -> None:
    assert not [
        name for name in environment() if "KEY" in name or "PASSWORD" in name or "URL" in name
    ]
    assert not [
        path
        for path in ("!.env", "!.git")
        if path in (ROOT / ".dockerignore").read_text(encoding="utf-8")
    ]
    assert fnmatch.fnmatch(".env", "*")
