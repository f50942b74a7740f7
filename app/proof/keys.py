"""Keys that seal: an Ed25519 key pair; the private key is a PEM file, the public key is a text.

A public key is written as the base64url of its 32 bytes: short enough to be printed, mailed and
kept on paper by whoever is to check seals.
"""

import base64
import binascii
import os
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

PUBLIC_BYTES: Final = 32
FILE_BYTES_MAX: Final = 10_000
"""A key file has some 120 bytes; a larger file is another."""


class KeyFaultError(Exception):
    """A key cannot be used; the message is one sentence without the key."""


def public_text(key: Ed25519PublicKey) -> str:
    """Write a public key."""
    raw = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def public_key(text: str) -> Ed25519PublicKey:
    """Read a public key; raise KeyFaultError."""
    try:
        raw = base64.b64decode(text.strip().rstrip("=") + "=", altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != PUBLIC_BYTES:
        raise KeyFaultError(
            "A public key must be 43 characters of base64url, as `wallet seal key` prints it."
        )
    return Ed25519PublicKey.from_public_bytes(raw)


def private_key(path: Path) -> Ed25519PrivateKey:
    """Read a private key from its file; raise KeyFaultError."""
    try:
        with path.open("rb") as file:
            content = file.read(FILE_BYTES_MAX)
    except OSError as error:
        raise KeyFaultError(f"The key file {path} cannot be read: {error.strerror}.") from error
    try:
        key = load_pem_private_key(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyFaultError(
            f"The key file {path} has no Ed25519 private key without a password; "
            "`wallet seal key FILE` makes one."
        )
    return key


def make_key(path: Path) -> Ed25519PrivateKey:
    """Make a key and write it to a new file that only its owner reads; raise KeyFaultError."""
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise KeyFaultError(f"The key file {path} cannot be made: {error.strerror}.") from error
    return key


def holds(key: Ed25519PublicKey, signature: bytes, data: bytes) -> bool:
    """Whether the signature is that of the key over the data."""
    try:
        key.verify(signature, data)
    except InvalidSignature:
        return False
    return True
