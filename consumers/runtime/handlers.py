"""Marking functions as handlers of a message, one at a time or many at once."""

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from schemas.message import Message

MARK = "__handles__"

Function = Callable[..., Awaitable[None]]
F = TypeVar("F", bound=Function)


@dataclass(frozen=True, slots=True)
class Handles:
    """What a marked function takes.

    Args:
        message: The message class.
        in_bulk: It takes a list of them at once.
    """

    message: type[Message]
    in_bulk: bool


@dataclass(frozen=True, slots=True)
class Handler:
    """A function of a dispatch table.

    Args:
        function: `async (message, work)`, or in bulk `async (received, work)`.
        message: The message class it takes.
        in_bulk: It takes a list of `Received` at once.
    """

    function: Function
    message: type[Message]
    in_bulk: bool


def handles(message: type[Message]) -> Callable[[F], F]:
    """Mark a function or method that takes one message: `async (message, work)`.

    `work` is a `Work`. The function writes its effect on `work.connection`, inside the transaction that is open there,
    and never commits. What it raises decides what becomes of the message, see `consumers.runtime.failures`.

    Args:
        message: Class of the messages it takes.
    """
    return _mark(Handles(message, in_bulk=False))


def handles_in_bulk(message: type[Message]) -> Callable[[F], F]:
    """Mark a function or method that takes many messages: `async (received, work)`.

    `received` is a non-empty sequence of `Received`, in the order of their offsets, each with its `message` and its
    `delivery`; `work` is a `BulkWork`. Messages of one key come in their order; between different keys a bulk handler
    may be called before the handler of a message that lies before. A failure is narrowed down by halving, so the
    function may be called again with parts of the sequence, each time after the effects of the failed call were rolled
    back.

    Args:
        message: Class of the messages it takes.
    """
    return _mark(Handles(message, in_bulk=True))


def handler_of(function: Function) -> Handler:
    """Return what a marked function is as an entry of a dispatch table.

    Raises:
        TypeError: the function is not marked, is no coroutine function, or takes other arguments.
    """
    name = getattr(function, "__qualname__", repr(function))
    mark: Handles | None = getattr(function, MARK, None)
    if mark is None:
        raise TypeError(f"{name} is no handler; mark it with @handles(<message class>)")
    wanted = ("received" if mark.in_bulk else "message", "work")
    if not inspect.iscoroutinefunction(function) or not _takes(function, len(wanted)):
        raise TypeError(f"{name} must be `async def` and take ({', '.join(wanted)})")
    return Handler(function, mark.message, mark.in_bulk)


def _mark(mark: Handles) -> Callable[[F], F]:
    def decorate(function: F) -> F:
        setattr(function, MARK, mark)
        return function

    return decorate


def _takes(function: Callable[..., Any], count: int) -> bool:
    try:
        inspect.signature(function).bind(*range(count))
    except TypeError:
        return False
    return True
