"""Orders followed by browsers: the storefront over real sockets, and before orders that are told what to tell."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
from fastapi import FastAPI

from producers.discovery.instances import Instance
from producers.grpc import connections
from producers.grpc.errors import RefusedError
from producers.grpc.interceptor import Calls
from producers.grpc.streams import StreamBounds, Streams
from producers.rest import event_stream, limits
from producers.storefront import orders_watch
from producers.storefront.bootstrap import Settings, create_app
from schemas.rpc.orders.v1 import orders_pb2 as orders
from tests.answers import assert_problem
from tests.component.producers.test_grpc import run
from tests.events import EventSource, events, stream
from tests.hops import asked, served, until
from tests.rpc import Watched, serving_orders, state, url_of
from tests.services import NOBODY_LISTENS, free_port

ORDER_ID = "0198c0de-0000-7000-8000-000000000001"
PATH = f"/v2/orders/{ORDER_ID}/events"
PENDING = {"order_id": ORDER_ID, "status": "pending", "updated_at": "2026-01-02T03:04:05Z"}


@dataclass
class History:
    """What happens to one order, when it is told to."""

    versions: int = 1
    last: int = 2
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def __call__(self, request: orders.WatchOrderRequest) -> AsyncIterator[orders.OrderState]:
        seen = request.after_version
        while seen < self.last:
            async with self.changed:
                await self.changed.wait_for(lambda: self.versions > seen)  # noqa: B023
            seen += 1
            yield self.state(seen)

    async def goes_on(self) -> None:
        async with self.changed:
            self.versions += 1
            self.changed.notify_all()

    def state(self, version: int) -> orders.OrderState:
        is_last = version == self.last
        status = orders.ORDER_STATUS_CANCELLED if is_last else orders.ORDER_STATUS_PENDING
        found = state(version, status, order_id=ORDER_ID, cancel_reason="x" if is_last else None)
        found.updated_at.FromJsonString("2026-01-02T03:04:05Z")
        return found


@dataclass
class Front:
    url: str
    app: FastAPI

    async def figures(self) -> dict[str, Any]:
        found: dict[str, Any] = (await asked(f"{self.url}/figures")).json()
        return found


@asynccontextmanager
async def storefront(orders_grpc_url: str | None, **settings: Any) -> AsyncIterator[Front]:
    told = {"port": 1, "orders_url": NOBODY_LISTENS, "orders_grpc_url": orders_grpc_url}
    app = create_app(Settings.model_validate(told | settings))
    async with app.router.lifespan_context(app), served(app) as url:
        yield Front(url, app)


@asynccontextmanager
async def following(
    servicer: Watched, calls: Calls | None = None, **settings: Any
) -> AsyncIterator[Front]:
    async with (
        serving_orders(servicer, calls) as running,
        storefront(url_of(running), **settings) as front,
    ):
        yield front


def test_an_order_is_told_of_until_it_is_decided_and_then_no_browser_comes_back() -> None:
    async def test() -> None:
        history = History()
        async with following(Watched(history, over_at=history.last)) as front:
            async with stream(front.url + PATH) as answer:
                assert answer.status_code == 200
                assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
                assert answer.headers["cache-control"] == "no-store"
                assert answer.headers["x-accel-buffering"] == "no"
                assert "content-length" not in answer.headers
                told = events(answer)
                assert await anext(told) == (":", None)
                assert await anext(told) == ("1", {**PENDING, "version": 1})
                await history.goes_on()
                last = {**PENDING, "version": 2, "status": "cancelled", "cancel_reason": "x"}
                assert await anext(told) == ("2", last)
                assert [each async for each in told] == []
            source = EventSource(front.url + PATH)
            await source.follow()
            assert (source.versions, source.opened, source.status) == ([1, 2], 1, 204)

    run(test)


@pytest.mark.parametrize(
    ("said", "after"),
    [("1", 1), ("0", 0), ("x", 0), ("-1", 0), ("9" * 40, 0), ("1, 2", 0), ("", 0)],
)
def test_it_goes_on_after_what_was_seen_last_and_nonsense_is_none(said: str, after: int) -> None:
    async def test() -> None:
        servicer = Watched(History(versions=2), over_at=2)
        async with (
            following(servicer) as front,
            stream(front.url + PATH, **{"last-event-id": said}) as answer,
        ):
            versions = [data["version"] async for _, data in events(answer) if data]
        assert versions == list(range(after + 1, 3))
        assert [each.after_version for each in servicer.asked] == [after]

    run(test)


def test_a_stream_says_that_it_is_there_and_outlives_the_time_of_a_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(event_stream, "HEARTBEAT_S", 0.05)

    async def test() -> None:
        history = History()
        bounds: dict[str, Any] = {"request_timeout_ms": 200, "requests_in_flight": 1}
        async with (
            following(Watched(history, over_at=history.last), **bounds) as front,
            stream(front.url + PATH) as answer,
        ):
            told = events(answer)
            comments = 0
            while comments < 10:
                comments += (await anext(told))[0] == ":"
            figures = await front.figures()  # which it does not keep others from asking
            assert figures["requests"]["in_flight"] == 0
            assert (await asked(f"{front.url}/")).status_code == 200
            await history.goes_on()
            assert [data["version"] async for _, data in told if data] == [2]
            figures = await front.figures()
            most = min(500, limits.max_connections() // 2)
            assert figures["streams"] == {"open": 0, "most": most, "refused": 0}
            assert figures["requests"]["too_late"] == figures["requests"]["abandoned"] == 0
            assert figures["requests"]["shed"] == 0

    run(test)


def test_an_order_that_is_not_there_is_a_problem_and_no_stream() -> None:
    def none(request: orders.WatchOrderRequest) -> AsyncIterator[orders.OrderState]:
        told = f"there is no order {request.order_id}"
        raise RefusedError(grpc.StatusCode.NOT_FOUND, told)

    async def test() -> None:
        async with following(Watched(none)) as front:
            problem = assert_problem(await asked(front.url + PATH), 404)
            assert problem["type"] == "urn:tailrace:problem:order-not-found"
            assert problem["detail"] == f"there is no order {ORDER_ID}"
            assert_problem(await asked(f"{front.url}/v2/orders/nonsense/events"), 404)
            assert (await front.figures())["streams"]["open"] == 0

    run(test)


def test_what_is_wrong_with_orders_itself_is_a_problem() -> None:
    async def fail(_: orders.WatchOrderRequest) -> AsyncIterator[orders.OrderState]:
        yield state(int("secret"))

    def refuse(_: orders.WatchOrderRequest) -> AsyncIterator[orders.OrderState]:
        raise ZeroDivisionError("secret")

    async def test() -> None:
        async with following(Watched(refuse)) as front:
            assert_problem(await asked(front.url + PATH), 502)
        async with following(Watched(fail)) as front:  # it breaks when the answer has begun
            source = EventSource(front.url + PATH)
            following_it = asyncio.create_task(source.follow())
            await until(lambda: source.opened > 1)
            following_it.cancel()
            assert source.told == []

    run(test)


def test_orders_that_cannot_be_reached_are_a_503(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orders_watch, "OPENING_S", 0.2)

    async def test() -> None:
        for url in (None, NOBODY_LISTENS, "dns://orders.invalid:1?nameserver=127.0.0.1:9"):
            async with storefront(url) as front:
                answer = await asked(front.url + PATH)
                assert_problem(answer, 503)
                assert answer.headers["retry-after"]
                assert (await front.figures())["streams"]["open"] == 0

    run(test)


def test_a_browser_that_comes_back_while_orders_is_away_waits_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(orders_watch, "OPENING_S", 0.1)

    async def test() -> None:
        port = free_port()
        async with (
            storefront(f"http://127.0.0.1:{port}") as front,
            stream(front.url + PATH, **{"last-event-id": "1"}) as answer,
        ):
            assert answer.status_code == 200
            told = events(answer)
            assert await anext(told) == (":", None)
            async with serving_orders(Watched(History(versions=2)), port=port):
                assert [data["version"] async for _, data in told if data] == [2]

    run(test)


def test_whoever_hangs_up_is_followed_for_no_more() -> None:
    async def test() -> None:
        servicer, calls = Watched(History()), Calls()
        async with following(servicer, calls) as front:
            streams = front.app.state.streams
            for _ in range(3):
                async with stream(front.url + PATH) as answer:
                    told = events(answer)
                    while (await anext(told))[0] != "1":
                        pass
                    assert servicer.open == calls.streams.open == streams.open == 1
                await until(lambda: servicer.open == calls.streams.open == streams.open == 0)
            assert (await front.figures())["requests"]["abandoned"] == 0
        assert calls.ended == {grpc.StatusCode.CANCELLED: 3}

    run(test)


@pytest.mark.parametrize("opening_s", [0.0, 0.4])
def test_whoever_has_hung_up_by_half_is_not_there_either(opening_s: float) -> None:
    async def test() -> None:
        history, servicer = History(), Watched(History())

        async def slow(request: orders.WatchOrderRequest) -> AsyncIterator[orders.OrderState]:
            await asyncio.sleep(opening_s)
            async for each in history(request):
                yield each

        servicer.tell = slow
        servicer.over_at = 0 if opening_s else -1  # then only the first state begins it
        async with following(servicer) as front:
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", int(front.url.rpartition(":")[2])
            )
            writer.write(f"GET {PATH} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
            writer.write_eof()
            await reader.read()  # all that it is told, until the connection is closed
            await until(lambda: servicer.open == 0)
            assert servicer.asked
            writer.close()

    run(test)


def test_no_more_are_open_than_may_be_and_the_next_one_has_its_place() -> None:
    async def test() -> None:
        servicer = Watched(History())
        async with following(servicer, streams_open=2) as front:
            streams = front.app.state.streams
            async with stream(front.url + PATH), stream(front.url + PATH) as second:
                await until(lambda: servicer.open == 2)
                answer = await asked(front.url + PATH)
                assert_problem(answer, 503)
                assert answer.headers["retry-after"] == "5"
                assert len(servicer.asked) == 2
                await second.aclose()
                await until(lambda: streams.open == 1)
                async with stream(front.url + PATH) as third:
                    assert third.status_code == 200
            assert (await front.figures())["streams"]["refused"] == 1

    run(test)


def test_a_head_of_a_stream_is_that_and_ends() -> None:
    async def test() -> None:
        servicer = Watched(History())
        async with following(servicer) as front:
            answer = await asked(front.url + PATH, "HEAD")
            assert (answer.status_code, answer.content) == (200, b"")
            assert answer.headers["content-type"].startswith("text/event-stream")
            await until(lambda: servicer.open == 0)

    run(test)


def test_orders_that_come_and_go_are_followed_without_the_browser_noticing() -> None:
    watchers = 50

    async def test() -> None:
        history, port, begun = History(last=6), free_port(), 0
        async with storefront(f"http://127.0.0.1:{port}") as front:
            sources = [EventSource(front.url + PATH) for _ in range(watchers)]
            tasks: list[asyncio.Task[None]] = []
            for version in range(1, history.last + 1):
                servicer = Watched(history, over_at=history.last)
                async with serving_orders(servicer, port=port):
                    tasks = tasks or [asyncio.create_task(each.follow()) for each in sources]
                    await until(lambda: all(len(each.told) == version for each in sources))  # noqa: B023
                    begun += len(servicer.asked)
                if version < history.last:
                    await history.goes_on()  # while there is nobody to tell of it
            async with serving_orders(Watched(history, over_at=history.last), port=port):
                await asyncio.gather(*tasks)
        assert begun >= watchers * (history.last - 1)
        for each in sources:
            assert (each.versions, each.opened, each.status) == ([1, 2, 3, 4, 5, 6], 1, 204)

    run(test)


def test_a_stream_of_an_instance_that_is_none_any_more_is_opened_again_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "MOST_CALL_S", 0.1)

    async def test() -> None:
        history = History()
        left, next_ = (Watched(history, over_at=history.last) for _ in range(2))
        async with (
            serving_orders(left) as leaving,
            serving_orders(next_) as staying,
            storefront(f"static://127.0.0.1:{leaving.port}") as front,
        ):
            source = EventSource(front.url + PATH)
            following_it = asyncio.create_task(source.follow())
            await until(lambda: left.open == 1)
            here = Instance("127.0.0.1", staying.port)
            front.app.state.orders_watch._channel.target.instances._resolver.take({here})
            await until(lambda: next_.open == 1)
            await history.goes_on()
            await following_it
            assert (source.versions, source.opened, left.open) == ([1, 2], 1, 0)

    run(test)


def test_streams_of_orders_that_come_of_age_are_opened_again_and_tell_nothing_twice() -> None:
    async def test() -> None:
        history, calls = History(), Calls(streams=Streams(StreamBounds(longest_s=0.1)))
        servicer = Watched(history, over_at=history.last)
        async with following(servicer, calls) as front:
            source = EventSource(front.url + PATH)
            following_it = asyncio.create_task(source.follow())
            await until(lambda: len(servicer.asked) > 3)
            await history.goes_on()
            await following_it
            assert (source.versions, source.opened) == ([1, 2], 1)
            assert {each.after_version for each in servicer.asked[1:-1]} == {1}

    run(test)


def test_streams_come_of_age_in_good_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "LONGEST_S", 0.1)

    async def test() -> None:
        history = History()
        async with following(Watched(history, over_at=history.last)) as front:
            async with stream(front.url + PATH) as answer:
                assert [data["version"] async for _, data in events(answer) if data] == [1]
            source = EventSource(front.url + PATH)
            following_it = asyncio.create_task(source.follow())
            await until(lambda: source.opened > 2)
            await history.goes_on()
            await following_it
            assert (source.versions, source.status) == ([1, 2], 204)

    run(test)


def test_a_storefront_that_stops_ends_its_streams_in_good_order_and_at_once() -> None:
    async def test() -> None:
        servicer = Watched(History())
        async with serving_orders(servicer) as running:
            async with storefront(url_of(running)) as front:
                opened = stream(front.url + PATH)
                told = events(await opened.__aenter__())
                while (await anext(told))[0] != "1":
                    pass
            # it has stopped, and what is left to read is the end
            assert [each async for each in told] == []
            await opened.__aexit__(None, None, None)
            assert servicer.open == 0

    run(test)


def test_a_client_that_reads_nothing_is_given_up_and_nothing_piles_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "ANSWER_TIMEOUT_S", 0.5)
    many = 1000

    async def large(_: orders.WatchOrderRequest) -> AsyncIterator[orders.OrderState]:
        for version in range(1, many + 1):
            yield state(version, order_id=ORDER_ID, cancel_reason="x" * 100_000)

    async def test() -> None:
        servicer = Watched(large)
        async with following(servicer) as front:
            port = int(front.url.rpartition(":")[2])
            with socket.create_connection(("127.0.0.1", port)) as connection:
                connection.sendall(f"GET {PATH} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
                await until(lambda: servicer.open == 1)
                await until(lambda: front.app.state.streams.open == 0)
            await until(lambda: servicer.open == 0)
        assert 0 < servicer.told < many / 5

    run(test)
