"""What the console costs: its first page, a hundred open pages, and orders while somebody looks at it."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import aiohttp

from infra.local.parts import PARTS
from infra.local.supervision.client import Supervisor
from schemas.messages.orders import Fulfilment
from tests.bench.e2e.contender import cpu_s
from tests.bench.e2e.ours import system_of
from tests.bench.e2e.traffic import Clients, clients_of
from tests.bench.errors import BenchError
from tests.bench.figures import percentile, ratio
from tests.bench.options import Options
from tests.bench.outcome import Outcome, Run, machine, medians
from tests.bench.progress import Progress
from tests.bench.report import summary
from tests.bench.stack import own_stack
from tests.stack import RunningStack

NAME = "console"
CONSOLE = "console"
CLOSED, ONE, MANY, MIXED = "closed", "one page", "overviews", "a mix"
OVERVIEW = "/"
MIX = (OVERVIEW, "/sagas", "/parked", "/outboxes", "/replays")
CLIENTS = 8
WARM_S, SETTLE_S = 5.0, 3.0
"""For which a console that was started is left alone, and pages are that were opened."""
WATCHED_S = 20.0
"""For which the processor time of open pages is measured."""
TIMEOUT_S = 60.0
PANELS = re.compile('data-panels="([^"]*)"')
FILES = re.compile('(?:href|src)="(/static/[^"]+)"')


def run(options: Options, progress: Progress) -> Outcome:
    """Run the benchmark on a stack of its own, all of which runs, as a console has all of it to look at.

    Raises:
        BenchError: a page was refused, or an order was not fulfilled.
    """
    here, runs = machine(), list[Run]()
    with own_stack(*(part.name for part in PARTS)) as stack:
        asyncio.run(_warm_up(stack, options.warm_up_s))
        for number in range(1, options.rounds + 1):

            def note(contender: str, kind: str, events: int, found: Mapping[str, float]) -> None:
                runs.append(
                    Run(contender=contender, kind=kind, round=number, events=events, figures=found)  # noqa: B023
                )
                progress.found(f"{kind}, {contender}: {summary(found)}")

            with progress.step(f"round {number}: first page"):
                for contender, found in asyncio.run(_first_page(stack)):
                    note(contender, "page", 1, found)
            for contender in (CLOSED, ONE, MANY, MIXED)[:: 1 if number % 2 else -1]:
                with progress.step(f"round {number}: {contender}"):
                    paths = _paths(contender, options.pages)
                    for kind, events, found in asyncio.run(_watched(stack, paths, options.orders)):
                        note(contender, kind, events, found)
    return Outcome(NAME, here, ratios(runs), runs)


def ratios(runs: Sequence[Run]) -> Mapping[str, float]:
    """Return orders with the console open in units of those with none."""
    found = {}
    for name, figure in (("orders", "per_s"), ("p50", "end_p50_ms")):
        each = medians(runs, "orders", figure)
        for contender in (ONE, MANY, MIXED):
            found[f"{name} {contender}_vs_closed"] = ratio(each.get(contender), each.get(CLOSED))
    return {name: value for name, value in found.items() if value is not None}


def _paths(contender: str, pages: int) -> Sequence[str]:
    mix = MIX if contender == MIXED else (OVERVIEW,)
    number = {CLOSED: 0, ONE: 1}.get(contender, pages)
    return tuple(mix[each % len(mix)] for each in range(number))


async def _warm_up(stack: RunningStack, seconds: float) -> None:
    async with clients_of(system_of(stack, "two", Fulfilment.CHOREOGRAPHY)) as clients:
        await clients.warm_up(seconds)


async def _first_page(stack: RunningStack) -> list[tuple[str, Mapping[str, float]]]:
    """Measure a page of a console that has just been started, of one that has settled, and the next one."""
    stack.stop(CONSOLE)
    stack.start(CONSOLE)
    new = await _page(stack)
    stack.stop(CONSOLE)
    stack.start(CONSOLE)
    await asyncio.sleep(WARM_S)
    first = await _page(stack)
    return [("just started", new), ("first", first), ("next", await _page(stack))]


async def _page(stack: RunningStack) -> Mapping[str, float]:
    """Fetch the overview with all that goes with it, as a browser does that has nothing of it yet."""
    async with aiohttp.ClientSession(stack.settings.console_url, auto_decompress=False) as http:
        begun = time.perf_counter()
        text = await _fetched(http, OVERVIEW)
        took_s = time.perf_counter() - begun
        files = [await _fetched(http, each) for each in sorted({*FILES.findall(text.decode())})]
    return {
        "page_ms": took_s * 1000,
        "page_kb": len(text) / 1000,
        "all_kb": sum(map(len, (text, *files))) / 1000,
    }


async def _fetched(http: aiohttp.ClientSession, path: str) -> bytes:
    async with http.get(path) as answer:
        if answer.status != 200:
            raise BenchError(f"The console answers {answer.status} at {path}.")
        return await answer.read()


async def _watched(
    stack: RunningStack, paths: Sequence[str], orders: int
) -> list[tuple[str, int, Mapping[str, float]]]:
    """Measure with pages open: the console while little happens, and orders that clients place meanwhile."""
    pid = Supervisor(stack.settings.home).processes()[CONSOLE].pid
    async with (
        clients_of(system_of(stack, "two", Fulfilment.CHOREOGRAPHY)) as clients,
        _open_pages(stack, paths) as told,
    ):
        await asyncio.sleep(SETTLE_S)
        before, events = cpu_s(pid), told.bytes
        await asyncio.sleep(WATCHED_S)
        idle = {
            "core_percent": (cpu_s(pid) - before) / WATCHED_S * 100,
            "kb_per_s": (told.bytes - events) / WATCHED_S / 1000,
        }
        return [
            ("quiet", len(paths), idle),
            ("orders", orders, await _orders(clients, orders, pid)),
        ]


async def _orders(clients: Clients, orders: int, pid: int) -> Mapping[str, float]:
    before = cpu_s(pid)
    took = await clients.closed(CLIENTS, orders)
    return {
        "per_s": orders / took.seconds,
        "end_p50_ms": percentile([each * 1000 for each in took.end], 50),
        "core_percent": (cpu_s(pid) - before) / took.seconds * 100,
    }


class _Told:
    """What open pages have been told so far."""

    def __init__(self) -> None:
        self.bytes = 0


@asynccontextmanager
async def _open_pages(stack: RunningStack, paths: Sequence[str]) -> AsyncIterator[_Told]:
    """Have pages open, each with its stream of events, which is read and thrown away."""
    told = _Told()
    async with (
        aiohttp.ClientSession(
            stack.settings.console_url,
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=TIMEOUT_S),
        ) as http,
        asyncio.TaskGroup() as group,
    ):
        opened = [asyncio.Event() for _ in paths]
        streams = [
            group.create_task(_follow(http, path, told, event))
            for path, event in zip(paths, opened, strict=True)
        ]
        async with asyncio.timeout(TIMEOUT_S):
            for event in opened:
                await event.wait()
        yield told
        for each in streams:
            each.cancel()


async def _follow(
    http: aiohttp.ClientSession, path: str, told: _Told, opened: asyncio.Event
) -> None:
    [panels] = PANELS.findall((await _fetched(http, path)).decode())
    async with http.get("/events", params={"panels": panels}) as answer:
        if answer.status != 200:
            raise BenchError(f"The console answers {answer.status} to the stream of {path}.")
        opened.set()
        async for chunk in answer.content.iter_any():
            told.bytes += len(chunk)
    raise BenchError(f"The console has ended the stream of {path}.")
