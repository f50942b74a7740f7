"""Which bucket a player belongs to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.wallet.buckets import BUCKETS_MAX, bucket_of, schema_of

VECTORS = (
    # user id, CRC-32, bucket of 2, 4, 16, 64
    ("anna", 559726263, (1, 3, 7, 55)),
    ("bert", 3021358862, (0, 2, 14, 14)),
    ("player-1", 2557990899, (1, 3, 3, 51)),
    ("игрок", 1933257869, (1, 1, 13, 13)),
    ("🎰", 1057763391, (1, 3, 15, 63)),
    ("a" * 64, 2310301013, (1, 1, 5, 21)),
    ("123456789", 0xCBF43926, (0, 2, 6, 38)),
)
"""The last is the check value that every description of CRC-32 names."""


@pytest.mark.parametrize(("user_id", "crc", "buckets"), VECTORS)
def test_a_player_s_bucket_never_changes(user_id: str, crc: int, buckets: tuple[int, ...]) -> None:
    assert tuple(crc % count for count in (2, 4, 16, 64)) == buckets
    assert tuple(bucket_of(user_id, count) for count in (2, 4, 16, 64)) == buckets


@given(st.text(min_size=1, max_size=64))
def test_one_bucket_has_everybody(user_id: str) -> None:
    assert bucket_of(user_id, 1) == 0


@given(st.text(min_size=1, max_size=64), st.integers(1, BUCKETS_MAX))
def test_every_player_has_a_bucket(user_id: str, count: int) -> None:
    assert 0 <= bucket_of(user_id, count) < count


def test_the_schema_s_name_says_of_how_many_it_is() -> None:
    assert schema_of(3, 16) == "b03_of_16"
    assert len({schema_of(b, n) for n in (2, 4) for b in range(n)}) == 6
