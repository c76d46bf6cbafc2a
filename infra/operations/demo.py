"""Demonstrating the pipeline: orders, made up or from a file, sent over HTTP and each followed to its end."""

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from infra.demo.crashes import KillNext
from infra.demo.demonstrate import Pace, demonstrate
from infra.demo.generate import GeneratedOrders
from infra.demo.mapping import MappingError
from infra.demo.orders import Source
from infra.demo.result import Result
from infra.demo.run import Display
from infra.demo.source import InForm, open_orders
from infra.deployment import Deployment
from infra.errors import RequestError

DEFAULT_ORDERS = 200
ORDERS_PER_CORE = 2
"""On a machine that runs the stack as well, more under way add to the waiting and not to the rate."""
MOST_AT_ONCE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoRequest:
    """What to send, and how."""

    count: int | None = None  # how many orders to make up; None for 200, or for those of a file
    path: Path | None = None  # a CSV or JSON lines file to send the orders of
    # field -> column of the file, where its heading does not tell
    columns: Mapping[str, str] = field(default_factory=dict)
    # most orders under way at once; by default two for each processor core, or as many as a rate takes
    concurrency: int | None = None
    per_s: float | None = (
        None  # orders begun in a second, on average: what falls behind is caught up with at once
    )
    seed: int = 1  # the same makes up the same orders
    currency: str | None = None  # of amounts that name none; of all orders made up
    timeout_s: float = 60.0  # longest time in which nothing moves

    def __post_init__(self) -> None:
        if self.path is None and self.columns:
            raise RequestError(
                "--map says what the columns of a file mean: name the file with --file."
            )
        if self.path is not None and self.count is not None:
            raise RequestError("--orders makes orders up, --file sends yours: choose one.")


@contextmanager
def open_source(request: DemoRequest) -> Iterator[Source]:
    """Open what is to be sent, until the block ends; a file is read once before."""
    if request.path is None:
        yield GeneratedOrders(
            request.count or DEFAULT_ORDERS, seed=request.seed, currency=request.currency
        )
        return
    with ExitStack() as stack:
        try:
            orders = stack.enter_context(
                open_orders(request.path, overrides=request.columns, currency=request.currency)
            )
        except MappingError as error:
            raise RequestError(str(error)) from error
        yield orders


def send(
    deployment: Deployment,
    source: Source,
    display: Display,
    request: DemoRequest,
    form: str | None = None,
    kill_next: KillNext | None = None,
) -> Result:
    """Send everything in one form of fulfilment, and follow each order to its end.

    Args:
        kill_next: Kills parts of the stack meanwhile.
    """
    usual = MOST_AT_ONCE if request.per_s else ORDERS_PER_CORE * (os.cpu_count() or 1)
    pace = Pace(
        concurrency=request.concurrency or usual,
        per_s=request.per_s,
        timeout_s=request.timeout_s,
    )
    return demonstrate(
        deployment, InForm(source, form) if form else source, display, pace, kill_next
    )
