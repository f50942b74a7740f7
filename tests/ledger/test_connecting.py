"""Addresses as managed PostgreSQL gives them, against a server with its own certificates."""

import asyncio
import socket
import ssl

import asyncpg
import pytest

from app.database_url import connect_arguments
from app.ledger.connecting import connect
from app.ledger.migrations import upgrade, wait_for_database
from app.ledger.revisions import current_revision, head_revision
from app.ledger.snapshot import snapshot
from app.postgres import EmbeddedPostgres
from app.postgres.cluster import DATABASE, OWNER, SERVICE
from tests.cashier.line import Line
from tests.ledger.tls_server import Guarded
from tests.tcp_server import tcp_server


async def ask(url: str, question: str) -> object:
    connection = await connect(connect_arguments(url))
    try:
        answer: object = await connection.fetchval(question)
        return answer
    finally:
        await connection.close()


ENCRYPTED = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"


async def test_tls_as_each_mode_asks_for_it(guarded: Guarded) -> None:
    root = guarded.ours.file
    for url in (
        guarded.url(sslmode="prefer"),
        guarded.url(sslmode="require"),
        guarded.url(sslmode="require", sslrootcert=root),
        guarded.url(sslmode="verify-ca", sslrootcert=root),
        guarded.url(sslmode="verify-full", sslrootcert=root),
        guarded.url(sslmode="verify-ca", host="localhost", sslrootcert=root),
    ):
        assert await ask(url, ENCRYPTED) is True


async def test_a_certificate_of_somebody_else_is_refused(guarded: Guarded) -> None:
    for mode in ("require", "verify-ca", "verify-full"):
        url = guarded.url(sslmode=mode, sslrootcert=guarded.others.file)
        with pytest.raises(ssl.SSLCertVerificationError):
            await ask(url, "SELECT 1")
    with pytest.raises(ssl.SSLCertVerificationError):  # whom this machine trusts did not sign it
        await ask(guarded.url(sslmode="verify-full"), "SELECT 1")


async def test_the_full_mode_compares_the_hosts_name(guarded: Guarded) -> None:
    url = guarded.url(sslmode="verify-full", host="localhost", sslrootcert=guarded.ours.file)
    with pytest.raises(ssl.SSLCertVerificationError, match="localhost"):
        await ask(url, "SELECT 1")


async def test_without_tls_a_server_that_wants_it_lets_nobody_in(guarded: Guarded) -> None:
    with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError):
        await ask(guarded.url(sslmode="disable"), "SELECT 1")


async def test_a_server_without_tls_is_not_taken_for_one_with_it() -> None:
    async def says_no(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(8)
        writer.write(b"N")
        await reader.read()

    async with tcp_server(says_no) as port:
        url = f"postgresql://{OWNER}:x@127.0.0.1:{port}/wallet?sslmode=require"
        with pytest.raises(ConnectionError, match="rejected SSL"):
            await ask(url, "SELECT 1")


async def test_a_role_may_have_to_show_a_certificate(guarded: Guarded) -> None:
    certificate, key = guarded.ours.issue(SERVICE)
    shown = guarded.url(SERVICE, sslmode="require", sslcert=certificate, sslkey=key)
    assert await ask(shown, "SELECT current_user::text") == SERVICE
    certificate, key = guarded.ours.issue(SERVICE, password=b"of the key")
    encrypted = guarded.url(
        SERVICE, sslmode="require", sslcert=certificate, sslkey=key, sslpassword="of the key"
    )
    assert await ask(encrypted, "SELECT current_user::text") == SERVICE
    with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError):
        await ask(guarded.url(SERVICE, sslmode="require"), "SELECT 1")


async def test_migrations_and_the_audit_take_such_an_address(guarded: Guarded) -> None:
    url = guarded.url(
        sslmode="verify-full",
        sslrootcert=guarded.ours.file,
        connect_timeout=5,
        application_name="till-7",
        options="-c lock_timeout=1234",
        target_session_attrs="read-write",
        channel_binding="prefer",
        gssencmode="disable",
    )
    await upgrade(url)
    assert await current_revision(url) == head_revision()
    async with snapshot(url) as (connection,):
        assert await connection.fetchval(ENCRYPTED) is True
        assert await connection.fetchval("SHOW application_name") == "till-7"
        assert await connection.fetchval("SHOW lock_timeout") == "1234ms"


async def test_a_silent_host_leaves_time_for_the_next(postgres: EmbeddedPostgres) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=1) as silent:
        port = silent.getsockname()[1]
        folder = postgres.url_for(OWNER).split("host=")[1].split("&")[0]
        url = f"postgresql://{OWNER}@/{DATABASE}?host=127.0.0.1,{folder}&port={port},5432"
        began = asyncio.get_running_loop().time()
        assert await asyncio.wait_for(ask(f"{url}&connect_timeout=1", "SELECT 1"), 10) == 1
        assert asyncio.get_running_loop().time() - began < 3
        # Without a limit in the address the hosts share ours.
        connection = await connect(connect_arguments(url), seconds_max=4)
        await connection.close()
        assert asyncio.get_running_loop().time() - began < 1 + 2 + 1


async def test_a_host_that_is_silent_is_told_in_words() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=1) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(TimeoutError, match="does not answer in time"):
            await ask(f"postgresql://r@127.0.0.1:{port}/x?connect_timeout=1", "SELECT 1")


async def test_a_host_that_only_reads_is_passed_over(guarded: Guarded) -> None:
    reads = guarded.url(sslmode="require", options="-c default_transaction_read_only=on")
    with pytest.raises(asyncpg.TargetServerAttributeNotMatched):
        await ask(f"{reads}&target_session_attrs=read-write", "SELECT 1")


async def test_nobody_there_is_what_the_last_host_says() -> None:
    with pytest.raises(OSError, match="Connect call failed"):
        await ask("postgresql://nobody@127.0.0.1:1,127.0.0.1:2/x", "SELECT 1")


async def test_a_migration_waits_for_a_database_that_is_starting(
    postgres: EmbeddedPostgres,
) -> None:
    async with Line(postgres.url_for(OWNER)) as line:
        said: list[str] = []
        line.is_down = True
        asyncio.get_running_loop().call_later(1, line.come_back)
        await wait_for_database(line.url, said.append, seconds_max=10)
        (sentence,) = said
        assert "127.0.0.1" in sentence
        assert "waiting up to 10 seconds" in sentence
        said.clear()
        await wait_for_database(line.url, said.append)
        assert said == []


async def test_it_waits_no_longer_than_it_says() -> None:
    said: list[str] = []
    with pytest.raises(ConnectionRefusedError):
        await wait_for_database("postgresql://r:a-secret@127.0.0.1:1/x", said.append, seconds_max=1)
    assert len(said) == 1
    assert "a-secret" not in said[0]


async def test_what_does_not_pass_by_itself_is_not_waited_for(guarded: Guarded) -> None:
    wrong = guarded.url(sslmode="require").replace(f"{OWNER}:", f"{OWNER}:not-")
    with pytest.raises(asyncpg.InvalidPasswordError):
        await wait_for_database(wrong, pytest.fail)
