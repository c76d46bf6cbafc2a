"""Services that register: found when they are ready, no longer called when they stop, whatever the registry does."""

import asyncio
import itertools
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from typing import Any
from urllib.parse import urlsplit

import grpc
import httpx2
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from cdc.chores import cancel
from cdc.ids import new_id
from producers.discovery.instances import Instance
from producers.discovery.registries.etcd import EtcdSource
from producers.discovery.registries.keeping import END_S
from schemas.rpc.loyalty.v1 import loyalty_pb2 as loyalty
from schemas.rpc.loyalty.v1.loyalty_pb2_grpc import LoyaltyServiceStub
from tests import plain_http
from tests.etcd import Etcd
from tests.hops import until
from tests.plain_http import PLAIN
from tests.services import NOBODY_LISTENS, end, free_port, start, wait_until_healthy
from tests.watching import Watching, watching

CLIENTS = 4
Test = Callable[[], Coroutine[Any, Any, None]]
SERVING = health_pb2.HealthCheckResponse.SERVING


def run(test: Test) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(180):
            await test()

    asyncio.run(bounded())


@pytest.fixture(scope="module")
def etcd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Etcd]:
    with Etcd(tmp_path_factory.mktemp("etcd")) as server:
        yield server


class Storefront:
    """One instance, in a process of its own."""

    def __init__(self, register_at: str, port: int, **settings: Any) -> None:
        self.port = port
        self.instance = Instance("127.0.0.1", port)
        self.url = f"http://{self.instance}"
        told: dict[str, Any] = {
            "port": str(port),
            "orders_url": NOBODY_LISTENS,
            "register_at": register_at,
        }
        self.process = start(
            "-m", "producers.rest", "storefront", errors=subprocess.DEVNULL, **told, **settings
        )

    def registration(self) -> dict[str, Any]:
        said: dict[str, Any] = plain_http.get(f"{self.url}/figures").json()["registration"]
        return said


@contextmanager
def running(register_at: str, port: int = 0, **settings: str) -> Iterator[Storefront]:
    storefront = Storefront(register_at, port or free_port(), **settings)
    try:
        wait_until_healthy(storefront.process, storefront.port)
        yield storefront
    finally:
        storefront.process.kill()
        storefront.process.wait()


def source_of(etcd: Etcd, service: str) -> EtcdSource:
    return EtcdSource(urlsplit(f"etcd://{etcd.address}/{service}?timeout_s=10"))


def address_of(etcd: Etcd) -> str:
    return f"etcd://{etcd.address}?ttl_s=2&timeout_s=10"


def test_a_service_is_found_when_it_is_ready_and_says_so_until_it_is_killed(etcd: Etcd) -> None:
    async def test() -> None:
        async with watching(source_of(etcd, "storefront")) as known:
            await known.until()
            with running(
                address_of(etcd), advertise="127.0.0.1", advertise_weight="5"
            ) as storefront:
                instance = Instance("127.0.0.1", storefront.port, weight=5)
                await known.until(instance)
                said = storefront.registration()
                assert said["registered"] is True
                assert said["instance"] == str(instance)
                assert said["registry"] == f"etcd://{etcd.address}"
                storefront.process.kill()
                await known.until()

    run(test)


def test_a_service_that_stops_is_deregistered_while_it_still_answers(etcd: Etcd) -> None:
    async def test() -> None:
        with running(address_of(etcd), leave_wait_ms="600000") as storefront:
            async with (
                watching(source_of(etcd, "storefront")) as known,
                httpx2.AsyncClient(verify=PLAIN, timeout=10) as kept_open,
            ):
                await known.until(storefront.instance)
                await kept_open.get(storefront.url)
                storefront.process.send_signal(signal.SIGTERM)
                await known.until()
                answer = await kept_open.get(storefront.url)
                assert answer.status_code == httpx2.codes.OK
                assert answer.headers["connection"] == "close"
                health = await kept_open.get(f"{storefront.url}/health")
                assert health.status_code == httpx2.codes.SERVICE_UNAVAILABLE
                assert "about to stop" in health.json()["detail"]
            storefront.process.send_signal(
                signal.SIGTERM
            )  # told again, it does not wait any longer
            assert end(storefront.process)[0] == 0

    run(test)


