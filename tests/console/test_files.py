"""What is given in the place of a file: a device, a pipe, or something longer than it can be."""

from pathlib import Path

import pytest

from tests.console.conftest import Console

ENDLESS = "/dev/full"
"""It can be read for ever, and has the size 0."""

READING = {
    "a report": ("reconcile", ENDLESS, "--profile", "generic"),
    "a profile": ("reconcile", "report.csv", "--profile", ENDLESS),
    "a proof": ("verify-proof", ENDLESS, "--key", "A" * 43),
    "a key": ("verify-proof", "proof.json", "--key", ENDLESS),
    "a request": ("dispute", "t-1", "--request", ENDLESS, "--signature", "0" * 64),
    "a wallet that moves in": ("import", ENDLESS),
    "seals": ("audit", "--against", ENDLESS),
}


@pytest.mark.timeout(20)
@pytest.mark.parametrize("line", READING.values(), ids=READING)
def test_an_endless_file_is_told_in_one_sentence(
    console: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("report.csv").write_text("transaction_id\n", encoding="ascii")
    Path("proof.json").write_text("{}", encoding="ascii")
    house = ("--agent", "house", "--currency", "USD", "--nickname", "Nick")
    assert console("player", "open", "endless", *house).code == 0
    assert console("deposit", "endless", "1", "--id", "t-1").code == 0
    monkeypatch.setenv("WALLET_CALLBACK_KEYS", "the-key-of-the-game-side")
    done = console(*line)
    assert done.code in {1, 2}
    assert ENDLESS in done.complaint or "no file of that name" in done.complaint


@pytest.mark.timeout(20)
def test_seals_are_kept_in_a_file_and_in_nothing_else(
    console: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = tmp_path / "seal.key"
    assert console("seal", "key", str(key)).code == 0
    monkeypatch.setenv("WALLET_SEAL_KEY", str(key))
    monkeypatch.setenv("WALLET_SEAL_TO", ENDLESS)
    done = console("seal")
    assert done.code == 1
    assert done.complaint == f"{ENDLESS} is no file: seals are kept in one."
