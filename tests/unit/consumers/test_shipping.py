"""What is sent for an order."""

from datetime import UTC, datetime
from uuid import UUID

from consumers.shipping.domain import Shipment
from schemas.messages.shipping import Item


def test_units_of_an_article_that_is_named_twice_are_added_up() -> None:
    items = [Item(sku=sku, quantity=quantity) for sku, quantity in (("b", 2), ("a", 1), ("b", 3))]
    some = UUID(int=1)
    shipment = Shipment.of(
        items, order_id=some, shipment_id=some, at=datetime(2026, 1, 2, tzinfo=UTC), version=0
    )
    assert shipment.items == {"a": 1, "b": 5}
