"""Every delivery has a name of its own."""

from itertools import islice

from app.edges.deliveries import DELIVERY_BYTES, DRAWN_AT_ONCE, delivery_names


def test_names_are_never_drawn_twice() -> None:
    names = list(islice(delivery_names(), 3 * DRAWN_AT_ONCE + 1))
    assert {len(name) for name in names} == {DELIVERY_BYTES}
    assert len({*names, *islice(delivery_names(), 10)}) == len(names) + 10
