"""Every delivery has a name of its own."""

from app.edges.delivery_ids import DELIVERY_BYTES, DRAWN_AT_ONCE, DeliveryNames


def test_no_name_is_drawn_twice() -> None:
    some, others = DeliveryNames(), DeliveryNames()
    names = [some.draw() for _ in range(3 * DRAWN_AT_ONCE + 1)] + [others.draw() for _ in range(10)]
    assert {len(name) for name in names} == {DELIVERY_BYTES}
    assert len(set(names)) == len(names)
