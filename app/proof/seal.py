"""Seals: a signed statement of where every chain of the ledger stood at a moment.

A seal's text is what is signed, line by line:

    wallet-seal-v1
    number 12
    previous <SHA-256 of the text of seal 11; of the first seal: ->
    sealed_at 2026-11-26T00:00:03.123456Z
    heads <chains> <root of the Merkle tree over the last link of every chain>
    list refusals <last id> <rows since the last seal> <SHA-256 over those rows>
    list refusals@1 <last id> <rows> <SHA-256>       of the rows that node 1 of several numbered
    kept sessions <rows>
    guards <schema>/<rule version>/<PostgreSQL's major version>[/<N>-buckets[-on-nodes]] <SHA-256>

Each seal names the one before it, so that none can be taken out of the middle. A seal stands in the
database, and as a line of JSON in a file that the database's owner cannot write.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.proof.keys import KeyFaultError, holds, public_key, public_text

FORMAT: Final = "wallet-seal-v1"
NONE_BEFORE: Final = "-"
MOMENT: Final = "%Y-%m-%dT%H:%M:%S.%fZ"

_TEXT: Final = re.compile(
    r"wallet-seal-v1\nnumber (?P<number>[1-9]\d{0,17})\nprevious (?P<previous>[0-9a-f]{64}|-)\n"
    r"sealed_at (?P<sealed_at>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z)\n"
    r"heads (?P<chains>\d{1,18}) (?P<root>[0-9a-f]{64})\n"
    r"(?P<lists>(?:list [a-z_]+(?:@\d{1,9})? \d{1,19} \d{1,18} [0-9a-f]{64}\n)*)"
    r"(?P<kept>(?:kept [a-z_]+ \d{1,18}\n)*)"
    r"guards (?P<schema>\S{1,100}) (?P<guards>[0-9a-f]{64})\n",
    re.ASCII,
)


class SealFaultError(Exception):
    """What should be a seal is none; the message is one sentence."""


class ListPart(NamedTuple):
    """What was added to a list that is only added to, since the seal before."""

    name: str
    last_id: int
    rows: int
    digest: str


class Seal(NamedTuple):
    """Where the ledger stood."""

    number: int
    previous: str
    """SHA-256 of the text of the seal before, in hex; NONE_BEFORE: it is the first"""
    sealed_at: datetime
    chains: int
    root: str
    lists: tuple[ListPart, ...]
    kept: dict[str, int]
    """how many rows there were of what is never removed"""
    schema: str
    """the schema's revision, the rule version and PostgreSQL's major version"""
    guards: str
    """SHA-256 over the constraints, triggers, functions and privileges of the schema"""

    @property
    def text(self) -> str:
        """What is signed."""
        lists = "".join(f"list {t.name} {t.last_id} {t.rows} {t.digest}\n" for t in self.lists)
        kept = "".join(f"kept {name} {rows}\n" for name, rows in self.kept.items())
        return (
            f"{FORMAT}\nnumber {self.number}\nprevious {self.previous}\n"
            f"sealed_at {self.sealed_at.astimezone(UTC).strftime(MOMENT)}\n"
            f"heads {self.chains} {self.root}\n{lists}{kept}guards {self.schema} {self.guards}\n"
        )


class SignedSeal(NamedTuple):
    """A seal's text, the public key of who sealed, and the signature."""

    text: str
    key: str
    signature: bytes

    @property
    def hash(self) -> str:
        """The name by which the next seal calls this one."""
        return sha256(self.text.encode()).hexdigest()

    @property
    def seal(self) -> Seal:
        """The seal that the text is; raise SealFaultError."""
        found = _TEXT.fullmatch(self.text)
        if found is None:
            raise SealFaultError("A seal's text is not one of this format.")
        lists = (line.split(" ") for line in found["lists"].splitlines())
        kept = (line.split(" ") for line in found["kept"].splitlines())
        try:
            sealed_at = datetime.strptime(found["sealed_at"], MOMENT).replace(tzinfo=UTC)
        except ValueError:
            raise SealFaultError("A seal's moment is none.") from None
        return Seal(
            int(found["number"]),
            found["previous"],
            sealed_at,
            int(found["chains"]),
            found["root"],
            tuple(ListPart(name, int(last), int(rows), d) for _, name, last, rows, d in lists),
            {name: int(rows) for _, name, rows in kept},
            found["schema"],
            found["guards"],
        )

    def is_signed_by(self, keys: Iterable[str]) -> bool:
        """Whether one of these public keys signed it; the key that it names is not believed."""
        return any(holds(public_key(key), self.signature, self.text.encode()) for key in keys)

    def as_line(self) -> str:
        """The seal as a line of JSON."""
        signature = base64.urlsafe_b64encode(self.signature).decode()
        document = {"seal": self.text, "key": self.key, "signature": signature}
        return json.dumps(document, separators=(",", ":")) + "\n"


def sign(seal: Seal, key: Ed25519PrivateKey) -> SignedSeal:
    """Sign a seal."""
    text = seal.text
    return SignedSeal(text, public_text(key.public_key()), key.sign(text.encode()))


def seal_from_document(document: object) -> SignedSeal:
    """Read a seal from its JSON; raise SealFaultError."""
    if not isinstance(document, dict):
        raise SealFaultError("A seal is a JSON object with the fields seal, key and signature.")
    text, key, signature = (document.get(name) for name in ("seal", "key", "signature"))
    if not (isinstance(text, str) and isinstance(key, str) and isinstance(signature, str)):
        raise SealFaultError("A seal is a JSON object with the fields seal, key and signature.")
    try:
        raw = base64.b64decode(signature, altchars=b"-_", validate=True)
        public_key(key)
    except (binascii.Error, ValueError, KeyFaultError):
        raise SealFaultError("A seal's key or signature is not base64url.") from None
    signed = SignedSeal(text, key, raw)
    _ = signed.seal
    return signed


def seals_from_lines(lines: Iterable[str]) -> list[SignedSeal]:
    """Read the seals of a file; raise SealFaultError with the line's number."""
    seals = []
    for number, line in enumerate(lines, 1):
        try:
            seals.append(seal_from_document(json.loads(line)))
        except (SealFaultError, ValueError, RecursionError) as error:
            said = str(error) if isinstance(error, SealFaultError) else "It is not JSON."
            raise SealFaultError(f"Line {number} is not a seal. {said}") from None
    return seals
