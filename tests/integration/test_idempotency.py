"""POSTs under an Idempotency-Key, against the real database: one effect, one answer, whatever happens in between."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any

import httpx2
import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege

from cdc.database import borrow, open_pool
from cdc.deadline import Deadline, within
from cdc.ids import new_id
from cdc.retention.rounds import ANSWERS_AT_ONCE, remove_answers
from infra.local.probe import wait_until
from infra.services import RETENTION, SUPERUSER
from producers.orders.bootstrap import Settings
from producers.rest.idempotency import transaction
from producers.rest.idempotency.transaction import AnsweredError, KeptAnswer, KeyedTransaction
from producers.rest.problems import ProblemError
from tests import plain_http
from tests.orders_service import orders_alone, orders_service
from tests.services import free_port
from tests.stack import RunningStack

BOOK = {"sku": "book", "quantity": 3, "unit_price": "9.77", "tax_rate": "0"}
BODY = {"customer_id": "Ädä", "currency": "EUR", "lines": [BOOK]}
SCHEMA = "orders_keyed"
WAITING = (
    "select pid from pg_locks where not granted"
    " and (locktype = 'advisory' or relation = 'customer_order'::regclass)"
)
PER_REQUEST = {"x-correlation-id", "idempotent-replayed"}


@pytest.fixture(scope="module")
def settings(stack: RunningStack) -> Iterator[Settings]:
    with orders_alone(stack, SCHEMA) as settings:
        yield settings


@pytest.fixture
def postgres(stack: RunningStack) -> Iterator["psycopg.Connection[Any]"]:
    with psycopg.connect(stack.database_url(SUPERUSER), autocommit=True) as connection:
        connection.execute(f"set search_path = {SCHEMA}".encode())
        connection.execute("truncate kept_answer")
        yield connection


def keyed(key: str | None = None) -> dict[str, str]:
    return {"idempotency-key": key or str(new_id())}


def said(answer: httpx2.Response) -> tuple[int, bytes, dict[str, str]]:
    """Return an answer without what is of the exchange and not of the answer."""
    headers = {name: text for name, text in answer.headers.items() if name not in PER_REQUEST}
    return answer.status_code, answer.content, headers


def is_replayed(answer: httpx2.Response) -> bool:
    return answer.headers.get("idempotent-replayed") == "true"


async def found(postgres: "psycopg.Connection[Any]", query: str, *, rows: int) -> None:
    """Wait until a query finds so many rows."""
    await asyncio.to_thread(
        wait_until,
        f"{query} does not find {rows} rows",
        lambda: postgres.execute(query.encode()).rowcount >= rows,
        timeout_s=30,
    )


def count(postgres: "psycopg.Connection[Any]", table: str) -> int:
    [[found]] = postgres.execute(f"select count(*) from {table}".encode())
    return int(found)


@pytest.mark.parametrize("path", ["/v1/orders", "/v2/orders", "/orders"])
def test_a_repeated_order_is_the_same_order_to_the_byte(
    settings: Settings, postgres: "psycopg.Connection[Any]", path: str
) -> None:
    key = keyed()
    body = {**BODY, "lines": [{**BOOK}]} if path != "/v1/orders" else BODY_V1

    async def scenario() -> None:
        before = count(postgres, "customer_order")
        async with orders_service(settings) as orders:
            first = await orders.client.post(path, json=body, headers=key)
            assert first.status_code == 201, first.text
            assert not is_replayed(first)
            again = [await orders.client.post(path, json=body, headers=key) for _ in range(3)]
            assert {is_replayed(each) for each in again} == {True}
            assert [said(each) for each in again] == [said(first)] * 3
            assert again[0].headers["x-correlation-id"] != first.headers["x-correlation-id"]
            assert len(await orders.events(first.json()["order_id"])) == 1
        assert count(postgres, "customer_order") == before + 1

    asyncio.run(scenario())


BODY_V1 = {**BODY, "lines": [{k: v for k, v in BOOK.items() if k != "tax_rate"}]}


def test_a_key_is_the_same_with_quotes_and_another_one_elsewhere(settings: Settings) -> None:
    key = str(new_id())

    async def scenario() -> None:
        async with orders_service(settings) as orders:
            bare = await orders.client.post("/v2/orders", json=BODY, headers=keyed(key))
            quoted = await orders.client.post("/v2/orders", json=BODY, headers=keyed(f'"{key}"'))
            assert is_replayed(quoted)
            assert said(quoted) == said(bare)
            elsewhere = await orders.client.post("/orders", json=BODY, headers=keyed(key))
            assert (elsewhere.status_code, is_replayed(elsewhere)) == (201, False)
            assert elsewhere.json()["order_id"] != bare.json()["order_id"]

    asyncio.run(scenario())


def test_another_request_under_the_same_key_is_refused(
    settings: Settings, postgres: "psycopg.Connection[Any]"
) -> None:
    key = keyed()

    async def scenario() -> None:
        async with orders_service(settings) as orders:

            async def post(body: Mapping[str, object]) -> httpx2.Response:
                return await orders.client.post("/orders", json=body, headers=key)

            await post(BODY)
            orders_then = count(postgres, "customer_order")
            refused = await post({**BODY, "customer_id": "eve"})
            assert refused.status_code == 422, refused.text
            assert refused.json()["type"] == "urn:tailrace:problem:idempotency-key-reused"
            assert count(postgres, "customer_order") == orders_then
            assert is_replayed(await post(BODY))

    asyncio.run(scenario())


@pytest.mark.parametrize("key", ["", " ", '"', "a b", "a,b", "ä", "x" * 256, '""', '"a', "a\tb"])
def test_what_is_no_key_is_refused_and_nothing_is_done(
    settings: Settings, postgres: "psycopg.Connection[Any]", key: str
) -> None:
    async def scenario() -> None:
        before = count(postgres, "customer_order")
        async with orders_service(settings) as orders:
            headers = [(b"idempotency-key", key.encode())]
            refused = await orders.client.post("/v2/orders", json=BODY, headers=headers)
            assert refused.status_code == 400
            assert refused.json()["type"] == "urn:tailrace:problem:malformed-idempotency-key"
            twice = [(b"idempotency-key", b"a"), (b"idempotency-key", b"a")]
            assert (await orders.client.post("/v2/orders", json=BODY, headers=twice)).is_error
        assert count(postgres, "customer_order") == before

    asyncio.run(scenario())


def test_a_request_that_is_not_taken_leaves_its_key_free(
    settings: Settings, postgres: "psycopg.Connection[Any]"
) -> None:
    key = keyed()

    async def scenario() -> None:
        async with orders_service(settings) as orders:
            for body in (b"{", b'{"customer_id": 1}', b"x" * 2**21):
                refused = await orders.client.post("/v2/orders", content=body, headers=key)
                assert refused.status_code in {400, 413, 422}
            assert count(postgres, "kept_answer") == 0
            placed = await orders.client.post("/v2/orders", json=BODY, headers=key)
            assert (placed.status_code, is_replayed(placed)) == (201, False)

    asyncio.run(scenario())


def test_without_a_key_nothing_is_kept_and_twice_is_twice(
    settings: Settings, postgres: "psycopg.Connection[Any]"
) -> None:
    async def scenario() -> None:
        async with orders_service(settings) as orders:
            answers = [await orders.client.post("/v2/orders", json=BODY) for _ in range(2)]
            assert len({each.json()["order_id"] for each in answers}) == 2
        assert count(postgres, "kept_answer") == 0

    asyncio.run(scenario())


def test_what_the_state_refuses_stays_refused_under_the_key(
    settings: Settings, postgres: "psycopg.Connection[Any]"
) -> None:
    missing, decided = keyed(), keyed()

    async def scenario() -> None:
        async with orders_service(settings) as orders:
            nowhere = f"/v2/orders/{new_id()}/cancel"
            first = await orders.client.post(nowhere, headers=missing)
            assert first.status_code == 404
            assert said(await orders.client.post(nowhere, headers=missing)) == said(first)

            order = (await orders.client.post("/v2/orders", json=BODY)).json()
            postgres.execute(
                "update customer_order set status = 'confirmed', payment_id = gen_random_uuid()"
                " where order_id = %s",
                [order["order_id"]],
            )
            path = f"/v2/orders/{order['order_id']}/cancel"
            refused = await orders.client.post(path, headers=decided)
            assert (refused.status_code, is_replayed(refused)) == (409, False)
            postgres.execute("update customer_order set status = 'pending', payment_id = null")
            again = await orders.client.post(path, headers=decided)
            assert is_replayed(again)
            assert said(again) == said(refused)
            anew = await orders.client.post(path, headers=keyed())
            assert (anew.status_code, anew.json()["status"]) == (200, "cancelled")
            assert len(await orders.events(order["order_id"])) == 2

    asyncio.run(scenario())


def test_an_error_of_the_server_is_not_kept(
    settings: Settings, postgres: "psycopg.Connection[Any]"
) -> None:
    key = keyed()
    killed = f"select pg_terminate_backend(pid) from ({WAITING}) as waiting"

    async def scenario() -> None:
        async with orders_service(settings) as orders:
            with postgres.transaction():
                postgres.execute("lock table customer_order")
                first = asyncio.create_task(
                    orders.client.post("/v2/orders", json=BODY, headers=key)
                )
                await found(postgres, killed, rows=1)
            assert (await first).status_code == 503
            assert count(postgres, "kept_answer") == 0
            placed = await orders.client.post("/v2/orders", json=BODY, headers=key)
            assert (placed.status_code, is_replayed(placed)) == (201, False)

    asyncio.run(scenario())


def test_of_twins_at_once_one_does_it_and_all_are_answered(settings: Settings) -> None:
    key = keyed()

    async def scenario() -> None:
        async with orders_service(settings) as orders:
            twins = [orders.client.post("/v2/orders", json=BODY, headers=key) for _ in range(30)]
            answers = await asyncio.gather(*twins)
            assert {each.status_code for each in answers} == {201}
            assert len({each.content for each in answers}) == 1
            assert sum(not is_replayed(each) for each in answers) == 1

    asyncio.run(scenario())


def test_a_twin_waits_within_its_deadline_and_is_told_to_come_back(
    settings: Settings, postgres: "psycopg.Connection[Any]"
) -> None:
    key = keyed()

    async def scenario() -> None:
        async with orders_service(settings) as orders:

            async def post() -> httpx2.Response:
                return await orders.client.post("/v2/orders", json=BODY, headers=key)

            with postgres.transaction():
                postgres.execute("lock table customer_order")
                first = asyncio.create_task(post())
                await found(postgres, WAITING, rows=1)
                with within(Deadline.after(-1)):
                    assert (await post()).status_code == 504
                for remaining_s in (0.4, 0.08):
                    with within(Deadline.after(remaining_s)) as deadline:
                        twin = await post()
                        assert deadline.remaining_s() > -0.1
                    assert twin.status_code == 409
                    assert twin.json()["type"] == "urn:tailrace:problem:request-outstanding"
                    assert twin.headers["retry-after"] == "1"
                patient = asyncio.create_task(post())
                await found(postgres, WAITING, rows=2)
            done, late = await asyncio.gather(first, patient)
            assert (done.status_code, is_replayed(done), is_replayed(late)) == (201, False, True)
            assert said(late) == said(done)

    asyncio.run(scenario())


def test_who_gives_up_waiting_for_his_answer_gets_it_under_his_key(
    settings: Settings, postgres: "psycopg.Connection[Any]"
) -> None:
    """A request that is broken off leaves nothing; the next one does it."""
    key = keyed()

    async def scenario() -> None:
        async with orders_service(settings) as orders:
            with postgres.transaction():
                postgres.execute("lock table customer_order")
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.3):
                        await orders.client.post("/v2/orders", json=BODY, headers=key)
            placed = await orders.client.post("/v2/orders", json=BODY, headers=key)
            assert (placed.status_code, is_replayed(placed)) == (201, False)

    asyncio.run(scenario())


def test_an_answer_that_is_too_large_to_be_kept_leaves_nothing(
    settings: Settings, postgres: "psycopg.Connection[Any]", monkeypatch: pytest.MonkeyPatch
) -> None:
    key, before = keyed(), count(postgres, "customer_order")

    async def scenario() -> None:
        async with orders_service(settings) as orders:
            with monkeypatch.context() as small:
                small.setattr(transaction, "MAX_ANSWER_BYTES", 10)
                refused = await orders.client.post("/v2/orders", json=BODY, headers=key)
            assert refused.status_code == 500
            assert count(postgres, "customer_order") == before
            placed = await orders.client.post("/v2/orders", json=BODY, headers=key)
            assert (placed.status_code, is_replayed(placed)) == (201, False)

    asyncio.run(scenario())


def test_what_fails_in_one_block_leaves_the_block_before_it_and_the_claim(
    settings: Settings, postgres: "psycopg.Connection[Any]"
) -> None:
    postgres.execute("create table if not exists note (text text)")
    postgres.execute("grant all on note to orders")
    place, request = new_id().bytes * 2, new_id().bytes * 2

    async def scenario() -> None:
        async with open_pool(settings.database_url) as pool:
            connect = partial(borrow, pool)
            first = KeyedTransaction(connect, place, request)
            await first.begin(wait_s=0)
            for text in ("stays", "goes", "stays, too"):
                with contextlib.suppress(LookupError):
                    async with first.effect() as connection:
                        await connection.execute("insert into note values (%s)", [text])
                        if text == "goes":
                            raise LookupError
                with pytest.raises(ProblemError, match="still being worked on"):
                    await KeyedTransaction(connect, place, request).begin(wait_s=0.01)
            answer = KeptAnswer(404, [(b"a", b"\xff")], bytes(range(256)))
            await first.keep(answer, kept_for=timedelta(seconds=10))
            await first.end()
            with pytest.raises(AnsweredError) as raised:
                await KeyedTransaction(connect, place, request).begin(wait_s=0)
            assert raised.value.answer == answer
            with pytest.raises(ProblemError, match="another request"):
                await KeyedTransaction(connect, place, place[::-1]).begin(wait_s=0)

    asyncio.run(scenario())
    assert postgres.execute("select text from note").fetchall() == [("stays",), ("stays, too",)]


@pytest.mark.parametrize("asks_the_same", [True, False])
def test_a_twin_that_the_claim_did_not_see_is_met_when_the_answer_is_kept(
    settings: Settings, postgres: "psycopg.Connection[Any]", *, asks_the_same: bool
) -> None:
    """Its answer was committed, and its claim let go, while the claim's statement was under way."""
    place, request = new_id().bytes * 2, new_id().bytes * 2
    postgres.execute("create table if not exists effect ()")
    postgres.execute("grant all on effect to orders")

    async def scenario() -> None:
        async with open_pool(settings.database_url) as pool:
            late = KeyedTransaction(partial(borrow, pool), place, request)
            await late.begin(wait_s=0)
            async with late.effect() as connection:
                await connection.execute("insert into effect default values")
            postgres.execute(
                "insert into kept_answer values (%s, %s, 201, '[]', 'twin', now() + interval '1 h')",
                [place, request if asks_the_same else place],
            )
            with pytest.raises(AnsweredError if asks_the_same else ProblemError) as raised:
                await late.keep(KeptAnswer(201, [], b"late"), kept_for=timedelta(hours=1))
            if isinstance(raised.value, AnsweredError):
                assert raised.value.answer == KeptAnswer(201, [], b"twin")
            else:
                assert "another request" in str(raised.value)
            await late.end()

    asyncio.run(scenario())
    assert count(postgres, "effect") == 0


