"""What is set aside for orders: all of each or nothing, and never more than there is."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.inventory.domain import Reservation, Status, summed
from schemas.messages.inventory import ItemsReserved, OutOfStock

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
SKUS = ("book", "pen", "tea")
UNITS = st.dictionaries(st.sampled_from(SKUS), st.integers(1, 9), min_size=1)


def due(items: Mapping[str, int], number: int = 1) -> Reservation:
    return Reservation(
        reservation_id=UUID(int=number),
        order_id=UUID(int=number),
        status=Status.OPEN,
        items=items,
        missing=(),
        paid=True,
        updated_at=MOMENT,
        version=0,
    )


@given(on_hand=UNITS, wanted=st.lists(UNITS, max_size=8))
def test_all_of_an_order_is_set_aside_or_nothing(
    on_hand: dict[str, int], wanted: list[dict[str, int]]
) -> None:
    left = dict(on_hand)
    decided = [due(items).decided(left, MOMENT) for items in wanted]
    taken = dict.fromkeys(SKUS, 0)
    for each in decided:
        if each.status is Status.RESERVED:
            for sku, quantity in (each.items or {}).items():
                taken[sku] += quantity
        else:
            assert set(each.missing) <= set(each.items or ())
            assert each.missing
    assert all(left.get(sku, 0) + taken[sku] == on_hand.get(sku, 0) for sku in SKUS)
    assert min(left.values()) >= 0


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (Status.RESERVED, ItemsReserved),
        (Status.SHIPPED, ItemsReserved),
        (Status.REFUSED, OutOfStock),
        (Status.RELEASED, OutOfStock),
        (Status.WITHDRAWN, OutOfStock),
    ],
)
def test_what_is_told_follows_from_how_it_stands(status: Status, told: type) -> None:
    assert isinstance(replace(due({"book": 1}), status=status).outcome(), told)


def test_nothing_is_due_before_all_is_known() -> None:
    assert due({"book": 1}).is_due
    assert not replace(due({"book": 1}), paid=False).is_due
    assert not replace(due({}), items=None).is_due
    assert not due({}).is_due
    assert not replace(due({"book": 1}), status=Status.WITHDRAWN).is_due


def test_lines_of_one_article_are_one_item() -> None:
    assert summed([("tea", 1), ("book", 2), ("tea", 3)]) == {"book": 2, "tea": 4}
