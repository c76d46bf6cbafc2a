"""Connections to the instances of a gRPC service, one to each, and which of them a call goes over.

grpcio for Python lets nobody tell it of addresses that change, so there is a channel for each instance.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from typing import Any

import grpc

from cdc.chores import cancel
from cdc.deadline import Deadline
from producers.calling.target import (
    CONNECT_SHARE,
    CONNECT_TIMEOUT_S,
    FAIR_S,
    LEAST_AGAIN_S,
    Attempt,
    NotCalledError,
    Target,
)
from producers.discovery.balancer import NoInstanceError, Use
from producers.discovery.instances import Instance
from producers.discovery.service_instances import ServiceInstances

FAILURES = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.CANCELLED,  # by the service: it has too many calls
    }
)
"""Statuses which say that an instance is in trouble."""

MOST_CALL_S = 60.0
"""How long calls may go on at an instance that is one no more."""

Open = Callable[[str], Any]
"""Opens a channel to an authority."""
Ask = Callable[[Any, float], Awaitable[Any]]
"""Calls over this channel, within these seconds."""


class NotReachedError(Exception):
    """An instance takes no connection; nothing was sent."""


class Connections:
    """Calls a service, at whichever of its instances.

    Args:
        target: The service, as this process knows it.
        instances: Where it is.
        open_: Opens a channel.
    """

    def __init__(self, target: Target, instances: ServiceInstances, open_: Open) -> None:
        self.target = target
        self._instances = instances
        self._open = open_
        self._channels: dict[str, Any] = {}
        self._connecting: dict[str, asyncio.Task[bool]] = {}
        self._closing: set[asyncio.Task[None]] = set()
        instances.on_change = self._let_go

    async def ready(self, timeout_s: float) -> None:
        await self._instances.ready(timeout_s)

    def chosen(self) -> Any:
        """Return a channel to an instance, for what is no single call, such as a stream.

        Raises:
            grpc.aio.AioRpcError: no instance is known.
        """
        try:
            with self._instances.use() as use:
                return self._channel(use.instance)
        except NoInstanceError as error:
            raise self._unknown() from error

    async def call(self, ask: Ask, timeout_s: float, *, is_read: bool) -> Any:
        """Call an instance, and another one where nothing was sent, or nothing but a question.

        Raises:
            grpc.aio.AioRpcError: there is no answer.
        """
        try:
            return await self._attempts(ask, Deadline.after(timeout_s), is_read=is_read)
        except NotCalledError as error:
            raise _unavailable(f"the {self.target.name} service {error}") from error
        except NoInstanceError as error:
            raise self._unknown() from error
        except NotReachedError:
            raise _unavailable(f"the {self.target.name} service cannot be reached") from None

    async def _attempts(self, ask: Ask, deadline: Deadline, *, is_read: bool) -> Any:
        tried: set[Instance] = set()
        while True:
            try:
                with self.target.attempt() as attempt:
                    await self._instances.ready(deadline.remaining_s())
                    return await self._ask_any(ask, attempt, deadline, tried)
            except grpc.aio.AioRpcError as error:
                passes = is_read and error.code() in FAILURES
                if not (passes and self._has_another(tried, deadline)):
                    raise
                if not self.target.retries.withdraw():
                    raise
            self.target.counts.retries += 1

    async def _ask_any(
        self, ask: Ask, attempt: Attempt, deadline: Deadline, tried: set[Instance]
    ) -> Any:
        while True:
            use: Use | None = None
            try:
                with self._instances.use(tried) as use:
                    channel = await self._connected(use, deadline, tried)
                    return await _judged(ask(channel, deadline.remaining_s()), use, deadline)
            except NotReachedError:
                if not self._has_another(tried, deadline):
                    raise
            finally:
                if use is not None:
                    attempt.failed = use.failed

    async def _connected(self, use: Use, deadline: Deadline, tried: set[Instance]) -> Any:
        """Return a channel; where there are others to go to, one over which something can be sent.

        Raises:
            NotReachedError: there is no connection.
        """
        address, channel = str(use.instance), self._channel(use.instance)
        tried.add(use.instance)
        if self._instances.others(()) == 1:
            return channel
        if channel.get_state() is grpc.ChannelConnectivity.READY:
            return channel
        share = CONNECT_SHARE if self._has_another(tried, deadline) else 1.0
        patience_s = min(CONNECT_TIMEOUT_S, deadline.remaining_s() * share)
        connecting = self._connecting.get(address)
        if connecting is None:
            connecting = asyncio.create_task(_connect(channel), name=f"connect to {address}")
            connecting.add_done_callback(lambda _: self._connecting.pop(address, None))
            self._connecting[address] = connecting
        done, _ = await asyncio.wait({connecting}, timeout=patience_s)
        if done and connecting.result() and self._channels.get(address) is channel:
            return channel
        use.failed = True
        raise NotReachedError

    def _unknown(self) -> grpc.aio.AioRpcError:
        return _unavailable(f"it is not known where the {self.target.name} service is")

    def _has_another(self, tried: Collection[Instance], deadline: Deadline) -> bool:
        return deadline.remaining_s() > LEAST_AGAIN_S and self._instances.others(tried) > 0

    def _channel(self, instance: Instance) -> Any:
        address = str(instance)
        if address not in self._channels:
            self._channels[address] = self._open(address)
        return self._channels[address]

    def _let_go(self, instances: Collection[Instance]) -> None:
        """Close channels to what is no instance any more, once the calls over them have ended."""
        for address in self._channels.keys() - {str(each) for each in instances}:
            closing = asyncio.create_task(self._channels.pop(address).close(MOST_CALL_S))
            closing.add_done_callback(self._closing.discard)
            self._closing.add(closing)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Have them closed at the end of the block."""
        async with self._instances.followed():
            try:
                yield
            finally:
                if tasks := [*self._closing, *self._connecting.values()]:
                    await cancel(tasks)
                for each in self._channels.values():
                    await each.close()


async def _judged(answer: Awaitable[Any], use: Use, deadline: Deadline) -> Any:
    """Return the answer, and note what it says of the instance."""
    is_fair = deadline.remaining_s() >= FAIR_S
    try:
        said = await answer
    except grpc.aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
            use.failed = True if is_fair else None
        else:
            use.failed = error.code() in FAILURES
        raise
    use.failed = False
    return said


async def _connect(channel: Any) -> bool:
    """Return whether there is a connection, once that is known."""
    try:
        while (state := channel.get_state(try_to_connect=True)) in _UNDECIDED:
            await channel.wait_for_state_change(state)
    except grpc.aio.UsageError:  # it was closed
        return False
    return bool(state is grpc.ChannelConnectivity.READY)


_UNDECIDED = frozenset({grpc.ChannelConnectivity.IDLE, grpc.ChannelConnectivity.CONNECTING})


def _unavailable(details: str) -> grpc.aio.AioRpcError:
    nothing = grpc.aio.Metadata()
    return grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, nothing, nothing, details)
