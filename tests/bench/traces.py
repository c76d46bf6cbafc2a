"""What recording traces costs whole orders: services that record none, a tenth and all, one after the other."""

import asyncio
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from schemas.messages.orders import Fulfilment
from tests.bench.e2e.contender import AtWork, spent
from tests.bench.e2e.ours import Ours, services
from tests.bench.e2e.traffic import clients_of
from tests.bench.figures import percentile, ratio
from tests.bench.options import Options
from tests.bench.outcome import Outcome, Run, machine, medians
from tests.bench.progress import Progress
from tests.bench.report import summary
from tests.bench.stack import own_stack, quieten
from tests.stack import RunningStack

NAME = "traces"
OFF = "off"
FORM = Fulfilment.CHOREOGRAPHY
CLIENTS = (8, 64)
SETTLE_S = 1.5
"""After the last order, so that the spans of it are sent and count."""
RATES: Mapping[str, float | None] = {OFF: None, "tenth": 0.1, "all": 1.0}


class _Sink(BaseHTTPRequestHandler):
    """Takes spans and drops them, as whoever collects them is elsewhere."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - so it is called
        pass


def run(options: Options, progress: Progress) -> Outcome:
    """Run the benchmark on a stack of its own.

    Raises:
        BenchError: an order was refused, or did not end.
    """
    here, runs = machine(), list[Run]()
    publisher = "connect" if options.publisher == "cdc" else "relay"
    needed = ("postgres", "kafka", "registry", publisher, *services("two", FORM))
    with _sink() as url, own_stack(*needed, publisher=options.publisher) as stack:
        for number in range(1, options.rounds + 1):
            for name in list(RATES)[:: 1 if number % 2 else -1]:
                with progress.step(f"round {number}: {name}"):
                    _record(stack, url, RATES[name])
                    quieten(stack, needed)
                    with Ours(FORM).at_work(stack, "two") as at_work:
                        for kind, found in asyncio.run(_measured(stack, at_work, options)):
                            runs.append(
                                Run(
                                    contender=name,
                                    kind=kind,
                                    round=number,
                                    events=options.orders,
                                    figures=found,
                                )
                            )
                            progress.found(f"{kind}: {summary(found)}")
    return Outcome(NAME, here, ratios(runs), runs)


def ratios(runs: Sequence[Run]) -> Mapping[str, float]:
    """Return the figures with traces in units of those without."""
    found = {}
    for kind in dict.fromkeys(run.kind for run in runs):
        for name, figure in (("orders", "per_s"), ("cpu", "cpu_ms"), ("p50", "end_p50_ms")):
            each = medians(runs, kind, figure)
            for contender in RATES:
                if contender != OFF:
                    value = ratio(each.get(contender), each.get(OFF))
                    found[f"{name}_{contender}_vs_off {kind}"] = value
    return {name: value for name, value in found.items() if value is not None}


async def _measured(
    stack: RunningStack, at_work: AtWork, options: Options
) -> Sequence[tuple[str, Mapping[str, float]]]:
    found, orders = [], options.orders
    async with clients_of(at_work.system) as clients:
        await clients.warm_up(options.warm_up_s)
        for number in CLIENTS:
            before = spent(stack, at_work)
            took = await clients.closed(number, orders)
            await asyncio.sleep(SETTLE_S)
            after = spent(stack, at_work)
            cpu_s = sum(after.cpu_s[name] - before.cpu_s[name] for name in after.cpu_s)
            figures = {
                "per_s": orders / took.seconds,
                "end_p50_ms": percentile([each * 1000 for each in took.end], 50),
                "cpu_ms": cpu_s * 1000 / orders,
            }
            found.append((f"{number} clients", figures))
    return found


def _record(stack: RunningStack, url: str, rate: float | None) -> None:
    if rate is None:
        stack.change(traces="off")
    else:
        stack.change(traces=url, traces_sample_rate=rate)


@contextmanager
def _sink() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Sink) as server:
        threading.Thread(target=server.serve_forever, name="sink of spans", daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1/traces"
        finally:
            server.shutdown()
