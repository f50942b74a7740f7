"""Commands and options complete in a shell, by the script that `wallet completion` prints."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.console.conftest import Console
from tests.console.console import ENVIRONMENT, WALLET

ASK = """
source <(wallet completion bash)
for typed in "dis" "report d" "dispute --ou" "adjust propose --reason goo"; do
    COMP_WORDS=(wallet $typed); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    _wallet_completion wallet
    echo "$typed: ${COMPREPLY[*]}"
done
"""


def test_bash_completes_commands_their_groups_and_options(tmp_path: Path) -> None:
    folder = Path(WALLET[0]).parent
    (tmp_path / "wallet").symlink_to(folder / "wallet")
    done = subprocess.run(
        ["bash", "-c", ASK],
        env={**ENVIRONMENT, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        check=True,
        encoding="utf-8",
        timeout=60,
    )
    assert done.stdout.splitlines() == [
        "dis: dispute",
        "report d: daily debts",
        "dispute --ou: --out",
        "adjust propose --reason goo: goodwill",
    ]
    assert done.stderr == ""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shells_script_asks_this_console(in_process: Console, shell: str) -> None:
    done = in_process("completion", shell)
    assert (done.code, done.err) == (0, "")
    assert f"_WALLET_COMPLETE=complete_{shell}" in done.out


def test_another_shell_is_one_sentence(in_process: Console) -> None:
    done = in_process("completion", "cmd")
    assert done.code == 2
    assert "bash" in done.complaint
