"""The authenticator: signatures as PHP computes them, and networks."""

import hashlib
import json
from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.edges.callback.auth import Authenticator, canonical
from app.edges.callback.decoding import read_form
from app.edges.callback.errors import SignatureError, UntrustedCallerError

VECTORS = json.loads(Path(__file__).with_name("signature_vectors.json").read_text(encoding="utf-8"))
KEY = VECTORS["key"]
TOKEN_AND_USER = {"token": "tok-1", "userId": "4878"}
SIGNED = VECTORS["vectors"][0]["hash"]


@pytest.mark.parametrize("vector", VECTORS["vectors"], ids=lambda vector: vector["form"][:50])
def test_the_signature_is_php_s(vector: dict[str, str]) -> None:
    texts = read_form(vector["form"].encode()).texts
    assert canonical(texts) == vector["canonical"]
    Authenticator([KEY]).check_signature(texts, vector["hash"].encode())


@pytest.mark.parametrize(
    "signature",
    [
        None,
        b"",
        b"0" * 64,
        SIGNED.upper().encode(),
        SIGNED[:-1].encode(),
        SIGNED.encode() + b"0",
        b"\xff" * 64,
        b"sha256=" + SIGNED.encode(),
        hashlib.sha256(b"[]" + KEY.encode()).hexdigest().encode(),
        hashlib.sha256(canonical(TOKEN_AND_USER).encode()).hexdigest().encode(),
    ],
)
def test_no_other_signature_passes(signature: bytes | None) -> None:
    with pytest.raises(SignatureError):
        Authenticator([KEY]).check_signature(TOKEN_AND_USER, signature)


@pytest.mark.parametrize("keys", [[KEY], [KEY, "next"], ["old", KEY], ["a", "b", KEY]])
def test_any_of_the_keys_signs_while_they_are_changed(keys: list[str]) -> None:
    assert Authenticator(keys).is_signed(TOKEN_AND_USER, SIGNED.encode())
    assert not Authenticator([key for key in keys if key != KEY] or ["x"]).is_signed(
        TOKEN_AND_USER, SIGNED.encode()
    )


@pytest.mark.parametrize("keys", [[], [""], ["good", ""]])
def test_a_gate_without_a_key_does_not_open(keys: list[str]) -> None:
    with pytest.raises(ValueError, match="key"):
        Authenticator(keys)


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("/", r'"\/"'),
        ("\\/", r'"\\\/"'),
        ("\x7f", '"\x7f"'),
        ("\\u007f\x7f", '"\\\\u007f\x7f"'),
        ("\x01\x1f", r'"\u0001\u001f"'),
        ("\b\f\n\r\t\v", r'"\b\f\n\r\t\u000b"'),
        ("<>&'\"", r'''"<>&'\""'''),
        ("é\u2028\uffff🎰", r'"\u00e9\u2028\uffff\ud83c\udfb0"'),
    ],
)
def test_texts_are_escaped_as_php_escapes_them(text: str, quoted: str) -> None:
    assert canonical({"a": text}) == f'{{"a":{quoted}}}'
    assert canonical({text: "a"}) == f'{{{quoted}:"a"}}'


def test_names_are_sorted_by_byte() -> None:
    assert canonical(dict.fromkeys(["b", "a", "B", "_", "é", "aa"], "")) == (
        r'{"B":"","_":"","a":"","aa":"","b":"","\u00e9":""}'
    )


texts = st.text(st.characters(codec="utf-8"), max_size=8)


@given(st.dictionaries(texts, texts))
def test_the_canonical_text_is_ascii_and_says_what_the_fields_say(fields: dict[str, str]) -> None:
    text = canonical(fields)
    assert text.isascii()
    assert json.loads(text, strict=False) == (fields or [])


@given(st.dictionaries(texts, texts), st.dictionaries(texts, texts))
def test_different_fields_have_different_texts(one: dict[str, str], two: dict[str, str]) -> None:
    assert (canonical(one) == canonical(two)) == (one == two)


def authenticator(trusted: str = "", proxies: str = "") -> Authenticator:
    return Authenticator(
        ["key"],
        trusted=[ip_network(word) for word in trusted.split()],
        proxies=[ip_network(word) for word in proxies.split()],
    )


@pytest.mark.parametrize("peer", ["203.0.113.9", "::1", None])
def test_without_a_list_anybody_may_call(peer: str | None) -> None:
    authenticator().check_caller(peer, None)


@pytest.mark.parametrize(
    ("peer", "forwarded_for"),
    [
        ("203.0.113.9", None),
        ("::ffff:203.0.113.9", None),
        ("2001:db8::5", None),
        # From whom is no front of ours, the header is not believed, whatever it says.
        ("203.0.113.9", b"192.0.2.1"),
        ("10.0.0.1", b"203.0.113.9"),
        ("10.0.0.1", b"192.0.2.1, 203.0.113.9, 10.0.0.2"),
        ("10.0.0.1", b"203.0.113.9:4711"),
        ("10.0.0.1", b"[2001:db8::5]:4711"),
        ("10.0.0.1", b"  203.0.113.9  "),
    ],
)
def test_a_trusted_caller_passes(peer: str, forwarded_for: bytes | None) -> None:
    authenticator("203.0.113.0/24 2001:db8::/32", "10.0.0.0/8").check_caller(peer, forwarded_for)


@pytest.mark.parametrize(
    ("peer", "forwarded_for"),
    [
        ("192.0.2.1", None),
        ("192.0.2.1", b"203.0.113.9"),
        ("10.0.0.1", None),
        ("10.0.0.1", b""),
        ("10.0.0.1", b"192.0.2.1"),
        ("10.0.0.1", b"203.0.113.9, 192.0.2.1"),
        ("10.0.0.1", b"203.0.113.9, nonsense"),
        ("10.0.0.1", b"203.0.113.9,"),
        ("10.0.0.1", b"unknown"),
        ("10.0.0.1", b"203.0.113.9\xff"),
        ("10.0.0.1", b"10.0.0.2, 10.0.0.3"),
        (None, b"203.0.113.9"),
        ("", None),
        ("/run/front.sock", None),
    ],
)
def test_a_stranger_does_not(peer: str | None, forwarded_for: bytes | None) -> None:
    with pytest.raises(UntrustedCallerError):
        authenticator("203.0.113.0/24 2001:db8::/32", "10.0.0.0/8").check_caller(
            peer, forwarded_for
        )
