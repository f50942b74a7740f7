"""Exact JSON both ways."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.edges.wire import (
    DEPTH_MAX,
    NotUnderstoodError,
    Number,
    encode,
    number,
    read_members,
)

REFUSED = {
    "nothing": b"",
    "an array": b"[]",
    "a text": b'"a"',
    "a number": b"1",
    "cut in a name": b'{"a',
    "cut after a name": b'{"a"',
    "cut after a colon": b'{"a":',
    "cut in a value": b'{"a":tru',
    "cut after a value": b'{"a":1',
    "more after the end": b'{"a":1}x',
    "two documents": b"{}{}",
    "a comma too many": b'{"a":1,}',
    "only a comma": b"{,}",
    "no comma": b'{"a":1 "b":2}',
    "single quotes": b"{'a':1}",
    "a number as a name": b"{1:2}",
    "a byte order mark": b"\xef\xbb\xbf{}",
    "a byte that is not UTF-8": b'{"a":"\xff"}',
    "a surrogate in UTF-8": b'{"a":"\xed\xa0\x80"}',
    "half a surrogate pair": b'{"a":"\\ud800"}',
    "half a surrogate pair in a name": b'{"\\udc00":1}',
    "half a surrogate pair deep down": b'{"a":[{"b":["\\ud83c\\u0041"]}]}',
    "an escaped NUL": b'{"a":"\\u0000"}',
    "an escaped NUL in a deep name": b'{"a":{"\\u0000":1}}',
    "a raw NUL": b'{"a":"\x00"}',
    "a raw line break": b'{"a":"\n"}',
    "an unknown escape": b'{"a":"\\x"}',
    "NaN": b'{"a":NaN}',
    "Infinity": b'{"a":Infinity}',
    "minus Infinity, deep down": b'{"a":[-Infinity]}',
    "a leading zero": b'{"a":01}',
    "a leading plus": b'{"a":+1}',
    "a leading point": b'{"a":.5}',
    "a trailing point": b'{"a":1.}',
    "a full-width digit": '{"a":１}'.encode(),
    "a hexadecimal number": b'{"a":0x1}',
    "a name twice": b'{"a":1,"a":1}',
    "a name twice, spelled differently": b'{"a":1,"\\u0061":1}',
    "a name twice, deep down": b'{"a":[{"b":1,"b":1}]}',
    "a comment": b'{"a":1/**/}',
}


@pytest.mark.parametrize("body", REFUSED.values(), ids=REFUSED)
def test_what_is_not_exactly_one_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(NotUnderstoodError):
        read_members(body)


@pytest.mark.parametrize(
    "written", ["1.00", "-0", "0", "1E400", "1e-7", "999999999999999999.99", "9" * 5000]
)
def test_a_number_stays_as_it_was_written(written: str) -> None:
    value, source = read_members(f'{{"a": {written} }}'.encode())["a"]
    assert isinstance(value, Number)
    assert (value, source) == (written, written)


def test_a_text_is_not_a_number() -> None:
    assert not isinstance(read_members(b'{"a":"1"}')["a"].value, Number)


def test_a_member_keeps_its_own_text() -> None:
    members = read_members(b' { "a" : {"x": [1.50, "\\u00e9" ] } , "b":\t[ ]}\n')
    assert members["a"].source == '{"x": [1.50, "\\u00e9" ] }'
    assert members["a"].value == {"x": ["1.50", "é"]}
    assert members["b"].source == "[ ]"


def test_a_surrogate_pair_is_one_character() -> None:
    assert read_members(b'{"a":"\\ud83c\\udfb0"}')["a"].value == "🎰"


def test_an_empty_object_has_no_members() -> None:
    assert read_members(b" { } ") == {}


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_nesting_is_bounded(opening: str, closing: str) -> None:
    def nested(depth: int) -> bytes:
        inner = opening * (depth - 1) + "1" + closing * (depth - 1)
        return f'{{"a":{inner}}}'.encode()

    read_members(nested(DEPTH_MAX))
    with pytest.raises(NotUnderstoodError):
        read_members(nested(DEPTH_MAX + 1))


def test_brackets_in_a_text_do_not_nest() -> None:
    text = '[{"\\' * 100
    assert read_members(json.dumps({"a": text}).encode())["a"].value == text


def test_a_very_deep_body_is_refused_and_not_a_crash() -> None:
    with pytest.raises(NotUnderstoodError):
        read_members(b'{"a":' + b"[" * 60_000)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(st.characters(codec="utf-8", exclude_characters="\0")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("abc é/", max_size=3), inner),
    max_leaves=10,
)


@given(
    members=st.dictionaries(st.text("abc é/🎰", max_size=3), json_values), ascii_only=st.booleans()
)
def test_any_object_is_read_as_the_standard_library_reads_it(
    members: dict[str, object], *, ascii_only: bool
) -> None:
    written = json.dumps(members, ensure_ascii=ascii_only)
    read = read_members(written.encode())
    assert {name: json.loads(member.source) for name, member in read.items()} == members


@given(st.binary(max_size=40) | st.text('{}[]":,\\u0019 aeE+-.NaN').map(str.encode))
def test_no_bytes_are_anything_but_read_or_refused(body: bytes) -> None:
    try:
        members = read_members(body)
    except NotUnderstoodError:
        return
    assert json.loads(body).keys() == members.keys()


def test_numbers_are_printed_bare_and_texts_are_escaped() -> None:
    written = encode({"balance": number("999999999999999999.99"), "name": 'é"\\'})
    assert written == '{"balance":999999999999999999.99,"name":"é\\"\\\\"}'.encode()
    assert json.loads(written, parse_float=Decimal)["balance"] == Decimal("999999999999999999.99")
