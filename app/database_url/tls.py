"""TLS as `sslmode` and the parameters beside it describe it: an SSL context, or a mode by name.

The driver would read the files at each connect, look for others in the home folder, and say what it
finds in terms of its own. Here they are read once, and what is wrong with one names its parameter.
"""

import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Literal

from app.database_url.errors import DatabaseUrlError

UnverifiedMode = Literal["disable", "allow", "prefer"]

UNVERIFIED_MODES: Final[Mapping[str, UnverifiedMode]] = {
    "disable": "disable",
    "allow": "allow",
    "prefer": "prefer",
}
"""The driver handles these by name: they verify nothing, and may end without encryption."""

MODES: Final = (*UNVERIFIED_MODES, "require", "verify-ca", "verify-full")
SPELLINGS: Final = {"true": "require", "false": "disable", "no-verify": "require"}
"""What `ssl=` says in the addresses of drivers of other languages."""

PARAMETERS: Final = (
    "sslmode",
    "sslnegotiation",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "sslpassword",
    "sslcrl",
    "ssl_min_protocol_version",
    "ssl_max_protocol_version",
)

VERSIONS: Final = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}
"""What a bound may say; older versions are not spoken."""

ALPN: Final = "postgresql"
"""The protocol that a server wants to hear when TLS begins without being negotiated."""

SYSTEM: Final = "system"
"""The value of sslrootcert that stands for the authorities this machine trusts."""


def is_direct(given: Mapping[str, str]) -> bool:
    """Say whether TLS begins at once, without asking the server for it."""
    return given.get("sslnegotiation") == "direct"


def encryption_of(given: Mapping[str, str]) -> ssl.SSLContext | UnverifiedMode | None:
    """Return the context to connect with, the mode where nothing is verified, or None: unsaid."""
    mode = given.get("sslmode")
    mode = SPELLINGS.get(mode, mode) if mode else None
    if mode is not None and mode not in MODES:
        raise DatabaseUrlError(f"has an sslmode that is none of {', '.join(MODES)}")
    if given.get("sslnegotiation", "postgres") not in {"postgres", "direct"}:
        raise DatabaseUrlError("has an sslnegotiation that is neither postgres nor direct")
    if mode is not None and mode not in UNVERIFIED_MODES:
        return _context(mode, given)
    if is_direct(given):
        raise DatabaseUrlError("has sslnegotiation=direct, which needs sslmode=require or stronger")
    if given.get("sslrootcert") and mode is None:
        raise DatabaseUrlError("has sslrootcert without sslmode; add sslmode=verify-full")
    return UNVERIFIED_MODES[mode] if mode else None


def _context(mode: str, given: Mapping[str, str]) -> ssl.SSLContext:
    """Make what verifies the server as the mode asks, and shows our certificate if there is one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = mode == "verify-full"
    authorities = given.get("sslrootcert", "")
    if mode == "require" and not authorities:
        context.verify_mode = ssl.CERT_NONE
    else:
        # As libpq does, `require` with authorities named verifies the certificate, not the host.
        _trust(context, mode, authorities)
    if revoked := given.get("sslcrl"):
        _load("sslcrl", lambda: context.load_verify_locations(revoked))
        context.verify_flags |= ssl.VerifyFlags.VERIFY_CRL_CHECK_CHAIN
    _show_ours(context, given)
    if minimum := given.get("ssl_min_protocol_version"):
        context.minimum_version = _version(minimum, "ssl_min_protocol_version")
    if maximum := given.get("ssl_max_protocol_version"):
        context.maximum_version = _version(maximum, "ssl_max_protocol_version")
    if is_direct(given):
        context.set_alpn_protocols([ALPN])
    return context


def _trust(context: ssl.SSLContext, mode: str, authorities: str) -> None:
    """Trust the authorities that are named, else those of this user, else those of this machine.

    The machine's authorities sign certificates for everybody, so they say something only where
    the host's name is compared as well.
    """
    if authorities and authorities != SYSTEM:
        _load("sslrootcert", lambda: context.load_verify_locations(authorities))
    elif mode != "verify-full":
        raise DatabaseUrlError(
            f"has sslmode={mode}, which needs sslrootcert with the path of a file; or use "
            "sslmode=verify-full"
        )
    else:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)


def _show_ours(context: ssl.SSLContext, given: Mapping[str, str]) -> None:
    """Load the certificate that we show a server that asks for one."""
    certificate, key = given.get("sslcert"), given.get("sslkey")
    if not certificate:
        if key:
            raise DatabaseUrlError("has sslkey without sslcert")
        return
    if key:
        _load("sslkey", lambda: Path(key).read_bytes())
    # Where the key is encrypted, the library would ask a terminal for its password, and wait.
    secret = given.get("sslpassword", "")
    _load("sslcert", lambda: context.load_cert_chain(certificate, key, lambda: secret))


def _version(text: str, name: str) -> ssl.TLSVersion:
    if text not in VERSIONS:
        raise DatabaseUrlError(f"has an {name} that is none of {', '.join(VERSIONS)}")
    return VERSIONS[text]


def _load(name: str, load: Callable[[], object]) -> None:
    """Read a file that the address names; what is wrong with it names the parameter."""
    try:
        load()
    except ssl.SSLError:
        message = f"has {name} with a file that holds no certificates"
        if name == "sslcert":
            message = "has sslcert, sslkey or sslpassword that do not belong together"
        raise DatabaseUrlError(message) from None
    except OSError as error:
        reason = error.strerror or "unreadable"
        raise DatabaseUrlError(f"has {name} with a file that cannot be read: {reason}") from None
    except ValueError:
        raise DatabaseUrlError(f"has {name} with a path that no file can have") from None
