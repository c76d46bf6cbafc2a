"""Streams of gRPC services, over real connections: their bounds, their readers, and how they end."""

import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc._cython import cygrpc

from cdc.context import MessageContext
from cdc.deadline import Deadline, current_deadline, within
from cdc.ids import new_id
from producers.grpc import client, server
from producers.grpc.client import open_channel
from producers.grpc.errors import RefusedError
from producers.grpc.interceptor import AGAIN, Calls
from producers.grpc.streams import Stream, StreamBounds, Streams
from schemas.rpc.orders.v1 import orders_pb2 as orders
from schemas.rpc.orders.v1.orders_pb2_grpc import OrderServiceStub
from tests.component.producers.test_grpc import run
from tests.hops import until
from tests.rpc import Watched, serving_orders, state, url_of

ASKED = orders.WatchOrderRequest(order_id="an order")
LARGE = "x" * 100_000
MANY = 1000

Tell = Callable[[orders.WatchOrderRequest], AsyncIterator[orders.OrderState]]


async def two(_: orders.WatchOrderRequest) -> AsyncIterator[orders.OrderState]:
    yield state(1)
    yield state(2, orders.ORDER_STATUS_CONFIRMED)


async def one_and_no_end(_: orders.WatchOrderRequest) -> AsyncIterator[orders.OrderState]:
    yield state(1)
    await asyncio.Event().wait()


async def many_large(_: orders.WatchOrderRequest) -> AsyncIterator[orders.OrderState]:
    for version in range(MANY):
        yield state(version + 1, cancel_reason=LARGE)


def bounded(**bounds: Any) -> Calls:
    return Calls(streams=Streams(StreamBounds(**bounds)))


async def ends_with(call: Any, *, after: int = 1) -> tuple[grpc.StatusCode, str, str | None]:
    """Read a stream that is cut; return its status, the sentence, and when to open it again."""
    assert [(await call.read()).state.version for _ in range(after)] == list(range(1, after + 1))
    with pytest.raises(grpc.aio.AioRpcError) as ended:
        await call.read()
    again = dict(ended.value.trailing_metadata() or ()).get(AGAIN)
    return ended.value.code(), ended.value.details() or "", again


async def settled(look: Callable[[], int]) -> int:
    """Return a figure that goes on rising for as long as it can, when it does not rise any more."""
    figure = -1
    while (now := look()) != figure:
        figure = now
        await asyncio.sleep(0.2)
    return figure


def test_a_stream_is_followed_to_its_end_with_context_and_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)

    async def test() -> None:
        servicer, calls = Watched(two), Calls()
        context = MessageContext(correlation_id=new_id())
        async with (
            serving_orders(servicer, calls) as running,
            open_channel(url_of(running), longest_s=5) as channel,
        ):
            call = OrderServiceStub(channel).WatchOrder(ASKED, context=context)
            assert [answer.state.version async for answer in call] == [1, 2]
            assert await call.code() is grpc.StatusCode.OK
            told = dict(await call.trailing_metadata())["x-correlation-id"]
        assert {told, *servicer.correlation_ids} == {str(context.correlation_id)}
        assert calls.ended == {grpc.StatusCode.OK: 1}

    run(test)
    [line] = [vars(each)["fields"] for each in caplog.records if each.getMessage() == "call"]
    assert (line["method"], line["code"]) == ("/tailrace.orders.v1.OrderService/WatchOrder", "OK")


def test_the_callers_deadline_ends_a_stream_on_both_sides() -> None:
    remaining_s = []

    async def tell(_: orders.WatchOrderRequest) -> AsyncIterator[orders.OrderState]:
        deadline = current_deadline()
        remaining_s.append(deadline.remaining_s() if deadline else None)
        yield state(1)
        await asyncio.Event().wait()

    async def test() -> None:
        servicer, calls = Watched(tell), Calls()
        async with (
            serving_orders(servicer, calls) as running,
            open_channel(url_of(running), longest_s=60) as channel,
        ):
            stub = OrderServiceStub(channel)
            with within(Deadline.after(0.3)):
                code, _, again = await ends_with(stub.WatchOrder(ASKED))
            await calls.idle.wait()
        assert (code, again) == (grpc.StatusCode.DEADLINE_EXCEEDED, None)
        assert servicer.open == calls.streams.open == 0
        assert calls.ended == {grpc.StatusCode.DEADLINE_EXCEEDED: 1}
        assert 0 < (remaining_s[0] or 0) <= 0.3

    run(test)


