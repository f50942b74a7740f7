"""Bytes to fields, as the aggregator's PHP decodes them."""

import json
from pathlib import Path
from urllib.parse import quote_plus, unquote_to_bytes, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.edges.callback.auth import canonical
from app.edges.callback.decoding import (
    FIELDS_MAX,
    Fields,
    _unquoted,
    read_fields,
    read_form,
    read_json,
)
from app.edges.callback.errors import EncodingError

PHP = json.loads(Path(__file__).with_name("php_fields.json").read_text(encoding="utf-8"))
FORM = b"application/x-www-form-urlencoded"

CONTRACT_NAMES = [
    *("token", "userId", "gameId", "extraData", "eventId", "bonusCode"),
    *("direction", "transactionId", "eventType", "amount"),
]
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)


def test_php_computed_enough_examples() -> None:
    assert len(PHP["vectors"]) >= 400


def test_a_form_is_read_and_signed_as_php_does() -> None:
    read = {vector["form"]: read_form(vector["form"].encode()) for vector in PHP["vectors"]}
    assert {
        form: (canonical(fields.texts), fields.extra_data) for form, fields in read.items()
    } == {vector["form"]: (vector["canonical"], vector["extraData"]) for vector in PHP["vectors"]}


@given(st.dictionaries(st.sampled_from(CONTRACT_NAMES) | st.just("unknown"), texts))
def test_what_was_encoded_is_what_is_read(sent: dict[str, str]) -> None:
    fields = read_form(urlencode(sent).encode())
    extra = sent.pop("extraData", None)
    assert fields == Fields(sent, extra)


@given(st.lists(st.tuples(st.sampled_from(CONTRACT_NAMES), texts), max_size=12), st.data())
def test_the_short_way_for_known_names_is_the_long_way(
    pairs: list[tuple[str, str]], data: st.DataObject
) -> None:
    """A name spelled with percent signs takes the long way through PHP's folding."""

    def spelled(name: str) -> str:
        at = data.draw(st.integers(0, len(name) - 1))
        return f"{name[:at]}%{ord(name[at]):02X}{name[at + 1 :]}"

    short = "&".join(f"{name}={quote_plus(value)}" for name, value in pairs)
    long = "&".join(f"{spelled(name)}={quote_plus(value)}" for name, value in pairs)
    assert read_form(short.encode()) == read_form(long.encode())


@pytest.mark.parametrize(
    "raw",
    [
        b"a=\xff",
        b"a=%ff",
        b"%ff=a",
        b"=%ff",
        b"a=%ED%A0%80",
        b"extraData=%C3",
        b"a=%00",
        b"a=\x00",
        b"userId=\x00",
        b"userId=a%00",
        b"%00=a",
        b"a%00b=c",
        b"extraData=%00",
        b"extraData[x]=%00",
        b"extraData[%00]=x",
    ],
)
def test_text_that_php_would_hash_foreseeably_is_refused(raw: bytes) -> None:
    with pytest.raises(EncodingError):
        read_form(raw)


@pytest.mark.parametrize(
    "name", ["0", "7", "007", "-5", "1e5", "+1", "99999999999999999999", "%20 12", "5[a]", "5%09"]
)
def test_a_name_that_php_takes_for_a_number_is_refused(name: str) -> None:
    with pytest.raises(EncodingError):
        read_form(f"a=1&{name}=x".encode())
    if "%" not in name and "[" not in name:
        with pytest.raises(EncodingError):
            read_json(json.dumps({"a": "1", name: "x"}).encode())


@pytest.mark.parametrize("name", ["1a", "a1", "١", "_1", "-", "1_5", "e5"])
def test_a_name_with_digits_in_it_is_a_name(name: str) -> None:
    assert read_form(f"{quote_plus(name)}=x".encode()).texts == {name: "x"}


def test_too_many_fields_are_refused() -> None:
    read_form(b"&".join([b"a=1"] * FIELDS_MAX))
    with pytest.raises(EncodingError):
        read_form(b"&".join([b"a=1"] * (FIELDS_MAX + 1)))
    with pytest.raises(EncodingError):
        read_json(json.dumps({f"a{n}": n for n in range(FIELDS_MAX + 1)}).encode())


