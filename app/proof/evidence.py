"""The proof of one movement: its text, the links from it to a sealed head, and the seal over it.

Who has the public key checks it with nothing else:

1. each entry's text, hashed onto the link before it, gives the next link, up to the sealed head;
2. the head is a leaf, and its path leads to the root that the seal names;
3. the seal is signed by the key.

Each link hashes the whole text of an entry, so the texts between the movement and the sealed head
are in the proof: movements of the same player until that seal.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any, Final, NamedTuple

from app.proof.merkle import leaf_hash, root_by_path
from app.proof.seal import Seal, SealFaultError, SignedSeal, seal_from_document

FORMAT: Final = "wallet-proof-v1"
FIXED_FIELDS: Final = tuple(
    "format player_id position version delivery event_type direction decision currency scale"  # noqa: SIM905
    " amount real_before bonus_before real_delta bonus_delta contra game_id reverses flags"
    " event_time ledger_time".split()
)
FREE_TEXTS: Final = (
    "source",
    "transaction_id",
    "facet",
    "event_id",
    "bonus_code",
    "extra_data",
)
AMOUNTS: Final = ("amount", "real_before", "bonus_before", "real_delta", "bonus_delta")
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
HASH_BYTES: Final = 32


class ProofFaultError(Exception):
    """A proof does not hold, or is none; the message is one sentence."""


class Proof(NamedTuple):
    """What leads from a movement to a signed seal."""

    before: bytes
    """the link before the movement"""
    entries: tuple[str, ...]
    """the canonical texts of the movement, and of those after it up to the sealed head"""
    leaf: int
    """the head's place among the chains of the seal"""
    path: tuple[bytes, ...]
    seal: SignedSeal

    def as_document(self) -> dict[str, Any]:
        """The proof as JSON."""
        return {
            "link_before": self.before.hex(),
            "entries": list(self.entries),
            "leaf": self.leaf,
            "path": [each.hex() for each in self.path],
            "seal": json.loads(self.seal.as_line()),
        }


class Proven(NamedTuple):
    """What a proof proves: the movement, as its fields, and the seal that vouches for it."""

    movement: dict[str, str | None]
    entries: int
    seal: Seal
    key: str


def head_leaf(player_id: int, position: int, chain: bytes) -> bytes:
    """Return the leaf's hash of a chain's last link."""
    return leaf_hash(f"head|{player_id}|{position}|{chain.hex()}".encode())


def document_of(transaction_id: str, proofs: Sequence[Proof]) -> dict[str, Any]:
    """Return the document of the proofs of all movements under a transaction id."""
    return {
        "format": FORMAT,
        "transaction_id": transaction_id,
        "proofs": [proof.as_document() for proof in proofs],
    }


def proofs_from_text(text: str) -> tuple[str, list[Proof]]:
    """Read a proof file; raise ProofFaultError."""
    try:
        document = json.loads(text)
        if document["format"] != FORMAT:
            raise ProofFaultError(f"The file is no proof of the format {FORMAT}.")
        proofs = [
            Proof(
                _hash(each["link_before"]),
                tuple(str(entry) for entry in each["entries"]),
                int(each["leaf"]),
                tuple(_hash(beside) for beside in each["path"]),
                seal_from_document(each["seal"]),
            )
            for each in document["proofs"]
        ]
        if not proofs:
            raise ProofFaultError("The file proves no movement.")
        return str(document["transaction_id"]), proofs
    except SealFaultError as error:
        raise ProofFaultError(str(error)) from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ProofFaultError(f"The file is no proof of the format {FORMAT}.") from None


def verify(proof: Proof, transaction_id: str, key: str) -> Proven:
    """Return what the proof proves under this public key; raise ProofFaultError."""
    if not proof.seal.is_signed_by([key]):
        raise ProofFaultError("The seal was not signed by this key.")
    seal, link = proof.seal.seal, proof.before
    if not proof.entries:
        raise ProofFaultError("The proof has no entry.")
    fields = [_fields(entry) for entry in proof.entries]
    for entry in proof.entries:
        link = sha256(link + entry.encode()).digest()
    first, last = fields[0], fields[-1]
    if first["transaction_id"] != transaction_id:
        raise ProofFaultError("The entry is of another transaction id than the proof says.")
    head = head_leaf(int(last["player_id"] or ""), int(last["position"] or ""), link)
    root = root_by_path(head, proof.leaf, seal.chains, proof.path)
    if root is None or root.hex() != seal.root:
        raise ProofFaultError("The entries do not lead to what was sealed.")
    return Proven(_in_words(first), len(fields), seal, key)


def _hash(text: object) -> bytes:
    raw = bytes.fromhex(str(text))
    if len(raw) != HASH_BYTES:
        raise ValueError("not a hash")
    return raw


def _fields(entry: str) -> dict[str, str | None]:
    """Take a canonical text apart (`wallet/journal.py` writes it); raise ProofFaultError."""
    *fixed, rest = entry.split("|", len(FIXED_FIELDS))
    fields: dict[str, str | None] = dict(zip(FIXED_FIELDS, fixed, strict=False))
    if len(fixed) != len(FIXED_FIELDS) or fields["format"] != "v1":
        raise ProofFaultError("An entry's text is not one of the journal.")
    try:
        int(fields["player_id"] or ""), int(fields["position"] or "")
        for name in FREE_TEXTS:
            if rest == "-" or rest.startswith("-|"):
                fields[name], rest = None, rest[2:]
                continue
            length, _, rest = rest.partition(":")
            end = int(length)
            fields[name], rest = rest[:end], rest[end + 1 :]
    except ValueError:
        raise ProofFaultError("An entry's text is not one of the journal.") from None
    return fields


def _in_words(fields: dict[str, str | None]) -> dict[str, str | None]:
    """Write amounts in major units and moments as such; leave out what is absent."""
    shown: dict[str, str | None] = {
        name: value for name, value in fields.items() if value not in {None, "", "-"}
    }
    try:
        scale = int(fields["scale"] or "")
        for name in AMOUNTS:
            shown[name] = format(Decimal(fields[name] or "").scaleb(-scale), "f")
        for name in ("event_time", "ledger_time"):
            moment = EPOCH + timedelta(microseconds=int(fields[name] or ""))
            shown[name] = moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
    except (ValueError, ArithmeticError):
        raise ProofFaultError("An entry's text is not one of the journal.") from None
    return shown
