"""Tokens that the operator's own platform signs, used in the callback API."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from app.cashier.players import register_external_token
from app.edges.callback import platform_tokens
from tests.conftest import Database
from tests.edges.transfer.bank import Bank, b64, open_bank, unique

ISSUER, AUDIENCE = "casino.test", "wallet"
OLD, NEW = ed25519.Ed25519PrivateKey.generate(), ed25519.Ed25519PrivateKey.generate()
CURVE = ec.generate_private_key(ec.SECP256R1())
OTHER_SIGNER = ed25519.Ed25519PrivateKey.generate()


def raw(key: ed25519.Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def jwk(key: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey, kid: str) -> dict[str, str]:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return {"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": b64(raw(key))}
    point = key.public_key().public_numbers()
    x, y = (b64(number.to_bytes(32)) for number in (point.x, point.y))
    return {"kty": "EC", "crv": "P-256", "kid": kid, "x": x, "y": y}


def jwt(
    claims: object,
    key: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | bytes = NEW,
    **header: object,
) -> str:
    """Sign by hand; bytes are an HMAC's secret."""
    algorithm = "ES256"
    if isinstance(key, bytes):
        algorithm = "HS256"
    elif isinstance(key, ed25519.Ed25519PrivateKey):
        algorithm = "EdDSA"
    members = {"alg": algorithm, **header}
    members = {name: value for name, value in members.items() if value is not None}
    text = ".".join(
        b64(json.dumps(part, separators=(",", ":")).encode()) for part in (members, claims)
    )
    if isinstance(key, bytes):
        signature = hmac.new(key, text.encode(), hashlib.sha256).digest()
    elif isinstance(key, ed25519.Ed25519PrivateKey):
        signature = key.sign(text.encode())
    else:
        r, s = decode_dss_signature(key.sign(text.encode(), ec.ECDSA(SHA256())))
        signature = r.to_bytes(32) + s.to_bytes(32)
    return f"{text}.{b64(signature)}"


@pytest.fixture(scope="module")
def choices() -> dict[str, object]:
    keys = [jwk(OLD, "old"), jwk(NEW, "new"), jwk(CURVE, "curve")]
    return {
        "platform_issuer": ISSUER,
        "platform_audience": AUDIENCE,
        "platform_keys": json.dumps({"keys": keys}),
    }


def claims(bank: Bank, user_id: str, **changes: object) -> dict[str, object]:
    said = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": user_id,
        "exp": int((bank.now() + timedelta(hours=1)).timestamp()),
        **changes,
    }
    return {name: value for name, value in said.items() if value is not None}


def check(bank: Bank, user_id: str, token: str) -> int:
    """The code that sessionCheck answers, 0 when all is well."""
    said = bank.game("sessionCheck", token=token, userId=user_id)
    return 0 if said["status"] else int(said["errors"]["code"])


def sessions(bank: Bank, user_id: str) -> list[str]:
    rows = bank.sql(
        "SELECT s.origin FROM sessions s JOIN players p USING (player_id) WHERE p.user_id = $1",
        user_id,
    )
    return [row["origin"] for row in rows]


@pytest.mark.parametrize("key", [OLD, NEW, CURVE], ids=["old", "new", "curve"])
@pytest.mark.parametrize("kid", [True, False])
def test_a_token_of_the_platform_is_a_token_like_any_other(
    bank: Bank, key: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey, *, kid: bool
) -> None:
    user_id = bank.player("50")
    name = {OLD: "old", NEW: "new", CURVE: "curve"}[key]
    header = {"kid": name} if kid else {}
    token = jwt(claims(bank, user_id), key, **header)
    assert len(token) <= 250
    assert bank.play(user_id, token, "BetPlacing", "5") == 0
    assert check(bank, user_id, token) == 0
    assert bank.game("getBalance", token=token, userId=user_id)["balance"] == "45.00"
    assert sessions(bank, user_id) == ["platform"]
    bank.ahead = timedelta(hours=1, seconds=1)
    assert check(bank, user_id, token) == 410
    assert bank.play(user_id, token, "BetPlacing", "5") == 410
    assert bank.play(user_id, token, "Win", "5") == 0


def test_a_late_win_under_a_token_never_seen_before_is_paid(bank: Bank) -> None:
    user_id = bank.player("50")
    first, second = (jwt(claims(bank, user_id, jti=name)) for name in "ab")
    assert bank.play(user_id, first, "BetPlacing", "5") == 0
    bank.ahead = timedelta(days=2)
    assert bank.play(user_id, second, "Win", "9") == 0
    assert check(bank, user_id, second) == 410


def test_what_else_a_good_token_may_say(bank: Bank) -> None:
    user_id = bank.player()
    now = int(bank.now().timestamp())
    good = (
        jwt(claims(bank, user_id, aud=["other", AUDIENCE])),
        jwt(claims(bank, user_id, iat=now)),
        jwt(claims(bank, user_id, nbf=now - 5)),
        jwt(claims(bank, user_id, iat=now + 30)),
        jwt(claims(bank, user_id, exp=now + 100.5)),
        jwt(claims(bank, user_id), typ="JWT"),
        jwt(claims(bank, user_id), note="x"),
    )
    for token in good:
        assert check(bank, user_id, token) == 0


