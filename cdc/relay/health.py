"""The health endpoint of a relay: `GET /health` answers 200 while it works, and says in JSON what it holds."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from http import HTTPStatus
from typing import Any

from cdc.health import HealthEndpoints
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

    endpoints = HealthEndpoints({"/health": answer})
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
