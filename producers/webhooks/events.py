"""What receivers can be told of: the events, what each is called outside, and which of its fields a filter may name."""

from collections.abc import Collection, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import get_args, get_origin, get_type_hints

from schemas.message import Message
from schemas.messages.orders import OrderCancelled, OrderConfirmed, OrderCreated

EVENT_TYPES: Mapping[type[Message], str] = {
    OrderCreated: "order.created",
    OrderConfirmed: "order.confirmed",
    OrderCancelled: "order.cancelled",
}
"""What each event is called outside."""


class FilterError(Exception):
    """A filter would keep all events of a type back.

    Args:
        field: The field that they do not have.
        event_type: What they are called.
        known: The fields that they have.
    """

    def __init__(self, field: str, event_type: str, known: Collection[str]) -> None:
        told = (
            f"{event_type} has no field {field} to filter by, so that none would be sent; it has "
        )
        super().__init__(told + ", ".join(sorted(known)))
        self.field = field


def require_fields(filtered: Collection[str], event_types: Collection[str]) -> None:
    """Make sure that each event type has each of the fields that a filter names.

    Raises:
        FilterError: one has not.
    """
    for message, event_type in EVENT_TYPES.items():
        if event_type in event_types:
            known = _fields_of(message)
            for field in filtered:
                if field not in known:
                    raise FilterError(field, event_type, known)


@cache
def _fields_of(message: type[Message]) -> frozenset[str]:
    """Return the fields that have one value, rather than several or parts."""
    hints = get_type_hints(message)
    return frozenset(each.name for each in fields(message) if _is_single(hints[each.name]))  # type: ignore[arg-type]


def _is_single(hint: object) -> bool:
    parts = (hint, *get_args(hint))
    return not any(is_dataclass(part) or get_origin(part) is tuple for part in parts)