def test_a_refusal_gives_way_to_a_twin_that_came_in_between(
    settings: Settings, postgres: "psycopg.Connection[Any]"
) -> None:
    place, request = new_id().bytes * 2, new_id().bytes * 2
    refusal, done = KeptAnswer(404, [], b"refused"), KeptAnswer(201, [], b"done")

    async def scenario() -> None:
        async with open_pool(settings.database_url) as pool:
            connect = partial(borrow, pool)
            refused = KeyedTransaction(connect, place, request)
            await refused.begin(wait_s=0)
            with contextlib.suppress(LookupError):
                async with refused.effect():
                    raise LookupError
            twin = KeyedTransaction(connect, place, request)
            await twin.begin(wait_s=0)
            async with twin.effect():
                pass
            with pytest.raises(ProblemError, match="still being worked on"):
                await refused.keep(refusal, kept_for=timedelta(hours=1))
            await twin.keep(done, kept_for=timedelta(hours=1))
            await twin.end()
            with pytest.raises(AnsweredError) as raised:
                await refused.keep(refusal, kept_for=timedelta(hours=1))
            assert raised.value.answer == done
            await refused.end()

    asyncio.run(scenario())
    assert count(postgres, "kept_answer") == 1


def test_a_claim_on_a_connection_that_was_lost_is_made_on_another(
    settings: Settings, postgres: "psycopg.Connection[Any]"
) -> None:
    lost = "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'orders' and state = 'idle'"

    async def scenario() -> None:
        async with orders_service(settings) as orders:
            await orders.client.post("/v2/orders", json=BODY, headers=keyed())
            assert postgres.execute(lost.encode()).rowcount
            placed = await orders.client.post("/v2/orders", json=BODY, headers=keyed())
            assert placed.status_code == 201, placed.text

    asyncio.run(scenario())