def test_an_array_is_not_the_text_it_is_signed_as() -> None:
    fields = read_form(b"userId[]=1&amount=Array")
    assert fields.texts == {"userId": "Array", "amount": "Array"}
    assert fields.others == {"userId"}


def test_brackets_of_extra_data_reach_the_handler_as_json() -> None:
    fields = read_form(b"extraData[gameName]=x&extraData[odds][]=1.5&token=t")
    assert fields == Fields({"token": "t"}, '{"gameName":"x","odds":{"0":"1.5"}}')


def test_absent_extra_data_is_none_and_blank_is_blank() -> None:
    assert read_form(b"token=t").extra_data is None
    assert read_form(b"token=t&extraData=").extra_data == ""
    assert read_form(b"token=t&extraData").extra_data == ""
    assert read_json(b"{}").extra_data is None
    assert read_json(b'{"extraData":""}').extra_data == ""


def test_json_members_are_signed_as_text_with_numbers_as_written() -> None:
    body = (
        b'{"amount": 1.00, "gameId": 7, "yes": true, "no": false, "none": null, "list": [1],'
        b' "object": {}, "big": 1E400, "extraData": {"a": [1.50]}}'
    )
    fields = read_json(body)
    assert fields.texts == {
        "amount": "1.00",
        "gameId": "7",
        "yes": "1",
        "no": "",
        "none": "",
        "list": "Array",
        "object": "Array",
        "big": "1E400",
    }
    assert fields.numbers == {"amount", "gameId", "big"}
    assert fields.others == {"yes", "no", "list", "object"}
    assert fields.extra_data == '{"a": [1.50]}'


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ('"{\\"a\\": 1.0}"', '{"a": 1.0}'),
        ('"not json"', "not json"),
        ("[1.10,  2]", "[1.10,  2]"),
        ("1.10", "1.10"),
        ("null", "null"),
        ("true", "true"),
    ],
)
def test_extra_data_in_json_is_kept_as_sent(written: str, kept: str) -> None:
    assert read_json(f'{{"extraData": {written} }}'.encode()).extra_data == kept


def test_json_names_are_not_folded() -> None:
    fields = read_json(b'{"user.name": "a", "a[b]": "c", "extraData[x]": "y", "": "z"}')
    assert fields.texts == {"user.name": "a", "a[b]": "c", "extraData[x]": "y", "": "z"}
    assert fields.extra_data is None


@pytest.mark.parametrize(
    "content_type",
    [
        FORM,
        None,
        b"",
        b"text/plain",
        b"application/jsonp",
        b"application/vnd.api+json",
        b"nonsense",
    ],
)
def test_any_other_type_is_a_form(content_type: bytes | None) -> None:
    assert read_fields(content_type, b"a=1", b"a=2&b=3").texts == {"a": "1"}


@pytest.mark.parametrize(
    "content_type",
    [b"application/json", b"Application/JSON; charset=utf-8", b" application/json ;x=y"],
)
def test_json_is_read_as_json(content_type: bytes) -> None:
    assert read_fields(content_type, b'{"a":"1"}', b"a=2").texts == {"a": "1"}
    with pytest.raises(EncodingError):
        read_fields(content_type, b"a=1", b"a=2")
    with pytest.raises(EncodingError):
        read_fields(content_type, b" ", b"a=2")


@pytest.mark.parametrize("content_type", [b"multipart/form-data; boundary=x", b"Multipart/Mixed"])
def test_multipart_is_refused(content_type: bytes) -> None:
    with pytest.raises(EncodingError):
        read_fields(content_type, b"a=1", b"")


@pytest.mark.parametrize("content_type", [None, FORM, b"application/json"])
def test_an_empty_body_leaves_the_query_and_a_body_hides_it(content_type: bytes | None) -> None:
    assert read_fields(content_type, b"", b"a=2").texts == {"a": "2"}
    assert read_fields(content_type, b"", b"").texts == {}


@given(st.lists(st.sampled_from([b"%", b"=", b"3D", b"A", b"_", b"\n", b"\r\n", b"\xff", b" "])))
def test_percent_signs_are_resolved_as_anywhere(pieces: list[bytes]) -> None:
    raw = b"".join(pieces)
    assert _unquoted(raw) == unquote_to_bytes(raw)
