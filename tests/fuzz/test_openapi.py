"""schemathesis against our own description: no input makes a 500, every answer is as described.

The callback's requests are signed over whatever schemathesis made of them, so that they come past
the gate; the operator's are sealed, their plaintext made from the schema of the request: what fits
it is never refused for how it is said.
"""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from app.edges.callback.auth import canonical
from app.edges.callback.decoding import read_fields
from app.edges.callback.errors import EncodingError
from app.postgres import EmbeddedPostgres
from tests.conftest import clone
from tests.edges.transfer.bank import unjwe
from tests.model.caller import CALLBACK_KEY, Caller, seal, sign_text
from tests.model.served import serving

AGENT, AGENT_KEY = "north", bytes(range(32))
PLAYER = "a player"
SECONDS_MAX = 20

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
relaxed = settings(
    deadline=None,
    max_examples=settings().max_examples // 4,
    suppress_health_check=list(HealthCheck),
)


@schemathesis.serializer("application/jose")
def jose(_context: schemathesis.SerializationContext, value: Any) -> bytes:  # noqa: ANN401 — drawn
    return str(value).encode("utf-8", "replace")


@schemathesis.deserializer("application/jose")
def unjose(_context: schemathesis.DeserializationContext, response: Any) -> Any:  # noqa: ANN401 — JSON
    return json.loads(unjwe(response.content, AGENT_KEY)[1])


@dataclass
class Service:
    url: str
    schema: Any
    token: str
    session: requests.Session

    def operations(self, folder: str) -> list[Any]:
        """Return the described operations; `folder`: the transfer API's, or all others."""
        found = [result.ok() for result in self.schema.get_all_operations()]
        of_transfer = [one for one in found if one.path.startswith("/transfer/")]
        return of_transfer if folder == "transfer" else [o for o in found if o not in of_transfer]


@pytest.fixture(scope="module")
def service(postgres: EmbeddedPostgres, template: str) -> Iterator[Service]:
    agents = json.dumps({AGENT: [base64.urlsafe_b64encode(AGENT_KEY).decode()]})
    with (
        contextmanager(clone)(postgres, template) as database,
        serving(
            database.service_url, callback_keys=CALLBACK_KEY, agents=agents, lanes=1, pool_size=3
        ) as port,
        requests.Session() as session,
    ):
        caller = Caller(port)
        account = {"user_id": PLAYER, "currency": "USD", "nickname": "nick", "language": "en"}
        for operation, fields in (
            ("account/init", account),
            ("account/deposit", {"user_id": PLAYER, "transaction_id": "1", "amount": "1000000"}),
        ):
            asked = sent(operation, fields)
            assert caller.operate(operation, asked, AGENT, AGENT_KEY).said["code"] == 0
        launch = sent("account/session", {"user_id": PLAYER})
        session_made = caller.operate("account/session", launch, AGENT, AGENT_KEY)
        caller.close()
        url = f"http://127.0.0.1:{port}"
        description = session.get(f"{url}/openapi.json", timeout=SECONDS_MAX).json()
        for item in description["paths"].values():
            for described in item.values():
                # It is of what is no request at all, and would allow any status.
                del described["responses"]["default"]
        schema = schemathesis.openapi.from_dict(description)
        yield Service(url, schema, session_made.said["data"]["token"], session)


NAMED = ("iat", "op", "jti")
"""What names a request, and is always as it should be."""


def sent(operation: str, fields: dict[str, Any]) -> dict[str, Any]:
    named = (int(datetime.now(UTC).timestamp()), operation, uuid4().hex)
    return {**dict(zip(NAMED, named, strict=True)), **fields}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("mode", GenerationMode)
def test_the_callback_api_answers_as_described(service: Service, mode: GenerationMode) -> None:
    for operation in service.operations("callback"):

        @relaxed
        @given(operation.as_strategy(generation_mode=mode), st.integers(0, 4), st.integers(0, 9))
        def answers(case: Any, is_known: int, is_signed: int) -> None:  # noqa: ANN401 — schemathesis
            if is_known:
                known = {"token": service.token, "userId": PLAYER}
                for place in (case.query, case.body):
                    if isinstance(place, dict):
                        place.update({name: known[name] for name in known if name in place})
            request = prepared(case, service.url)
            if is_signed:
                request.headers["Hash-Authorization"] = signature(request)
            response = service.session.send(request, timeout=SECONDS_MAX, allow_redirects=False)
            case.validate_response(response, checks=CHECKS)

        answers()


def prepared(case: Any, url: str) -> requests.PreparedRequest:  # noqa: ANN401 — schemathesis
    words = case.as_transport_kwargs(base_url=url)
    names = ("method", "url", "headers", "params", "data", "json", "files")
    return requests.Request(**{name: words[name] for name in names if name in words}).prepare()


def signature(request: requests.PreparedRequest) -> str:
    body = request.body or b""
    raw = body if isinstance(body, bytes) else str(body).encode()
    query = (request.url or "").partition("?")[2].encode()
    kind = request.headers.get("Content-Type", "")
    kind = kind if isinstance(kind, str) else kind.decode()
    is_get = request.method == "GET"
    try:
        fields = read_fields(kind.encode(), b"" if is_get else raw, query)
    except EncodingError:
        return "unreadable"
    return sign_text(canonical(fields.texts))


HOW_IT_IS_SAID = frozenset({2, 4})
"""The codes of what is absent, and of a wrong JSON type; 4 also is that of a NUL, anywhere."""


@pytest.mark.timeout(600)
@pytest.mark.parametrize("mode", GenerationMode)
def test_the_transfer_api_answers_as_described(service: Service, mode: GenerationMode) -> None:
    for operation in service.operations("transfer"):

        @settings(relaxed, max_examples=relaxed.max_examples // 2)
        @given(operation.as_strategy(generation_mode=mode), st.integers(0, 4), st.integers(0, 9))
        def answers(case: Any, is_known: int, how: int) -> None:  # noqa: ANN401 — schemathesis
            name = case.path.removeprefix("/transfer/v1/")
            fits = mode is GenerationMode.POSITIVE
            asked: dict[str, Any] = {}
            if isinstance(case.body, dict) and (fits or how > 0):
                asked = {**case.body, **sent(name, {})}
                if is_known and "user_id" in asked:
                    asked["user_id"] = PLAYER
                body = seal(asked, AGENT, AGENT_KEY)
            else:
                body = str(case.body).encode("utf-8", "replace")
            headers = {"Content-Type": "application/jose"}
            response = service.session.post(
                f"{service.url}{case.path}", body, headers=headers, timeout=SECONDS_MAX
            )
            case.validate_response(response, checks=CHECKS)
            is_plain = response.headers["Content-Type"] != "application/jose"
            if fits and is_plain and "\\u0000" not in json.dumps(asked):
                assert response.json()["code"] not in HOW_IT_IS_SAID, (asked, response.text)

        answers()