def test_a_claim_that_no_connection_can_make_is_an_error_of_ours_and_told_at_once(
    settings: Settings, postgres: "psycopg.Connection[Any]"
) -> None:
    async def scenario() -> None:
        async with orders_service(settings) as orders:
            postgres.execute("alter table kept_answer rename to elsewhere")
            try:
                failed = await orders.client.post("/v2/orders", json=BODY, headers=keyed())
            finally:
                postgres.execute("alter table elsewhere rename to kept_answer")
            assert failed.status_code == 500, failed.text
            placed = await orders.client.post("/v2/orders", json=BODY, headers=keyed())
            assert placed.status_code == 201

    asyncio.run(scenario())


def test_an_answer_is_kept_for_its_time_and_then_removed_in_batches(
    stack: RunningStack, settings: Settings, postgres: "psycopg.Connection[Any]"
) -> None:
    key = keyed()
    kept = "select kept_until - clock_timestamp() from kept_answer"

    async def scenario() -> None:
        async with orders_service(settings) as orders:
            first = await orders.client.post("/v2/orders", json=BODY, headers=key)
            [[left]] = postgres.execute(kept)
            assert timedelta(hours=23) < left <= timedelta(hours=settings.answers_kept_h)
            postgres.execute("update kept_answer set kept_until = clock_timestamp()")
            anew = await orders.client.post("/v2/orders", json=BODY, headers=key)
            assert (anew.status_code, is_replayed(anew)) == (201, False)
            assert anew.json()["order_id"] != first.json()["order_id"]

    asyncio.run(scenario())
    expired = (
        "insert into kept_answer select sha256(n::text::bytea), request, 200, '[]', '', now()"
        " from kept_answer, generate_series(1, %s) as n"
    )
    postgres.execute(expired, [2 * ANSWERS_AT_ONCE + 1])
    with psycopg.connect(stack.database_url(RETENTION), autocommit=True) as retention:
        assert remove_answers(retention, SCHEMA) == 2 * ANSWERS_AT_ONCE + 1
        assert remove_answers(retention, SCHEMA) == 0
        assert remove_answers(retention, "canary") == 0
    assert count(postgres, "kept_answer") == 1


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        ("orders", "delete from kept_answer"),
        ("orders", "select remove_expired_answers(1)"),
        (RETENTION, "select from kept_answer"),
        (RETENTION, "delete from kept_answer"),
    ],
)
def test_each_role_may_do_its_own_part_alone(
    stack: RunningStack, settings: Settings, role: str, statement: str
) -> None:
    assert settings.database_url
    with psycopg.connect(stack.database_url(role), autocommit=True) as connection:
        connection.execute(f"set search_path = {SCHEMA}".encode())
        with pytest.raises(InsufficientPrivilege):
            connection.execute(statement.encode())


