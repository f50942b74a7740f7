"""A platform that ends its side after a request is answered; one that hung up is listed."""

import json
import socket
import time

import pytest

from tests.conftest import Database
from tests.edges.transfer.bank import Bank, jwe, open_bank, unique


@pytest.mark.parametrize("way", ["on", "off"])
@pytest.mark.parametrize("hangs_up", [False, True])
def test_a_deposit_is_heard_by_who_ends_their_side_and_listed_for_who_left(
    db: Database, way: str, *, hangs_up: bool
) -> None:
    with open_bank(db, fast_path=way) as bank:
        user_id = bank.player()
        with socket.create_connection(("127.0.0.1", bank.port), timeout=10) as connection:
            connection.sendall(deposit(bank, user_id))
            if not hangs_up:
                connection.shutdown(socket.SHUT_WR)
                said = b""
                while part := connection.recv(65536):
                    said += part
                assert b'"code":0' in said
        for _ in range(400):
            if bank.balance(user_id) == ("5.00", "0.00"):
                break
            time.sleep(0.01)
        listed = []
        for _ in range(400 if hangs_up else 20):
            listed = bank.sql("SELECT user_id FROM ops.unanswered")
            if listed:
                break
            time.sleep(0.01)
        assert [row["user_id"] for row in listed] == ([user_id] if hangs_up else [])


def deposit(bank: Bank, user_id: str) -> bytes:
    fields = {
        "iat": bank.iat(),
        "op": "account/deposit",
        "user_id": user_id,
        "transaction_id": unique("cash"),
        "amount": "5",
    }
    body = jwe(json.dumps(fields).encode())
    head = (
        "POST /transfer/v1/account/deposit HTTP/1.1\r\nHost: x\r\n"
        f"Content-Type: application/jose\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
