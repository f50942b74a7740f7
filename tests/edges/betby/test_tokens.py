"""Who is let in: one algorithm a key, our brands, moments within the tolerance, a bounded body."""

import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from structlog.testing import capture_logs

from app.edges.betby.openapi import METHODS
from tests.conftest import Database
from tests.edges.betby.bookmaker import (
    BRAND,
    RSA_KEY,
    Bookmaker,
    Json,
    Told,
    b64,
    jwt_of,
    making,
    open_bookmaker,
    pem_of,
    setting,
    winning,
)

STRANGERS_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
HS = {"alg": "HS256", "kid": "rsa"}
ES = {"alg": "ES256", "kid": "ec"}


def now() -> int:
    return int(datetime.now(UTC).timestamp())


def unsigned(payload: Json) -> str:
    return jwt_of(payload, header={"alg": "none"}).rpartition(".")[0] + "."


def with_shared_secret(payload: Json) -> str:
    """The public key taken for a shared secret."""
    signed = jwt_of(payload, header=HS).rpartition(".")[0]
    secret = pem_of(RSA_KEY).encode()
    return f"{signed}.{b64(hmac.digest(secret, signed.encode(), hashlib.sha256))}"


def by_another_key(payload: Json) -> str:
    signed = jwt_of(payload).rpartition(".")[0]
    signature = STRANGERS_KEY.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{signed}.{b64(signature)}"


def with_other_claims(payload: Json) -> str:
    head, _, signature = jwt_of(payload).split(".")
    _, claims, _ = jwt_of({**payload, "amount": 1}).split(".")
    return f"{head}.{claims}.{signature}"


def test_either_algorithm_of_its_own_key_is_let_in(betby: Bookmaker) -> None:
    seat = betby.seat()
    for token in (
        jwt_of(making(seat)),
        jwt_of(making(seat), header=ES, sign_as="ES256"),
        jwt_of(making(seat), aud=["another", BRAND]),
        jwt_of(making(seat), exp=now() - 10),
        jwt_of(making(seat), iat=now() + 10, nbf=now() + 10),
        jwt_of(making(seat), iat=now() + 0.5),
    ):
        assert betby.say("make", token).status == 200


FORGED: dict[str, Callable[[Json], str]] = {
    "none": unsigned,
    "shared secret": with_shared_secret,
    "another key": by_another_key,
    "other claims": with_other_claims,
    "ES256 for RSA": lambda p: jwt_of(p, header={"alg": "ES256", "kid": "rsa"}),
    "RS256 for EC": lambda p: jwt_of(p, header={"alg": "RS256", "kid": "ec"}),
    "ES256 as RS256": lambda p: jwt_of(p, header={"alg": "RS256", "kid": "ec"}, sign_as="ES256"),
    "PS256": lambda p: jwt_of(p, header={"alg": "PS256", "kid": "rsa"}),
    "unknown kid": lambda p: jwt_of(p, header={"alg": "RS256", "kid": "unknown"}),
    "no kid of two": lambda p: jwt_of(p, header={"alg": "RS256"}),
    "crit": lambda p: jwt_of(p, header={"alg": "RS256", "kid": "rsa", "crit": ["b64"]}),
    "foreign aud": lambda p: jwt_of(p, aud="another"),
    "no aud": lambda p: jwt_of(p, aud=None),
    "aud is a number": lambda p: jwt_of(p, aud=int(BRAND)),
    "expired": lambda p: jwt_of(p, exp=now() - 60),
    "no exp": lambda p: jwt_of(p, exp=None),
    "exp is a text": lambda p: jwt_of(p, exp="soon"),
    "iat to come": lambda p: jwt_of(p, iat=now() + 600),
    "nbf to come": lambda p: jwt_of(p, nbf=now() + 600),
    "no iat": lambda p: jwt_of(p, iat=None),
    "no iss": lambda p: jwt_of(p, iss=None),
    "no jti": lambda p: jwt_of(p, jti=None),
    "empty jti": lambda p: jwt_of(p, jti=""),
    "no payload": lambda _: jwt_of(None),
    "four parts": lambda p: jwt_of(p) + ".more",
    "two parts": lambda p: jwt_of(p).replace(".", "", 1),
    "empty": lambda _: "",
    "one part": lambda _: "x",
    "empty parts": lambda _: "..",
    "no base64": lambda _: "!.!.!",
}


@pytest.mark.parametrize("how", FORGED)
def test_what_betby_did_not_sign_for_us_now_is_refused_with_2005(
    betby: Bookmaker, how: str
) -> None:
    seat = betby.seat()
    told = betby.say("make", FORGED[how](making(seat)))
    assert (told.status, told.code) == (400, 2005)
    assert betby.balance(seat) == "100.00"


@pytest.mark.parametrize("method", METHODS)
def test_no_method_lets_in_what_is_forged(betby: Bookmaker, method: str) -> None:
    """Each by the bet that it would settle, give back or discard."""
    seat = betby.seat()
    payload = making(seat)
    bet = betby.call("make", payload)
    won = betby.win(bet, 500)
    asked = {
        **winning(bet.id, 0),
        "parent_transaction_id": won.id,
        "player_id": seat.user_id,
        "session_id": seat.token,
        "ext_player_id": seat.user_id,
        "transaction_id": payload["transaction"]["id"],
        "status": "won",
    }
    for how, forge in FORGED.items():
        told = betby.say(method, forge(asked))
        assert (told.status, told.code) == (400, 2005), how
    assert betby.balance(seat) == "95.00"
    assert betby.call(method, asked).status == 200


