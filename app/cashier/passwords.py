"""What the operator's people sign in with: passwords (argon2id) and time-based codes (TOTP).

Hashing takes some 60 ms and 64 MB on purpose, so it runs in a thread, and a bounded number at once.
"""

import asyncio
import base64
import hmac
import secrets
from datetime import datetime
from typing import Final

import pyotp
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from app.wallet.journal import EPOCH

HASHES_AT_ONCE: Final = 2
"""Each takes 64 MB; whoever tries passwords in numbers waits for the others."""

STEP_SECONDS: Final = 30
STEPS_EITHER_WAY: Final = 1
"""A clock may be off by this many steps (RFC 6238, section 5.2)."""

CODE_DIGITS: Final = 6
ISSUER: Final = "Wallet"

ALPHABET: Final = "abcdefghijkmnpqrstuvwxyz23456789"
"""Without the letters and digits that are taken for each other."""

PASSWORD_GROUPS: Final = 4
PASSWORD_GROUP_LENGTH: Final = 5
"""20 characters of 32: 100 random bits."""

_hasher: Final = PasswordHasher()


def _random_base64(length: int) -> str:
    return base64.b64encode(secrets.token_bytes(length)).decode().rstrip("=")


NOBODYS: Final = (
    f"$argon2id$v=19$m={_hasher.memory_cost},t={_hasher.time_cost},p={_hasher.parallelism}"
    f"${_random_base64(_hasher.salt_len)}${_random_base64(_hasher.hash_len)}"
)
"""The hash of no known password, verified where there is no such person: that takes as long."""

_slots: Final = asyncio.Semaphore(HASHES_AT_ONCE)


def new_password() -> str:
    """Make a password that is to be typed once, such as `k7m2p-…`."""
    groups = (
        "".join(secrets.choice(ALPHABET) for _ in range(PASSWORD_GROUP_LENGTH))
        for _ in range(PASSWORD_GROUPS)
    )
    return "-".join(groups)


def new_totp_key() -> str:
    """Make a key for an authenticator app."""
    return str(pyotp.random_base32())


def totp_address(name: str, key: str) -> str:
    """Return the address that an authenticator app reads the key from."""
    return str(pyotp.TOTP(key).provisioning_uri(name=name, issuer_name=ISSUER))


async def hash_password(password: str) -> str:
    """Return the argon2id hash of a password."""
    async with _slots:
        return await asyncio.to_thread(_hasher.hash, password)


async def is_password(password_hash: str | None, password: str) -> bool:
    """Whether this is the password; without a hash it is not, and that takes as long."""
    async with _slots:
        is_right = await asyncio.to_thread(_verify, password_hash or NOBODYS, password)
    return is_right and password_hash is not None


def step_of_code(key: str, code: str, now: datetime) -> int | None:
    """Return the time step whose code this is; None: it is none of the steps about now."""
    if len(code) != CODE_DIGITS or not code.isascii() or not code.isdigit():
        return None
    current = int((now - EPOCH).total_seconds()) // STEP_SECONDS
    generator = pyotp.TOTP(key, digits=CODE_DIGITS, interval=STEP_SECONDS)
    for step in range(current - STEPS_EITHER_WAY, current + STEPS_EITHER_WAY + 1):
        if hmac.compare_digest(generator.generate_otp(step), code):
            return step
    return None


def _verify(password_hash: str, password: str) -> bool:
    try:
        return _hasher.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False
