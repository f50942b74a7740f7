"""Every real answer of the transfer API, of each operation and code, is as described."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from app.edges.transfer.codes import Code
from app.edges.transfer.examples import REQUESTS
from app.edges.transfer.openapi import PREFIX, refusals_of
from app.edges.transfer.operations import FORMS, ONE_TIME
from tests.conftest import Database
from tests.edges.database_away import database_away
from tests.edges.described import assert_as_described, document, resolved, validator
from tests.edges.transfer.bank import (
    AGENT,
    BOUND,
    KEYS,
    OTHER,
    OTHER_KEY,
    Bank,
    Reply,
    jwe,
    open_bank,
    unique,
    unjwe,
)

JOSE = "application/jose"


def held(operation: str, reply: Reply) -> int:
    """Hold an answer to the description, and return its code."""
    path, kind = f"{PREFIX}/{operation}", reply.headers["content-type"]
    assert_as_described(path, "post", reply.status, kind, reply.body)
    code = reply.code
    examples = resolved(document()["paths"][path]["post"]["responses"][str(reply.status)])
    shown = examples["content"][kind]["examples"].values()
    assert code in {example["value"]["code"] for example in shown}, f"{operation}: {code}"
    return code


class Story:
    """What makes each operation answer with each of its codes."""

    def __init__(self, bank: Bank) -> None:
        self.bank = bank
        self.user_id = bank.player("500", "50")
        self.changed = bank.player("500")
        self.blocked = bank.player("500", "50")
        assert bank.ask("account/update", user_id=self.blocked, status="blocked").code == 0
        self.other = bank.player("1", agent=OTHER)

    def fields(self, operation: str, **fields: object) -> dict[str, Any]:
        """Good fields of an operation, as the example has them."""
        named = {k: v for k, v in REQUESTS[operation].items() if k not in {"iat", "op", "jti"}}
        if "user_id" in FORMS[operation] and not operation.startswith("hold/"):
            named["user_id"] = self.changed if operation == "account/update" else self.user_id
        if "transaction_id" in named:
            named["transaction_id"] = unique("described")
        if operation.startswith("hold/"):
            hold = self.bank.move("account/hold", self.user_id, "1")
            named["hold_id"] = hold.data["transaction_id"]
        if operation == "events":
            named.pop("after")
        return {**named, **fields}

    def ask(self, operation: str, **fields: Any) -> Reply:  # noqa: ANN401 - any JSON
        how = {name: fields.pop(name) for name in ("agent", "key", "iat", "op") if name in fields}
        return self.bank.ask(operation, **how, **self.fields(operation, **fields))

    def answers(self, operation: str) -> dict[Code, Callable[[], Reply]]:
        """What is asked to hear each code."""
        late = self.bank.iat() - 86400
        return {
            Code.DONE: lambda: self.ask(operation),
            Code.MISSING: lambda: self.bank.send(operation, jwe(b"{}")),
            Code.KEY: lambda: self.bank.send(operation, jwe(b"{}", AGENT, OTHER_KEY)),
            Code.FORMAT: lambda: self.ask(operation, op="another"),
            Code.EXPIRED: lambda: self.ask(operation, iat=late),
            Code.AGENT: lambda: self.bank.send(operation, jwe(b"{}", "nobody")),
            Code.VALUE: lambda: self.ask(operation, **self._unvalued(operation)),
            Code.DENIED: lambda: self.ask(operation, agent=BOUND),
            Code.BLOCKED: lambda: self.ask(operation, user_id=self.blocked),
            Code.BALANCE: lambda: self.ask(operation, amount="100000"),
        }

    @staticmethod
    def _unvalued(operation: str) -> dict[str, object]:
        """A field whose value cannot be."""
        if operation == "account/init":
            return {"currency": "XXX"}
        if "limit" in FORMS[operation]:
            return {"limit": 0}
        if operation == "transaction/check":
            return {"transaction_id": ""}
        return {"hold_id": "none"} if operation.startswith("hold/") else {"user_id": "nobody"}


@pytest.fixture(scope="module")
def story(served: Bank) -> Story:
    return Story(served)


@pytest.mark.parametrize("operation", FORMS)
def test_every_code_of_an_operation_is_answered_as_described(
    bank: Bank, story: Story, operation: str
) -> None:
    assert bank is story.bank
    answers = story.answers(operation)
    for code in (Code.DONE, *refusals_of(operation)):
        assert held(operation, answers[code]()) == code.value, f"{operation}: {code.name}"
    wrong = bank.client.get(f"{PREFIX}/{operation}")
    assert_as_described(f"{PREFIX}/{operation}", "post", 405, "application/json", wrong.content)


@pytest.mark.parametrize("operation", FORMS)
def test_what_the_description_shows_as_a_request_is_one(
    bank: Bank, story: Story, operation: str
) -> None:
    asked = {**REQUESTS[operation], **story.fields(operation), "iat": bank.iat()}
    if operation == "events":
        # No ledger but that of the example has its cursor.
        del asked["after"]
    if operation in ONE_TIME:
        asked["jti"] = unique("jti")
    sealed = bank.send(operation, jwe(json.dumps(asked).encode()), {"Accept": JOSE})
    assert sealed.headers["content-type"] == JOSE
    opened = sealed._replace(body=unjwe(sealed.body)[1], was_sealed=True)
    assert held(operation, opened) == 0
    (schema,) = document()["paths"][f"{PREFIX}/{operation}"]["post"]["requestBody"][
        "content"
    ].values()
    assert validator(schema["schema"], is_closed=True).is_valid(asked)


def test_answers_of_every_shape_are_as_described(bank: Bank, story: Story) -> None:
    """Those that one request an operation does not show."""
    user_id = bank.player("500", "50")
    token = bank.token(user_id)
    assert bank.play(user_id, token, "BetPlacing", "1") == 0
    assert bank.play(user_id, token, "BetPlacing", "10000", "event-2") == 402
    assert bank.play(user_id, token, "Win", "2") == 0
    assert bank.play(user_id, token, "Win", "2", "unknown") == 406
    later = (bank.now() + timedelta(days=1)).isoformat(timespec="seconds")
    limits = {"deposit_day": "600", "stake_day": 20, "stake_bet:casino": 1}
    raised = {"stake_day": None, "deposit_day": 700}
    refused = {"user_id": user_id, "transaction_id": unique("d"), "amount": 500}
    checked = {"provider": "p", "reference": "r", "allowed": True, "checked_at": later}
    for operation, code, fields in (
        ("account/update", 0, {"limits": limits}),
        ("account/update", 0, {"limits": raised}),
        ("account/update", 101, {"confirm": ["stake_day"]}),
        ("account/update", 100, {"confirm": ["loss_day"]}),
        ("account/deposit", 101, refused),
        ("account/deposit", 0, {"transaction_id": unique("d"), "amount": 1, "check": checked}),
        ("transaction/check", 0, {"transaction_id": refused["transaction_id"]}),
        ("transaction/check", 0, {"transaction_id": "nowhere"}),
        ("account/session", 0, {}),
        ("account/session", 0, {"revoke": "all"}),
        ("account/update", 0, {"excluded_until": later}),
        ("account/update", 0, {"excluded_until": "forever"}),
        ("account/update", 101, {"excluded_until": later}),
        ("account/balance", 101, {"user_id": story.other}),
        ("account/init", 0, {"currency": "USD", "nickname": "Nick", "language": "en"}),
        ("history", 0, {"type": "ALL"}),
        ("account/statement", 0, {}),
        ("account/statement", 0, {"limit": 1}),
        ("events", 0, {"limit": 1000}),
    ):
        asked = {"user_id": user_id, **fields}
        assert held(operation, bank.ask(operation, **asked)) == code, (operation, fields)
    for token_of in ({}, {"limit": 1}):
        held("history", bank.ask("history", type="ALL", **token_of))


def test_each_type_of_events_is_told_as_described(bank: Bank, story: Story) -> None:
    assert story.bank is bank
    user_id = bank.player("50")
    token = bank.token(user_id)
    bank.ask("account/update", user_id=user_id, limits={"stake_day": 5})
    assert bank.play(user_id, token, "BetPlacing", "5") == 0
    assert bank.play(user_id, token, "BetPlacing", "1") == 456
    assert bank.play(user_id, token, "Win", "2") == 0
    told = bank.ask("events", limit=1000)
    assert held("events", told) == 0
    kinds = {event["type"] for event in told.data["events"] if event["user_id"] == user_id}
    assert kinds == {
        *("account.opened", "account.updated", "round.settled"),
        *("movement.posted", "movement.declined", "limit.hit"),
    }


def test_a_database_that_is_away_is_answered_as_described(db: Database) -> None:
    with open_bank(db, deadline_seconds="0.3") as bank:
        story = Story(bank)
        asked = {operation: story.fields(operation) for operation in FORMS}
        with database_away(bank):
            for operation, fields in asked.items():
                reply = bank.ask(operation, **fields)
                assert held(operation, reply) == Code.AWAY.value, operation


def requests_without(operation: str) -> Iterator[dict[str, Any]]:
    """The example of a request, each time without one of its members."""
    for name in REQUESTS[operation]:
        yield {key: value for key, value in REQUESTS[operation].items() if key != name}


@pytest.mark.parametrize("operation", FORMS)
def test_a_request_lacks_something_by_its_schema_exactly_if_the_server_says_so(
    bank: Bank, story: Story, operation: str
) -> None:
    path = document()["paths"][f"{PREFIX}/{operation}"]["post"]
    schema = path["requestBody"]["content"][JOSE]["schema"]
    good = {**REQUESTS[operation], **story.fields(operation), "iat": bank.iat()}
    if operation in ONE_TIME:
        good["jti"] = unique("jti")
    for without in requests_without(operation):
        asked = {name: good[name] for name in without if name in good}
        lacks = not validator(schema).is_valid(asked)
        said = bank.send(operation, jwe(json.dumps(asked).encode(), AGENT, KEYS[AGENT][0]))
        if said.headers["content-type"] == JOSE:
            said = said._replace(body=unjwe(said.body)[1], was_sealed=True)
        assert (said.code == Code.MISSING) is lacks, (operation, set(good) - set(asked))
