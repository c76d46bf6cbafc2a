"""Marking functions as handlers, and what is no handler."""

from collections.abc import Sequence
from typing import Any

import pytest

from consumers.runtime.answering.reading import Reading
from consumers.runtime.consumer import Consumer
from consumers.runtime.handlers import answer_of, answers, handlers_of, handles, handles_in_bulk
from consumers.runtime.received import Received
from consumers.runtime.work import BulkWork, Work
from schemas.messages.canary import CanaryEmitted
from schemas.messages.orders import OrderConfirmed, OrderCreated


@handles(OrderCreated)
async def one(order: OrderCreated, work: Work) -> None: ...


@handles_in_bulk(OrderCreated)
async def many(received: Sequence[Received[OrderCreated]], work: BulkWork) -> None: ...


class Service:
    @handles(OrderCreated)
    async def one(self, order: OrderCreated, work: Work) -> None: ...


def test_a_marked_function_is_a_handler() -> None:
    [handler] = handlers_of(one)
    assert (handler.function, handler.message, handler.in_bulk) == (one, OrderCreated, False)
    assert handlers_of(many)[0].in_bulk


def test_a_function_may_take_several_classes_in_bulk() -> None:
    @handles_in_bulk(OrderCreated, OrderConfirmed)
    async def both(received: Sequence[Received[OrderCreated]], work: BulkWork) -> None: ...

    handlers = handlers_of(both)
    assert [each.message for each in handlers] == [OrderCreated, OrderConfirmed]
    assert {each.name for each in handlers} == {"both"}
    consumer = Consumer(name="c", handlers=[both]).with_options(max_batch=1)
    assert consumer.messages == (OrderCreated, OrderConfirmed)
    with pytest.raises(TypeError, match="needs the class"):
        handles_in_bulk()


def test_a_marked_method_is_a_handler_once_it_is_bound() -> None:
    service = Service()
    assert handlers_of(service.one)[0].function == service.one
    with pytest.raises(TypeError, match="must be `async def` and take"):
        handlers_of(Service.one)


def test_arguments_with_defaults_are_welcome() -> None:
    @handles(OrderCreated)
    async def generous(order: OrderCreated, work: Work, more: int = 1) -> None: ...

    assert handlers_of(generous)[0].function is generous


def test_a_function_that_is_not_marked_is_no_handler() -> None:
    async def unmarked(order: OrderCreated, work: Work) -> None: ...

    with pytest.raises(TypeError, match=r"unmarked is no handler; mark it with @handles\("):
        handlers_of(unmarked)


def test_a_handler_is_asynchronous() -> None:
    def plain(order: OrderCreated, work: Work) -> None: ...

    with pytest.raises(TypeError, match="plain must be `async def`"):
        handlers_of(handles(OrderCreated)(plain))  # type: ignore[type-var,arg-type]  # what is tested


def test_a_handler_takes_what_it_is_given() -> None:
    @handles(OrderCreated)
    async def short(order: OrderCreated) -> None: ...

    @handles_in_bulk(OrderCreated)
    async def long(received: Any, delivery: Any, work: BulkWork) -> None: ...

    with pytest.raises(TypeError, match=r"short .* \(message, work\)"):
        handlers_of(short)
    with pytest.raises(TypeError, match=r"long .* \(received, work\)"):
        handlers_of(long)


@answers(CanaryEmitted)
async def tell(question: CanaryEmitted, reading: Reading) -> CanaryEmitted:
    return question


def test_a_function_that_answers_is_marked_with_what_it_is_asked() -> None:
    answer = answer_of(tell)
    assert (answer.function, answer.question) == (tell, CanaryEmitted)
    with pytest.raises(TypeError, match=r"one answers nothing; mark it with @answers\("):
        answer_of(one)  # type: ignore[arg-type]  # what is tested


def test_what_answers_is_asynchronous_and_takes_what_it_is_asked() -> None:
    @answers(CanaryEmitted)
    async def short(question: CanaryEmitted) -> CanaryEmitted:
        return question

    with pytest.raises(
        TypeError, match=r"short must be `async def` and take \(question, reading\)"
    ):
        answer_of(short)
