"""Consul, by its documented contract: instances by blocking queries, and registration that is kept."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from cdc.chores import cancel
from producers.discovery.instances import Instance, SourceError
from producers.discovery.registries.client import RegistryClient
from producers.discovery.registries.consul import PAUSE_S, ConsulRegistrar, ConsulSource
from tests.certificates import self_signed
from tests.consul import Consul
from tests.hops import Scripted, in_trouble, until
from tests.watching import Watching, watching

HERE, THERE = Instance("10.0.0.1", 8001, weight=3), Instance("10.0.0.2", 8001)
Test = Callable[[], Coroutine[Any, Any, None]]


def run(test: Test) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60):
            await test()

    asyncio.run(bounded())


@asynccontextmanager
async def watched(consul: Consul, options: str = "") -> AsyncIterator[tuple[str, Watching]]:
    async with (
        consul.open() as server,
        watching(source(f"consul://{server}/orders{options}")) as known,
    ):
        yield f"consul://{server}", known


def source(url: str) -> ConsulSource:
    return ConsulSource(urlsplit(url))


def registrar(url: str) -> ConsulRegistrar:
    return ConsulRegistrar(urlsplit(url))


def test_what_is_registered_is_found_and_what_is_deregistered_is_not() -> None:
    async def test() -> None:
        async with watched(Consul()) as (url, known):
            await known.until()
            async with registrar(url).registered("orders", HERE):
                await known.until(HERE)
                async with (
                    registrar(url).registered("payments", Instance("10.0.0.9", 1)),
                    registrar(url).registered("orders", THERE),
                ):
                    await known.until(HERE, THERE)
                await known.until(HERE)
            await known.until()
        assert known.errors == []

    run(test)


def test_an_instance_is_renewed_and_one_that_is_not_is_gone_with_its_ttl() -> None:
    async def test() -> None:
        consul = Consul()
        async with watched(consul) as (url, known):
            kept = registrar(f"{url}?ttl_s=1.5")
            async with kept.registered("orders", HERE):
                await until(lambda: kept.presence.renewals > 3)
                await known.until(HERE)
                consul.services["dead"] = {**next(iter(consul.services.values())), "ID": "dead"}
                consul.services["dead"] |= {"Address": THERE.host, "Weights": {"Passing": 1}}
                consul._passes("dead")  # and never again
                await known.until(HERE, THERE)
                await known.until(HERE)

    run(test)


@pytest.mark.parametrize("answers_500", [False, True])
def test_what_consul_has_forgotten_is_registered_again(answers_500: bool) -> None:  # noqa: FBT001
    async def test() -> None:
        consul = Consul()
        consul.knows_only_500 = answers_500
        async with watched(consul) as (url, known):
            kept = registrar(f"{url}?ttl_s=1")
            async with kept.registered("orders", HERE):
                await known.until(HERE)
                consul.forget()
                await until(lambda: kept.presence.registrations == 2)
                await known.until(HERE)
                assert list(consul.services) == ["orders-10.0.0.1-8001"]

    run(test)


def test_an_agent_that_asks_the_instance_itself_is_told_how() -> None:
    async def test() -> None:
        consul = Consul()
        async with consul.open() as server:
            for check, said in (("http", "http://[::1]:8001/health"), ("grpc", "[::1]:8001")):
                kept = registrar(f"consul://{server}?check={check}&interval_s=0.2&tag=blue")
                async with kept.registered("orders", Instance("::1", 8001)):
                    await until(lambda kept=kept: kept.presence.renewals > 0)  # type: ignore[misc]
                    [service] = consul.services.values()
                    assert service["Check"][check.upper()] == said
                    assert service["Check"]["Interval"] == "200ms"
                    assert service["Tags"] == ["blue"]
                    consul.forget()
                    await until(lambda kept=kept: kept.presence.registrations > 1)  # type: ignore[misc]
            assert consul.services == {}

    run(test)


def test_a_registry_that_is_away_keeps_nobody_and_is_told_when_it_is_back() -> None:
    async def test() -> None:
        consul = Consul()
        async with watched(consul) as (url, known):
            consul.is_broken = True
            await until(lambda: len(known.errors) > 0)
            kept = registrar(f"{url}?ttl_s=1")
            async with kept.registered("orders", HERE):
                await until(lambda: kept.presence.trouble is not None)
                assert "No cluster leader" in str(kept.presence.trouble)
                assert not kept.presence.is_registered
                consul.is_broken = False
                await known.until(HERE)
                await until(lambda: kept.presence.trouble is None)
                consul.is_broken = True
                errors = len(known.errors)
                consul.change()
                await until(lambda: len(known.errors) > errors)
                assert known.found == frozenset({HERE})

    run(test)


def test_queries_wait_and_say_from_which_index() -> None:
    async def test() -> None:
        consul = Consul()
        async with watched(consul, "?wait_s=30&datacenter=east&tag=blue") as (_, known):
            await until(lambda: len(consul.queries) == 2)
            first, second = consul.queries
            assert "index" not in first
            assert second == {
                "passing": "true",
                "index": "10",
                "wait": "30000ms",
                "dc": "east",
                "tag": "blue",
            }
            assert known.looks == [frozenset()]

    run(test)


def test_an_index_that_goes_back_is_begun_anew_and_one_below_1_still_waits() -> None:
    async def test() -> None:
        consul = Consul()
        async with watched(consul) as _:
            await until(lambda: len(consul.queries) == 2)
            consul.change(3)
            await until(lambda: len(consul.queries) == 4)
            assert "index" not in consul.queries[2]
            assert consul.queries[3]["index"] == "3"
            consul.change(0)
            await until(lambda: len(consul.queries) == 6)
            assert "index" not in consul.queries[4]
            assert consul.queries[5]["index"] == "1"

    run(test)


def test_an_index_that_moves_for_others_does_not_make_a_busy_loop() -> None:
    async def test() -> None:
        consul = Consul()
        async with watched(consul):
            loop = asyncio.get_running_loop()
            began = loop.time()
            while len(consul.queries) < 6:
                consul.change()
                await asyncio.sleep(0)
            assert loop.time() - began >= 4 * PAUSE_S

    run(test)


def test_a_query_is_waited_for_longer_than_consul_keeps_it() -> None:
    class Asked(RegistryClient):
        def __init__(self) -> None:
            self.waits: list[float] = []

        async def ask(self, *_: Any, wait_s: float = 0.0, **__: Any) -> Any:
            self.waits.append(wait_s)

    async def test() -> None:
        asked, patient = Asked(), source("consul://localhost/orders?wait_s=160")
        await patient._ask(asked, 0)
        await patient._ask(asked, 7)
        assert asked.waits == [0, 170]  # Consul adds up to a sixteenth

    run(test)


def test_a_token_is_read_anew_for_each_question(tmp_path: Path) -> None:
    async def test() -> None:
        file = tmp_path / "token"
        file.write_text("wrong\n")
        async with watched(Consul(token="right"), f"?token_file={file}") as (url, known):
            await until(lambda: len(known.errors) > 0)
            assert "403: Permission denied" in known.errors[0]
            assert "wrong" not in known.errors[0]
            file.write_text("right\n")
            async with registrar(f"{url}?token_file={file}").registered("orders", HERE):
                await known.until(HERE)

    run(test)


def test_what_is_no_consul_is_an_error_and_neither_an_empty_set_nor_told_of_anything() -> None:
    async def test() -> None:
        consul = Consul()
        async with consul.open() as server:
            consul.index = -1
            with pytest.raises(SourceError, match="is it Consul"):
                await anext(aiter(source(f"consul://{server}/orders").watch()))
        async with Scripted(lambda *_: in_trouble(status=404)).served() as url:
            server = url.removeprefix("http://")
            kept = registrar(f"consul://{server}")
            async with kept.registered("orders", HERE):
                await until(lambda: kept.presence.trouble is not None)
                assert "with 404" in str(kept.presence.trouble)
                assert not kept.presence.is_registered

    run(test)


@pytest.mark.parametrize("text", ["", "first\nsecond", "a\x00b", "first\u00e9", None])
def test_a_file_without_a_secret_is_named_and_nothing_of_it_is_told(
    tmp_path: Path, text: str | None
) -> None:
    async def test() -> None:
        file = tmp_path / "token"
        if text is not None:
            file.write_text(text)
        async with watched(Consul(), f"?token_file={file}") as (_, known):
            await until(lambda: len(known.errors) > 0)
            assert str(file) in known.errors[0]
            assert "first" not in known.errors[0]

    run(test)


def test_an_instance_that_nobody_could_call_does_not_hide_the_others() -> None:
    async def test() -> None:
        consul = Consul()
        async with (
            consul.open() as server,
            registrar(f"consul://{server}").registered("orders", HERE),
        ):
            await until(lambda: len(consul.services) == 1)
            [good] = consul.services.values()
            odd: dict[str, dict[str, object]] = {
                "port": {"Port": 0},
                "weight": {"Weights": {"Passing": "much"}},
            }
            for name, difference in odd.items():
                consul.services[name] = {**good, "ID": name, **difference}
                consul._passes(name)
            assert await anext(aiter(source(f"consul://{server}/orders").watch())) == {HERE}
            del consul.services[good["ID"]]
            with pytest.raises(SourceError, match="form of its own"):
                await anext(aiter(source(f"consul://{server}/orders").watch()))

    run(test)


def test_a_dead_server_of_several_is_passed_over() -> None:
    async def test() -> None:
        async with (
            Consul().open() as server,
            registrar(f"consul://{server}").registered("orders", HERE),
        ):
            source = ConsulSource(urlsplit(f"consul://127.0.0.1:9,{server}/orders"))
            async with watching(source) as known:
                await known.until(HERE)
                assert known.errors == []

    run(test)


@asynccontextmanager
async def over_tls(server: str, certificate: Path) -> AsyncIterator[int]:
    """Take connections with TLS for a server without; give the port."""
    host, _, port = server.partition(":")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    ways: list[asyncio.Task[None]] = []

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
        finally:
            writer.close()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind, to = await asyncio.open_connection(host, int(port))
        both = (copy(reader, to), copy(behind, writer))
        ways.extend(asyncio.create_task(way) for way in both)

    front = await asyncio.start_server(take, "127.0.0.1", 0, ssl=context)
    try:
        yield front.sockets[0].getsockname()[1]
    finally:
        front.close()
        await cancel(ways)


def test_over_tls_who_answers_has_to_be_whom_the_authority_says(tmp_path: Path) -> None:
    async def test() -> None:
        certificate = tmp_path / "certificate.pem"
        certificate.write_bytes(self_signed("localhost"))
        trusting = f"tls=true&ca_file={certificate}"
        async with Consul().open() as server, over_tls(server, certificate) as port:
            url = f"consul://localhost:{port}"
            async with registrar(f"{url}?{trusting}").registered("orders", HERE):
                async with watching(source(f"{url}/orders?{trusting}")) as known:
                    await known.until(HERE)
                for unsure in (
                    f"{url}/orders?tls=true",
                    f"consul://127.0.0.1:{port}/orders?{trusting}",
                ):
                    with pytest.raises(SourceError, match=r"(?i)certificate"):
                        await anext(aiter(source(unsure).watch()))

    run(test)