@pytest.mark.parametrize("timeout_s", [None, 30])
def test_a_stream_comes_of_age_and_its_caller_is_told_to_open_it_again(
    timeout_s: float | None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    async def test() -> None:
        calls = bounded(longest_s=0.2)
        async with (
            serving_orders(Watched(one_and_no_end), calls) as running,
            grpc.aio.insecure_channel(f"127.0.0.1:{running.port}") as channel,
        ):
            call = OrderServiceStub(channel).WatchOrder(ASKED, timeout=timeout_s)
            code, sentence, again = await ends_with(call)
        assert (code, again) == (grpc.StatusCode.UNAVAILABLE, "0")
        assert "open it again, from what was seen last" in sentence

    run(test)
    assert {each.levelname for each in caplog.records if each.getMessage() == "call"} == {"INFO"}


def test_no_more_are_open_than_may_be_and_the_next_one_has_its_place() -> None:
    async def test() -> None:
        servicer, calls = Watched(one_and_no_end), bounded(most=3)
        async with (
            serving_orders(servicer, calls) as running,
            open_channel(url_of(running), longest_s=20) as channel,
        ):
            stub = OrderServiceStub(channel)
            held = [stub.WatchOrder(ASKED) for _ in range(3)]
            assert [(await each.read()).state.version for each in held] == [1, 1, 1]
            code, sentence, again = await ends_with(stub.WatchOrder(ASKED), after=0)
            assert (code, again) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "1000")
            assert "3 streams are open" in sentence
            assert len(servicer.asked) == 3
            held[0].cancel()
            await until(lambda: calls.streams.open == 2)
            assert (await stub.WatchOrder(ASKED).read()).state.version == 1

    run(test)


async def by_cancelling(call: Any, _: grpc.aio.Channel) -> None:
    call.cancel()


async def by_hanging_up(_: Any, channel: grpc.aio.Channel) -> None:
    await channel.close()