def test_a_registry_that_is_away_keeps_no_service_from_starting_or_stopping() -> None:
    with running(f"etcd://127.0.0.1:{free_port()}", leave_wait_ms="0") as storefront:
        said = storefront.registration()
        assert said["registered"] is False
        assert "does not answer" in said["trouble"]
        storefront.process.send_signal(signal.SIGTERM)
        assert end(storefront.process)[0] == 0


def test_a_registry_that_freezes_is_waited_for_in_bounds_at_the_end(etcd: Etcd) -> None:
    with running(f"etcd://{etcd.address}?timeout_s=60&ttl_s=2", leave_wait_ms="0") as storefront:
        etcd.send(signal.SIGSTOP)
        try:
            storefront.process.send_signal(signal.SIGTERM)
            # which is less than the minute that the registry may take, by far
            assert storefront.process.wait(timeout=END_S + 30) == 0
        finally:
            etcd.send(signal.SIGCONT)


def test_no_call_fails_while_every_instance_is_restarted_under_load(etcd: Etcd) -> None:
    async def test() -> None:
        address, wait_ms = address_of(etcd), "2000"
        async with watching(source_of(etcd, "storefront")) as known, calling(known) as outcomes:
            with ExitStack() as stack:
                instances = [
                    stack.enter_context(running(address, leave_wait_ms=wait_ms)) for _ in range(2)
                ]
                both = [each.instance for each in instances]
                await known.until(*both)
                for old in instances:
                    before = len(outcomes)
                    old.process.send_signal(signal.SIGTERM)
                    await known.until(*(each for each in both if each != old.instance))
                    assert await asyncio.to_thread(old.process.wait, 60) == 0
                    stack.enter_context(running(address, old.port, leave_wait_ms=wait_ms))
                    await known.until(*both)
                    await until(lambda before=before: len(outcomes) > before + 100)  # type: ignore[misc]
                assert {port for port, _ in outcomes} == {each.port for each in instances}
                assert [each for each in outcomes if each[1] != httpx2.codes.OK] == []

    run(test)


@asynccontextmanager
async def calling(known: Watching) -> AsyncIterator[list[tuple[int, object]]]:
    """Call the instances that are known in turn, over connections that are kept; give the ports and what came of it."""
    outcomes: list[tuple[int, object]] = []

    async def call(client: httpx2.AsyncClient) -> None:
        for turn in itertools.count():
            if not known.found:
                await asyncio.sleep(0.01)
                continue
            chosen = sorted(known.found)[turn % len(known.found)]
            try:
                answer = await client.get(f"http://{chosen}/")
                outcomes.append((chosen.port, answer.status_code))
            except httpx2.HTTPError as error:
                outcomes.append((chosen.port, repr(error)))
            await asyncio.sleep(0.005)

    async with httpx2.AsyncClient(verify=PLAIN, timeout=30) as client:
        callers = [asyncio.create_task(call(client)) for _ in range(CLIENTS)]
        try:
            yield outcomes
        finally:
            await cancel(callers)


def test_a_grpc_service_does_the_same_and_says_so_in_its_health(etcd: Etcd) -> None:
    async def test() -> None:
        port = free_port()
        told: dict[str, Any] = {
            "register_at": address_of(etcd),
            "leave_wait_ms": "600000",
            "port": str(port),
        }
        process = start("-m", "tests.loyalty_alone", errors=subprocess.DEVNULL, **told)
        try:
            async with (
                watching(source_of(etcd, "loyalty")) as known,
                grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
            ):
                await known.until(Instance("127.0.0.1", port))
                health = health_pb2_grpc.HealthStub(channel)
                asked = health_pb2.HealthCheckRequest()
                assert (await health.Check(asked, timeout=20)).status == SERVING
                process.send_signal(signal.SIGTERM)
                await known.until()
                assert (await health.Check(asked, timeout=20)).status != SERVING
                request = loyalty.GetTierRequest(user_id=str(new_id()))
                answer = await LoyaltyServiceStub(channel).GetTier(request, timeout=20)
                assert answer.tier == loyalty.TIER_GOLD
            process.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(process.wait, 60) == 0
        finally:
            process.kill()
            process.wait()

    run(test)
