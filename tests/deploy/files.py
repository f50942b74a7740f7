"""The files of a deployment, read as the tools that use them would."""

import re
import shlex
from pathlib import Path
from typing import Any, NamedTuple

import yaml  # type: ignore[import-untyped]  # its types are a package of their own

ROOT = Path(__file__).parents[2]


class Instruction(NamedTuple):
    """One instruction of a Dockerfile, continuation lines joined."""

    stage: int
    name: str
    rest: str

    @property
    def words(self) -> list[str]:
        """The words, flags such as `--from` left out."""
        return [word for word in shlex.split(self.rest) if not word.startswith("--")]


def dockerfile() -> list[Instruction]:
    """The instructions, in order, each with the number of its stage (0: before the first)."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines)).splitlines()
    found, stage = [], 0
    for line in joined:
        name, _, rest = line.strip().partition(" ")
        stage += name == "FROM"
        found.append(Instruction(stage, name, rest.strip()))
    return found


def environment() -> dict[str, str]:
    """What the final stage sets."""
    last = dockerfile()[-1].stage
    pairs = [
        word.partition("=")
        for step in dockerfile()
        if step.name == "ENV" and step.stage == last
        for word in step.words
    ]
    return {name: value for name, _, value in pairs}


def compose() -> dict[str, Any]:
    """The services and all, anchors followed, variables left as they are written."""
    read = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    assert isinstance(read, dict)
    return read


def postgres_settings() -> dict[str, str]:
    """What the compose file gives PostgreSQL on its command line."""
    command = compose()["services"]["postgres"]["command"]
    assert command[0] == "postgres"
    pairs = [word.removeprefix("-c").partition("=") for word in command[1:]]
    return {name: value for name, _, value in pairs}


def example_environment(folder: Path) -> dict[str, str]:
    """What the example of a deployment's environment names, with its values."""
    example = (folder / "example.env").read_text(encoding="utf-8")
    return dict(re.findall(r"^([A-Z_]+)=(.*)$", example, re.MULTILINE))


def secrets_of(compose_file: str) -> set[str]:
    """The variables without which this compose file does not start."""
    return set(re.findall(r"\$\{([A-Z_]+):\?", compose_file))
