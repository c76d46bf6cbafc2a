"""Endpoints of a relay: `/health` answers 200 while it works, and tells what it holds; `/metrics` is for Prometheus."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from http import HTTPStatus
from typing import Any

from cdc.health import HealthEndpoints
from cdc.metrics import METRICS, counter, gauge, one, render
from cdc.relay.relay import RelayStatus


@contextmanager
def serving(conditions: Sequence[RelayStatus], host: str, port: int) -> Iterator[int]:
    """Answer, in a thread, while the block runs; gives the port.

    Args:
        conditions: How the relay of each database is, that of the main one first.
    """

    def answer() -> tuple[HTTPStatus, dict[str, Any]]:
        fine = all(each.problem is None for each in conditions)
        main, *others = map(asdict, conditions)
        told = main | ({"others": others} if others else {})
        return HTTPStatus.OK if fine else HTTPStatus.SERVICE_UNAVAILABLE, told

    def figures() -> tuple[HTTPStatus, str]:
        return HTTPStatus.OK, _metrics(conditions)

    endpoints = HealthEndpoints({"/health": answer, METRICS: figures})
    bound = endpoints.bind(host, port)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(endpoints.start(), loop).result()
        yield bound
    finally:
        asyncio.run_coroutine_threadsafe(endpoints.stop(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _metrics(conditions: Sequence[RelayStatus]) -> str:
    return render(
        (
            gauge(
                "tailrace_relay_working",
                "Whether the relay works: 1, or 0 when something keeps it from it.",
                one(all(each.problem is None for each in conditions)),
            ),
            gauge(
                "tailrace_relay_shards",
                "Shards that it holds.",
                one(sum(len(each.shards) for each in conditions)),
            ),
            counter(
                "tailrace_relay_published_rows_total",
                "Rows that it has published since its start.",
                one(sum(each.published for each in conditions)),
            ),
            gauge(
                "tailrace_relay_keys_aside",
                "Keys of which rows are set aside, because Kafka refuses them.",
                one(sum(each.aside for each in conditions)),
            ),
        )
    )
