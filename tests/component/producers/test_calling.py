"""Calls to a service that is slow, dead, flapping or a black hole; over real sockets."""

import asyncio
import logging
import re
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter

from cdc.deadline import Deadline, DeadlineExceededError, within
from cdc.service import StartError
from producers.calling.client import ServiceClient
from producers.rest.access.api_key import ApiKey
from producers.rest.body import JsonRoute
from producers.rest.problems import ProblemError
from producers.rest.settings import RequestSettings
from producers.rest.timeout_headers import retries_allowed
from tests.hops import (
    CONTEXT,
    Scripted,
    app_of,
    asked,
    black_hole,
    client_of,
    in_trouble,
    ok,
    served,
    until,
)
from tests.services import NOBODY_LISTENS

KEY = {"idempotency-key": '"one"'}
QUICK = {"breaker_open_ms": 100, "breaker_minimum_calls": 5, "call_attempts": 1}


@pytest.fixture(autouse=True)
def _retries() -> Iterator[None]:
    token = retries_allowed.set(True)
    yield
    retries_allowed.reset(token)


async def status(client: ServiceClient, method: str = "GET", **request: object) -> int:
    try:
        answer = await client.call(method, "/work", CONTEXT, **request)  # type: ignore[arg-type]
    except ProblemError as problem:
        return problem.status_code
    return answer.status


@pytest.mark.parametrize(
    ("method", "headers", "statuses", "expected", "attempts"),
    [
        ("GET", None, [503, 200], 200, 2),
        ("GET", None, [502, 504, 200], 200, 3),
        ("GET", None, [503, 503, 503, 200], 503, 3),
        ("GET", None, [500, 200], 500, 1),
        ("GET", None, [404, 200], 404, 1),
        ("GET", None, [429, 200], 429, 1),
        ("POST", None, [503, 200], 503, 1),
        ("POST", KEY, [503, 200], 200, 2),
        ("DELETE", None, [503, 200], 503, 1),
    ],
)
def test_only_what_is_safe_to_repeat_is_called_again(
    method: str, headers: dict[str, str] | None, statuses: list[int], expected: int, attempts: int
) -> None:
    def reply(number: int, _: bytes) -> bytes:
        said = statuses[number - 1]
        return ok() if said == 200 else in_trouble(status=said)

    async def scenario() -> None:
        server = Scripted(reply)
        async with server.served() as url, client_of(url) as client:
            assert await status(client, method, headers=headers) == expected
            assert len(server.requests) == client.target.counts.attempts == attempts
            assert client.target.counts.retries == attempts - 1

    asyncio.run(scenario())


def test_a_service_shows_its_own_key_to_those_it_calls(tmp_path: Path) -> None:
    key, file = ApiKey.new(), tmp_path / "storefront.key"
    file.write_text(f"{key.text}\n")

    async def scenario() -> None:
        server = Scripted(lambda *_: ok())
        async with server.served() as url, client_of(url, call_key_file=file) as client:
            assert await status(client) == 200
        async with server.served() as url, client_of(url) as client:
            assert await status(client) == 200
        with_key, without = server.requests
        assert f"\r\nauthorization: bearer {key.text}\r\n".encode().lower() in with_key.lower()
        assert b"authorization" not in without.lower()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "content",
    [None, "", "hunter2", "é", f"{ApiKey.new().text}x"],
    ids=["no file", "empty", "something else", "no ASCII", "not copied as it is"],
)
def test_a_key_that_is_none_keeps_a_service_from_starting(
    tmp_path: Path, content: str | None
) -> None:
    file = tmp_path / "storefront.key"
    if content is not None:
        file.write_text(content)

    async def scenario() -> None:
        async with client_of(NOBODY_LISTENS, call_key_file=file):
            pass

    with pytest.raises(StartError, match="TAILRACE_CALL_KEY_FILE names") as refused:
        asyncio.run(scenario())
    assert not content or content not in str(refused.value)


@pytest.mark.parametrize("said", [401, 403])
def test_that_a_service_is_not_let_in_is_no_matter_of_its_clients(said: int) -> None:
    async def scenario() -> None:
        server = Scripted(lambda *_: in_trouble(status=said))
        async with server.served() as url, client_of(url) as client:
            with pytest.raises(ProblemError, match="does not take the credentials") as told:
                await client.call("GET", "/work", CONTEXT)
            assert told.value.status_code == 503
            assert len(server.requests) == 1

    asyncio.run(scenario())


