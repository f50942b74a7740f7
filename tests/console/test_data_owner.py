"""A data folder has one owner, and no console opens players for another."""

from pathlib import Path

import pytest

from app.console.data_owner import NOTE, claim, console_settings, known_agents, owner_of
from app.console.errors import ConsoleError
from app.settings import Settings, load_settings
from tests.console.conftest import Console
from tests.console.console import Serving, wallet

KEY = "a-key-of-the-operator"
AGENTS = '{"house": ["AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"]}'
OPEN = ("player", "open", "u-1", "--currency", "USD", "--nickname", "Nick")


def settings(monkeypatch: pytest.MonkeyPatch, agents: str = AGENTS) -> Settings:
    monkeypatch.setenv("WALLET_CALLBACK_KEYS", KEY)
    monkeypatch.setenv("WALLET_AGENTS", agents)
    return load_settings()


@pytest.mark.parametrize("agent", ["callback", "Callback", "a b", "a\nb", "x" * 300, "ä", ""])
def test_no_player_is_opened_for_an_agent_that_the_settings_refuse(
    in_process: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, agent: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for command in (
        (*OPEN, "--agent", agent),
        ("transfer", "account/balance", "user_id=x", "--agent", agent),
        ("agent", "key", "--", agent),
    ):
        done = in_process(*command)
        assert done.code == 1
        assert "cannot be an agent" in done.complaint
    assert not (tmp_path / ".wallet").exists()


def test_a_console_without_keys_beside_a_real_server_is_not_the_demos(tmp_path: Path) -> None:
    with Serving(tmp_path, settings={"WALLET_CALLBACK_KEYS": KEY, "WALLET_AGENTS": AGENTS}) as real:
        assert "listens on" in real.said(), real.said()
        done = wallet(tmp_path, *OPEN)
        assert (done.returncode, done.stderr) == (0, "")
        assert "a player of house" in done.stdout
        refused = wallet(tmp_path, *OPEN, "--agent", "demo")
        assert refused.returncode == 1
        assert "There is no agent demo" in refused.stderr
        assert real.stop() == 0
    # Nor is it when the server is down, and no demo is served from it.
    assert wallet(tmp_path, *OPEN, "--agent", "demo").returncode == 1
    demo = wallet(tmp_path, "serve", "--demo", WALLET_PORT="0", WALLET_PRIVATE_PORT="0")
    assert demo.returncode == 1
    assert "name another folder with WALLET_DATA_DIR" in demo.stderr


def test_the_note_says_as_whom_the_data_were_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = settings(monkeypatch)
    assert owner_of(tmp_path) is None
    claim(tmp_path, real)
    claim(tmp_path, real)
    assert owner_of(tmp_path) == (False, ("house",))
    bare = load_bare(monkeypatch, tmp_path)
    assert known_agents(bare) == ("house",)
    demo = load_settings(demo=True)
    with pytest.raises(ConsoleError, match="not the demo's"):
        claim(tmp_path, demo)
    (tmp_path / NOTE).unlink()
    claim(tmp_path, demo)
    with pytest.raises(ConsoleError, match="are the demo's"):
        claim(tmp_path, real)


def load_bare(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Settings:
    monkeypatch.delenv("WALLET_CALLBACK_KEYS")
    monkeypatch.delenv("WALLET_AGENTS")
    monkeypatch.setenv("WALLET_DATA_DIR", str(folder))
    return console_settings()


@pytest.mark.parametrize(
    "note",
    ["", "{", "[]", "7", '{"demo": false}', '{"demo": false, "agents": ["a b"]}', "[" * 9999],
)
def test_a_note_that_we_did_not_write_is_a_sentence(tmp_path: Path, note: str) -> None:
    (tmp_path / NOTE).write_text(note, encoding="utf-8")
    with pytest.raises(ConsoleError, match="remove it"):
        owner_of(tmp_path)
    (tmp_path / NOTE).write_bytes(b"\xff")
    assert owner_of(tmp_path) is None
