"""A test that leaves a connection open fails itself, and a connection that closes is waited for."""

import asyncio
import socket
import ssl
import threading
import time
from pathlib import Path

import pytest

from tests.ledger.tls_server import Authority
from tests.loops import StrictLoop
from tests.tcp_server import tcp_server

ANSWER_SECONDS = 0.2


def on_a_strict_loop() -> asyncio.Runner:
    return asyncio.Runner(loop_factory=StrictLoop)


async def read_on(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read()


def test_a_connection_that_nobody_closes_fails_the_test_that_opened_it() -> None:
    async def open_only(port: int) -> asyncio.StreamWriter:
        return (await asyncio.open_connection("127.0.0.1", port))[1]

    runner = on_a_strict_loop()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        opened = runner.run(open_only(listening.getsockname()[1]))
        with pytest.raises(AssertionError, match="never closed <_SelectorSocketTransport"):
            runner.close()
    assert opened.is_closing()


def test_a_tls_connection_whose_peer_is_slow_to_end_it_is_waited_for(tmp_path: Path) -> None:
    certificate, key = Authority.make(tmp_path, "ours").issue("server")
    there = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    there.load_cert_chain(certificate, key)
    here = ssl.create_default_context()
    here.check_hostname, here.verify_mode = False, ssl.CERT_NONE
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer_late() -> None:
            with there.wrap_socket(listening.accept()[0], server_side=True) as accepted:
                accepted.recv(1)
                time.sleep(ANSWER_SECONDS)

        async def close_only() -> socket.socket:
            transport, _ = await asyncio.get_running_loop().create_connection(
                asyncio.Protocol, *listening.getsockname(), ssl=here
            )
            transport.write(b"?")
            held: socket.socket = transport.get_extra_info("socket")
            transport.close()
            return held

        peer = threading.Thread(target=answer_late)
        peer.start()
        with on_a_strict_loop() as runner:
            held = runner.run(close_only())
        peer.join()
    assert held.fileno() == -1


async def test_a_server_closes_what_it_accepted_while_its_handler_waits() -> None:
    async with tcp_server(read_on) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"?")
    assert await reader.read() == b""
    writer.close()


async def test_a_server_tells_what_its_handler_raised() -> None:
    async def fail(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.readexactly(1)
        raise ValueError("a fault of the handler")

    async def ask() -> None:
        async with tcp_server(fail) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"?")
            assert await reader.read() == b""
            writer.close()

    with pytest.raises(ValueError, match="a fault of the handler"):
        await ask()