def test_an_answer_that_breaks_off_is_asked_for_again() -> None:
    async def scenario() -> None:
        server = Scripted(lambda number, _: ok() if number > 1 else ok()[:-3])
        async with server.served() as url, client_of(url) as client:
            assert await status(client) == 200
            assert await status(client, "POST") == 200
            assert len(server.requests) == 3

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\ncontent-length: 3\r\n\r\ndone..",
        b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\ntransfer-encoding: chunked\r\n\r\n4\r\ndone\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\ndone",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\ndone\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\ndone\r\n",
        b"HTTP/1.1 200 OK\r\nx: " + 100_000 * b"a" + b"\r\ncontent-length: 4\r\n\r\ndone",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5000000\r\n\r\n" + 5_000_000 * b"a",
        b"HTTP/1.1 99 X\r\ncontent-length: 4\r\n\r\ndone",
        b"\0\1\2\r\n\r\n",
        b"done",
        b"",
    ],
    ids=lambda said: repr(said[:70]),
)
def test_an_answer_that_is_none_leaves_open_whether_anything_was_done(said: bytes) -> None:
    async def scenario() -> None:
        server = Scripted(lambda *_: said)
        async with server.served() as url, client_of(url, call_attempts=1) as client:
            with pytest.raises(ProblemError, match="whether it acted on the request is unknown"):
                await client.call("POST", "/work", CONTEXT)
            assert await status(client) == 502
            assert len(server.requests) == 2

    asyncio.run(scenario())


def test_an_answer_leads_nowhere_and_leaves_nothing_behind() -> None:
    headers = b"location: /elsewhere\r\nset-cookie: a=b\r\ncontent-encoding: gzip\r\n"

    async def scenario() -> None:
        server = Scripted(
            lambda *_: b"HTTP/1.1 302 Found\r\n" + headers + b"content-length: 4\r\n\r\ndone"
        )
        async with server.served() as url, client_of(url) as client:
            for _ in range(2):
                answer = await client.call("GET", "/work", CONTEXT)
                assert (answer.status, answer.body) == (302, b"done")
        assert all(request.startswith(b"GET /work ") for request in server.requests)
        assert len(server.requests) == 2
        assert b"cookie" not in b"".join(server.requests).lower()

    asyncio.run(scenario())


def test_what_is_called_again_goes_to_another_instance() -> None:
    async def scenario() -> None:
        well, broken = Scripted(lambda *_: ok()), Scripted(lambda *_: in_trouble())
        async with well.served() as one, broken.served() as other:
            both = ",".join(url.removeprefix("http://") for url in (one, other))
            # nothing but the choice of the second time keeps a call from the broken one
            async with client_of(f"static://{both}", call_attempts=2, eject_after=1000) as client:
                assert {await status(client) for _ in range(10)} == {200}
                assert client.target.counts.retries == len(broken.requests)
                assert len(well.requests) == 10

    asyncio.run(scenario())


def test_who_repeats_says_so_and_nobody_below_does() -> None:
    async def scenario() -> None:
        server = Scripted(lambda *_: in_trouble())
        router = APIRouter(route_class=JsonRoute)

        async with server.served() as url, client_of(url) as client:

            @router.get("/work")
            async def answer() -> int:
                return await status(client)

            async with served(app_of(router)) as front:
                await asked(f"{front}/work", headers={"request-retries": "none"})
                assert len(server.requests) == 1
                await asked(f"{front}/work")
                assert len(server.requests) == 4
        said = [b"request-retries: none" in request for request in server.requests]
        assert said == [False, True, True, True]

    asyncio.run(scenario())


def test_retry_after_is_kept_to_and_a_long_one_is_left_to_the_client() -> None:
    async def scenario() -> None:
        server = Scripted(lambda n, _: ok() if n > 1 else in_trouble("retry-after: 1"))
        async with server.served() as url, client_of(url) as client:
            assert await status(client) == 200
            first, second = server.arrivals
            assert second - first >= 1
            server.reply = lambda *_: in_trouble("retry-after: 7")
            assert await status(client) == 503
            assert len(server.requests) == 3

    asyncio.run(scenario())


