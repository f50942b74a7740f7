"""PHP's parsing of names: properties; examples computed by PHP are in `test_decoding`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.edges.callback.php_fields import Held, PhpArray, assign

NAMES = st.lists(
    st.sampled_from([*"ab[].+ _0-", "[]", "[a]", "[0]", "é", "\t", "__Host-", "[" * 70, "[a]" * 64])
).map("".join)


def folded(*pairs: tuple[str, str]) -> dict[str, object]:
    fields: dict[str, Held] = {}
    for name, value in pairs:
        assign(fields, name, value)
    return {
        name: held.plain() if isinstance(held, PhpArray) else held for name, held in fields.items()
    }


@pytest.mark.parametrize(
    ("name", "as_php_holds_it"),
    [
        ("user.name", {"user_name": "x"}),
        ("first name", {"first_name": "x"}),
        ("  a", {"a": "x"}),
        ("a[b]", {"a": {"b": "x"}}),
        ("a[b.c d]", {"a": {"b.c d": "x"}}),
        ("a.b[c]", {"a_b": {"c": "x"}}),
        ("a[b][c]", {"a": {"b": {"c": "x"}}}),
        ("a[]", {"a": {"0": "x"}}),
        ("a[ ]", {"a": {"0": "x"}}),
        ("a[b]c", {"a": {"b": "x"}}),
        ("a[b", {"a_b": "x"}),
        ("a[b.c[d", {"a_b_c_d": "x"}),
        ("a[b][c", {"a": {"b": "x"}}),
        ("a]", {"a]": "x"}),
        ("", {}),
        (" ", {}),
        ("[a]", {}),
        ("[", {}),
        ("..Host-a", {}),
        ("__Host-a", {"__Host-a": "x"}),
    ],
)
def test_a_name_is_read_as_php_reads_it(name: str, as_php_holds_it: dict[str, object]) -> None:
    assert folded((name, "x")) == as_php_holds_it


def test_the_last_value_wins() -> None:
    assert folded(("a", "1"), ("a", "2")) == {"a": "2"}
    assert folded(("a[b]", "1"), ("a", "2")) == {"a": "2"}
    assert folded(("a", "1"), ("a[b]", "2")) == {"a": {"b": "2"}}


def test_an_append_goes_behind_the_largest_number() -> None:
    assert folded(("a[7]", "1"), ("a[]", "2")) == {"a": {"7": "1", "8": "2"}}
    assert folded(("a[07]", "1"), ("a[]", "2")) == {"a": {"07": "1", "0": "2"}}
    last = str(2**63 - 1)
    assert folded((f"a[{last}]", "1"), ("a[]", "2")) == {"a": {last: "1"}}


def test_more_than_64_brackets_drop_the_whole_array() -> None:
    assert folded(("a", "1"), ("a" + "[x]" * 64, "2"))["a"] != "1"
    assert folded(("a", "1"), ("a" + "[x]" * 65, "2")) == {}


@given(st.lists(st.tuples(NAMES, st.text(max_size=2)), max_size=5))
def test_no_name_stops_the_reading(pairs: list[tuple[str, str]]) -> None:
    for name in folded(*pairs):
        assert name
        assert not set(name) & set(" .[")


@given(st.text(st.sampled_from("abcXYZ_09"), min_size=1), st.text())
def test_a_plain_name_is_left_as_it_is(name: str, value: str) -> None:
    assert folded((name, value)) == {name: value}
