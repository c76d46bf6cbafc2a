"""What all gRPC services share, over real connections: deadlines, cancellation, context, health, reflection, end."""

import asyncio
import logging
import socket
import time
from collections.abc import Callable, Coroutine
from typing import Any
from uuid import UUID

import grpc
import psycopg
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from psycopg_pool import PoolTimeout

from cdc.context import MessageContext
from cdc.deadline import Deadline, DeadlineExceededError, within
from cdc.ids import new_id
from cdc.service import StartError
from producers.grpc.client import open_channel
from producers.grpc.errors import RefusedError
from producers.grpc.interceptor import LONGEST_S, Calls
from producers.grpc.metrics import telling
from producers.users.rpc.loyalty_client import LoyaltyClient
from schemas.rpc.loyalty.v1 import loyalty_pb2 as loyalty
from schemas.rpc.loyalty.v1.loyalty_pb2_grpc import LoyaltyServiceStub
from tests import plain_http
from tests.rpc import LOYALTY, Loyalty, gold, never, serving_loyalty, url_of
from tests.services import end, start

SLACK_S = 0.05
USER = UUID("0197d3a0-0000-7000-8000-000000000001")
ASKED = loyalty.GetTierRequest(user_id=str(USER))

Test = Callable[[], Coroutine[Any, Any, None]]


def run(test: Test) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(20):
            await test()

    asyncio.run(bounded())


def test_calls_are_told_as_metrics_by_method_and_status() -> None:
    async def late(_: loyalty.GetTierRequest) -> loyalty.GetTierResponse:
        raise RefusedError(grpc.StatusCode.RESOURCE_EXHAUSTED, "later")

    async def test() -> None:
        servicer = Loyalty()
        async with (
            serving_loyalty(servicer) as running,
            grpc.aio.insecure_channel(f"127.0.0.1:{running.port}") as channel,
            telling(lambda: running.calls.metrics(7), host="127.0.0.1", port=0) as port,
        ):
            stub = LoyaltyServiceStub(channel)
            await stub.GetTier(ASKED, timeout=5)
            servicer.answer = late
            for method in (stub.GetTier, channel.unary_unary("/made.up.Service/Method")):
                with pytest.raises(grpc.aio.AioRpcError):
                    await method(ASKED if method is stub.GetTier else b"", timeout=5)
            answer = await asyncio.to_thread(plain_http.get, f"http://127.0.0.1:{port}/metrics")
            method = f'method="{LOYALTY}/GetTier"'
            for code in ("OK", "RESOURCE_EXHAUSTED"):
                wanted = f'tailrace_rpc_duration_seconds_count{{code="{code}",{method}}} 1.0'
                assert wanted in answer.text
            assert "tailrace_rpcs_in_flight 0.0" in answer.text
            assert "tailrace_rpcs_in_flight_limit 7.0" in answer.text
            assert "made.up" not in answer.text  # or callers could make up any number of series

    run(test)


def test_a_port_for_metrics_that_somebody_has_is_a_sentence() -> None:
    async def test() -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            with pytest.raises(StartError, match="set TAILRACE_METRICS_PORT"):
                async with telling(list, host="127.0.0.1", port=port):
                    pass

    run(test)


def test_an_answer_health_and_reflection_are_had_by_any_client() -> None:
    async def test() -> None:
        async with (
            serving_loyalty(Loyalty()) as running,
            grpc.aio.insecure_channel(f"127.0.0.1:{running.port}") as channel,
        ):
            answer = await LoyaltyServiceStub(channel).GetTier(ASKED, timeout=5)
            assert answer.tier == loyalty.TIER_GOLD
            health = health_pb2_grpc.HealthStub(channel)
            for name in ("", LOYALTY):
                said = await health.Check(health_pb2.HealthCheckRequest(service=name), timeout=5)
                assert said.status == health_pb2.HealthCheckResponse.SERVING
            described = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(
                iter(
                    [
                        reflection_pb2.ServerReflectionRequest(list_services=""),
                        reflection_pb2.ServerReflectionRequest(file_containing_symbol=LOYALTY),
                    ]
                ),
                timeout=5,
            )
            listed, file = [each async for each in described]
            assert LOYALTY in {each.name for each in listed.list_services_response.service}
            protos = file.file_descriptor_response.file_descriptor_proto
            assert any(b"GetTier" in proto for proto in protos)

    run(test)