@pytest.mark.parametrize("tell", [one_and_no_end, many_large])
@pytest.mark.parametrize("leave", [by_cancelling, by_hanging_up])
def test_whoever_is_gone_is_streamed_to_no_more(
    leave: Callable[[Any, grpc.aio.Channel], Awaitable[None]],
    tell: Tell,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def test() -> None:
        servicer, calls = Watched(tell), Calls()
        async with serving_orders(servicer, calls) as running:
            for _ in range(3):
                channel = grpc.aio.insecure_channel(f"127.0.0.1:{running.port}")
                call = OrderServiceStub(channel).WatchOrder(ASKED)
                assert (await call.read()).state.version == 1
                assert servicer.open == calls.streams.open == 1
                await leave(call, channel)
                await until(lambda: servicer.open == calls.streams.open == 0)
                await channel.close()
        assert calls.ended == {grpc.StatusCode.CANCELLED: 3}

    run(test)
    gc.collect()
    complaints = [each for each in caplog.records if each.levelno > logging.INFO]
    # one thread of grpc tells all loops that there ever were, those of earlier tests as well
    assert [each for each in complaints if "PollerCompletionQueue" not in each.getMessage()] == []


def test_a_write_that_notices_first_that_its_caller_is_gone_ends_as_cancelled() -> None:
    class Gone:
        async def write(self, _: object) -> None:
            raise grpc.aio.InternalError("the batch failed")

    async def test() -> None:
        with pytest.raises(asyncio.CancelledError):
            await Stream().write(Gone(), state(1))

    run(test)


def test_a_reader_who_reads_nothing_holds_up_the_writer_and_nothing_piles_up() -> None:
    async def test() -> None:
        servicer = Watched(many_large)
        async with (
            serving_orders(servicer) as running,
            open_channel(url_of(running), longest_s=20) as channel,
        ):
            call = OrderServiceStub(channel).WatchOrder(ASKED)
            await call.initial_metadata()
            assert await settled(lambda: servicer.told) < MANY / 10
            assert len([answer async for answer in call]) == MANY

    run(test)


def test_a_reader_who_reads_nothing_has_its_place_until_it_hears_of_the_end() -> None:
    async def test() -> None:
        servicer, calls = Watched(many_large), bounded(longest_s=0.2)
        async with (
            serving_orders(servicer, calls) as running,
            open_channel(url_of(running), longest_s=20) as channel,
        ):
            call = OrderServiceStub(channel).WatchOrder(ASKED)
            await until(lambda: calls.ended.total() == 1)
            assert (servicer.open, calls.streams.open) == (0, 1)
            with pytest.raises(grpc.aio.AioRpcError, match="open for long enough"):
                [answer async for answer in call]
            await until(lambda: calls.streams.open == 0)
        assert calls.ended == {grpc.StatusCode.UNAVAILABLE: 1}

    run(test)


@pytest.mark.parametrize("tell", [one_and_no_end, many_large])
def test_a_server_that_stops_ends_streams_at_once_whoever_reads_them(tell: Tell) -> None:
    async def test() -> None:
        servicer, calls = Watched(tell), Calls()
        async with (
            serving_orders(servicer, calls) as running,
            open_channel(url_of(running), longest_s=20) as channel,
        ):
            stub = OrderServiceStub(channel)
            held = [stub.WatchOrder(ASKED) for _ in range(5)]
            await until(lambda: servicer.open == 5)
            assert await settled(lambda: servicer.told)
            async with asyncio.timeout(5):  # with a grace of 10
                await running.stop()
            assert servicer.open == 0
            assert calls.ended == {grpc.StatusCode.UNAVAILABLE: 5}
            for each in held:
                with pytest.raises(grpc.aio.AioRpcError) as ended:
                    [answer async for answer in each]
                assert ended.value.code() is grpc.StatusCode.UNAVAILABLE
            with pytest.raises(grpc.aio.AioRpcError) as ended:
                await stub.WatchOrder(ASKED).read()
            assert ended.value.code() is grpc.StatusCode.UNAVAILABLE

    run(test)


@pytest.mark.parametrize("how", ["ended", "failed", "cancelled", "timed out"])
def test_streams_that_are_over_and_still_open_do_not_mind_the_end_of_all(how: str) -> None:
    async def test() -> None:
        streams, stream = Streams(), Stream()
        left = 0.01 if how == "timed out" else None
        with suppress(ZeroDivisionError, asyncio.CancelledError, TimeoutError):
            async with streams.lasting(stream, left):
                match how:
                    case "failed":
                        raise ZeroDivisionError
                    case "cancelled":
                        raise asyncio.CancelledError
                    case "timed out":
                        await asyncio.Event().wait()
        assert streams.open == 1
        streams.end()
        streams.forget(stream)
        assert streams.open == 0

    run(test)


def test_what_goes_wrong_before_or_in_a_stream_is_a_status() -> None:
    async def refuse(request: orders.WatchOrderRequest) -> AsyncIterator[orders.OrderState]:
        if request == ASKED:
            raise RefusedError(grpc.StatusCode.NOT_FOUND, "there is no order x")
        yield state(1)

    async def fail(_: orders.WatchOrderRequest) -> AsyncIterator[orders.OrderState]:
        yield state(1)
        raise ZeroDivisionError("secret")

    async def test() -> None:
        for tell, code, after in (
            (refuse, grpc.StatusCode.NOT_FOUND, 0),
            (fail, grpc.StatusCode.INTERNAL, 1),
        ):
            calls = Calls()
            async with (
                serving_orders(Watched(tell), calls) as running,
                open_channel(url_of(running), longest_s=20) as channel,
            ):
                call = OrderServiceStub(channel).WatchOrder(ASKED)
                said, sentence, again = await ends_with(call, after=after)
                assert (said, again) == (code, None)
                assert "secret" not in sentence
            assert calls.ended == {code: 1}

    run(test)


def test_options_are_ones_that_grpc_knows_since_others_it_passes_over() -> None:
    library = Path(cygrpc.__file__).read_bytes()
    names = {*client.OPTIONS, *server.OPTIONS}
    assert {name for name in names if name.encode() not in library} == set()
    allowed_ms = server.OPTIONS["grpc.http2.min_ping_interval_without_data_ms"]
    assert allowed_ms <= client.OPTIONS["grpc.keepalive_time_ms"] / 2
