"""Lists by page: nothing is skipped or doubled whatever happens meanwhile, and a cursor is good for its list alone."""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import psycopg
import pytest

from cdc.database import open_pool
from infra.local.probe import wait_until
from infra.services import OWNER
from producers.orders.bootstrap import Settings
from producers.orders.domain import Status
from producers.orders.listing import FIRST_ID, Position, Wanted, find
from tests import plain_http
from tests.answers import assert_problem
from tests.orders import place
from tests.orders_service import Orders, orders_alone, orders_service
from tests.stack import RunningStack
from tests.webhooks import register

BEGIN = datetime(2026, 11, 1, tzinfo=UTC)
ADD = """
insert into customer_order (
    order_id, customer_id, status, currency, lines, total, placed_at, updated_at, version, fulfilment,
    payment_id, cancel_reason
)
select
    coalesce(%(id)s::uuid, gen_random_uuid()), 'customer-' || number %% 3, status, 'EUR',
    '[{"sku": "book", "quantity": 1, "unit_price": "9.99"}]', 9.99, placed_at, placed_at, 1, 'choreography',
    case when status = 'confirmed' then gen_random_uuid() end,
    case when status = 'cancelled' then 'customer_request' end
from
    generate_series(%(first)s::int, %(last)s::int) as number,
    lateral (
        select
            %(begin)s::timestamptz + number / 4 * interval '1 second' as placed_at,  -- four at a time
            (array['pending', 'confirmed', 'confirmed', 'cancelled', 'confirmed'])[number %% 5 + 1] as status
    ) as derived
returning order_id::text
"""


@pytest.fixture(scope="module")
def settings(stack: RunningStack) -> Iterator[Settings]:
    with orders_alone(stack, "orders_listed") as settings:
        yield settings


@asynccontextmanager
async def full(settings: Settings, *, orders: int = 0) -> AsyncIterator[Orders]:
    """Run the service, with as many orders and no others."""
    with psycopg.connect(settings.database_url, autocommit=True) as connection:
        add(connection, 1, orders)
    async with orders_service(settings) as service:
        yield service


@pytest.fixture(autouse=True)
def _emptied(settings: Settings, stack: RunningStack) -> Iterator[None]:
    yield
    with psycopg.connect(stack.database_url(OWNER), autocommit=True) as connection:
        connection.execute("truncate orders_listed.customer_order")


def add(connection: Any, first: int, last: int, order_id: object = None) -> list[str]:
    values = {"first": first, "last": last, "begin": BEGIN, "id": order_id}
    return [row[0] for row in connection.execute(ADD, values).fetchall()]


def newest_first(connection: Any, fits: str = "true") -> list[str]:
    query = f"select order_id::text from customer_order where {fits} order by placed_at desc, order_id desc"
    return [row[0] for row in connection.execute(query).fetchall()]


def ids(page: httpx2.Response) -> list[str]:
    assert page.status_code == 200, page.text
    return [order["order_id"] for order in page.json()["orders"]]


async def walk(client: httpx2.AsyncClient, path: str) -> AsyncIterator[httpx2.Response]:
    """Yield the pages of a list, as the body and the header `Link` lead through it."""
    following: str | None = path
    while following:
        page = await client.get(following)
        yield page
        following = page.json().get("next")
        link = page.headers.get("link")
        assert link == (f'<{following}>; rel="next"' if following else None)