@pytest.mark.parametrize("request_", [b"\xff\xff\xff", b"\n\x02\xff\xfe", b"\n\x10a"])
def test_what_cannot_be_read_is_refused_in_words_of_ours(request_: bytes) -> None:
    async def test() -> None:
        async with (
            serving_loyalty(Loyalty()) as running,
            grpc.aio.insecure_channel(f"127.0.0.1:{running.port}") as channel,
        ):
            ask = channel.unary_unary(f"/{LOYALTY}/GetTier")
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await ask(request_, timeout=5)
            assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
            assert refused.value.details() == (
                "the request is no message of the kind that the method takes"
            )
            trailing = {key for key, _ in refused.value.trailing_metadata() or ()}
            assert "x-correlation-id" in trailing

    run(test)


def test_every_call_of_a_stub_has_a_deadline_and_the_callers_own_when_it_is_nearer() -> None:
    async def test() -> None:
        servicer = Loyalty()
        async with (
            serving_loyalty(servicer) as running,
            open_channel(url_of(running), longest_s=2) as channel,
        ):
            stub = LoyaltyServiceStub(channel)
            await stub.GetTier(ASKED)
            with within(Deadline.after(0.5)):
                await stub.GetTier(ASKED)
            with within(Deadline.after(60)):
                await stub.GetTier(ASKED)
            with (
                within(Deadline.after(0.014)),
                pytest.raises(DeadlineExceededError, match="takes 15 ms"),
            ):
                await stub.GetTier(ASKED)
            with pytest.raises(TypeError):
                await stub.GetTier(ASKED, timeout=None)
        first, second, third = [each or 0 for each in servicer.remaining_s]
        # on its way a timeout is rounded up a little
        assert 0.5 >= second > 0
        assert 2.05 >= max(first, third) > 1

    run(test)


def test_a_silent_last_hop_costs_the_budget_and_is_cancelled() -> None:
    async def test() -> None:
        servicer, calls = Loyalty(never), Calls()
        async with (
            serving_loyalty(servicer, calls) as running,
            open_channel(url_of(running), longest_s=5) as channel,
        ):
            began = time.monotonic()
            with within(Deadline.after(0.3)):
                assert await LoyaltyClient(channel).tier(USER) is None
            assert time.monotonic() - began <= 0.3 + SLACK_S
            await servicer.cancelled.wait()
            await calls.idle.wait()
        assert calls.ended == {grpc.StatusCode.DEADLINE_EXCEEDED: 1}

    run(test)


def test_three_silent_hops_cost_the_budget_and_not_the_sum() -> None:
    async def test() -> None:
        last = Loyalty(never)
        async with (
            serving_loyalty(last) as third,
            open_channel(url_of(third), longest_s=5) as to_third,
        ):
            middle = Loyalty(LoyaltyServiceStub(to_third).GetTier)
            async with (
                serving_loyalty(middle) as second,
                open_channel(url_of(second), longest_s=5) as to_second,
            ):
                first = Loyalty(LoyaltyServiceStub(to_second).GetTier)
                async with (
                    serving_loyalty(first) as edge,
                    open_channel(url_of(edge), longest_s=5) as channel,
                ):
                    began = time.monotonic()
                    with within(Deadline.after(0.4)):
                        assert await LoyaltyClient(channel).tier(USER) is None
                    assert time.monotonic() - began <= 0.4 + SLACK_S
                    await last.cancelled.wait()
        budgets = [each for hop in (first, middle, last) for each in hop.remaining_s]
        assert budgets == sorted(budgets, key=lambda each: -(each or 0))  # each hop keeps a reserve

    run(test)


def test_a_caller_who_is_gone_ends_the_handler_and_is_counted() -> None:
    async def test() -> None:
        servicer, calls = Loyalty(never), Calls()
        async with (
            serving_loyalty(servicer, calls) as running,
            open_channel(url_of(running), longest_s=5) as channel,
        ):
            asking = asyncio.create_task(LoyaltyServiceStub(channel).GetTier(ASKED))
            await servicer.asked.wait()
            asking.cancel()
            await servicer.cancelled.wait()
            await calls.idle.wait()
            assert calls.ended == {grpc.StatusCode.CANCELLED: 1}
            with pytest.raises(asyncio.CancelledError):
                await asking

    run(test)