@pytest.mark.parametrize("dying", ["dead", "in trouble", "breaking off"])
def test_a_server_that_dies_gets_hardly_more_calls_than_were_asked_for(dying: str) -> None:
    requests = 200

    async def scenario() -> None:
        said = {"in trouble": in_trouble(), "breaking off": b"HTTP/1.1 200 X\r\n"}
        server = Scripted(lambda *_: said[dying])
        async with server.served() as url:
            here = NOBODY_LISTENS if dying == "dead" else url
            # a breaker that never opens: what is shown is the budget's work alone
            async with client_of(here, timeout_s=60.0, breaker_minimum_calls=10_000) as client:
                answers = [
                    answer
                    for _ in range(10)
                    for answer in await asyncio.gather(
                        *(status(client) for _ in range(requests // 10))
                    )
                ]
                assert set(answers) <= {502, 503}
                assert requests < client.target.counts.attempts <= 1.1 * requests
                if dying != "dead":
                    assert len(server.requests) == client.target.counts.attempts

    asyncio.run(scenario())


def test_the_remaining_time_is_sent_on_less_a_reserve() -> None:
    async def scenario() -> None:
        server = Scripted(lambda *_: ok())
        async with server.served() as url, client_of(url) as client:
            with within(Deadline.after(1)):
                await asyncio.sleep(0.2)
                assert await status(client) == 200
            assert await status(client) == 200
            within_a_request, outside = (
                int(re.search(rb"request-timeout-ms: (\d+)", request)[1])  # type: ignore[index]
                for request in server.requests
            )
            assert 300 < within_a_request <= 780
            assert 4000 < outside <= 4980
            with within(Deadline.after(0.001)), pytest.raises(DeadlineExceededError):
                await status(client)
            assert len(server.requests) == 2

    asyncio.run(scenario())


def test_a_silent_and_a_black_holed_service_cost_the_budget_and_open_the_breaker() -> None:
    async def scenario(url: str) -> None:
        async with client_of(url, **QUICK | {"breaker_open_ms": 60_000}) as client:
            began = time.monotonic()
            with within(Deadline.after(0.4)):
                answers = await asyncio.gather(*(status(client) for _ in range(5)))
            assert answers == [504] * 5
            assert time.monotonic() - began < 2
            assert client.target.breaker.state.value == "open"
            began = time.monotonic()
            assert await status(client) == 503
            assert time.monotonic() - began < 0.3
            assert client.target.counts.attempts == 5

    async def silent() -> None:
        server = Scripted(lambda *_: None)
        async with server.served() as url:
            await scenario(url)
            await until(lambda: server.hung_up == 5)

    asyncio.run(silent())
    with black_hole() as url:
        with pytest.raises(TimeoutError):
            socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=0.3)
        asyncio.run(scenario(url))


def test_a_budget_that_is_too_short_for_anyone_says_nothing_of_the_service() -> None:
    async def scenario() -> None:
        server = Scripted(lambda *_: None)
        async with server.served() as url, client_of(url, **QUICK) as client:
            for _ in range(8):
                with within(Deadline.after(0.03)):
                    assert await status(client) == 504
            assert client.target.breaker.state.value == "closed"
            assert client.target.counts.failures == 0

    asyncio.run(scenario())


def test_a_breaker_opens_on_a_flapping_service_tries_with_one_call_and_closes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)

    async def scenario() -> None:
        server = Scripted(lambda *_: in_trouble())
        async with server.served() as url, client_of(url, **QUICK) as client:
            for _ in range(2):  # away and back, twice
                server.reply = lambda *_: in_trouble()
                while client.target.breaker.state.value != "open":
                    assert await status(client) == 503
                before = len(server.requests)
                assert {await status(client) for _ in range(20)} == {503}
                assert len(server.requests) == before
                await asyncio.sleep(0.13)
                assert await asyncio.gather(*(status(client) for _ in range(20))) == [503] * 20
                assert len(server.requests) == before + 1
                server.reply = lambda *_: ok()
                await asyncio.sleep(0.13)
                tried = await asyncio.gather(*(status(client) for _ in range(20)))
                assert sorted(tried) == [200] + [503] * 19
                assert len(server.requests) == before + 2
                assert client.target.figures()["state"] == "closed"
                assert await status(client) == 200
            assert client.target.figures()["refused_open"] == 2 * (20 + 19 + 19)

    asyncio.run(scenario())
    told = [
        r.fields["state"] for r in caplog.records if hasattr(r, "fields") and "target" in r.fields
    ]
    assert told == ["open", "half-open", "open", "half-open", "closed"] * 2


def test_refusals_of_the_request_never_open_it() -> None:
    async def scenario() -> None:
        server = Scripted(
            lambda number, _: in_trouble(status=(400, 404, 409, 422, 429)[number % 5])
        )
        async with server.served() as url, client_of(url, **QUICK) as client:
            for _ in range(25):
                assert 400 <= await status(client) < 500
            assert client.target.breaker.state.value == "closed"
            assert client.target.counts.failures == 0

    asyncio.run(scenario())


