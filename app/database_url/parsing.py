"""A database address as libpq writes it, turned into the arguments of `asyncpg.connect`.

Managed PostgreSQL hands out addresses with libpq's parameters (`sslmode`, `connect_timeout`,
several hosts). The driver knows some of them, takes others for settings of the server, and reads
files when it connects. Here each parameter is translated, ignored for a reason, or refused in one
sentence that quotes neither the address nor a value: both may hold a password.
"""

import re
import ssl
from collections.abc import Mapping
from typing import Final, TypedDict
from urllib.parse import unquote

from asyncpg.connect_utils import SessionAttribute

from app.database_url import tls
from app.database_url.errors import DatabaseUrlError

PORT: Final = 5432

CONNECT_SECONDS_MAX: Final = 3600
"""A longer wait than this is a mistake of units."""

IGNORED: Final = frozenset(
    {
        # The kernel's defaults hold; the wallet bounds every wait by itself.
        "keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count",
        "tcp_user_timeout",
        # TLS has no compression any more, and the server name is sent wherever there is one.
        "sslcompression", "sslsni",
        # Without GSSAPI these have no effect.
        "krbsrvname", "gsslib", "gssdelegation",
    }
)  # fmt: skip

ONLY_VALUES: Final[Mapping[str, tuple[frozenset[str], str]]] = {
    "channel_binding": (
        frozenset({"disable", "prefer"}),
        "channel_binding=require, which the driver cannot do; use sslmode=verify-full instead",
    ),
    "gssencmode": (
        frozenset({"disable", "prefer"}),
        "gssencmode=require, which the driver cannot do; use sslmode",
    ),
    "client_encoding": (
        frozenset({"utf8", "utf-8", "auto", "unicode"}),
        "client_encoding, and the wallet speaks UTF8 only",
    ),
    "target_session_attrs": (
        frozenset({"any", "read-write", "primary"}),
        "target_session_attrs, and the wallet writes: it must be any, read-write or primary",
    ),
    "sslcertmode": (frozenset({"disable", "allow"}), "sslcertmode=require; leave it out"),
    "load_balance_hosts": (
        frozenset({"disable"}),
        "load_balance_hosts, and the wallet tries hosts in the order in which they are named",
    ),
}
"""Parameters that mean something to us only with these values, and what to say of the others."""

KNOWN: Final = IGNORED | ONLY_VALUES.keys() | {
    "host", "port", "user", "password", "dbname", "passfile",
    *tls.PARAMETERS,
    "connect_timeout", "application_name", "fallback_application_name", "options",
}  # fmt: skip

ALIASES: Final = {"ssl": "sslmode", "database": "dbname"}
"""Names that drivers of other languages use."""


class ConnectArguments(TypedDict, total=False):
    """What `asyncpg.connect` is called with."""

    host: list[str]
    port: list[int]
    user: str
    password: str
    passfile: str
    database: str
    ssl: ssl.SSLContext | tls.UnverifiedMode
    direct_tls: bool
    timeout: int
    target_session_attrs: SessionAttribute
    server_settings: dict[str, str]


def connect_arguments(url: str) -> ConnectArguments:
    """Translate an address; `timeout` and `server_settings` hold only what the address names.

    Raises DatabaseUrlError. The files that the address names are read here.
    """
    _, separator, rest = url.partition("://")
    if not separator:
        raise DatabaseUrlError(
            "must be an address such as postgresql://role:password@host/database"
        )
    # By hand: the standard library's parser knows one host, and raises with the text it was given.
    where, _, query = rest.partition("?")
    authority, _, path = where.partition("/")
    login, at, hosts = authority.rpartition("@")
    if "/" in path or "@" in path or (not at and "@" in query and "=" not in query.split("@")[0]):
        raise DatabaseUrlError("has a /, ? or @ in its password or name: write it %2F, %3F or %40")
    given = _parameters(query)
    user, _, password = login.partition(":")
    arguments: ConnectArguments = {}
    host, port = _hosts(given.get("host") or hosts, given.get("port"), is_unquoted="host" in given)
    if host:
        arguments["host"], arguments["port"] = host, port
    if name := given.get("user") or unquote(user):
        arguments["user"] = name
    if secret := given.get("password") or unquote(password):
        arguments["password"] = secret
    if "passfile" in given:
        arguments["passfile"] = given["passfile"]
    if database := given.get("dbname") or unquote(path):
        arguments["database"] = database
    encryption = tls.encryption_of(given)
    if encryption is not None:
        arguments["ssl"] = encryption
    if tls.is_direct(given):
        arguments["direct_tls"] = True
    _add_session(arguments, given)
    return arguments


