"""The address of another node of a cluster: as the one that is known, with another host."""

from app.database_url.errors import DatabaseUrlError

OF_HOSTS = frozenset({"host", "port", "target_session_attrs", "load_balance_hosts"})
"""Parameters that say which hosts, and which of them, an address means."""


def node_url(url: str, host: str, port: int) -> str:
    """Return the address with this one host: role, password, database and all else stay.

    Raises DatabaseUrlError.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        raise DatabaseUrlError(
            "must be an address such as postgresql://role:password@host/database"
        )
    where, _, query = rest.partition("?")
    authority, _, path = where.partition("/")
    login, at, _ = authority.rpartition("@")
    kept = [
        parameter
        for parameter in query.split("&")
        if parameter and parameter.partition("=")[0] not in OF_HOSTS
    ]
    shown = f"[{host}]" if ":" in host else host
    more = f"?{'&'.join(kept)}" if kept else ""
    return f"{scheme}://{login}{at}{shown}:{port}/{path}{more}"
