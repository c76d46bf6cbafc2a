"""Marking functions as handlers of a message, one at a time or many at once, or as what answers a request."""

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from schemas.message import Message

MARK = "__handles__"
ANSWERS = "__answers__"

Function = Callable[..., Awaitable[None]]
Answering = Callable[..., Awaitable[Message]]
F = TypeVar("F", bound=Function)
A = TypeVar("A", bound=Answering)


@dataclass(frozen=True, slots=True)
class Handles:
    """What a marked function takes.

    Args:
        messages: The message classes.
        in_bulk: It takes a list of them at once.
    """

    messages: tuple[type[Message], ...]
    in_bulk: bool


@dataclass(frozen=True, slots=True)
class Handler:
    """A function of a dispatch table.

    Args:
        function: `async (message, work)`, or in bulk `async (received, work)`.
        message: The message class it takes.
        in_bulk: It takes a list of `Received` at once.
        name: What it is called where it is measured: like its message, or like the function that takes several.
    """

    function: Function
    message: type[Message]
    in_bulk: bool
    name: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A function that answers requests.

    Args:
        function: `async (question, reading)`, which returns the reply.
        question: The message class that is asked.
    """

    function: Answering
    question: type[Message]


def handles(message: type[Message]) -> Callable[[F], F]:
    """Mark a function or method that takes one message: `async (message, work)`.

    `work` is a `Work`. The function writes its effect on `work.connection`, inside the transaction that is open there,
    and never commits. What it raises decides what becomes of the message, see `consumers.runtime.failures`.

    Args:
        message: Class of the messages it takes.
    """
    return _mark(Handles((message,), in_bulk=False))


def handles_in_bulk(*messages: type[Message]) -> Callable[[F], F]:
    """Mark a function or method that takes many messages, of one class or several: `async (received, work)`.

    `received` is a non-empty sequence of `Received`, in the order of their offsets, each with its `message` and its
    `delivery`; `work` is a `BulkWork`. Messages of one key come in their order; between different keys a bulk handler
    may be called before the handler of a message that lies before. A failure is narrowed down by halving, so the
    function may be called again with parts of the sequence, each time after the effects of the failed call were rolled
    back.

    Args:
        messages: Classes of the messages it takes.
    """
    if not messages:
        raise TypeError("@handles_in_bulk needs the class of the messages, or several")
    return _mark(Handles(messages, in_bulk=True))


def answers(question: type[Message]) -> Callable[[A], A]:
    """Mark a function or method that answers requests: `async (question, reading)`, which returns the reply.

    `reading` is a `Reading`. The function only reads: it may be called twice for one request, and not at all for one
    that is too late. What it raises is logged and counted, and its sender waits until its time is over.

    Args:
        question: Class of the messages that are asked.
    """

    def decorate(function: A) -> A:
        setattr(function, ANSWERS, question)
        return function

    return decorate


def handlers_of(function: Function) -> list[Handler]:
    """Return what a marked function is as entries of a dispatch table, one for each class that it takes.

    Raises:
        TypeError: the function is not marked, is no coroutine function, or takes other arguments.
    """
    name = _name_of(function)
    mark: Handles | None = getattr(function, MARK, None)
    if mark is None:
        raise TypeError(f"{name} is no handler; mark it with @handles(<message class>)")
    _require_async(function, "received" if mark.in_bulk else "message", "work")
    called = name.rpartition(".")[2] if len(mark.messages) > 1 else mark.messages[0].NAME
    return [Handler(function, message, mark.in_bulk, called) for message in mark.messages]


def answer_of(function: Answering) -> Answer:
    """Return what a marked function answers.

    Raises:
        TypeError: the function is not marked, is no coroutine function, or takes other arguments.
    """
    question: type[Message] | None = getattr(function, ANSWERS, None)
    if question is None:
        raise TypeError(
            f"{_name_of(function)} answers nothing; mark it with @answers(<message class>)"
        )
    _require_async(function, "question", "reading")
    return Answer(function, question)


def _mark(mark: Handles) -> Callable[[F], F]:
    def decorate(function: F) -> F:
        setattr(function, MARK, mark)
        return function

    return decorate


def _name_of(function: Callable[..., Any]) -> str:
    return getattr(function, "__qualname__", repr(function))


def _require_async(function: Callable[..., Any], *wanted: str) -> None:
    if not inspect.iscoroutinefunction(function) or not _takes(function, len(wanted)):
        raise TypeError(f"{_name_of(function)} must be `async def` and take ({', '.join(wanted)})")


def _takes(function: Callable[..., Any], count: int) -> bool:
    try:
        inspect.signature(function).bind(*range(count))
    except TypeError:
        return False
    return True
