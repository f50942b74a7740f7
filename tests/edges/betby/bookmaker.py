"""Betby as the wallet meets it: real JWTs over real HTTP, signed with nothing of the wallet's."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, NamedTuple

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from app.cashier.audit import audit
from tests.conftest import Database
from tests.edges.callback.house import House, Seat, open_house, unique

BRAND = "1653815133341880320"
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
OUR_KEY = ec.generate_private_key(ec.SECP256R1())
BIT_BYTES = 32

Json = dict[str, Any]


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def pem_of(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    public = key.public_key()
    return public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode()


def private_jwk(key: ec.EllipticCurvePrivateKey) -> dict[str, str]:
    numbers = key.private_numbers()
    public = numbers.public_numbers
    return {
        "kty": "EC",
        "crv": "P-256",
        "kid": "ours",
        "x": b64(public.x.to_bytes(BIT_BYTES, "big")),
        "y": b64(public.y.to_bytes(BIT_BYTES, "big")),
        "d": b64(numbers.private_value.to_bytes(BIT_BYTES, "big")),
    }


def setting(**changes: object) -> str:
    return json.dumps(
        {
            "brands": [BRAND],
            "keys": [
                {"kid": "rsa", "alg": "RS256", "pem": pem_of(RSA_KEY)},
                {"kid": "ec", "alg": "ES256", "pem": pem_of(EC_KEY)},
            ],
            "signing_key": private_jwk(OUR_KEY),
            "scales": {"BTC": 5},
            **changes,
        }
    )


def signature_of(algorithm: str, signed: bytes) -> bytes:
    if algorithm == "RS256":
        return RSA_KEY.sign(signed, padding.PKCS1v15(), hashes.SHA256())
    r, s = decode_dss_signature(EC_KEY.sign(signed, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(BIT_BYTES, "big") + s.to_bytes(BIT_BYTES, "big")


def jwt_of(
    payload: object, *, header: Json | None = None, sign_as: str = "RS256", **claims: object
) -> str:
    """A call as Betby signs it; a claim that is None is left out."""
    head = {"alg": "RS256", "kid": "rsa", "typ": "JWT"} if header is None else header
    now = int(datetime.now(UTC).timestamp())
    said = {
        "iss": "betby",
        "aud": BRAND,
        "iat": now,
        "exp": now + 60,
        "jti": unique("jti"),
        "payload": payload,
        **claims,
    }
    body = {name: value for name, value in said.items() if value is not None}
    signed = f"{b64(json.dumps(head).encode())}.{b64(json.dumps(body).encode())}"
    return f"{signed}.{b64(signature_of(sign_as, signed.encode()))}"


class Told(NamedTuple):
    """What came back."""

    status: int
    said: Json

    @property
    def code(self) -> int:
        return int(self.said.get("code", 0))

    @property
    def id(self) -> str:
        return str(self.said["id"])

    @property
    def balance(self) -> int:
        assert self.status == 200, self
        return int(self.said["balance"])


class Bookmaker:
    """Betby, who calls a served wallet."""

    def __init__(self, house: House) -> None:
        self.house = house

    def seat(self, real: str = "100.00", bonus: str = "0", *, currency: str = "USD") -> Seat:
        return self.house.seat(real, bonus, currency=currency)

    def post(self, method: str, body: bytes) -> Told:
        answer = self.house.client.post(
            f"/betby/bet/{method}", content=body, headers={"content-type": "application/json"}
        )
        return Told(answer.status_code, answer.json())

    def call(self, method: str, payload: object) -> Told:
        return self.say(method, jwt_of(payload))

    def say(self, method: str, token: str) -> Told:
        return self.post(method, json.dumps({"payload": token}).encode())

    def make(self, seat: Seat, amount: int = 1000, **changes: Any) -> Told:  # noqa: ANN401
        return self.call("make", making(seat, amount, **changes))

    def win(self, bet: Told, amount: int, tid: str | None = None, **changes: object) -> Told:
        return self.call("win", winning(bet.id, amount, tid=tid, **changes))

    def lost(self, bet: Told, **changes: object) -> Told:
        return self.call("lost", {**winning(bet.id, 0), **changes})

    def refund(self, bet: Told, **changes: Any) -> Told:  # noqa: ANN401
        return self.call("refund", refunding(bet.id, **changes))

    def rollback(self, bet: Told, parent: Told, **changes: Any) -> Told:  # noqa: ANN401
        return self.call("rollback", rolling_back(bet.id, parent.id, **changes))

    def discard(self, seat: Seat, transaction_id: str, **changes: object) -> Told:
        asked = {"ext_player_id": seat.user_id, "transaction_id": transaction_id, "reason": "x"}
        return self.call("discard", {**asked, **changes})

    def balance(self, seat: Seat) -> str:
        (row,) = self.house.sql(
            "SELECT trim_scale(real + bonus) AS balance, p.scale FROM wallets JOIN players p"
            " USING (player_id) WHERE p.user_id = $1",
            seat.user_id,
        )
        return f"{row['balance']:.{row['scale']}f}"

    def audit(self) -> list[object]:
        """Who breaks a law; tests block and limit players behind the ledger's back."""
        findings = self.house.run(audit(self.house.database.superuser_url))
        return [b for b in findings.breaches if b.invariant != "account_is_as_its_trail_says"]

    def journal(self, seat: Seat) -> list[tuple[str, str, str, str]]:
        """What the journal has of Betby's movements: type, decision, amount, flags."""
        rows = self.house.sql(
            "SELECT m.* FROM movements m JOIN players p USING (player_id)"
            " WHERE p.user_id = $1 AND m.source = 'betby' ORDER BY position",
            seat.user_id,
        )
        return [
            (row["event_type"], row["decision"], f"{row['amount']:.2f}", row["flags"])
            for row in rows
        ]


