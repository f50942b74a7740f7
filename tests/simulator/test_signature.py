"""The simulator signs as PHP does, by vectors computed with PHP itself."""

import itertools
import json
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from app.simulator.signature import canonical, sign

VECTORS = json.loads(
    (Path(__file__).parents[1] / "edges/callback/signature_vectors.json").read_text(
        encoding="utf-8"
    )
)


@pytest.mark.parametrize("vector", VECTORS["vectors"], ids=itertools.count())
def test_every_vector_is_signed_as_php_signed_it(vector: dict[str, str]) -> None:
    fields = parse_qsl(vector["form"], keep_blank_values=True)
    assert canonical(fields) == vector["canonical"]
    assert sign(fields, VECTORS["key"]) == vector["hash"]


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("a\x7fb", '"a\x7fb"'),
        ("\b\f\n\r\t", '"\\b\\f\\n\\r\\t"'),
        ("\x01\x1f", '"\\u0001\\u001f"'),
        ("\\u007f/", '"\\\\u007f\\/"'),
        ("\u2028\uffff", '"\\u2028\\uffff"'),
        ("é\U0001f3b0", '"\\u00e9\\ud83c\\udfb0"'),
    ],
)
def test_characters_are_escaped_as_php_escapes_them(text: str, printed: str) -> None:
    assert canonical([("v", text)]) == f'{{"v":{printed}}}'


def test_names_are_folded_and_arrays_hash_as_their_name() -> None:
    fields = [("a.b c", "1"), ("tags[]", "x"), ("tags[]", "y"), ("extraData[odds]", "2")]
    assert canonical(fields) == '{"a_b_c":"1","tags":"Array"}'


def test_names_are_sorted_by_their_bytes() -> None:
    fields = [("b", "1"), ("B", "2"), ("_", "3"), ("a", "4")]
    assert canonical(fields) == '{"B":"2","_":"3","a":"4","b":"1"}'