def host_of(url: str) -> str:
    """Name where an address leads, for a log: hosts and ports, no role, no password."""
    try:
        arguments = connect_arguments(url)
    except DatabaseUrlError:
        return "the named database"
    pairs = zip(arguments.get("host", ()), arguments.get("port", ()), strict=True)
    return ",".join(_shown(host, port) for host, port in pairs) or "this machine"


def _shown(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _parameters(query: str) -> dict[str, str]:
    """Read the parameters as libpq does: percent-encoded, and a plus is a plus."""
    given: dict[str, str] = {}
    for part in filter(None, query.split("&")):
        name, separator, value = part.partition("=")
        name, value = ALIASES.get(unquote(name), unquote(name)), unquote(value)
        if not separator or not name:
            raise DatabaseUrlError("has a parameter without a value")
        if name not in KNOWN:
            raise DatabaseUrlError(_unknown(name))
        if name in given:
            raise DatabaseUrlError(f"names {name} twice")
        if "\0" in value:
            raise DatabaseUrlError(f"has a zero byte in {name}")
        allowed, instead = ONLY_VALUES.get(name, (None, ""))
        if allowed is not None and value.lower() not in allowed:
            raise DatabaseUrlError(f"asks for {instead}")
        given[name] = value
    return given


def _unknown(name: str) -> str:
    """Name the parameter, unless it may be a piece of a password that holds a question mark."""
    if re.fullmatch(r"[a-z_]{2,40}", name, re.ASCII):
        return f"has a parameter that the wallet does not know: {name}"
    return "has a parameter that the wallet does not know"


def _hosts(hosts: str, ports: str | None, *, is_unquoted: bool) -> tuple[list[str], list[int]]:
    """Read `host:port,[address]:port,…`; ports may stand apart, one for all or one for each."""
    found: list[str] = []
    numbers: list[str] = []
    for one in hosts.split(",") if hosts else ():
        host, port = one, ""
        if one.startswith("["):
            host, closed, port = one[1:].partition("]")
            if not closed or (port and not port.startswith(":")):
                raise DatabaseUrlError("has a host that is not closed by ]")
            port = port.removeprefix(":")
        elif one.count(":") == 1 and not one.startswith("/"):
            host, _, port = one.partition(":")
        found.append((host if is_unquoted else unquote(host)) or "localhost")
        numbers.append(port)
    apart = ports.split(",") if ports else []
    if apart and not found:
        found, numbers = ["localhost"], [""]
    if len(apart) not in {0, 1, len(found)}:
        raise DatabaseUrlError("must name one port, or one for each host")
    if apart:
        numbers = apart * len(found) if len(apart) == 1 else apart
    return found, [_number(number or str(PORT), "a port", 65535, least=1) for number in numbers]


def _number(text: str, what: str, most: int, *, least: int = 0) -> int:
    if not (text.isascii() and text.isdecimal()) or not least <= int(text[:9]) <= most:
        raise DatabaseUrlError(f"has {what} that is no number from {least} to {most}")
    return int(text)


def _add_session(arguments: ConnectArguments, given: Mapping[str, str]) -> None:
    """Add what holds for the session: its time limit, its name, its settings, its server."""
    if "connect_timeout" in given:
        seconds = _number(given["connect_timeout"], "a connect_timeout", CONNECT_SECONDS_MAX)
        if seconds:  # 0 stands for no limit: then the wallet's own holds.
            arguments["timeout"] = seconds
    settings = {}
    name = given.get("application_name") or given.get("fallback_application_name")
    if name:
        settings["application_name"] = name
    if given.get("options"):
        settings["options"] = given["options"]
    if settings:
        arguments["server_settings"] = settings
    if "target_session_attrs" in given:
        arguments["target_session_attrs"] = SessionAttribute(given["target_session_attrs"].lower())
