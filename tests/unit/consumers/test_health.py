"""How a worker is told to be."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import httpx2
import pytest

from cdc.metrics import render
from consumers.runtime.health import HealthServer, partition_health
from consumers.runtime.lanes import Progress
from consumers.runtime.metrics import worker_metrics
from consumers.runtime.middleware import HandlerStats
from consumers.runtime.store import Place

PLACE = Place("order.events", 0)


def health(progress: Progress, end: int | None, now_s: float = 100.0) -> dict[str, Any]:
    [told] = partition_health({PLACE: progress}, {} if end is None else {PLACE: end}, {}, now_s)
    return told


def test_lag_is_counted_to_the_end() -> None:
    assert health(Progress(5), 8)["lag"] == 3
    assert health(Progress(8), 8)["lag"] == 0


def test_an_end_that_was_seen_earlier_makes_no_negative_lag() -> None:
    told = health(Progress(9), 8)
    assert (told["lag"], told["lag_s"]) == (0, 0.0)


def test_the_lag_is_as_old_as_the_first_message_that_is_not_done() -> None:
    assert health(Progress(5, oldest_ms=98_500), 8)["lag_s"] == 1.5


def test_a_message_from_the_future_is_not_older_than_now() -> None:
    assert health(Progress(5, oldest_ms=200_000), 8)["lag_s"] == 0.0


def test_who_is_behind_with_nothing_fetched_lags_since_it_moved() -> None:
    progress = Progress(5, moved_at=time.monotonic() - 30)
    assert health(progress, 8)["lag_s"] == pytest.approx(30, abs=5)


def test_who_is_at_the_end_has_no_lag() -> None:
    assert health(Progress(8, moved_at=time.monotonic() - 30), 8)["lag_s"] == 0.0


def test_without_an_end_nothing_is_claimed() -> None:
    told = health(Progress(5), None)
    assert (told["lag"], told["lag_s"]) == (None, None)


def test_partitions_come_in_their_order_with_what_is_counted() -> None:
    seen = {
        Place("payment.events", 0): Progress(1),
        Place("order.events", 1): Progress(2, waiting_for="PoolTimeout: no connection is free"),
        Place("order.events", 0): Progress(3, applied=7, duplicates=2, parked=1),
    }
    first, second, third = partition_health(seen, {}, {PLACE: "records were deleted"}, 100.0)
    assert [(each["topic"], each["partition"]) for each in (first, second, third)] == sorted(seen)
    assert (first["applied"], first["duplicates"], first["parked"]) == (7, 2, 1)
    assert second["waiting_for"] == "PoolTimeout: no connection is free"
    assert (first["reset"], second["reset"]) == ("records were deleted", None)


def asked(
    progress: Mapping[Place, Progress], ends: Mapping[Place, int], trouble: str = ""
) -> tuple[int, dict[str, Any]]:
    """Return what `/ready` and `/health` answer, which say the same."""

    async def run() -> tuple[int, dict[str, Any]]:
        partitions = partition_health(progress, ends, {}, time.time())
        server = HealthServer(
            "worker",
            lambda: partitions,
            lambda: trouble,
            lambda: {
                "ignored": {"a.Happened": 2},
                "expired": {"a.DoIt": 1},
                "handlers": {"b.Happened": asdict(HandlerStats(1, 5, 0, 0.25))},
                "answers": {"malformed": 3},
                "stashed": {"commands": 2, "oldest_s": 1.5},
            },
        )
        port = server.bind("127.0.0.1", 0)
        await server.start()
        try:
            async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
                ready, health = await client.get("/ready"), await client.get("/health")
        finally:
            await server.stop()
        assert health.status_code == httpx2.codes.OK
        assert health.json() == ready.json()
        return ready.status_code, ready.json()

    return asyncio.run(run())


def test_who_is_well_says_how_far_behind_it_is() -> None:
    other = PLACE._replace(partition=1)
    status, told = asked({PLACE: Progress(5), other: Progress(2)}, {PLACE: 8, other: 2})
    assert (status, told["ready"], told["trouble"], told["lag"]) == (200, True, None, 3)
    assert told["ignored"] == {"a.Happened": 2}
    assert told["expired"] == {"a.DoIt": 1}
    assert told["answers"] == {"malformed": 3}
    assert told["stashed"] == {"commands": 2, "oldest_s": 1.5}
    assert told["handlers"] == {
        "b.Happened": {"calls": 1, "messages": 5, "failures": 0, "seconds": 0.25}
    }


def test_a_worker_tells_prometheus_the_same() -> None:
    _, told = asked({PLACE: Progress(5, applied=4, duplicates=1)}, {PLACE: 8})
    lines = render(worker_metrics("a-worker", told)).splitlines()
    of = 'consumer="a-worker"'
    place = f'{{{of},outcome="%s",partition="0",topic="order.events"}}'
    for line in (
        f"tailrace_worker_ready{{{of}}} 1.0",
        f"tailrace_worker_messages_total{place % 'applied'} 4.0",
        f"tailrace_worker_messages_total{place % 'duplicates'} 1.0",
        f'tailrace_worker_passed_over_messages_total{{{of},reason="ignored"}} 2.0',
        f'tailrace_handler_seconds_total{{{of},handler="b.Happened"}} 0.25',
        f'tailrace_worker_requests_total{{{of},outcome="malformed"}} 3.0',
        f"tailrace_worker_stashed_commands{{{of}}} 2.0",
    ):
        assert line in lines


def test_who_is_in_trouble_says_which() -> None:
    status, told = asked({PLACE: Progress(5)}, {PLACE: 8}, "it stands still")
    assert (status, told["ready"], told["trouble"]) == (503, False, "it stands still")


def test_one_end_that_is_not_known_makes_the_lag_unknown() -> None:
    other = PLACE._replace(partition=1)
    _, told = asked({PLACE: Progress(5), other: Progress(2)}, {PLACE: 8})
    assert (told["lag"], told["lag_s"]) == (None, None)


def test_without_a_partition_that_it_should_hold_the_lag_is_unknown() -> None:
    _, told = asked({}, {}, "the worker holds no partition")
    assert (told["lag"], told["lag_s"], told["partitions"]) == (None, None, [])


def test_a_worker_that_may_hold_none_is_not_behind() -> None:
    status, told = asked({}, {})
    assert (status, told["lag"], told["lag_s"]) == (200, 0, 0.0)


def test_a_port_is_taken_once() -> None:
    first = HealthServer("a", list, str, dict)
    port = first.bind("127.0.0.1", 0)
    with pytest.raises(OSError, match="in use"):
        HealthServer("b", list, str, dict).bind("127.0.0.1", port)
    asyncio.run(first.stop())
