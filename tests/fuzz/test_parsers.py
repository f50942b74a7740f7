"""The parsers accept any bytes: they read them correctly, or raise their own errors."""

import json

from hypothesis import given
from hypothesis import strategies as st

from app.edges.callback.decoding import EXTRA_DATA, read_fields
from app.edges.callback.errors import EncodingError
from app.edges.transfer.codes import RefusedError
from app.edges.transfer.envelope import Agent, Envelopes
from app.edges.wire import NotUnderstoodError, Number, read_members
from tests.model.caller import seal

KEY = b"k" * 32
ENVELOPES = Envelopes({"north": Agent((KEY,))})


def dumped(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


scraps = st.lists(
    st.sampled_from(
        (
            *(b"{", b"}", b"[", b"]", b'"', b":", b",", b" ", b"\\", b"\\u0000", b"\\ud800", b"1"),
            *(b"-", b"1e9", b"0.10", b"true", b"null", b"NaN", b"Infinity", b'"a"', b'"a":1'),
            *(b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"=", b"&", b"%", b"+", b"\0"),
        )
    ),
    max_size=12,
).map(b"".join)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)
json_objects = st.dictionaries(st.text(max_size=5), json_values, max_size=5)
bodies = st.one_of(st.binary(max_size=60), scraps, json_objects.map(dumped))


@given(bodies)
def test_json_is_read_as_pythons_own_reader_does_or_refused(body: bytes) -> None:
    try:
        members = read_members(body)
    except NotUnderstoodError:
        return
    theirs = json.loads(body.decode(), parse_int=Number, parse_float=Number)
    assert {name: member.value for name, member in members.items()} == theirs


@given(json_objects)
def test_ordinary_json_is_never_refused(value: dict[str, object]) -> None:
    text = json.dumps(value)
    is_ordinary = "\\u0000" not in text and "\\ud" not in text
    try:
        members = read_members(text.encode())
    except NotUnderstoodError:
        assert not is_ordinary
    else:
        assert set(members) == set(value)


@given(st.sampled_from((None, b"application/json", b"text/plain", b"x")), bodies, bodies)
def test_what_is_signed_is_what_is_read(kind: bytes | None, body: bytes, query: bytes) -> None:
    try:
        fields = read_fields(kind, body, query)
    except EncodingError:
        return
    assert EXTRA_DATA not in fields.texts
    for text in (*fields.texts, *fields.texts.values()):
        assert "\0" not in text
        text.encode()


@given(st.binary(max_size=60) | scraps | st.text(max_size=60).map(str.encode))
def test_any_bytes_are_no_envelope(body: bytes) -> None:
    assert refused(body) in {3, 4, 6}


@given(st.data(), st.binary(max_size=30).map(bytes.hex))
def test_an_envelope_that_was_touched_does_not_open(data: st.DataObject, text: str) -> None:
    envelope = seal({"iat": text}, "north", KEY)
    assert ENVELOPES.open(envelope).plaintext == json.dumps({"iat": text}).encode()
    at = data.draw(st.integers(0, len(envelope) - 1))
    touched = envelope[:at] + bytes([data.draw(st.integers(0, 255))]) + envelope[at + 1 :]
    cut = envelope[:at]
    repeated = envelope[:at] + envelope[at : at + 9] + envelope[at:]
    for other in (touched, cut, repeated):
        if other != envelope:
            assert refused(other) in {3, 4, 6}


def refused(body: bytes) -> int:
    try:
        ENVELOPES.open(body)
    except RefusedError as error:
        return int(error.code)
    return 0
