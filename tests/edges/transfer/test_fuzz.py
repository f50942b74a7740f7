"""No input makes an internal error: every request of an agent gets a code of the contract."""

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.edges.transfer.operations import FORMS
from tests.edges.transfer.bank import Bank, jwe

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=300),
    st.sampled_from(["1", "0.01", "USD", "ALL", "blocked", "2026-11-20", "fuzzed", "en", "1e9"]),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["stake_day", "loss_week", "x"]) | st.text(max_size=9),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=5,
)
names = sorted({name for form in FORMS.values() for name in form})
asked = st.tuples(
    st.sampled_from(sorted(FORMS)), st.dictionaries(st.sampled_from(names), values, max_size=8)
)
relaxed = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@relaxed
@given(request_=asked, full=st.booleans())
def test_any_fields(bank: Bank, *, request_: tuple[str, dict[str, object]], full: bool) -> None:
    operation, fields = request_
    if full:
        fields = {**dict.fromkeys(FORMS[operation], "fuzzed"), **fields}
    plaintext = json.dumps({"iat": bank.iat(), **fields}).encode("utf-8", "surrogatepass")
    assert bank.send(operation, jwe(plaintext)).code not in {1, 103}


@relaxed
@given(
    st.sampled_from(sorted(FORMS)), st.binary(max_size=300) | st.text(max_size=300).map(str.encode)
)
def test_any_plaintext(bank: Bank, operation: str, plaintext: bytes) -> None:
    assert bank.send(operation, jwe(plaintext)).code in {2, 4, 5}


@relaxed
@given(st.binary(max_size=300))
def test_any_body(bank: Bank, body: bytes) -> None:
    assert bank.send("account/balance", body).code == 4


@relaxed
@given(
    st.dictionaries(
        st.sampled_from(
            ["alg", "enc", "kid", "typ", "cty", "jwk", "p2c", "b64", "apu", "x5c", "exp"]
        ),
        values,
        max_size=6,
    )
)
def test_any_header(bank: Bank, header: dict[str, Any]) -> None:
    kid = header.pop("kid", "casino")
    assert bank.send("account/balance", jwe(b"{}", kid, **header)).code in {2, 3, 4, 6}
