"""Every answer has a Request-Id, and its log line has the same and the answer's balance."""

import json
from typing import Any

from structlog.testing import capture_logs

from app.cashier.staff_lookups import RequestTraces, look_up_delivery, look_up_request
from app.ledger.citus.ledger import PlacedLedger
from tests.edges.transfer.bank import AGENT, KEYS, OTHER_KEY, Bank, Reply, jwe, unique, unjwe


def heard(bank: Bank, operation: str, **fields: object) -> tuple[Reply, list[dict[str, Any]]]:
    with capture_logs() as lines:
        reply = bank.ask(operation, **fields)
    return reply, [dict(line) for line in lines]


def request_id(reply: Reply) -> str:
    """The Request-Id of an answer, which has exactly one."""
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


def test_a_repeat_under_a_jti_has_a_name_of_its_own_and_the_first_answer_s_balance(
    bank: Bank,
) -> None:
    user_id = bank.player("10.00")
    fields = {"user_id": user_id, "jti": unique("j"), "language": "de"}
    first, _ = heard(bank, "account/update", **fields)
    bank.ask("account/deposit", user_id=user_id, transaction_id=unique("cash"), amount="5")
    again, lines = heard(bank, "account/update", **fields)
    assert again.body == first.body
    assert request_id(again) != request_id(first)
    assert [(line["delivery"], line["balance"]) for line in lines] == [(request_id(again), "10.00")]


def test_a_refusal_is_kept_under_the_name_on_its_answer(bank: Bank) -> None:
    user_id = bank.player()
    reply, lines = heard(bank, "account/deposit", user_id=user_id, transaction_id="?", amount="0")
    assert reply.code != 0
    (row,) = bank.sql("SELECT delivery FROM refusals WHERE user_id = $1", user_id)
    assert row["delivery"].hex == request_id(reply)
    assert [line["delivery"] for line in lines] == [request_id(reply)]


def test_a_sealed_answer_and_one_to_an_untrusted_caller_have_names_too(bank: Bank) -> None:
    body = json.dumps(
        {"iat": bank.iat(), "op": "account/balance", "user_id": bank.player("1.00")}
    ).encode()
    sealed = bank.send(
        "account/balance", jwe(body, AGENT, KEYS[AGENT][0]), {"Accept": "application/jose"}
    )
    assert b'"balance":1.00' in unjwe(sealed.body)[1]
    with capture_logs() as lines:
        untrusted = bank.send("account/balance", jwe(body, AGENT, OTHER_KEY))
        nowhere = bank.send("account/nowhere", b"")
    assert [line["delivery"] for line in lines] == [request_id(untrusted), request_id(nowhere)]
    assert request_id(sealed) not in {request_id(untrusted), request_id(nowhere)}


def test_what_a_request_changed_or_was_refused_is_found_by_its_name(bank: Bank) -> None:
    user_id = bank.player("1.00")
    changed = bank.ask("account/update", user_id=user_id, language="de")
    refused = bank.ask("account/balance", user_id="nobody-at-all")
    movement = bank.move("account/deposit", user_id, "1")

    async def look(name: str) -> tuple[RequestTraces, dict[str, Any]]:
        ledger = PlacedLedger(bank.database.service_url, pool_size=1)
        try:
            delivery = bytes.fromhex(name)
            transactions = await look_up_delivery(ledger, delivery)
            return await look_up_request(ledger, delivery), dict(transactions)
        finally:
            await ledger.close()

    traces, _ = bank.run(look(request_id(changed)))
    assert [(each.user_id, each.operation) for each in traces.changes] == [
        (user_id, "account/update")
    ]
    assert traces.refusals == []
    traces, _ = bank.run(look(request_id(refused)))
    assert [each.operation for each in traces.refusals] == ["account/balance"]
    assert traces.changes == []
    traces, transactions = bank.run(look(request_id(movement)))
    assert list(transactions) == [movement.data["transaction_id"]]
    assert traces == RequestTraces([], [])


def test_pages_and_wrong_addresses_have_names_too(bank: Bank) -> None:
    answers = [
        *(bank.client.get(path) for path in ("/", "/docs", "/redoc", "/openapi.json")),
        *(bank.client.get(path) for path in ("/pages/docs.js", "/pages/no.js", "/nowhere")),
        *(bank.client.get(path) for path in ("/moveFunds", "/transfer/v1/account/init")),
        bank.client.post("/transfer/v1/account/nowhere"),
        bank.client.post("/docs"),
        bank.client.post("/moveFunds", content=b"x" * 270_000),
        bank.client.post("/transfer/v1/account/init", content=b"x" * 270_000),
    ]
    names = [answer.headers.get_list("request-id") for answer in answers]
    assert all(len(name) == 1 and len(bytes.fromhex(name[0])) == 16 for name in names), names
    assert len({name for (name,) in names}) == len(answers)
    assert {answer.status_code for answer in answers} == {200, 307, 404, 405, 413, 202}