def test_a_caller_whose_connection_is_gone_ends_the_handler_too() -> None:
    async def test() -> None:
        servicer, calls = Loyalty(never), Calls()
        async with serving_loyalty(servicer, calls) as running:
            async with grpc.aio.insecure_channel(f"127.0.0.1:{running.port}") as channel:
                asking = LoyaltyServiceStub(channel).GetTier(ASKED, timeout=5)
                await servicer.asked.wait()
            await servicer.cancelled.wait()
            await calls.idle.wait()
            assert asking.cancelled()
            assert calls.ended == {grpc.StatusCode.CANCELLED: 1}

    run(test)


def test_a_caller_without_a_deadline_gets_the_servers() -> None:
    async def test() -> None:
        servicer, calls = Loyalty(never), Calls(longest_s=0.1)
        async with (
            serving_loyalty(servicer, calls) as running,
            grpc.aio.insecure_channel(f"127.0.0.1:{running.port}") as channel,
        ):
            for timeout in (None, 1e9):
                with pytest.raises(grpc.aio.AioRpcError, match="in the time that the caller has"):
                    await LoyaltyServiceStub(channel).GetTier(ASKED, timeout=timeout)
        assert servicer.remaining_s[0] is None
        assert calls.ended == {grpc.StatusCode.DEADLINE_EXCEEDED: 2}
        assert LONGEST_S <= 5

    run(test)


def test_what_cannot_be_done_in_time_is_not_begun() -> None:
    async def test() -> None:
        servicer, calls = Loyalty(), Calls(longest_s=0.004)
        async with (
            serving_loyalty(servicer, calls) as running,
            open_channel(url_of(running), longest_s=5) as channel,
        ):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await LoyaltyServiceStub(channel).GetTier(ASKED)
        assert refused.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert not servicer.asked.is_set()

    run(test)


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (RefusedError(grpc.StatusCode.NOT_FOUND, "no ünser"), grpc.StatusCode.NOT_FOUND, "no ünser"),
        (PoolTimeout("secret"), grpc.StatusCode.UNAVAILABLE, "database cannot be reached"),
        (psycopg.OperationalError("secret"), grpc.StatusCode.UNAVAILABLE, "database cannot be reached"),
        (psycopg.errors.QueryCanceled("secret"), grpc.StatusCode.DEADLINE_EXCEEDED, "in the time"),
        (DeadlineExceededError("secret"), grpc.StatusCode.DEADLINE_EXCEEDED, "in the time"),
        (ZeroDivisionError("secret"), grpc.StatusCode.INTERNAL, "internal error"),
    ],
    ids=lambda each: type(each).__name__,
)  # fmt: skip
def test_what_goes_wrong_is_a_status_and_a_sentence_without_secrets(
    error: Exception, code: grpc.StatusCode, words: str
) -> None:
    async def fail(_: loyalty.GetTierRequest) -> loyalty.GetTierResponse:
        raise error

    async def test() -> None:
        calls = Calls()
        async with (
            serving_loyalty(Loyalty(fail), calls) as running,
            open_channel(url_of(running), longest_s=5) as channel,
        ):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await LoyaltyServiceStub(channel).GetTier(ASKED)
        assert refused.value.code() is code
        assert words in (refused.value.details() or "")
        assert "secret" not in str(refused.value)
        assert calls.ended == {code: 1}

    run(test)


def test_correlation_goes_on_and_comes_back_and_nonsense_is_passed_over(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)

    async def test() -> None:
        last = Loyalty()
        async with (
            serving_loyalty(last) as second,
            open_channel(url_of(second), longest_s=5) as onward,
        ):
            first = Loyalty(LoyaltyServiceStub(onward).GetTier)
            async with (
                serving_loyalty(first) as edge,
                grpc.aio.insecure_channel(f"127.0.0.1:{edge.port}") as channel,
            ):
                stub, told = LoyaltyServiceStub(channel), str(new_id())
                call = stub.GetTier(ASKED, timeout=5, metadata=(("x-correlation-id", told),))
                await call
                assert (await call.trailing_metadata())["x-correlation-id"] == told
                for nonsense in (("x-correlation-id", "x" * 4000), ("traceparent", "00-0-0-0")):
                    await stub.GetTier(ASKED, timeout=5, metadata=(nonsense, ("b-bin", b"\xff")))
        assert first.correlation_ids == last.correlation_ids
        assert last.correlation_ids[0] == told

    run(test)
    lines = [record for record in caplog.records if record.getMessage() == "call"]
    assert len(lines) == 6  # one for each call at each hop
    traces = [vars(line)["fields"]["trace_id"] for line in lines]
    assert len(set(traces)) == 3


