"""A session for Betby's game client: issued to the operator's platform, signed by us."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from tests.conftest import Database
from tests.edges.betby.bookmaker import BIT_BYTES, BRAND, OUR_KEY, setting
from tests.edges.transfer.bank import Bank, open_bank, unique


@pytest.fixture(scope="module")
def bank(module_db: Database) -> Iterator[Bank]:
    with open_bank(module_db, betby=setting()) as served:
        yield served


def part(text: str) -> dict[str, Any]:
    said = json.loads(base64.urlsafe_b64decode(text + "=="))
    assert isinstance(said, dict)
    return said


def issued(bank: Bank, user_id: str) -> str:
    asked = bank.ask("account/session", user_id=user_id, door="betby", jti=unique("session"))
    return str(asked.data["token"])


def test_the_token_is_signed_by_us_and_its_jti_is_a_session_like_any_other(bank: Bank) -> None:
    user_id = bank.player()
    head, body, signature = issued(bank, user_id).split(".")
    header, claims = part(head), part(body)
    assert (header["alg"], header["kid"]) == ("ES256", "ours")
    assert (claims["iss"], claims["sub"], claims["currency"]) == (BRAND, user_id, "USD")
    assert set(claims) == {"iss", "sub", "name", "iat", "exp", "jti", "lang", "currency"}
    raw = base64.urlsafe_b64decode(signature + "==")
    der = encode_dss_signature(
        int.from_bytes(raw[:BIT_BYTES], "big"), int.from_bytes(raw[BIT_BYTES:], "big")
    )
    OUR_KEY.public_key().verify(der, f"{head}.{body}".encode(), ec.ECDSA(hashes.SHA256()))
    assert bank.game("sessionCheck", token=claims["jti"], userId=user_id)["status"] is True


def test_a_repeat_hears_the_same_token_and_the_token_can_be_revoked(bank: Bank) -> None:
    user_id, jti = bank.player(), unique("session")
    first = bank.ask("account/session", user_id=user_id, door="betby", jti=jti).data["token"]
    again = bank.ask("account/session", user_id=user_id, door="betby", jti=jti).data["token"]
    assert again == first
    session = part(first.split(".")[1])["jti"]
    revoked = bank.ask(
        "account/session", user_id=user_id, door="betby", revoke=first, jti=unique("session")
    )
    assert revoked.data == {"revoked": "1"}
    assert bank.game("sessionCheck", token=session, userId=user_id)["errors"]["code"] == "410"
    foreign = bank.ask(
        "account/session", user_id=user_id, door="betby", revoke="a.b.c", jti=unique("session")
    )
    assert foreign.code == 100


def test_the_callback_api_is_the_door_where_none_is_named(bank: Bank) -> None:
    user_id = bank.player()
    for named in ({"door": "callback"}, {}):
        told = bank.ask("account/session", user_id=user_id, jti=unique("session"), **named)
        assert (
            bank.game("playerDetails", token=told.data["token"], userId=user_id)["status"] is True
        )


def test_a_contract_that_is_not_served_is_named_in_the_refusal(bank: Bank) -> None:
    told = bank.ask("account/session", user_id=bank.player(), door="another", jti=unique("session"))
    assert (told.code, told.data["field"]) == (100, "door")
