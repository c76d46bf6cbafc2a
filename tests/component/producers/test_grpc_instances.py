"""Calls by gRPC: the breaker and bounds around them, and the connections to instances that come and go."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import grpc
import pytest

from cdc.deadline import Deadline, within
from producers.calling.settings import CallSettings
from producers.discovery.instances import Instance
from producers.grpc.client import Channel, open_channel
from producers.grpc.errors import RefusedError
from producers.orders.domain import Standing
from producers.orders.users_client import FALLBACK, UsersClient
from producers.users.rpc.loyalty_client import LoyaltyClient
from schemas.rpc.loyalty.v1 import loyalty_pb2 as loyalty
from schemas.rpc.loyalty.v1.loyalty_pb2_grpc import LoyaltyServiceStub
from schemas.rpc.users.v1 import users_pb2 as users
from tests.hops import CONTEXT, black_hole
from tests.rpc import Loyalty, Users, gold, never, serving_loyalty, serving_users, url_of
from tests.services import free_port

USER = UUID("0197d3a0-0000-7000-8000-000000000001")
ASKED = loyalty.GetTierRequest(user_id=str(USER))


def static(*ports: int) -> str:
    return "static://" + ",".join(f"127.0.0.1:{port}" for port in ports)


def figures(channel: Channel) -> Sequence[dict[str, Any]]:
    found: Any = channel.target.figures()["instances"]
    return list(found)


def test_a_silent_service_is_left_alone_and_orders_are_priced_all_the_same() -> None:
    settings = CallSettings(breaker_minimum_calls=3, breaker_open_ms=200)

    async def scenario() -> None:
        loyal = Loyalty(never)
        async with (
            serving_loyalty(loyal) as running,
            open_channel(
                url_of(running), longest_s=0.3, name="loyalty", settings=settings
            ) as channel,
        ):
            client = LoyaltyClient(channel)
            for _ in range(3):
                assert await client.tier(USER) is None
            assert channel.target.figures()["state"] == "open"
            asked, began = len(loyal.remaining_s), time.monotonic()
            assert {await client.tier(USER) for _ in range(20)} == {None}
            assert len(loyal.remaining_s) == asked
            assert time.monotonic() - began < 20 * 0.3  # none of them waited for it
            assert channel.target.figures()["refused_open"] == 20
            loyal.answer = gold
            await asyncio.sleep(0.3)
            assert await client.tier(USER) == loyalty.TIER_GOLD
            assert channel.target.figures()["state"] == "closed"

    asyncio.run(scenario())


def test_calls_on_top_of_as_many_as_may_be_under_way_are_not_made() -> None:
    async def scenario() -> None:
        servicer = Users(lambda _: users.User(user_id=str(USER), tier=loyalty.TIER_GOLD))
        async with (
            serving_users(servicer) as running,
            open_channel(
                url_of(running), longest_s=5, settings=CallSettings(calls_in_flight=1)
            ) as channel,
        ):
            client = UsersClient(channel)
            standings = await asyncio.gather(
                *(client.standing(str(USER), CONTEXT) for _ in range(5))
            )
            assert standings.count(FALLBACK) == 4
            assert standings.count(Standing(tier="gold")) == 1
            assert channel.target.figures()["refused_full"] == 4
            assert len(servicer.correlation_ids) == 1

    asyncio.run(scenario())


@pytest.mark.parametrize("code", [grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INVALID_ARGUMENT])
def test_an_answer_that_refuses_says_nothing_against_the_service(code: grpc.StatusCode) -> None:
    async def refuse(_: loyalty.GetTierRequest) -> loyalty.GetTierResponse:
        raise RefusedError(code, "no")

    async def scenario() -> None:
        async with (
            serving_loyalty(Loyalty(refuse)) as running,
            open_channel(
                url_of(running), longest_s=5, settings=CallSettings(breaker_minimum_calls=1)
            ) as channel,
        ):
            for _ in range(5):
                with pytest.raises(grpc.aio.AioRpcError) as refused:
                    await LoyaltyServiceStub(channel).GetTier(ASKED)
                assert refused.value.code() is code
            assert channel.target.figures()["state"] == "closed"
            assert channel.target.counts.failures == 0

    asyncio.run(scenario())


def test_a_caller_that_gives_up_or_had_no_time_says_nothing_against_the_service() -> None:
    async def scenario() -> None:
        loyal = Loyalty(never)
        async with (
            serving_loyalty(loyal) as running,
            open_channel(
                url_of(running), longest_s=5, settings=CallSettings(breaker_minimum_calls=1)
            ) as channel,
        ):
            asking = asyncio.create_task(LoyaltyServiceStub(channel).GetTier(ASKED))
            await loyal.asked.wait()
            asking.cancel()
            await loyal.cancelled.wait()
            with within(Deadline.after(0.1)):
                assert await LoyaltyClient(channel).tier(USER) is None
            assert channel.target.figures()["state"] == "closed"
            assert (channel.target.counts.failures, channel.target.in_flight) == (0, 0)

    asyncio.run(scenario())


async def in_trouble(_: loyalty.GetTierRequest) -> loyalty.GetTierResponse:
    raise RefusedError(grpc.StatusCode.UNAVAILABLE, "the database cannot be reached")


@pytest.mark.parametrize("is_read", [True, False])
def test_only_a_question_is_asked_again_and_whatever_was_not_sent(*, is_read: bool) -> None:
    async def scenario() -> None:
        well, broken = Loyalty(), Loyalty(in_trouble)
        settings = CallSettings(
            balancing="round-robin", eject_after=1000, breaker_minimum_calls=1000
        )
        dead = free_port()
        async with (
            serving_loyalty(well) as one,
            serving_loyalty(broken) as other,
            open_channel(
                static(one.port, other.port, dead), longest_s=5, settings=settings
            ) as channel,
        ):
            stub = LoyaltyServiceStub(channel)
            calls = [stub.GetTier(ASKED, is_read=is_read) for _ in range(9)]
            ended = [await asyncio.gather(each, return_exceptions=True) for each in calls]
            lost = [each for [each] in ended if isinstance(each, grpc.aio.AioRpcError)]
            asked = len(broken.remaining_s)
            assert len(well.remaining_s) == 9 - len(lost)
            assert len(lost) == (0 if is_read else asked)
            assert channel.target.counts.retries == (asked if is_read else 0)
            assert asked
            [tried] = [each for each in figures(channel) if each["address"].endswith(f":{dead}")]
            assert tried["failures"] == tried["calls"] > 0

    asyncio.run(scenario())


def test_a_call_under_way_ends_well_at_an_instance_that_is_none_any_more() -> None:
    async def scenario() -> None:
        goes_on = asyncio.Event()

        async def slowly(_: loyalty.GetTierRequest) -> loyalty.GetTierResponse:
            await goes_on.wait()
            return loyalty.GetTierResponse(tier=loyalty.TIER_SILVER)

        old = Loyalty(slowly)
        async with (
            serving_loyalty(old) as leaving,
            serving_loyalty(Loyalty()) as staying,
            open_channel(static(leaving.port), longest_s=10) as channel,
        ):
            stub = LoyaltyServiceStub(channel)
            asking = asyncio.create_task(stub.GetTier(ASKED))
            await old.asked.wait()
            instances = channel.target.instances
            assert instances is not None
            instances._resolver.take(frozenset({Instance("127.0.0.1", staying.port)}))
            assert (await stub.GetTier(ASKED)).tier == loyalty.TIER_GOLD
            goes_on.set()
            assert (await asking).tier == loyalty.TIER_SILVER
            assert len(old.remaining_s) == 1
            assert [each["address"] for each in figures(channel)] == [f"127.0.0.1:{staying.port}"]

    asyncio.run(scenario())


def test_an_instance_that_comes_back_is_called_again() -> None:
    async def scenario() -> None:
        port = free_port()
        settings = CallSettings(eject_after=1, eject_ms=100)
        async with (
            serving_loyalty(Loyalty()) as well,
            open_channel(static(well.port, port), longest_s=5, settings=settings) as channel,
        ):
            stub = LoyaltyServiceStub(channel)

            async def until_called(servicer: Loyalty) -> None:
                async with asyncio.timeout(20):
                    while not servicer.asked.is_set():
                        await stub.GetTier(ASKED)
                        await asyncio.sleep(0.01)

            while not any(each["failures"] for each in figures(channel)):
                await stub.GetTier(ASKED)
            for _ in range(2):  # away and back, twice
                back = Loyalty()
                async with serving_loyalty(back, port=port):
                    await until_called(back)

    asyncio.run(scenario())


def test_instances_that_are_all_silent_or_dead_cost_the_budget_and_not_the_sum() -> None:
    async def scenario(*ports: int) -> None:
        async with open_channel(static(*ports), longest_s=5) as channel:
            began = time.monotonic()
            with within(Deadline.after(0.5)):
                assert await LoyaltyClient(channel).tier(USER) is None
            assert time.monotonic() - began < 2

    with black_hole() as one, black_hole() as other:
        ports = [int(url.rpartition(":")[2]) for url in (one, other)]
        asyncio.run(scenario(*ports, free_port()))
