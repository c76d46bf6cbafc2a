"""Reports on a stack: asked for, waited for, fetched, and made by a worker that is killed in the midst of it."""

import csv
import io
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx2
import pytest
from arro3.io import read_parquet

from cdc.database import connect
from cdc.ids import new_id
from infra.local.probe import wait_until
from infra.services import OWNER
from tests import plain_http
from tests.orders import place_lines, wait_until_decided
from tests.stack import RunningStack

TODAY = datetime.now(UTC).date()
PERIOD = {
    "from": (TODAY - timedelta(days=2)).isoformat(),
    "to": (TODAY + timedelta(days=2)).isoformat(),
}


def url_of(stack: RunningStack, path: str) -> str:
    return f"{stack.settings.url_of('reports')}{path}"


def ask(stack: RunningStack, **changes: Any) -> httpx2.Response:
    return plain_http.post(url_of(stack, "/v2/reports"), json=PERIOD | changes)


def look(stack: RunningStack, path: str, **headers: str) -> httpx2.Response:
    return plain_http.get(url_of(stack, path), headers=headers)


def finished(stack: RunningStack, path: str) -> dict[str, Any]:
    """Return a job that is finished by now."""
    found = dict[str, Any]()

    def is_finished() -> bool:
        found.update(look(stack, path, prefer="wait=5").json())
        return found["status"] not in {"queued", "running"}

    wait_until(f"{path} is not finished", is_finished, timeout_s=60)
    return found


def made(stack: RunningStack, **changes: Any) -> bytes:
    asked = ask(stack, **changes)
    assert asked.status_code == 202, asked.text
    job = finished(stack, asked.headers["location"])
    assert job["status"] == "done", job
    return look(stack, job["result"]["url"]).content


def in_database(stack: RunningStack, role: str, statement: str, **values: Any) -> list[Any]:
    with connect(stack.database_url(role), autocommit=True) as connection:
        cursor = connection.execute(statement.encode(), values)
        return cursor.fetchall() if cursor.description else []


def test_a_report_says_what_the_books_say(stack: RunningStack) -> None:
    sku = f"=sku {new_id().hex}"
    lines: list[dict[str, Any]] = [
        {"sku": sku, "quantity": 3, "unit_price": "9.99", "tax_rate": "0.07", "digital": True},
        {"sku": sku, "quantity": 1, "unit_price": "0.01", "tax_rate": "0.19", "digital": True},
    ]
    orders = [place_lines(stack, *lines) for _ in range(4)]
    orders += [place_lines(stack, *lines, customer_id="declined")]
    order_ids = [each["order_id"] for each in orders]
    wait_until_decided(stack, order_ids)
    kept = in_database(
        stack,
        "orders",
        "select currency, count(*), count(*) filter (where status = 'confirmed'), "
        "sum(total) filter (where status = 'confirmed'), max(cancel_reason) "
        "from customer_order where order_id = any(%(ids)s::uuid[]) group by currency",
        ids=order_ids,
    )
    [[currency, placed, confirmed, revenue, reason]] = kept

    def is_told() -> bool:
        told = in_database(
            stack,
            "reports",
            "select count(*) from sale where order_id = any(%(ids)s::uuid[])",
            ids=order_ids,
        )
        return told == [(2 * len(orders),)]

    wait_until("what happened to the orders is not told yet", is_told, timeout_s=30)
    [row] = csv.DictReader(io.StringIO(made(stack, skus=[sku]).decode()))
    assert row == {
        "day": TODAY.isoformat(),
        "currency": currency,
        "sku": f"'{sku}",
        "orders_placed": str(placed),
        "orders_confirmed": str(confirmed),
        "orders_cancelled": "1",
        "cancelled_by_reason": f'{{"{reason}": 1}}',
        "revenue": str(revenue),
        "refunds": "0.0000",
    }
    table: Any = read_parquet(io.BytesIO(made(stack, skus=[sku], format="parquet"))).read_all()
    assert [each.as_py() for each in table.column("sku")] == [sku]
    assert [each.as_py() for each in table.column("revenue")] == [Decimal(revenue)]


def test_a_job_is_followed_and_its_result_fetched_as_http_has_it(stack: RunningStack) -> None:
    asked = ask(stack)
    assert asked.status_code == 202
    job, path = asked.json(), asked.headers["location"]
    assert path == f"/v2/jobs/{job['job_id']}"
    assert (job["status"], job["progress"]) == ("queued", {"done": 0, "total": 4})
    assert asked.headers["retry-after"] == "1"
    begun = time.monotonic()
    answer = look(stack, path, prefer="respond-async, wait=600")
    assert answer.headers["preference-applied"] == "wait=8"
    job = answer.json()
    if job["status"] != "done":  # on a machine that is slow
        job = finished(stack, path)
    else:
        assert time.monotonic() - begun < 8
    assert "retry-after" not in look(stack, path, prefer="wait=5").headers
    result = look(stack, job["result"]["url"])
    assert result.headers["content-type"] == job["result"]["media_type"]
    assert int(result.headers["content-length"]) == job["result"]["bytes"] == len(result.content)
    assert f"sales_{PERIOD['from']}_" in result.headers["content-disposition"]
    head = plain_http.request("HEAD", url_of(stack, job["result"]["url"]))
    assert (head.status_code, head.content) == (200, b"")
    for name in ("etag", "content-length", "content-type", "content-disposition"):
        assert head.headers[name] == result.headers[name]
    tag = result.headers["etag"]
    for named in (tag, f'"other", W/{tag}', "*"):
        assert look(stack, job["result"]["url"], **{"if-none-match": named}).status_code == 304
    assert look(stack, job["result"]["url"], **{"if-none-match": '"x"'}).status_code == 200
    in_database(
        stack,
        OWNER,
        "update reports.job set expires_at = clock_timestamp() where job_id = %(id)s",
        id=job["job_id"],
    )
    gone = look(stack, job["result"]["url"])
    assert (gone.status_code, gone.json()["type"]) == (410, "urn:tailrace:problem:result-expired")
    shown = look(stack, path).json()
    assert (shown["status"], "result" in shown) == ("expired", False)
    refused = plain_http.post(url_of(stack, f"{path}/cancel"))
    assert (refused.status_code, refused.json()["type"]) == (
        409,
        "urn:tailrace:problem:job-finished",
    )
    wait_until(
        "the result is not taken away",
        lambda: (
            in_database(
                stack,
                "reports",
                "select count(*) from job_chunk where job_id = %(id)s",
                id=job["job_id"],
            )
            == [(0,)]
        ),
        timeout_s=30,
    )


