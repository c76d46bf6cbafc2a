"""Orders followed on a real database, by gRPC and by browsers, while what they are followed through goes and comes."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import grpc
import httpx2
import pytest

from cdc.database import open_pool
from infra.grpc_health import is_serving
from infra.local.probe import wait_until
from producers.grpc.client import open_channel
from producers.orders import repository
from producers.orders.bootstrap import Settings
from producers.orders.rpc import watch
from producers.storefront.bootstrap import Settings as StorefrontSettings
from producers.storefront.bootstrap import create_app
from schemas.rpc.orders.v1 import orders_pb2 as orders
from schemas.rpc.orders.v1.orders_pb2_grpc import OrderServiceStub
from tests import plain_http
from tests.events import EventSource
from tests.hops import served, until
from tests.orders import place
from tests.orders_service import Orders, orders_alone, orders_service
from tests.services import NOBODY_LISTENS, free_port, start
from tests.stack import RunningStack

BODY = {
    "customer_id": "ada",
    "currency": "EUR",
    "lines": [{"sku": "book", "quantity": 1, "unit_price": "1.00", "tax_rate": "0"}],
}
NOBODY = "0197d3a0-0000-7000-8000-000000000000"
WATCHERS = 50
PATIENCE_S = 120

Seen = list[tuple[int, int]]
"""Version and status of each state that was told of."""
PENDING, CANCELLED = (1, orders.ORDER_STATUS_PENDING), (2, orders.ORDER_STATUS_CANCELLED)


@pytest.fixture(scope="module")
def settings(stack: RunningStack) -> Iterator[Settings]:
    with orders_alone(stack, "watched_orders") as found:
        yield found


@dataclass
class Watching:
    """A process of the gRPC door of orders, on a port that it keeps."""

    settings: Settings
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def begin(self) -> None:
        url = self.settings.database_url
        port = str(self.port)
        self.process = start(
            *("-m", "producers.grpc", "orders.rpc"),
            errors=subprocess.DEVNULL,
            port=port,
            database_url=url,
        )
        wait_until("orders are not served", lambda: is_serving(self.url), timeout_s=60)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)


@contextmanager
def watching(settings: Settings) -> Iterator[Watching]:
    found = Watching(settings, free_port())
    found.begin()
    try:
        yield found
    finally:
        found.kill()


@contextmanager
def two_watching(settings: Settings) -> Iterator[Sequence[Watching]]:
    with ExitStack() as both:
        yield [both.enter_context(watching(settings)) for _ in range(2)]


@asynccontextmanager
async def stub_of(process: Watching) -> AsyncIterator[OrderServiceStub]:
    async with open_channel(process.url, longest_s=PATIENCE_S) as channel:
        yield OrderServiceStub(channel)


async def placed(service: Orders, count: int) -> list[str]:
    answers = [await service.client.post("/v2/orders", json=BODY) for _ in range(count)]
    return [answer.raise_for_status().json()["order_id"] for answer in answers]


async def cancel(service: Orders, order_ids: Sequence[str]) -> None:
    for order_id in order_ids:
        (await service.client.post(f"/v2/orders/{order_id}/cancel")).raise_for_status()


async def follow(stub: Any, order_id: str, seen: Seen, after: int = 0) -> None:
    request = orders.WatchOrderRequest(order_id=order_id, after_version=after)
    async for answer in stub.WatchOrder(request):
        assert answer.state.order_id == order_id
        seen.append((answer.state.version, answer.state.status))


def test_an_order_is_followed_at_every_process_from_where_it_was_seen_last(
    settings: Settings,
) -> None:
    async def scenario(processes: Sequence[Watching]) -> None:
        async with (
            orders_service(settings) as service,
            stub_of(processes[0]) as first,
            stub_of(processes[1]) as second,
        ):
            [order_id] = await placed(service, 1)
            seen: list[Seen] = [[] for _ in range(5)]
            following = [
                asyncio.create_task(follow(first, order_id, seen[0])),
                asyncio.create_task(follow(second, order_id, seen[1])),
                asyncio.create_task(follow(second, order_id, seen[2], after=7)),
            ]
            await until(lambda: seen[:3] == [[PENDING]] * 3)
            following.append(asyncio.create_task(follow(first, order_id, seen[3], after=1)))
            await cancel(service, [order_id])
            await asyncio.gather(*following)
            await follow(first, order_id, seen[4], after=2)
            await follow(first, order_id, seen[4], after=1)
            await follow(second, order_id, seen[4])
        assert seen[:3] == [[PENDING, CANCELLED]] * 3
        assert seen[3:] == [[CANCELLED], [CANCELLED] * 2]

    with two_watching(settings) as processes:
        asyncio.run(scenario(processes))


@pytest.mark.parametrize(
    ("order_id", "after", "code", "words"),
    [
        (NOBODY, 0, grpc.StatusCode.NOT_FOUND, f"no order {NOBODY}"),
        ("", 0, grpc.StatusCode.INVALID_ARGUMENT, "order_id is not the id"),
        ("' or 1=1", 0, grpc.StatusCode.INVALID_ARGUMENT, "order_id is not the id"),
        (NOBODY, -1, grpc.StatusCode.INVALID_ARGUMENT, "less than 0"),
    ],
)
def test_what_cannot_be_followed_is_said(
    stack: RunningStack, order_id: str, after: int, code: grpc.StatusCode, words: str
) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{stack.settings.port_of('orders-grpc')}") as channel:
        request = orders.WatchOrderRequest(order_id=order_id, after_version=after)
        with pytest.raises(grpc.RpcError) as refused:
            list(OrderServiceStub(channel).WatchOrder(request, timeout=10))
    assert refused.value.code() is code
    assert words in refused.value.details()


def test_browsers_miss_nothing_of_what_happens_while_orders_is_killed(settings: Settings) -> None:
    async def scenario(process: Watching) -> None:
        told = {"port": 1, "orders_url": NOBODY_LISTENS, "orders_grpc_url": process.url}
        app = create_app(StorefrontSettings.model_validate(told))
        async with (
            orders_service(settings) as service,
            app.router.lifespan_context(app),
            served(app) as url,
        ):
            order_ids = await placed(service, WATCHERS)
            sources = [EventSource(f"{url}/v2/orders/{each}/events") for each in order_ids]
            following = [asyncio.create_task(each.follow()) for each in sources]
            await until(lambda: all(each.versions == [1] for each in sources))
            process.kill()
            await cancel(service, order_ids[::2])  # while nobody can tell of it
            assert all(each.versions == [1] for each in sources)
            await asyncio.to_thread(process.begin)
            await cancel(service, order_ids[1::2])
            await asyncio.gather(*following)
        for order_id, source in zip(order_ids, sources, strict=True):
            assert (source.versions, source.opened, source.status) == ([1, 2], 1, 204)
            assert {data["order_id"] for _, data in source.told} == {order_id}

    with watching(settings) as process:
        asyncio.run(scenario(process))


def test_watchers_miss_nothing_of_what_happens_around_a_restart_of_postgres(
    stack: RunningStack, settings: Settings
) -> None:
    async def scenario(process: Watching) -> None:
        async with stub_of(process) as stub:
            async with orders_service(settings) as service:
                order_ids = await placed(service, WATCHERS)
                seen: list[Seen] = [[] for _ in order_ids]
                following = [
                    asyncio.create_task(follow(stub, order_id, each))
                    for order_id, each in zip(order_ids, seen, strict=True)
                ]
                await until(lambda: seen == [[PENDING]] * WATCHERS)
                await cancel(service, order_ids[::2])
            await asyncio.to_thread(stack.stop, "postgres")
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await follow(stub, order_ids[0], [])
            assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
            await asyncio.to_thread(stack.start, "postgres")
            async with orders_service(settings) as service:
                await cancel(service, order_ids[1::2])
            async with asyncio.timeout(PATIENCE_S):
                await asyncio.gather(*following)
        assert seen == [[PENDING, CANCELLED]] * WATCHERS

    with watching(settings) as process:
        asyncio.run(scenario(process))
    assert process.process.returncode == -9  # it lived through all of it


def test_one_look_is_for_all_who_wait(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []
    look = repository.changed

    async def counted(connection: Any, seen: Any) -> Any:
        looks.append(len(seen))
        return await look(connection, seen)

    monkeypatch.setattr(repository, "changed", counted)

    async def scenario() -> None:
        async with (
            orders_service(settings) as service,
            open_pool(settings.database_url, reads_only=True) as pool,
            watch.open_watch(pool) as waiting,
        ):
            order_ids = await placed(service, WATCHERS)
            tasks = [asyncio.create_task(waiting.after(UUID(each), 1)) for each in order_ids * 2]
            await until(lambda: WATCHERS in looks)
            before = len(looks)
            await until(lambda: len(looks) >= before + 5)
            assert set(looks[before:]) == {WATCHERS}
            await cancel(service, order_ids)
            changed = await asyncio.gather(*tasks)
            assert [order.version for order in changed] == [2] * WATCHERS * 2
            idle = len(looks)
            await asyncio.sleep(5 * watch.LOOK_EVERY_S)
            assert len(looks) <= idle + 1  # nobody waits, and nobody looks

    asyncio.run(scenario())


def test_an_order_of_the_stack_is_followed_to_its_end(stack: RunningStack) -> None:
    storefront = stack.settings.url_of("storefront")
    order_id = place(stack)["order_id"]
    source = EventSource(f"{storefront}/v2/orders/{order_id}/events")

    async def scenario() -> None:
        async with asyncio.timeout(PATIENCE_S):
            await source.follow()

    asyncio.run(scenario())
    shown = plain_http.get(f"{storefront}/v2/orders/{order_id}").json()
    last = source.told[-1][1]
    assert last["status"] == "confirmed"
    assert last == {name: shown[name] for name in last}
    assert source.status == httpx2.codes.NO_CONTENT
    assert source.versions in ([1, 2], [2])