def is_listening(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def dying_orders(stack: RunningStack, settings: Settings, when: str) -> Iterator[str]:
    """Run an orders service that is killed before or after its commit; yield its URL."""
    port = free_port()
    told = settings.model_dump() | {"port": port}
    environment = {
        f"TAILRACE_{name.upper()}": str(told[name]) for name in told if told[name] is not None
    }
    argv = [sys.executable, "-m", "tests.dying_orders", when]
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen(argv, env=os.environ | environment) as process:
        try:
            wait_until("orders does not listen", lambda: is_listening(port), timeout_s=30)
            yield url
            assert process.wait(10) == -signal.SIGKILL
        finally:
            process.kill()


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_around_the_commit_is_settled_by_the_key(
    stack: RunningStack, settings: Settings, postgres: "psycopg.Connection[Any]", when: str
) -> None:
    key = keyed()
    before = count(postgres, "customer_order")
    with dying_orders(stack, settings, when) as url, pytest.raises(httpx2.HTTPError):
        plain_http.post(f"{url}/v2/orders", json=BODY, headers=key)
    is_committed = when == "after"
    assert count(postgres, "customer_order") == before + is_committed

    async def repeat() -> httpx2.Response:
        async with orders_service(settings) as orders:
            return await orders.client.post("/v2/orders", json=BODY, headers=key)

    answer = asyncio.run(repeat())
    assert (answer.status_code, is_replayed(answer)) == (201, is_committed)
    assert answer.headers["location"] == f"/v2/orders/{answer.json()['order_id']}"
    assert count(postgres, "customer_order") == before + 1


def test_a_key_reaches_through_the_storefront(stack: RunningStack) -> None:
    url, key = f"{stack.settings.url_of('storefront')}/v2/orders", keyed()
    first = plain_http.post(url, json=BODY, headers=key)
    again = plain_http.post(url, json=BODY, headers=key)
    assert (first.status_code, is_replayed(first), is_replayed(again)) == (201, False, True)
    assert (again.content, again.headers["location"]) == (first.content, first.headers["location"])
    other = plain_http.post(url, json={**BODY, "customer_id": "eve"}, headers=key)
    assert other.status_code == 422
    assert other.json()["type"] == "urn:tailrace:problem:idempotency-key-reused"
    assert plain_http.post(url, json=BODY, headers=keyed("a b")).status_code == 400

    cancel = f"{url}/{first.json()['order_id']}/cancel"
    answers = [plain_http.post(cancel, headers=key) for _ in range(2)]
    assert [is_replayed(each) for each in answers] == [False, True]
    assert answers[0].content == answers[1].content


def test_a_sign_up_is_repeated_and_a_taken_address_stays_taken(stack: RunningStack) -> None:
    url, body = f"{stack.settings.url_of('users')}/v1/users", {"email": f"{new_id().hex}@a.example"}
    mine, theirs = keyed(), keyed()
    first = plain_http.post(url, json=body, headers=mine)
    taken = plain_http.post(url, json=body, headers=theirs)
    assert (first.status_code, taken.status_code) == (201, 409)
    for key, answer in ((mine, first), (theirs, taken)):
        again = plain_http.post(url, json=body, headers=key)
        assert is_replayed(again)
        assert said(again)[:2] == said(answer)[:2]