def test_what_is_not_let_in_is_told_to_security_and_names_no_secret(betby: Bookmaker) -> None:
    token = FORGED["foreign aud"](making(betby.seat()))
    with capture_logs() as lines:
        betby.say("win", token)
    (line,) = lines
    assert (line["event"], line["log_level"], line["code"]) == ("security", "warning", 2005)
    assert line["reason"] == "the JWT's aud is no brand of ours"
    assert token not in str(line)


@pytest.mark.parametrize(
    ("claims", "is_let_in"),
    [
        ({"exp": 15 - 4}, True),
        ({"exp": -15 - 1}, False),
        ({"exp": -15 + 6}, True),
        ({"iat": 15 - 2}, True),
        ({"iat": 15 + 6}, False),
        ({"nbf": 15 + 6}, False),
    ],
)
def test_the_clocks_may_be_fifteen_seconds_apart_and_no_more(
    betby: Bookmaker, claims: dict[str, Any], *, is_let_in: bool
) -> None:
    moments: dict[str, Any] = {name: now() + seconds for name, seconds in claims.items()}
    told = betby.say("make", jwt_of(making(betby.seat()), **moments))
    assert told.status == (200 if is_let_in else 400)


def test_a_slip_of_a_hundred_legs_is_let_in(betby: Bookmaker) -> None:
    """Some 180 KB, signed: less than a body may have, more than a JWT ordinarily has."""
    seat = betby.seat()
    slip = {"id": "2500", "bets": [{"id": str(leg), "event": "э" * 150} for leg in range(130)]}
    header = {"alg": "RS256", "kid": "rsa", "typ": "JWT", "note": "x" * 1000}
    body = json.dumps({"payload": jwt_of(making(seat, betslip=slip), header=header)}).encode()
    assert 150_000 < len(body) < 256 * 1024
    assert betby.post("make", body).status == 200


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", None])
def test_the_content_type_is_not_looked_at(betby: Bookmaker, content_type: str | None) -> None:
    """What counts is signed."""
    seat = betby.seat()
    body = json.dumps({"payload": jwt_of(making(seat))}).encode()
    headers = {} if content_type is None else {"content-type": content_type}
    answer = betby.house.client.post("/betby/bet/make", content=body, headers=headers)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    form = betby.house.client.post("/betby/bet/make", data={"payload": jwt_of(making(seat))})
    assert (form.status_code, form.json()["code"]) == (400, 2004)


def test_another_verb_is_no_call(betby: Bookmaker) -> None:
    client = betby.house.client
    for method in METHODS:
        assert client.get(f"/betby/bet/{method}").status_code in {404, 405}
    assert client.post("/betby/ping").status_code in {404, 405}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b'{"payload": "a", "payload": "b"}',
        b'{"payload": ["a"]}',
        b'{"other": "a"}',
        b"[]",
        b"{}",
        b'{"payload": 1}',
        b'{"payload": null}',
        b"\xff",
        b'{"payload": "a"',
        b"null",
    ],
)
def test_a_body_of_another_form_is_a_bad_request(
    betby: Bookmaker, method: str, body: bytes
) -> None:
    told = betby.post(method, body)
    assert (told.status, told.code) == (400, 2004)


@pytest.mark.parametrize("method", METHODS)
def test_a_payload_of_another_form_is_a_bad_request(betby: Bookmaker, method: str) -> None:
    payloads: tuple[object, ...] = ([], "text", 1, True, {}, {"note": 1})
    for payload in payloads:
        assert betby.call(method, payload).code == 2004, payload


@pytest.mark.parametrize("method", METHODS)
def test_a_body_that_is_too_large_is_refused_in_the_contracts_shape(
    betby: Bookmaker, method: str
) -> None:
    seat = betby.seat()
    told = betby.call(method, {**making(seat), "betslip": "x" * 300_000})
    assert (told.status, told.code) == (413, 2004)
    assert betby.balance(seat) == "100.00"


def test_the_ping_and_an_address_that_is_none(betby: Bookmaker) -> None:
    client = betby.house.client
    answer = client.get("/betby/ping")
    assert abs(answer.json()["timestamp"] - datetime.now(UTC).timestamp()) < 10
    assert betby.call("unheard-of", {}) == Told(
        404, {"code": 2004, "message": "there is no such method"}
    )


@pytest.mark.parametrize("status", [401, 403])
def test_the_status_of_a_jwt_fault_and_of_a_repeated_bet_are_settings(
    module_db: Database, status: int
) -> None:
    choices = {"betby": setting(jwt_status=status, issuer="betby"), "betby_repeated_make": "refuse"}
    with open_bookmaker(module_db, **choices) as betby:
        seat = betby.seat()
        told = betby.say("make", jwt_of(making(seat), iss="somebody"))
        assert (told.status, told.code) == (status, 2005)
        payload = making(seat)
        assert betby.call("make", payload).status == 200
        assert betby.call("make", payload).code == 2004
        assert betby.balance(seat) == "90.00"


def test_the_contract_is_closed_unless_it_is_set(module_db: Database) -> None:
    with open_bookmaker(module_db, betby=None) as betby:
        answer = betby.house.client.get("/betby/ping")
        assert answer.status_code == 404