def test_a_context_that_is_handed_over_wins() -> None:
    async def test() -> None:
        servicer, context = Loyalty(), MessageContext(correlation_id=new_id())
        async with (
            serving_loyalty(servicer) as running,
            open_channel(url_of(running), longest_s=5) as channel,
        ):
            await LoyaltyServiceStub(channel).GetTier(ASKED, context=context)
        assert servicer.correlation_ids == [str(context.correlation_id)]

    run(test)


def test_the_end_is_told_to_who_watches_and_what_is_under_way_is_finished() -> None:
    async def test() -> None:
        go_on = asyncio.Event()

        async def slow(request: loyalty.GetTierRequest) -> loyalty.GetTierResponse:
            await go_on.wait()
            return await gold(request)

        servicer = Loyalty(slow)
        async with (
            serving_loyalty(servicer) as running,
            grpc.aio.insecure_channel(f"127.0.0.1:{running.port}") as channel,
        ):
            watching = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
            assert (await watching.read()).status == health_pb2.HealthCheckResponse.SERVING
            asking = asyncio.ensure_future(LoyaltyServiceStub(channel).GetTier(ASKED, timeout=10))
            await servicer.asked.wait()
            stopping = asyncio.create_task(running.stop())
            assert (await watching.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
            go_on.set()
            assert (await asking).tier == loyalty.TIER_GOLD
            await asyncio.wait_for(stopping, 2)  # it does not wait for the watcher
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await LoyaltyServiceStub(channel).GetTier(ASKED, timeout=1)
            assert refused.value.code() is grpc.StatusCode.UNAVAILABLE

    run(test)


def test_what_takes_longer_than_the_grace_is_ended() -> None:
    async def test() -> None:
        servicer = Loyalty(never)
        async with (
            serving_loyalty(servicer) as running,
            open_channel(url_of(running), longest_s=5) as channel,
        ):
            asking = asyncio.create_task(LoyaltyServiceStub(channel).GetTier(ASKED))
            await servicer.asked.wait()
            await running.stop(grace_s=0.05)
            assert servicer.cancelled.is_set()
            with pytest.raises(grpc.aio.AioRpcError):
                await asking

    run(test)


def test_a_service_that_is_back_is_found_again() -> None:
    async def test() -> None:
        with socket.create_server(("127.0.0.1", 0)) as held:
            port = held.getsockname()[1]
        async with open_channel(f"http://127.0.0.1:{port}", longest_s=0.2) as channel:
            client = LoyaltyClient(channel)
            for _ in range(5):
                assert await client.tier(USER) is None
            async with serving_loyalty(Loyalty(), port=port), asyncio.timeout(5):
                while await client.tier(USER) is None:
                    pass  # each answer takes a turn of the loop at least

    run(test)


def test_a_taken_port_is_one_sentence() -> None:
    async def test() -> None:
        with (
            socket.create_server(("127.0.0.1", 0)) as taken,
            pytest.raises(StartError, match="cannot listen on 127"),
        ):
            await serving_loyalty(Loyalty(), port=taken.getsockname()[1]).__aenter__()

    run(test)


def test_missing_settings_are_named_and_status_is_2() -> None:
    status, errors = end(start("-m", "producers.grpc", "users.rpc", loyalty_url="ftp://loyalty"))
    assert status == 2
    assert "TAILRACE_DATABASE_URL is not set" in errors
    assert (
        "TAILRACE_LOYALTY_URL cannot be used: Value error, must be a URL that begins with" in errors
    )
    assert "Traceback" not in errors


@pytest.mark.parametrize("name", ["nobody", "users..rpc", "../users", "users.rpc.v1"])
def test_who_has_no_bootstrap_of_this_kind_is_told_so(name: str) -> None:
    status, errors = end(start("-m", "producers.grpc", name))
    assert status == 2
    assert "name one folder in producers/" in errors