def transaction(operation: str, transaction_id: str | None = None, **more: object) -> Json:
    return {
        "id": transaction_id or unique(operation),
        "betslip_id": "2500",
        "operation": operation,
        "timestamp": 1795000000.25,
        **more,
    }


def making(seat: Seat, amount: int = 1000, *, tid: str | None = None, **changes: Any) -> Json:  # noqa: ANN401 - any JSON
    return {
        "amount": amount,
        "currency": "USD",
        "player_id": seat.user_id,
        "session_id": seat.token,
        "transaction": transaction("bet", tid, ext_player_id=seat.user_id),
        "betslip": {"id": "2500", "type": "1/1", "sum": amount, "k": "1.85", "bets": []},
        "potential_win": amount * 2,
        **changes,
    }


def winning(bet_id: str, amount: int, *, tid: str | None = None, **changes: Any) -> Json:  # noqa: ANN401 - any JSON
    return {
        "bet_transaction_id": bet_id,
        "amount": amount,
        "currency": "USD",
        "is_cashout": False,
        "transaction": transaction("win", tid),
        "selections": [],
        **changes,
    }


def refunding(bet_id: str, *, tid: str | None = None, **changes: Any) -> Json:  # noqa: ANN401 - any JSON
    named = {"bet_transaction_id": bet_id, "reason": "canceled"}
    return {**named, "transaction": transaction("refund", tid), **changes}


def rolling_back(bet_id: str, parent: str, *, tid: str | None = None, **changes: Any) -> Json:  # noqa: ANN401 - any JSON
    named = {"bet_transaction_id": bet_id, "parent_transaction_id": parent}
    return {**named, "transaction": transaction("rollback", tid), **changes}


@contextmanager
def open_bookmaker(database: Database, **choices: object) -> Iterator[Bookmaker]:
    with open_house(database, **{"betby": setting(), "currencies": "BTC:8", **choices}) as house:
        yield Bookmaker(house)