def test_a_token_that_the_platform_did_not_sign_for_us(bank: Bank) -> None:
    user_id, other = bank.player("50"), bank.player()
    now = int(bank.now().timestamp())
    good = claims(bank, user_id)
    header, payload, signature = jwt(good).split(".")
    none = b64(json.dumps({"alg": "none"}).encode())
    bad = {
        "another key": jwt(good, OTHER_SIGNER),
        "another key under our name": jwt(good, OTHER_SIGNER, kid="new"),
        "another key's name": jwt(good, NEW, kid="old"),
        "an unknown key": jwt(good, NEW, kid="next"),
        "none": f"{none}.{payload}.",
        "none, signed": f"{none}.{payload}.{signature}",
        "no signature": f"{header}.{payload}.",
        "our public key as a secret": jwt(good, raw(NEW)),
        "its JWK as a secret": jwt(good, json.dumps(jwk(NEW, "new")).encode()),
        "HS256 with a kid": jwt(good, raw(NEW), kid="new"),
        "EdDSA said to be ES256": jwt(good, NEW, alg="ES256"),
        "ES256 said to be EdDSA": jwt(good, CURVE, alg="EdDSA"),
        "another name": jwt(good, NEW, alg="Ed25519"),
        "alg a list": jwt(good, NEW, alg=["EdDSA"]),
        "no alg": jwt(good, NEW, alg=None),
        "critical": jwt(good, NEW, crit=["b64"], b64=False),
        "a key of its own": jwt(good, OTHER_SIGNER, jwk=jwk(OTHER_SIGNER, "new")),
        "another payload": f"{header}.{b64(json.dumps({**good, 'x': 1}).encode())}.{signature}",
        "a list": jwt([good]),
        "another issuer": jwt({**good, "iss": "elsewhere"}),
        "no issuer": jwt({**good, "iss": None}),
        "another audience": jwt({**good, "aud": "other"}),
        "audiences without us": jwt({**good, "aud": ["other"]}),
        "no audience": jwt(claims(bank, user_id, aud=None)),
        "no end": jwt(claims(bank, user_id, exp=None)),
        "an end in words": jwt({**good, "exp": "never"}),
        "an end beyond time": jwt({**good, "exp": 10**12}),
        "a beginning to come": jwt({**good, "nbf": now + 600}),
        "from the future": jwt({**good, "iat": now + 600}),
        "another player's": jwt(claims(bank, other)),
        "a number as player": jwt({**good, "sub": 5}),
        "no player": jwt(claims(bank, user_id, sub=None)),
        "dots": "..",
        "letters": "a.b.c",
    }
    for name, token in bad.items():
        assert len(token) <= 250 or name == "a key of its own", name
        code = check(bank, user_id, token)
        assert code == (417 if len(token) <= 250 else 400), name
        if len(token) <= 250:
            assert bank.play(user_id, token, "BetPlacing", "5", unique("bad")) == 417, name
    assert sessions(bank, user_id) == []
    assert bank.balance(user_id) == ("50.00", "0.00")


def test_a_token_that_came_before_its_player_is_good_once_he_is_there(bank: Bank) -> None:
    user_id = unique("early")
    token = jwt(claims(bank, user_id))
    assert check(bank, user_id, token) == 404
    bank.ask("account/init", user_id=user_id, currency="USD", nickname="Early", language="en")
    assert check(bank, user_id, token) == 0


@pytest.fixture
def without_platform(db: Database) -> Iterator[Bank]:
    with open_bank(db) as bank:
        yield bank


def test_without_a_platform_nobody_signs(without_platform: Bank) -> None:
    user_id = without_platform.player()
    assert check(without_platform, user_id, jwt(claims(without_platform, user_id))) == 417


def test_a_token_that_was_kept_outlives_its_key(bank: Bank, db: Database) -> None:
    del bank
    both = {"platform_issuer": ISSUER, "platform_audience": AUDIENCE}
    with open_bank(db, **both, platform_keys=json.dumps({"keys": [jwk(OLD, "old")]})) as first:
        user_id = first.player("5")
        token = jwt(claims(first, user_id), OLD)
        assert first.play(user_id, token, "BetPlacing", "5") == 0
    with open_bank(db, **both, platform_keys=json.dumps({"keys": [jwk(NEW, "new")]})) as second:
        assert second.play(user_id, token, "Win", "5") == 0
        assert check(second, user_id, token) == 0
        assert check(second, user_id, jwt(claims(second, user_id, jti="x"), OLD)) == 417


async def slowly(*arguments: Any, **named: Any) -> bool:  # noqa: ANN401 - as it is called
    """Store a token as a database does that has just time enough for that."""
    done = await register_external_token(*arguments, **named)
    await asyncio.sleep(1)
    return done


def test_a_movement_is_not_begun_after_its_deadline(
    module_db: Database, choices: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_bank(module_db, **choices, deadline_seconds=1) as bank:
        user_id = bank.player("50")
        token = jwt(claims(bank, user_id))
        with monkeypatch.context() as patch:
            patch.setattr(platform_tokens, "register_external_token", slowly)
            with pytest.raises(AssertionError, match="the outcome is not known"):
                bank.play(user_id, token, "BetPlacing", "5")
        assert bank.balance(user_id)[0] == "50.00"
        assert bank.play(user_id, token, "BetPlacing", "5") == 0
        assert bank.balance(user_id)[0] == "45.00"
