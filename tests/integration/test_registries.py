"""A real etcd and a real Eureka: who registers is found, who is gone is not, whatever breaks."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from producers.discovery.instances import Instance, Source
from producers.discovery.registration import registrar_at
from producers.discovery.registries.etcd import EtcdSource
from producers.discovery.registries.eureka import EurekaSource
from producers.discovery.registries.keeping import Keeping
from tests import plain_http
from tests.etcd import Etcd, b64
from tests.eureka.server import Eureka
from tests.hops import until
from tests.processes import ServerProcess
from tests.watching import Watching, watching

HERE, THERE = Instance("127.0.0.1", 8001, weight=3), Instance("127.0.0.2", 8001)
Test = Callable[[], Coroutine[Any, Any, None]]


def run(test: Test) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(180):
            await test()

    asyncio.run(bounded())


class Registry:
    """One of them, with the shortest times that it takes."""

    def __init__(self, server: Etcd | Eureka) -> None:
        self.server: ServerProcess = server
        self.is_etcd = isinstance(server, Etcd)
        self.address = server.address
        scheme = "etcd" if self.is_etcd else "eureka"
        self.options = "ttl_s=2" if self.is_etcd else "renew_s=1"
        self.url = f"{scheme}://{server.address}?{self.options}&timeout_s=10"

    def registrar(self) -> Keeping:
        return registrar_at(self.url)

    def source(self, service: str, *servers: str) -> Source:
        listed = ",".join((*servers, self.address))
        if self.is_etcd:
            return EtcdSource(urlsplit(f"etcd://{listed}/{service}?timeout_s=10"))
        options = "fetch_s=0.1&renew_s=20&timeout_s=10"
        return EurekaSource(urlsplit(f"eureka://{listed}/{service}?{options}"))

    @asynccontextmanager
    async def watched(self, service: str) -> AsyncIterator[Watching]:
        async with watching(self.source(service)) as known:
            yield known


@pytest.fixture(scope="module")
def etcd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Etcd]:
    with Etcd(tmp_path_factory.mktemp("etcd")) as server:
        yield server


@pytest.fixture(scope="module")
def eureka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Eureka]:
    with Eureka(tmp_path_factory.mktemp("eureka")) as server:
        yield server


@pytest.fixture(params=["etcd", "eureka"])
def registry(request: pytest.FixtureRequest) -> Registry:
    return Registry(request.getfixturevalue(request.param))


def test_what_is_registered_is_found_and_what_is_deregistered_is_not(registry: Registry) -> None:
    async def test() -> None:
        async with registry.watched("orders") as known:
            await known.until()
            async with registry.registrar().registered("orders", HERE):
                await known.until(HERE)
                async with (
                    registry.registrar().registered("orders-other", Instance("127.0.0.9", 1)),
                    registry.registrar().registered("orders", THERE),
                ):
                    await known.until(HERE, THERE)
                await known.until(HERE)
            await known.until()

    run(test)


def test_an_instance_is_renewed_and_one_that_died_is_gone_with_its_lease(
    registry: Registry,
) -> None:
    async def test() -> None:
        dying, kept = registry.registrar(), registry.registrar()
        async with registry.watched("renewed") as known, kept.registered("renewed", HERE):
            async with dying.open() as client:
                await dying.entry(client, "renewed", THERE).register()
                await known.until(HERE, THERE)
            renewals = kept.presence.renewals
            await known.until(HERE)
            assert kept.presence.renewals > renewals
            assert kept.presence.registrations == 1

    run(test)


def test_a_registry_that_was_killed_is_told_again_of_who_is_there(registry: Registry) -> None:
    async def test() -> None:
        kept = registry.registrar()
        async with registry.watched("kept") as known, kept.registered("kept", HERE):
            await known.until(HERE)
            registry.server.kill()
            await until(lambda: known.errors != [] and kept.presence.trouble is not None)
            async with registry.registrar().registered("kept", THERE):  # begins while it is away
                looks = len(known.looks)
                await asyncio.to_thread(registry.server.start)
                await known.until(HERE, THERE)
                # the one that was there before was never believed to be gone, though Eureka had forgotten it
                assert all(HERE in look for look in known.looks[looks:])
                await until(lambda: kept.presence.trouble is None)
        assert kept.presence.registrations == (1 if registry.is_etcd else 2)

    run(test)


def test_what_an_operator_takes_away_comes_back(registry: Registry) -> None:
    def take_away() -> None:
        if registry.is_etcd:
            server: Any = registry.server
            for lease in server.ask("lease/leases", {})["leases"]:
                server.ask("lease/revoke", lease)
        else:
            eureka = f"http://{registry.address}/eureka/apps/TAKEN"
            path = f"{eureka}/{HERE.host}:taken:{HERE.port}"
            assert plain_http.request("DELETE", path).is_success

    async def test() -> None:
        kept = registry.registrar()
        async with registry.watched("taken") as known, kept.registered("taken", HERE):
            await known.until(HERE)
            await asyncio.to_thread(take_away)
            await until(lambda: kept.presence.registrations == 2)
            await known.until(HERE)

    run(test)


def test_a_dead_server_of_several_is_passed_over(registry: Registry) -> None:
    async def test() -> None:
        scheme, _, rest = registry.url.partition("://")
        kept = registrar_at(f"{scheme}://127.0.0.1:9,{rest}")
        async with (
            kept.registered("several", HERE),
            watching(registry.source("several", "127.0.0.1:9")) as known,
        ):
            await known.until(HERE)
            assert known.errors == []

    run(test)


def test_a_registry_that_is_silent_costs_a_bounded_time(registry: Registry) -> None:
    async def test() -> None:
        silent = registrar_at(registry.url.replace("timeout_s=10", "timeout_s=0.3"))
        registry.server.send(signal.SIGSTOP)
        try:
            async with asyncio.timeout(30), silent.registered("silent", HERE):
                await until(lambda: "does not answer" in str(silent.presence.trouble))
        finally:
            registry.server.send(signal.SIGCONT)

    run(test)


def test_a_watch_whose_revisions_were_compacted_reads_all_anew(etcd: Etcd) -> None:
    class Late(EtcdSource):
        """Watches from a revision that is gone by then, the first time."""

        reads = 0

        async def _read(self, client: Any) -> Any:
            self.reads += 1
            read = await super()._read(client)
            if self.reads == 1:
                put = {"key": b64("/services/late/x"), "value": b64('{"host": "h", "port": 1}')}
                [*_, last] = [etcd.ask("kv/put", put) for _ in range(3)]
                etcd.ask("kv/compaction", {"revision": last["header"]["revision"]})
            return read

    async def test() -> None:
        source = Late(urlsplit(f"etcd://{etcd.address}/late"))
        async with watching(source) as known:
            await known.until(Instance("h", 1))
            assert known.errors == []
            assert source.reads == 2
            assert known.looks[0] == frozenset()

    run(test)


def test_a_watch_that_says_nothing_is_begun_anew_and_keys_of_others_are_passed_over(
    etcd: Etcd,
) -> None:
    async def test() -> None:
        etcd.ask("kv/put", {"key": b64("/services/quiet/x"), "value": b64("not ours")})
        source = EtcdSource(urlsplit(f"etcd://{etcd.address}/quiet?watch_s=0.2&timeout_s=10"))
        async with watching(source) as known:
            await until(lambda: len(known.looks) > 4)
            assert known.found == frozenset()
            async with registrar_at(f"etcd://{etcd.address}").registered("quiet", HERE):
                await known.until(HERE)
        assert known.errors == []

    run(test)


def test_etcd_with_passwords_is_logged_in_to_again_after_it_was_started_anew(
    tmp_path: Path,
) -> None:
    async def test() -> None:
        secret = tmp_path / "password"
        secret.write_text("right\n")
        with Etcd(tmp_path) as etcd:
            for user in ("root", "tailrace"):
                etcd.ask("auth/user/add", {"name": user, "password": "right"})
                etcd.ask("auth/user/grant", {"user": user, "role": "root"})
            etcd.ask("auth/enable", {})
            login = f"user=tailrace&password_file={secret}&timeout_s=10"
            kept = registrar_at(f"etcd://{etcd.address}?{login}&ttl_s=2")
            source = EtcdSource(urlsplit(f"etcd://{etcd.address}/orders?{login}"))
            async with watching(source) as known, kept.registered("orders", HERE):
                await known.until(HERE)
                etcd.kill()
                await until(lambda: known.errors != [])
                await asyncio.to_thread(etcd.start)  # which has forgotten the tokens that it gave
                looks = len(known.looks)
                await until(lambda: len(known.looks) > looks and kept.presence.trouble is None)
            secret.write_text("wrong\n")
            async with watching(EtcdSource(urlsplit(f"etcd://{etcd.address}/a?{login}"))) as known:
                await until(lambda: "authentication failed" in "".join(known.errors))
                assert "wrong" not in "".join(known.errors)

    run(test)


def test_eureka_tells_of_those_that_are_up_alone(eureka: Eureka) -> None:
    async def test() -> None:
        registry = Registry(eureka)
        async with (
            registry.watched("up") as known,
            registry.registrar().registered("up", HERE),
            registry.registrar().registered("up", THERE),
        ):
            await known.until(HERE, THERE)
            status = f"http://{eureka.address}/eureka/apps/UP/{HERE.host}:up:{HERE.port}/status"
            plain_http.request("PUT", status, params={"value": "OUT_OF_SERVICE"})
            await known.until(THERE)
            plain_http.request("DELETE", status, params={"value": "UP"})
            await known.until(HERE, THERE)

    run(test)
