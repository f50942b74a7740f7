"""`wallet seal`, `prove`, `verify-proof` and `audit --against`, as operators use them."""

import json
from pathlib import Path

import pytest

from app.cashier.sealing import read_seals
from tests.conftest import Database, sql
from tests.console.conftest import Console

DEPOSIT = "d-1"


@pytest.fixture
def keyed(
    in_process: Console, db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Console, Path, str]:
    """A ledger of one deposit, with a key to seal it; the public key beside it."""
    monkeypatch.setenv("WALLET_DATABASE_URL", db.service_url)
    in_process("player", "open", "anna", "--agent", "a", "--currency", "USD", "--nickname", "Anna")
    assert in_process("deposit", "anna", "12.50", "--id", DEPOSIT).code == 0
    made = in_process("seal", "key", str(tmp_path / "key.pem"))
    assert made.code == 0
    assert (tmp_path / "key.pem").stat().st_mode & 0o777 == 0o600
    monkeypatch.setenv("WALLET_SEAL_KEY", str(tmp_path / "key.pem"))
    monkeypatch.setenv("WALLET_SEAL_TO", str(tmp_path / "seals.jsonl"))
    return in_process, tmp_path, made.out.strip()


def test_a_movement_is_proven_with_nothing_but_the_public_key(
    keyed: tuple[Console, Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    console, folder, public = keyed
    sealed = console("seal", "--json")
    assert (sealed.code, sealed.document["number"], sealed.document["chains"]) == (0, 1, 1)
    proven = console("prove", DEPOSIT, "--to", str(folder / "proof.json"), "--json")
    assert (proven.code, proven.document["movements"]) == (0, 1)
    (folder / "public").write_text(public + "\n", encoding="utf-8")
    for name in ("WALLET_DATABASE_URL", "WALLET_SEAL_KEY", "WALLET_SEAL_TO"):
        monkeypatch.delenv(name)
    for key in (public, str(folder / "public")):
        checked = console("verify-proof", str(folder / "proof.json"), "--key", key, "--json")
        assert checked.code == 0
        (movement,) = checked.document["movements"]
        assert movement["movement"]["amount"] == "12.50"
        assert movement["movement"]["transaction_id"] == DEPOSIT
        assert movement["root"] == sealed.document["root"]
    shown = console("verify-proof", str(folder / "proof.json"), "--key", public)
    assert shown.out.startswith(f"Proven: {DEPOSIT}\n")
    assert "seal 1 of " in shown.out


def test_a_proof_that_does_not_hold_is_exit_code_1(keyed: tuple[Console, Path, str]) -> None:
    console, folder, public = keyed
    assert console("seal").code == 0
    proof = console("prove", DEPOSIT).document
    proof["proofs"][0]["entries"][0] = proof["proofs"][0]["entries"][0].replace("1250", "9950")
    (folder / "proof.json").write_text(json.dumps(proof), encoding="utf-8")
    done = console("verify-proof", str(folder / "proof.json"), "--key", public)
    assert done.code == 1
    assert done.complaint == "Not proven. The entries do not lead to what was sealed."


def test_the_audit_finds_that_seals_were_taken_away_by_the_file_outside(
    keyed: tuple[Console, Path, str], db: Database
) -> None:
    console, folder, _ = keyed
    assert console("seal").code == console("seal").code == 0
    file = str(folder / "seals.jsonl")
    assert [each.seal.number for each in read_seals(Path(file))] == [1, 2]
    assert console("audit", "--against", file).code == 0
    sql(
        db.server,
        "SET session_replication_role = replica; DELETE FROM seals WHERE number = 2;"
        " DELETE FROM sealed_heads WHERE number = 2",
        db.name,
    )
    assert console("audit").code == 0
    found = console("audit", "--against", file, "--json")
    assert found.code == 1
    assert [breach["invariant"] for breach in found.document["breaches"]] == [
        "seals_are_as_outside"
    ]


def test_one_player_can_be_audited(keyed: tuple[Console, Path, str]) -> None:
    console, _, _ = keyed
    assert console("audit", "--player", "anna").code == 0
    assert console("audit", "--player", "nobody").complaint == "There is no player nobody."
    assert console("audit", "--player", "anna", "--since", "2026-01-01").code == 2


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("prove", "nothing"), 1, "Nothing was decided under the transaction id nothing"),
        (("prove", DEPOSIT), 1, "`wallet seal` makes one now"),
        (("seal", "key", "{key}"), 1, "cannot be made: File exists"),
        (("verify-proof", "{key}", "--key", "x"), 2, "43 characters of base64url"),
        (("verify-proof", "{key}", "--key", "A" * 43), 1, "Not proven. The file is no proof"),
        (("verify-proof", "no/such/file", "--key", "A" * 43), 1, "cannot be read"),
        (("audit", "--against", "no/such/file"), 1, "There is no file no/such/file"),
        (("audit", "--against", "{key}"), 1, "is not a file of seals: Line 1 is not a seal."),
        (("audit", "--key", "x"), 2, "43 characters of base64url"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    keyed: tuple[Console, Path, str], arguments: tuple[str, ...], code: int, sentence: str
) -> None:
    console, folder, _ = keyed
    done = console(*(word.replace("{key}", str(folder / "key.pem")) for word in arguments))
    assert done.code == code
    assert sentence in done.complaint


def test_without_a_key_nothing_is_sealed_and_the_way_is_told(
    keyed: tuple[Console, Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    console, folder, _ = keyed
    monkeypatch.setenv("WALLET_SEAL_KEY", str(folder / "seals.jsonl"))
    assert "cannot be read" in console("seal").complaint
    monkeypatch.delenv("WALLET_SEAL_KEY")
    assert console("seal").complaint == ("WALLET_SEAL_KEY and WALLET_SEAL_TO must be set together.")
    monkeypatch.delenv("WALLET_SEAL_TO")
    assert "`wallet seal key FILE` makes a key" in console("seal").complaint
