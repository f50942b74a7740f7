"""The list of networks over HTTP: untrusted callers get the answer to an unsigned request."""

import pytest
from structlog.testing import capture_logs

from tests.conftest import Database
from tests.edges.callback.house import House, open_house, sign

QUERY = "userId=nobody"
SIGNED = {"Hash-Authorization": sign({"userId": "nobody"})}
REFUSED = b'{"status":false,"errors":{"code":400,"error":"Request not validate"}}'


@pytest.fixture(scope="module")
def choices() -> dict[str, object]:
    return {"trusted_networks": "203.0.113.0/24", "proxy_networks": "127.0.0.0/8"}


def test_behind_our_front_the_caller_is_whom_it_forwards(house: House) -> None:
    headers = {**SIGNED, "X-Forwarded-For": "192.0.2.7, 203.0.113.9"}
    assert house.call("GET", "/getUserToken", query=QUERY, headers=headers).code == 404


@pytest.mark.parametrize("forwarded", ["192.0.2.7", "203.0.113.9, 192.0.2.7", "", "?"])
@pytest.mark.parametrize("path", ["/getUserToken", "/moveFunds"])
def test_a_stranger_hears_what_an_unsigned_request_hears(
    house: House, path: str, forwarded: str
) -> None:
    method = "POST" if path == "/moveFunds" else "GET"
    headers = {**SIGNED, "X-Forwarded-For": forwarded}
    with capture_logs() as lines:
        reply = house.call(method, path, query=QUERY, headers=headers)
    assert (reply.status, reply.body) == (200, REFUSED)
    (line,) = lines
    assert line["event"] == "security"
    assert line["caller"] == ("192.0.2.7" if "192" in forwarded else "127.0.0.1")


def test_several_headers_are_one_list(house: House) -> None:
    headers = [
        *SIGNED.items(),
        ("X-Forwarded-For", "203.0.113.9"),
        ("X-Forwarded-For", "192.0.2.7"),
    ]
    response = house.client.get("/getUserToken", params={"userId": "nobody"}, headers=headers)
    assert response.content == REFUSED
    headers[-1] = ("X-Forwarded-For", "127.0.0.1")
    response = house.client.get("/getUserToken", params={"userId": "nobody"}, headers=headers)
    assert response.content != REFUSED


def test_without_a_front_the_header_is_not_believed(module_db: Database) -> None:
    with open_house(module_db, trusted_networks="203.0.113.0/24") as house:
        headers = {**SIGNED, "X-Forwarded-For": "203.0.113.9"}
        assert house.call("GET", "/getUserToken", query=QUERY, headers=headers).body == REFUSED
    with open_house(module_db, trusted_networks="127.0.0.0/8,::1") as house:
        assert house.call("GET", "/getUserToken", query=QUERY, headers=headers).code == 404
