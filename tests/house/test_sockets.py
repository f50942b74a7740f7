"""The tests reach this machine only."""

import socket

import pytest
from pytest_socket import SocketConnectBlockedError


def test_no_test_connects_beyond_the_named_loopback_addresses() -> None:
    # 127.0.0.2 stands for the world: it is not among the allowed, and were the guard missing,
    # this test would still not leave the machine.
    # The guard warns before it raises, and warnings are errors here.
    refused = (SocketConnectBlockedError, UserWarning)
    with socket.socket() as probe, pytest.raises(refused, match=r"127\.0\.0\.2"):
        probe.connect(("127.0.0.2", 9))
