"""Changing values in place, and comparing them field by field."""

from collections import Counter, OrderedDict, defaultdict, deque
from copy import deepcopy
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import pytest

from consumers.testing.comparing import Unordered, difference, overwrite, plain, require_changeable


class Bag:
    def __init__(self, **values: Any) -> None:
        vars(self).update(values)


class Slotted:
    __slots__ = ("first", "second")
    second: int

    def __init__(self, first: Any = None) -> None:
        self.first = first


@dataclass(frozen=True)
class Frozen:
    items: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Line:
    sku: str
    price: Decimal


class Colour(Enum):
    RED = "red"


CHANGES: list[tuple[Any, Any]] = [
    ({"a": [1]}, {"b": [2], "c": 3}),
    (defaultdict(list, a=[1]), defaultdict(list, b=[2])),
    (OrderedDict(a=1, b=2), OrderedDict(b=2, a=1)),
    (Counter("aab"), Counter("bcc")),
    ([1, [2]], [3]),
    (deque([1, 2]), deque([[3]])),
    ({1, 2}, {2, 3}),
    (Frozen([1]), Frozen([2, 3])),
    (Line("tea", Decimal(1)), Line("cup", Decimal(2))),
]


@pytest.mark.parametrize(("target", "source"), CHANGES, ids=lambda each: type(each).__name__)
def test_a_value_becomes_equal_and_stays_the_same_object(target: Any, source: Any) -> None:
    target, expected = deepcopy(target), deepcopy(source)
    overwrite(target, source)
    assert target == expected
    assert list(target) == list(expected) if hasattr(expected, "__iter__") else True


def test_attributes_come_and_go() -> None:
    target = Bag(gone=1, stays=2)
    overwrite(target, Bag(stays=3, new=[4]))
    assert vars(target) == {"stays": 3, "new": [4]}
    slotted = Slotted(1)
    slotted.second = 2
    overwrite(slotted, Slotted(3))
    assert slotted.first == 3
    assert not hasattr(slotted, "second")


def test_what_refers_to_the_whole_refers_to_it_afterwards() -> None:
    target = Bag()
    target.child = Bag(parent=target)  # type: ignore[attr-defined]
    overwrite(target, deepcopy(target))
    assert target.child.parent is target  # type: ignore[attr-defined]


@pytest.mark.parametrize("value", [{}, [], set(), Bag(a=1), Slotted(), Frozen()])
def test_what_can_be_changed_can_be_a_state(value: Any) -> None:
    require_changeable(value)


@pytest.mark.parametrize("value", [1, "text", None, (1, 2), frozenset({1})])
def test_what_cannot_be_changed_cannot_be_a_state(value: Any) -> None:
    with pytest.raises(TypeError, match="cannot be changed by handlers"):
        require_changeable(value)


def test_values_are_taken_apart_for_comparison() -> None:
    value = Bag(lines=(Line("tea", Decimal("1.50")),), colour=Colour.RED, id=UUID(int=1))
    assert plain(value) == {
        "Bag": {
            "lines": [{"Line": {"sku": "tea", "price": Decimal("1.5")}}],
            "colour": Colour.RED,
            "id": UUID(int=1),
        }
    }


def test_names_can_be_left_out_however_deep() -> None:
    value = {"rows": [{"id": 1, "line": Line("tea", Decimal(1))}], "id": 2}
    assert plain(value, ignoring=("id", "price")) == {"rows": [{"line": {"Line": {"sku": "tea"}}}]}


def test_the_order_of_lists_counts_and_that_of_sets_and_rows_does_not() -> None:
    assert plain([1, 2]) != plain([2, 1])
    assert plain({3, 1, 2}) == plain({1, 2, 3})
    rows = [{"id": 1, "a": "x"}, {"id": 2, "a": "b"}]
    assert plain(Unordered(rows), ["id"]) == plain(Unordered(rows[::-1]), ["id"])


def test_a_difference_is_shown_line_by_line() -> None:
    shown = difference({"a": list(range(40)), "b": 1}, {"a": list(range(40)), "b": 2})
    assert "- 'b': 1}" in shown.replace("-", "- ").replace("  ", " ")
    assert "expected" in shown


def test_what_looks_the_same_and_is_not_is_shown_too() -> None:
    nan = float("nan")
    assert "is not equal to" in difference([nan], [float("nan")])
