"""Marking functions as handlers, and what is no handler."""

from collections.abc import Sequence
from typing import Any

import pytest

from consumers.runtime.handlers import handler_of, handles, handles_in_bulk
from consumers.runtime.received import Received
from consumers.runtime.work import BulkWork, Work
from schemas.messages.orders import OrderCreated


@handles(OrderCreated)
async def one(order: OrderCreated, work: Work) -> None: ...


@handles_in_bulk(OrderCreated)
async def many(received: Sequence[Received[OrderCreated]], work: BulkWork) -> None: ...


class Service:
    @handles(OrderCreated)
    async def one(self, order: OrderCreated, work: Work) -> None: ...


def test_a_marked_function_is_a_handler() -> None:
    handler = handler_of(one)
    assert (handler.function, handler.message, handler.in_bulk) == (one, OrderCreated, False)
    assert handler_of(many).in_bulk


def test_a_marked_method_is_a_handler_once_it_is_bound() -> None:
    service = Service()
    assert handler_of(service.one).function == service.one
    with pytest.raises(TypeError, match="must be `async def` and take"):
        handler_of(Service.one)


def test_arguments_with_defaults_are_welcome() -> None:
    @handles(OrderCreated)
    async def generous(order: OrderCreated, work: Work, more: int = 1) -> None: ...

    assert handler_of(generous).function is generous


def test_a_function_that_is_not_marked_is_no_handler() -> None:
    async def unmarked(order: OrderCreated, work: Work) -> None: ...

    with pytest.raises(TypeError, match=r"unmarked is no handler; mark it with @handles\("):
        handler_of(unmarked)


def test_a_handler_is_asynchronous() -> None:
    def plain(order: OrderCreated, work: Work) -> None: ...

    with pytest.raises(TypeError, match="plain must be `async def`"):
        handler_of(handles(OrderCreated)(plain))  # type: ignore[type-var,arg-type]  # what is tested


def test_a_handler_takes_what_it_is_given() -> None:
    @handles(OrderCreated)
    async def short(order: OrderCreated) -> None: ...

    @handles_in_bulk(OrderCreated)
    async def long(received: Any, delivery: Any, work: BulkWork) -> None: ...

    with pytest.raises(TypeError, match=r"short .* \(message, work\)"):
        handler_of(short)
    with pytest.raises(TypeError, match=r"long .* \(received, work\)"):
        handler_of(long)
