"""The roles script on a real server: as the database's image runs it, and once more."""

import os
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.ledger.migrations import upgrade
from app.postgres import EmbeddedPostgres
from app.postgres.cluster import OPS, OWNER, SERVICE, SUPERUSER
from tests.conftest import sql
from tests.deploy.files import ROOT, compose

PASSWORDS = {
    "OWNER_PASSWORD": "owner-secret",
    "SERVICE_PASSWORD": "service-secret",
    "OPS_PASSWORD": "ops-secret",
}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres.start_or_join(tmp_path / "data", fsync=False, loopback=True) as server:
        sql(server, "CREATE DATABASE composed")
        yield server


def run_script(server: EmbeddedPostgres) -> None:
    psql, *options = shlex.split(server.psql_command(SUPERUSER, "composed"))
    while "=" in psql:  # PGPASSFILE=… comes before the program.
        psql, *options = options
    host = server.url_for(SUPERUSER, "composed").rpartition("@")[2]
    address, _, port = host.partition("/")[0].rpartition(":")
    password = server.url_for(SUPERUSER).partition("://")[2].partition("@")[0].partition(":")[2]
    subprocess.run(
        ["sh", str(ROOT / "deploy" / "postgres" / "roles.sh")],
        check=True,
        env={
            **PASSWORDS,
            "PATH": f"{Path(psql).parent}:{os.environ['PATH']}",
            "PGHOST": address,
            "PGPORT": port,
            "PGPASSWORD": password,
            "POSTGRES_USER": SUPERUSER,
            "POSTGRES_DB": "composed",
        },
        timeout=30,
    )


def address(server: EmbeddedPostgres, role: str, password: str) -> str:
    """The address as the compose file writes it."""
    host = server.url_for(role, "composed").rpartition("@")[2]
    return f"postgresql+asyncpg://{role}:{password}@{host}"


async def test_the_roles_are_made_with_what_each_may_do(server: EmbeddedPostgres) -> None:
    run_script(server)
    run_script(server)  # A second run renews the passwords and changes nothing else.
    await upgrade(address(server, OWNER, PASSWORDS["OWNER_PASSWORD"]))

    def may(role: str, what: str) -> bool:
        return sql(server, f"SELECT {what.replace('role', repr(role), 1)}", "composed") == "t"

    assert (
        sql(server, "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'composed'")
        == OWNER
    )
    for role in (SERVICE, OPS):
        assert may(role, "has_database_privilege(role, 'composed', 'CONNECT')")
        assert not may(role, "has_database_privilege(role, 'composed', 'CREATE')")
        assert may(role, "has_database_privilege(role, 'composed', 'TEMPORARY')")
    assert may(SERVICE, "has_table_privilege(role, 'public.movements', 'INSERT')")
    assert not may(SERVICE, "has_table_privilege(role, 'public.movements', 'UPDATE')")
    assert may(OPS, "has_table_privilege(role, 'ops.statement', 'SELECT')")
    assert not may(OPS, "has_table_privilege(role, 'public.movements', 'SELECT')")
    settings = sql(
        server, f"SELECT unnest(rolconfig) FROM pg_roles WHERE rolname = '{OPS}' ORDER BY 1"
    )
    assert settings.splitlines() == ["default_transaction_read_only=on", "statement_timeout=5min"]


def test_the_script_wants_what_the_compose_file_gives_it() -> None:
    script = (ROOT / "deploy" / "postgres" / "roles.sh").read_text(encoding="utf-8")
    given = compose()["services"]["postgres"]["environment"]
    for name in PASSWORDS:
        assert f'"${name}"' in script
        assert name in given
    assert (ROOT / "deploy" / "postgres" / "roles.sh").stat().st_mode & 0o111