def test_each_order_is_met_once_while_others_arrive_and_change(settings: Settings) -> None:
    async def met() -> tuple[list[str], list[str], set[str]]:
        async with full(settings, orders=90) as orders:
            with psycopg.connect(orders.url, autocommit=True) as connection:
                there, seen, arrived = newest_first(connection), list[str](), set[str]()
                async for page in walk(orders.client, "/v2/orders?limit=7"):
                    seen += ids(page)
                    # newer ones, one of the same moment as the last that was met, and one from long ago
                    arrived.update(add(connection, 90 + len(seen), 95 + len(seen)))
                    arrived.update(add(connection, behind := max(1, 90 - len(seen)), behind))
                    arrived.update(add(connection, -900, -900))
                    connection.execute(
                        "update customer_order set status = 'cancelled', cancel_reason = 'x', payment_id = null,"
                        " version = version + 1 where order_id = any(%s)",
                        [[seen[-1], there[-1]]],
                    )
                    assert len(seen) < 500
                return there, seen, arrived

    there, seen, arrived = asyncio.run(met())
    assert len(arrived) > 90
    assert len(seen) == len(set(seen))
    assert [order for order in seen if order not in arrived] == there
    assert set(seen) & arrived  # those that came in behind the cursor are met


def test_filters_choose_among_all_orders(settings: Settings) -> None:
    of_customer, confirmed = "customer_id = 'customer-1'", "status = 'confirmed'"
    filters = {
        "": "true",
        "status=confirmed": confirmed,
        "customer_id=customer-1": of_customer,
        "customer_id=customer-1&status=confirmed": f"{of_customer} and {confirmed}",
        "customer_id=nobody": "false",
        "placed_from=2026-11-01T00:00:05Z": "placed_at >= '2026-11-01T00:00:05Z'",
        "placed_before=2026-11-01T01:00:09%2B01:00": "placed_at < '2026-11-01T00:00:09Z'",
        "placed_from=2026-11-01T00:00:02Z&placed_before=2026-11-01T00:00:06Z&status=confirmed": (
            f"placed_at >= '2026-11-01T00:00:02Z' and placed_at < '2026-11-01T00:00:06Z' and {confirmed}"
        ),
    }

    async def tried() -> None:
        async with full(settings, orders=60) as orders:
            with psycopg.connect(orders.url, autocommit=True) as connection:
                for query, fits in filters.items():
                    wanted = newest_first(connection, fits)
                    for limit in (1, 8, 200):
                        path = f"/v2/orders?limit={limit}&{query}"
                        pages = [ids(page) async for page in walk(orders.client, path)]
                        assert [each for page in pages for each in page] == wanted, query
                        assert all(len(page) == limit for page in pages[:-1])
                        assert len(pages) == max(1, -(-len(wanted) // limit))

    asyncio.run(tried())


def test_a_cursor_is_good_for_its_list_alone(settings: Settings) -> None:
    async def tried() -> None:
        async with full(settings, orders=9) as orders:
            first = await orders.client.get("/v2/orders?limit=3&status=confirmed")
            following = first.json()["next"]
            cursor = following.rpartition("cursor=")[2]
            same = await orders.client.get(f"/orders?status=confirmed&cursor={cursor}&limit=9")
            assert len(ids(same)) == 3  # of another size, and at the path without a version
            for query in (
                f"cursor={cursor}",
                f"status=pending&cursor={cursor}",
                f"status=confirmed&customer_id=customer-1&cursor={cursor}",
                "cursor=",
                "cursor=%00",
                "cursor=%C3%A4",
                f"status=confirmed&cursor={cursor[:-1]}",
                f"status=confirmed&cursor={cursor[:-5]}",
                f"status=confirmed&cursor=A{cursor[1:]}",
                f"status=confirmed&cursor={cursor}=",
                f"status=confirmed&cursor={'A' * 600}",
                *(
                    f"status=confirmed&cursor={forged(p)}"
                    for p in (b"", b"[]", b"[1]", b"\xff", b"[null,null]")
                ),
            ):
                problem = assert_problem(await orders.client.get(f"/v2/orders?{query}"), 400)
                assert problem["type"] == "urn:tailrace:problem:foreign-cursor", query

    asyncio.run(tried())


def forged(position: bytes) -> str:
    """Return a cursor as whoever has read the code makes one."""
    seal = hashlib.sha256(b"/orders?status=confirmed\n" + position).digest()[:8]
    return base64.urlsafe_b64encode(seal + position).decode().rstrip("=")


def test_a_query_that_is_none_is_refused(settings: Settings) -> None:
    queries = {
        "limit=0": "#/limit",
        "limit=201": "#/limit",
        "limit=1e1": "#/limit",
        "status=lost": "#/status",
        "staus=pending": "#/staus",
        "placed_from=1764547200": "#/placed_from",
        "placed_from=2026-11-01": "#/placed_from",
        "placed_before=2026-11-31T00:00:00Z": "#/placed_before",
        "placed_before=2026-11-01T00:00:00": "#/placed_before",
        "customer_id=": "#/customer_id",
        "customer_id=%00": "#/customer_id",
    }

    async def tried() -> None:
        async with full(settings) as orders:
            for query, pointer in queries.items():
                problem = assert_problem(await orders.client.get(f"/v2/orders?{query}"), 422)
                errors = problem["errors"]
                assert isinstance(errors, list)
                assert [error["pointer"] for error in errors] == [pointer]
            for query in ("customer_id=%ff", "%ed%a0%80=1", "cursor=%c3"):
                problem = assert_problem(await orders.client.get(f"/v2/orders?{query}"), 400)
                assert "UTF-8" in str(problem["detail"])

    asyncio.run(tried())


def test_a_page_deep_in_a_list_costs_what_the_first_one_does(
    settings: Settings, stack: RunningStack
) -> None:
    """Postgres counts the rows that it reads, which does not depend on how busy the machine is."""
    limit = 20
    with psycopg.connect(stack.database_url(OWNER), autocommit=True) as connection:
        connection.execute("set search_path to orders_listed")
        add(connection, 1, 4_000)
        connection.execute("vacuum analyze customer_order")

    async def read(wanted: Wanted, after: Position | None) -> int:
        async with (
            open_pool(settings.database_url) as pool,
            pool.connection() as connection,
            connection.transaction(),
        ):
            found = await find(connection, wanted, after=after, limit=limit)
            assert len(found) == limit
            counted = await connection.execute(
                "select seq_tup_read + idx_tup_fetch from pg_stat_xact_user_tables"
                " where relid = 'customer_order'::regclass"
            )
            [(rows,)] = await counted.fetchall()
            return int(rows)

    for wanted in (
        Wanted(),
        Wanted(status="cancelled"),
        Wanted(customer_id="customer-1"),
        Wanted(customer_id="customer-1", status="pending"),
        Wanted(placed_from=BEGIN, placed_before=BEGIN + timedelta(seconds=800)),
    ):
        for after in (None, (BEGIN + timedelta(seconds=500), FIRST_ID)):
            rows = asyncio.run(read(wanted, after))
            assert rows <= limit * (1 if wanted.status else len(Status)), (wanted, after)


def test_the_storefront_leads_through_the_same_list(stack: RunningStack) -> None:
    """On a stack where orders come and go, as the storefront is asked by whoever likes."""
    url = stack.settings.url_of("storefront")
    mine = {place(stack)["order_id"] for _ in range(5)}
    since = BEGIN.isoformat().replace("+00:00", "Z")
    seen: list[str] = []
    following: str | None = f"/orders?limit=2&placed_from={since}"
    while following and not mine <= set(seen):
        assert following.startswith("/orders?")
        page = plain_http.get(f"{url}{following}")
        seen += ids(page)
        following = page.json().get("next")
        assert page.headers.get("link") == (f'<{following}>; rel="next"' if following else None)
    assert mine <= set(seen)
    assert len(seen) == len(set(seen))
    foreign = plain_http.get(
        f"{url}{following}&status=pending" if following else f"{url}/orders?cursor=x"
    )
    problem = assert_problem(foreign, 400)
    assert problem["type"] == "urn:tailrace:problem:foreign-cursor"
    assert_problem(plain_http.get(f"{url}/v2/orders?limit=0"), 422)


def test_an_order_is_cancelled_as_it_was_seen_or_not_at_all(settings: Settings) -> None:
    async def tried() -> None:
        async with full(settings) as orders:
            line = {"sku": "book", "quantity": 1, "unit_price": "9.99"}
            body = {"customer_id": "ada", "currency": "EUR", "lines": [line]}
            placed = await orders.client.post("/v1/orders", json=body)
            order_id = placed.json()["order_id"]
            seen = [await orders.client.get(f"/v{n}/orders/{order_id}") for n in (1, 2)]
            tags = [each.headers["etag"] for each in seen]
            assert tags[0] != tags[1]

            async def cancel(if_match: str) -> httpx2.Response:
                path = f"/v2/orders/{order_id}/cancel"
                return await orders.client.post(path, headers={"if-match": if_match})

            for stale in (f"W/{tags[1]}", tags[1].replace('"1-', '"2-'), '"1"'):
                problem = assert_problem(await cancel(stale), 412)
                assert problem["type"] == "urn:tailrace:problem:changed-meanwhile"
            assert_problem(await cancel("1"), 400)
            row = await orders.row(order_id)
            assert row
            assert row["status"] == "pending"
            done = await cancel(tags[0])  # whichever version has shown it
            assert (done.status_code, done.json()["status"]) == (200, "cancelled")
            assert_problem(await cancel(tags[0]), 412)
            assert (await cancel("*")).status_code == 200
            assert len(await orders.events(order_id)) == 2
            now = await orders.client.get(f"/v2/orders/{order_id}")
            assert now.headers["etag"].startswith('"2-')

    asyncio.run(tried())


def test_the_storefront_tags_orders_and_passes_conditions_on(stack: RunningStack) -> None:
    url = f"{stack.settings.url_of('storefront')}/v2/orders/{place(stack)['order_id']}"
    wait_until("the order is not confirmed", lambda: is_confirmed(url), timeout_s=60)
    etag = plain_http.get(url).headers["etag"]
    assert plain_http.get(url, headers={"if-none-match": etag}).status_code == 304
    assert plain_http.get(url.replace("/v2", "/v1")).headers["etag"] != etag
    stale = etag.replace('"2-', '"1-')
    assert_problem(plain_http.post(f"{url}/cancel", headers={"if-match": stale}), 412)
    # it is as it was seen, and cannot be cancelled for another reason
    assert_problem(plain_http.post(f"{url}/cancel", headers={"if-match": etag}), 409)


def is_confirmed(url: str) -> bool:
    return bool(plain_http.get(url).json()["status"] == "confirmed")


def test_endpoints_and_deliveries_are_listed_by_page(stack: RunningStack) -> None:
    url = stack.settings.url_of("webhooks")
    endpoints = [register(stack, "http://localhost:9/")["endpoint_id"] for _ in range(3)]
    seen: list[str] = []
    following: str | None = f"/v1/endpoints?limit=2&after={endpoints[0]}"
    while following:
        page = plain_http.get(f"{url}{following}").json()
        seen += [each["endpoint_id"] for each in page["endpoints"]]
        assert page["next_after"] == (seen[-1] if page["next"] else None)
        following = page["next"]
    assert seen[:2] == endpoints[1:]
    path = f"{url}/v1/endpoints/{endpoints[0]}"
    sent = [plain_http.post(f"{path}/test").json()["delivery_id"] for _ in range(3)]
    first = plain_http.get(f"{path}/deliveries?limit=2").json()
    second = plain_http.get(f"{url}{first['next']}").json()
    listed = [each["delivery_id"] for each in first["deliveries"] + second["deliveries"]]
    assert listed == sent[::-1]
    assert second["next"] is None
    other = first["next"].replace(endpoints[0], endpoints[1])
    assert_problem(plain_http.get(f"{url}{other}"), 400)
    for each in endpoints:
        plain_http.post(f"{url}/v1/endpoints/{each}/disable")
