"""Clocks of workers and of a service are set, ahead and back, while they work."""

import re
from datetime import UTC, datetime, timedelta
from itertools import cycle
from pathlib import Path
from typing import Any, LiteralString

import psycopg

from infra.local.probe import wait_until
from tests import plain_http
from tests.again import show
from tests.clocks import set_clock
from tests.orders_service import orders_alone, start_orders
from tests.services import free_port, wait_until_healthy
from tests.stack import RunningStack
from tests.workers.chance import make_chance, tell
from tests.workers.trial import open_trial

OFF_S = (900, -900, 86_400, -86_400, 0)
WRITTEN = re.compile(r"^time=(\S+)", re.MULTILINE)
DAY = timedelta(days=1)
SCHEMA: LiteralString = "orders_by_a_clock"
BOOK = {"sku": "book", "quantity": 1, "unit_price": "9.77", "tax_rate": "0"}
BODY = {"customer_id": "ada", "currency": "EUR", "lines": [BOOK]}
TIMEOUT_S = 30.0
HISTORY = "select aggregate_version, type from outbox where aggregate_id = %s order by seq"


def clock_in(directory: Path, name: str) -> Path:
    set_clock(directory / name, 0)
    return directory / name


def test_workers_whose_clocks_are_set_lose_nothing_and_repeat_no_effect(
    stack: RunningStack, tmp_path: Path
) -> None:
    chance = make_chance()
    clocks = [clock_in(tmp_path, f"clock-{number}") for number in range(2)]
    with open_trial(stack, tmp_path, partitions=6, keys=100) as trial:
        for clock in clocks:
            trial.fleet.start(1, TAILRACE_LEDGER_CLOCK=str(clock))
        with trial.load.flowing(per_s=300):
            for off_s, clock in zip(OFF_S, cycle(clocks), strict=False):
                trial.wait_more_effects(chance.randrange(1, 600))
                set_clock(clock, off_s)
                trial.wait_more_effects(600)
                # what one has begun goes on with another, by another clock
                worker = trial.fleet.workers[0]
                worker.kill()
                trial.fleet.replace(worker)
                trial.fleet.wait_joined()
        trial.wait_at_end()
        entries = trial.assert_each_once_in_order()
        written = [datetime.fromisoformat(each) for each in WRITTEN.findall(trial.fleet.logs())]
        tell(f"{len(entries)} events, by clocks from {min(written)} to {max(written)}")
        now = datetime.now(UTC)
        show(min(written) < now - DAY / 2 < now + DAY / 2 < max(written), "no clock was set")


class Service:
    """The orders service, by a clock that may be set."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}"

    def place(self, key: str) -> dict[str, Any]:
        answer = plain_http.post(
            f"{self._url}/v2/orders", json=BODY, headers={"idempotency-key": key}
        )
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    def cancel(self, order_id: str) -> dict[str, Any]:
        answer = plain_http.post(f"{self._url}/v2/orders/{order_id}/cancel")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def ids(self) -> list[str]:
        """Return the orders, as the pages of the list have them."""
        found, page = list[str](), "/v2/orders?limit=2"
        while page:
            answer = plain_http.get(f"{self._url}{page}")
            assert answer.status_code == 200, answer.text
            listed = answer.json()
            found += [each["order_id"] for each in listed["orders"]]
            page = listed.get("next")
        return found


def test_a_service_whose_clock_is_set_keeps_the_history_of_its_orders(
    stack: RunningStack, tmp_path: Path
) -> None:
    clock = clock_in(tmp_path, "clock")
    placed: dict[str, dict[str, Any]] = {}
    with orders_alone(stack, SCHEMA) as settings:
        port = free_port()
        process = start_orders(settings, port, "tests.clocks", str(clock))
        try:
            wait_until_healthy(process, port)
            service = Service(port)

            def is_set() -> bool:
                key = f"key-{len(placed)}"
                placed[key] = service.place(key)
                at = datetime.fromisoformat(placed[key]["placed_at"])
                return abs((at - datetime.now(UTC)).total_seconds() - off_s) < 60

            for off_s in OFF_S:
                before = f"key-{len(placed)}"
                placed[before] = service.place(before)
                set_clock(clock, off_s)
                wait_until("the clock is not set", is_set, timeout_s=TIMEOUT_S, interval_s=0.2)
                assert service.place(before) == placed[before], "placed twice"
                order_id = placed[before]["order_id"]
                assert service.cancel(order_id)["version"] == 2
                assert service.cancel(order_id)["version"] == 2
                with psycopg.connect(settings.database_url) as connection:
                    history = connection.execute(HISTORY, [order_id]).fetchall()
                assert [version for version, _ in history] == [1, 2]
            ids = service.ids()
            assert sorted(ids) == sorted(each["order_id"] for each in placed.values())
        finally:
            process.kill()
            process.wait()