def test_what_is_not_there_or_cannot_be_asked_is_said(stack: RunningStack) -> None:
    nobody = f"/v2/jobs/{new_id()}"
    for answer in (
        look(stack, nobody),
        look(stack, nobody, prefer="wait=1"),
        look(stack, f"{nobody}/result"),
        plain_http.post(url_of(stack, f"{nobody}/cancel")),
        look(stack, "/v2/jobs/no-id"),
    ):
        assert answer.status_code == 404, answer.text
    refused = ask(stack, to=PERIOD["from"])
    assert refused.status_code == 422
    assert "at most" in refused.text or "1 to 366 days" in refused.text


@contextmanager
def stopped_at(stack: RunningStack, part: int, **asked: Any) -> Iterator[str]:
    """Ask for a report, and have whoever makes it stop with a day that it cannot write down while the block runs."""
    owner = stack.database_url(OWNER)
    with connect(owner) as table, connect(owner) as row, ThreadPoolExecutor() as pool:
        table.execute("lock table reports.job_part in share mode")
        path = ask(stack, **asked).headers["location"]
        job_id = path.rpartition("/")[2]
        wait_for_locks(stack, 1)
        keeping = pool.submit(
            row.execute, "insert into reports.job_part values (%s, %s, '')", (job_id, part)
        )
        wait_for_locks(stack, 2)
        table.rollback()
        keeping.result(30)
        wait_until(
            "the worker does not come so far",
            lambda: look(stack, path).json()["progress"]["done"] == part,
            timeout_s=30,
        )
        yield path
        row.rollback()


def wait_for_locks(stack: RunningStack, count: int) -> None:
    waiting = "select count(*) from pg_locks where not granted and relation = 'reports.job_part'::regclass"
    wait_until(
        "nobody waits for the table",
        lambda: in_database(stack, OWNER, waiting) == [(count,)],
        timeout_s=60,
    )


def test_a_worker_that_is_killed_is_followed_by_one_that_goes_on(stack: RunningStack) -> None:
    month = {"from": "2026-01-01", "to": "2026-02-01"}
    with stopped_at(stack, 20, **month) as path:
        assert look(stack, path).json()["status"] == "running"
        assert look(stack, f"{path}/result").status_code == 409
        stack.kill("reports-worker")
    # as if the time of its lease had passed
    in_database(
        stack,
        OWNER,
        "update reports.job set due_at = clock_timestamp() where job_id = %(id)s",
        id=path.rpartition("/")[2],
    )
    job = finished(stack, path)
    assert (job["status"], job["progress"]) == ("done", {"done": 31, "total": 31})
    [[generation]] = in_database(
        stack,
        "reports",
        "select generation from job where job_id = %(id)s",
        id=job["job_id"],
    )
    assert generation == 2
    header = look(stack, job["result"]["url"]).text
    assert header.startswith("day,currency,sku,")


def test_a_job_is_cancelled_while_it_runs_and_who_waits_hears_of_it(stack: RunningStack) -> None:
    with ThreadPoolExecutor() as pool, stopped_at(stack, 2) as path:
        waiting = pool.submit(look, stack, path, prefer="wait=8")
        cancelling = pool.submit(plain_http.post, url_of(stack, f"{path}/cancel"))
        at_work = pool.submit(look, stack, path, prefer="wait=0").result(10)
        assert at_work.json()["status"] == "running"
        assert at_work.headers["preference-applied"] == "wait=0"
    cancelled = cancelling.result(10)
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    assert waiting.result(10).json()["status"] in {"cancelled", "running"}
    assert finished(stack, path)["status"] == "cancelled"
    again = plain_http.post(url_of(stack, f"{path}/cancel"))
    assert (again.status_code, again.json()["status"]) == (200, "cancelled")
    assert look(stack, f"{path}/result").json()["type"] == "urn:tailrace:problem:no-result"


@pytest.mark.parametrize("format_", ["csv", "parquet"])
def test_a_period_in_which_nothing_happened_is_a_report_as_well(
    stack: RunningStack, format_: str
) -> None:
    assert made(stack, format=format_, **{"from": "0001-01-01", "to": "0001-01-02"})