def test_a_caller_that_gives_up_leaves_neither_a_failure_nor_a_connection_behind() -> None:
    async def scenario() -> None:
        server = Scripted(lambda *_: None)
        async with server.served() as url, client_of(url, **QUICK, calls_in_flight=4) as client:
            for _ in range(10):
                tasks = [asyncio.create_task(status(client)) for _ in range(4)]
                await until(lambda: client.target.in_flight == 4)
                for task in tasks:
                    task.cancel()
                for task in tasks:
                    with suppress(asyncio.CancelledError):
                        await task
            assert client.target.counts.failures == client.target.in_flight == 0
            assert client.target.breaker.state.value == "closed"
            server.reply = lambda *_: ok()
            assert await status(client) == 200

    asyncio.run(scenario())


def test_a_caller_that_gives_up_at_the_next_instance_says_nothing_of_the_service() -> None:
    async def scenario() -> None:
        server = Scripted(lambda *_: None)
        async with server.served() as url:
            dead = NOBODY_LISTENS.removeprefix("http://")
            both = f"static://{dead},{url.removeprefix('http://')}"
            async with client_of(both, eject_after=1000) as client:
                tasks = [asyncio.create_task(status(client)) for _ in range(10)]
                await until(lambda: len(server.requests) == 10)
                for task in tasks:
                    task.cancel()
                await asyncio.wait(tasks)
                instances: Any = client.target.figures()["instances"]
                assert sum(each["failures"] for each in instances) > 0
                assert client.target.counts.failures == 0

    asyncio.run(scenario())


def test_one_call_more_than_may_be_under_way_is_refused_at_once() -> None:
    async def scenario() -> None:
        server = Scripted(lambda *_: None)
        async with server.served() as url, client_of(url, calls_in_flight=3) as client:
            tasks = [asyncio.create_task(status(client)) for _ in range(3)]
            await until(lambda: client.target.in_flight == 3)
            with pytest.raises(ProblemError, match="nothing was done") as refused:
                await client.call("GET", "/work", CONTEXT)
            assert refused.value.status_code == 503
            assert refused.value.headers == {"retry-after": "1"}
            assert client.target.figures()["refused_full"] == 1
            for task in tasks:
                task.cancel()

    asyncio.run(scenario())


def test_a_service_that_is_full_sheds_and_is_still_asked_for_its_health() -> None:
    router = APIRouter(route_class=JsonRoute)
    release = asyncio.Event()

    @router.get("/work")
    async def work() -> None:
        await release.wait()

    @router.get("/health")
    async def health() -> str:
        return "ok"

    async def scenario() -> None:
        app = app_of(router, settings=RequestSettings(requests_in_flight=2))
        async with served(app) as url:
            tasks = [asyncio.create_task(asked(f"{url}/work")) for _ in range(2)]
            await until(lambda: app.state.load.in_flight == 2)
            shed = await asked(f"{url}/work")
            assert shed.status_code == 503
            assert shed.headers["retry-after"] == "1"
            assert shed.json()["type"] == "urn:tailrace:problem:unavailable"
            assert (await asked(f"{url}/health")).status_code == 200
            release.set()
            assert {(await task).status_code for task in tasks} == {200}
            assert (await asked(f"{url}/work")).status_code == 200
            assert app.state.load.shed == 1

    asyncio.run(scenario())


@pytest.mark.parametrize("then", ["gone", "in trouble", "left alone"])
def test_a_call_that_may_have_acted_is_not_called_undone_when_the_next_one_did_nothing(
    then: str,
) -> None:
    async def scenario() -> None:
        server = Scripted(lambda n, _: ok()[:-3] if n == 1 else in_trouble("retry-after: 1"))
        minimum = 1 if then == "left alone" else 20
        async with (
            server.served() as url,
            client_of(url, call_attempts=2, breaker_minimum_calls=minimum) as client,
        ):

            def last_words(*_: object) -> bytes:
                server.close()
                return ok()[:-3]

            if then == "gone":
                server.reply = last_words
            with pytest.raises(
                ProblemError, match="whether it acted on the request is unknown"
            ) as told:
                await client.call("POST", "/work", CONTEXT, headers=KEY)
            assert told.value.status_code == 502
            assert told.value.headers is None
            assert len(server.requests) == (2 if then == "in trouble" else 1)

    asyncio.run(scenario())
