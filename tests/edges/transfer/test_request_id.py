"""Every answer names its delivery, and its log line has that name and the balance it told."""

import json
from typing import Any

from structlog.testing import capture_logs

from tests.edges.transfer.bank import AGENT, KEYS, STRANGER_KEY, Bank, Reply, jwe, unjwe


def heard(bank: Bank, operation: str, **fields: object) -> tuple[Reply, list[dict[str, Any]]]:
    with capture_logs() as lines:
        reply = bank.ask(operation, **fields)
    return reply, [dict(line) for line in lines]


def request_id(reply: Reply) -> str:
    """The name on an answer; there is one."""
    (name,) = reply.headers.get_list("request-id")
    assert len(bytes.fromhex(name)) == 16
    return name


def test_an_answer_that_tells_a_balance_has_it_in_its_line(bank: Bank) -> None:
    user_id = bank.player("10.00")
    movement = {"user_id": user_id, "transaction_id": f"once-{user_id}", "amount": "2.50"}
    for operation, fields, balance in (
        ("account/deposit", movement, "12.50"),
        (
            "account/withdraw",
            {**movement, "transaction_id": f"more-{user_id}", "amount": "99"},
            "12.50",
        ),
        ("account/balance", {"user_id": user_id}, "12.50"),
        ("account/update", {"user_id": user_id, "language": "de"}, "12.50"),
        ("account/session", {"user_id": user_id}, None),
    ):
        reply, lines = heard(bank, operation, **fields)
        assert {line["delivery"] for line in lines} == {request_id(reply)}, operation
        assert {line.get("balance") for line in lines} == {balance}, operation
        assert reply.data.get("balance") == balance


def test_a_refusal_is_kept_under_the_name_on_its_answer(bank: Bank) -> None:
    user_id = bank.player()
    reply, lines = heard(bank, "account/deposit", user_id=user_id, transaction_id="?", amount="0")
    assert reply.code != 0
    (row,) = bank.sql("SELECT delivery FROM refusals WHERE user_id = $1", user_id)
    assert row["delivery"].hex == request_id(reply)
    assert [line["delivery"] for line in lines] == [request_id(reply)]


def test_a_sealed_answer_and_one_to_a_stranger_have_names_too(bank: Bank) -> None:
    body = json.dumps({"iat": bank.iat(), "user_id": bank.player("1.00")}).encode()
    sealed = bank.send(
        "account/balance", jwe(body, AGENT, KEYS[AGENT][0]), {"Accept": "application/jose"}
    )
    assert b'"balance":1.00' in unjwe(sealed.body)[1]
    with capture_logs() as lines:
        stranger = bank.send("account/balance", jwe(body, AGENT, STRANGER_KEY))
        nowhere = bank.send("account/nowhere", b"")
    assert [line["delivery"] for line in lines] == [request_id(stranger), request_id(nowhere)]
    assert request_id(sealed) not in {request_id(stranger), request_id(nowhere)}
