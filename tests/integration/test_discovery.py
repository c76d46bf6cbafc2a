"""Services at several addresses that a real DNS server tells of: killed, added, silent, and the server away."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest

from cdc.deadline import Deadline, within
from producers.calling.client import ServiceClient
from producers.calling.target import Target
from producers.discovery.instances import Instance, SourceError
from producers.discovery.service_url import read
from producers.grpc.client import Channel, open_channel
from producers.rest.problems import ProblemError
from producers.storefront.bootstrap import Settings, create_app
from schemas.rpc.loyalty.v1.loyalty_pb2 import GetTierRequest
from schemas.rpc.loyalty.v1.loyalty_pb2_grpc import LoyaltyServiceStub
from tests.again import show
from tests.hops import CONTEXT, Scripted, asked, black_hole, client_of, ok, served, until
from tests.instance import Process, instances
from tests.knot import Knot, running_knot
from tests.rpc import Loyalty, serving_loyalty
from tests.services import free_port

REST = "dns+srv://_rest._tcp.example"
GRPC = "dns+srv://_grpc._tcp.example"
HOST = "host A 127.0.0.1"
WORKERS = 6
"""Of each kind; so many calls are under way at once."""

Call = Callable[[], Awaitable[str]]


@pytest.fixture(scope="module")
def knot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Knot]:
    with running_knot(tmp_path_factory.mktemp("knot")) as knot:
        yield knot


def srv(name: str, ports: Sequence[int], priority: int = 0, weight: int = 1) -> Sequence[str]:
    return [f"_{name}._tcp SRV {priority} {weight} {port} host" for port in ports]


def told(knot: Knot, address: str) -> set[Instance]:
    """Return the first word of a source."""

    async def first() -> set[Instance]:
        source = read(knot.url(address)).source
        assert source is not None
        async for found in source().watch():
            return set(found)
        raise AssertionError

    return asyncio.run(first())


def test_what_dns_says_becomes_instances(knot: Knot) -> None:
    knot.write(
        "both A 127.0.0.1",
        "both A 127.0.0.2",
        "both AAAA ::1",
        "six AAAA ::1",
        "alias CNAME both",
        'text TXT "no address"',
        "_a._tcp SRV 1 5 8001 both",
        "_a._tcp SRV 2 0 8002 six",
        "_a._tcp SRV 1 5 8003 gone",
        "_none._tcp SRV 0 0 0 .",
    )
    both = {Instance("127.0.0.1", 1), Instance("127.0.0.2", 1)}
    assert told(knot, "dns://both.example:1") == told(knot, "dns://alias.example:1") == both
    assert told(knot, "dns://six.example:1") == {Instance("::1", 1)}
    assert told(knot, "dns+srv://_a._tcp.example") == {
        Instance("127.0.0.1", 8001, weight=5, priority=1),
        Instance("127.0.0.2", 8001, weight=5, priority=1),
        Instance("::1", 8002, weight=1, priority=2),
    }
    for none in ("dns://text.example:1", "dns://nobody.example:1", "dns+srv://_none._tcp.example"):
        assert told(knot, none) == set()
    for answer, asked_for in (("SERVFAIL", "x.broken.example"), ("REFUSED", "x.elsewhere")):
        with pytest.raises(SourceError, match=answer):
            told(knot, f"dns://{asked_for}:1")


def test_more_addresses_than_fit_into_a_datagram_are_all_found(knot: Knot) -> None:
    addresses = [f"10.1.{number // 250}.{number % 250}" for number in range(400)]
    knot.write(*(f"many A {each}" for each in addresses))
    assert {each.host for each in told(knot, "dns://many.example:1")} == set(addresses)


class Load:
    """Calls without a pause, of which it is counted how they end."""

    def __init__(self, call: Call, target: Target) -> None:
        self.ended = Counter[str]()
        self.target = target
        self._call = call

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        stopping = asyncio.Event()
        workers = [asyncio.create_task(self._work(stopping)) for _ in range(WORKERS)]
        try:
            yield
        finally:
            stopping.set()
            await asyncio.gather(*workers)

    @property
    def failed(self) -> int:
        return self.ended.total() - self.ended["well"]

    async def more(self, calls: int) -> None:
        """Return when so many more have ended."""
        enough = self.ended.total() + calls
        await until(lambda: self.ended.total() >= enough)

    async def _work(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            self.ended[await self._call()] += 1
            await asyncio.sleep(0)


def seen(target: Target) -> Mapping[str, Mapping[str, Any]]:
    """Return what figures say of each instance."""
    figures: Any = target.figures()["instances"]
    return {each["address"]: each for each in figures}


def calls_of(target: Target, port: int) -> int:
    """Return how many calls an instance has got, if it is known."""
    known = seen(target).get(f"127.0.0.1:{port}")
    return int(known["calls"]) if known else 0


def knows(target: Target, instances: int) -> bool:
    return len(seen(target)) == instances


def is_stale(target: Target) -> bool:
    return target.figures()["stale_s"] != 0


def is_current(target: Target) -> bool:
    return target.figures()["source_error"] is None


def under_way(target: Target, ports: Sequence[int]) -> int:
    return sum(int(seen(target)[f"127.0.0.1:{port}"]["in_flight"]) for port in ports)


async def over_http(client: ServiceClient, method: str, headers: Mapping[str, str]) -> str:
    try:
        answer = await client.call(method, "/work", CONTEXT, headers=headers)
    except ProblemError as problem:
        return f"{problem.status_code}: {problem.detail}"
    return "well" if answer.is_success else str(answer.status)


async def over_grpc(channel: Channel) -> str:
    try:
        await LoyaltyServiceStub(channel).GetTier(GetTierRequest(user_id="x"), is_read=True)
    except grpc.aio.AioRpcError as error:
        return f"{error.code().name}: {error.details()}"
    return "well"


def test_half_of_the_instances_are_killed_under_load(knot: Knot) -> None:
    """What may be repeated does not fail at all; of the rest only what was under way at the killed ones."""

    async def scenario(processes: Sequence[Process]) -> None:
        http_ports = [each.http_port for each in processes]
        grpc_ports = [each.grpc_port for each in processes]
        knot.write(HOST, *srv("rest", http_ports), *srv("grpc", grpc_ports))
        async with AsyncExitStack() as stack:
            rest = [await stack.enter_async_context(client_of(knot.url(REST))) for _ in range(3)]
            key = {"idempotency-key": '"one"'}
            *repeated, unkeyed = (
                Load(partial(over_http, client, *how), client.target)
                for client, how in zip(
                    rest, (("GET", {}), ("POST", key), ("POST", {})), strict=True
                )
            )
            channel = await stack.enter_async_context(open_channel(knot.url(GRPC), longest_s=5))
            repeated.append(Load(partial(over_grpc, channel), channel.target))
            loads = [*repeated, unkeyed]
            for load in loads:
                await stack.enter_async_context(load.running())
            await asyncio.gather(*(load.more(50) for load in loads))
            assert all(load.failed == 0 for load in loads)
            for load in loads:
                assert all(each["calls"] > 0 for each in seen(load.target).values())

            killed = processes[:2]
            ports = dict.fromkeys(loads, http_ports[:2]) | {repeated[-1]: grpc_ports[:2]}
            await until(lambda: all(under_way(load.target, ports[load]) > 0 for load in loads))
            # and what is sent by connections of which it is not known yet that they have broken
            lost = under_way(unkeyed.target, ports[unkeyed]) + WORKERS
            for each in killed:
                each.kill()
            await asyncio.gather(*(load.more(100) for load in loads))
            assert [load.ended for load in repeated if load.failed] == []
            assert unkeyed.failed <= lost, unkeyed.ended
            for load in loads:
                failures = [
                    seen(load.target)[f"127.0.0.1:{port}"]["failures"] for port in ports[load]
                ]
                show(all(failures), "nothing happened to the killed ones")
                assert load.target.figures()["state"] == "closed"

            alive = processes[2:]
            knot.write(
                HOST,
                *srv("rest", [each.http_port for each in alive]),
                *srv("grpc", [each.grpc_port for each in alive]),
            )
            for load in loads:
                await until(partial(knows, load.target, 2))
                await load.more(50)
            assert unkeyed.failed <= lost, unkeyed.ended
            assert [load.ended for load in repeated if load.failed] == []

    with instances(4) as processes:
        asyncio.run(scenario(processes))


def test_instances_come_and_the_dns_server_goes(
    knot: Knot, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        first, second = Scripted(lambda *_: ok()), Scripted(lambda *_: ok())
        async with AsyncExitStack() as stack:
            one, two = [
                int((await stack.enter_async_context(each.served())).rpartition(":")[2])
                for each in (first, second)
            ]
            here = await stack.enter_async_context(serving_loyalty(Loyalty()))
            there = await stack.enter_async_context(serving_loyalty(Loyalty()))
            knot.write(HOST, *srv("rest", [one]), *srv("grpc", [here.port]))
            client = await stack.enter_async_context(client_of(knot.url(REST)))
            channel = await stack.enter_async_context(open_channel(knot.url(GRPC), longest_s=5))
            rest = Load(partial(over_http, client, "GET", {}), client.target)
            rpc = Load(partial(over_grpc, channel), channel.target)
            for load in (rest, rpc):
                await stack.enter_async_context(load.running())
                await load.more(20)
                assert len(seen(load.target)) == 1

            await asyncio.to_thread(
                knot.write, HOST, *srv("rest", [one, two]), *srv("grpc", [here.port, there.port])
            )
            await until(lambda: calls_of(rest.target, two) > 5)
            await until(lambda: calls_of(rpc.target, there.port) > 5)

            knot.kill()
            for load in (rest, rpc):
                await until(partial(is_stale, load.target))
                assert "DNS says nothing" in str(load.target.figures()["source_error"])
                await load.more(50)
                assert len(seen(load.target)) == 2
            await asyncio.to_thread(knot.start)
            for load in (rest, rpc):
                await until(partial(is_current, load.target))
                assert load.target.figures()["stale_s"] == 0
            assert (rest.failed, rpc.failed) == (0, 0), (rest.ended, rpc.ended)

    asyncio.run(scenario())
    told = [record.message for record in caplog.records]
    assert sum("source of instances is away" in line for line in told) == 2


def test_a_black_hole_is_ejected_and_calls_are_answered_in_their_time(knot: Knot) -> None:
    async def scenario(hole: int) -> None:
        server = Scripted(lambda *_: ok())
        async with (
            server.served() as url,
            serving_loyalty(Loyalty()) as running,
            client_of(f"static://127.0.0.1:{hole},{url.removeprefix('http://')}") as client,
            open_channel(
                f"static://127.0.0.1:{hole},127.0.0.1:{running.port}", longest_s=5
            ) as channel,
        ):
            for target, call in (
                (client.target, partial(over_http, client, "POST", {})),
                (channel.target, partial(over_grpc, channel)),
            ):
                while seen(target)[f"127.0.0.1:{hole}"]["ejected_s"] == 0:
                    with within(Deadline.after(1)):
                        assert await call() == "well"
                before = seen(target)[f"127.0.0.1:{hole}"]["calls"]
                assert before == 3
                with within(Deadline.after(5)):
                    assert {await call() for _ in range(20)} == {"well"}
                assert seen(target)[f"127.0.0.1:{hole}"]["calls"] == before
                assert target.figures()["failures"] == 0

    with black_hole() as url:
        asyncio.run(scenario(int(url.rpartition(":")[2])))


def test_a_service_starts_although_dns_is_away_and_calls_when_it_is_back(tmp_path: Path) -> None:
    """A storefront in front of names that nobody can look up yet."""

    async def scenario(knot: Knot) -> None:
        orders = Scripted(lambda *_: ok())
        settings = Settings(port=1, orders_url=knot.url("dns+srv://_orders._tcp.example"))
        app = create_app(settings)
        async with (
            orders.served() as url,
            app.router.lifespan_context(app),
            served(app) as front,
        ):
            path = f"{front}/v2/orders/0197d3a0-0000-7000-8000-000000000001"
            refused = await asked(path)
            assert refused.status_code == 503
            assert "not known where the orders service is" in refused.json()["detail"]
            assert (await asked(f"{front}/health")).status_code == 200
            figures = (await asked(f"{front}/figures")).json()["calls"]["orders"]
            assert (figures["instances"], figures["state"]) == ([], "closed")
            assert "DNS says nothing" in figures["source_error"]

            knot.write(HOST, *srv("orders", [int(url.rpartition(":")[2])]))
            await asyncio.to_thread(knot.start)
            target: Target = app.state.targets[0]
            await until(partial(knows, target, 1))
            # what it answers is no order, and that is its own matter
            assert json.loads((await asked(path)).content)["status"] == 502
            assert orders.requests

    knot = Knot(tmp_path, free_port())
    try:
        asyncio.run(scenario(knot))
    finally:
        knot.kill()
