"""Series that exist at 0 from the start: `increase()` does not see the first value of a new one."""

from collections.abc import Hashable, Iterable, Mapping
from typing import TypeVar

Key = TypeVar("Key", bound=Hashable)


def with_zeros(known: Iterable[Key], counts: Mapping[Key, int]) -> dict[Key, int]:
    """Return the counts, with 0 for known keys that have none."""
    return {**dict.fromkeys(known, 0), **counts}
