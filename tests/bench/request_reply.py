"""The benchmark `request-reply`: a question over Kafka, over gRPC and over HTTP."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

import aiohttp
import psycopg

from cdc.ids import new_id
from infra.local.probe import ProbeTimeoutError, wait_until
from infra.services import OWNER
from infra.settings import HOST
from producers.grpc.client import open_channel
from schemas.messages.canary import CanaryEmitted
from schemas.rpc.loyalty.v1.loyalty_pb2 import GetAccountRequest
from schemas.rpc.loyalty.v1.loyalty_pb2_grpc import LoyaltyServiceStub
from tests.asking import Asked
from tests.bench.contender import ROLE
from tests.bench.errors import BenchError
from tests.bench.figures import percentile, ratio
from tests.bench.options import Options
from tests.bench.outcome import Outcome, Run, machine, medians
from tests.bench.progress import Progress
from tests.bench.report import summary
from tests.bench.stack import own_stack
from tests.services import free_port
from tests.stack import RunningStack
from tests.workers import answering, answering_grpc, answering_http
from tests.workers.process import WorkerProcess

NAME = "request-reply"
KAFKA, OVER_GRPC, OVER_HTTP = "kafka", "grpc", "http"
PER_S = 100.0
AT_ONCE = 64
"""Questions that wait for their answers at once, when as many are asked as are answered."""
WARM_UP = 200
TIMEOUT_S = 10.0
START_S = 60.0

Ask = Callable[[UUID], Awaitable[None]]


def run(options: Options, progress: Progress) -> Outcome:
    """Run the benchmark on a stack of its own.

    Raises:
        BenchError: a question was not answered.
    """
    here, runs = machine(), list[Run]()
    with own_stack("postgres", "kafka", "registry") as stack:
        known = _amount(stack)
        with (
            _worker(stack) as asked,
            _service(stack, answering_grpc.MODULE) as grpc_port,
            _service(stack, answering_http.MODULE) as http_port,
        ):
            ways = {
                KAFKA: _over_kafka(stack, asked),
                OVER_GRPC: _over_grpc(grpc_port),
                OVER_HTTP: _over_http(http_port),
            }
            for number in range(1, options.rounds + 1):
                first = (number - 1) % len(ways)
                for name in [*ways][first:] + [*ways][:first]:
                    for kind, measure in (("steady", _steady), ("saturated", _saturated)):
                        with progress.step(f"round {number}: {kind}, {name}"):
                            found = asyncio.run(_measured(ways[name](), measure, known, options))
                        runs.append(_run(name, kind, number, found))
                        progress.found(summary(runs[-1].figures))
    return Outcome(NAME, here, ratios(runs), runs)


def ratios(runs: Sequence[Run]) -> Mapping[str, float]:
    """Return the figures of Kafka and gRPC in units of HTTP's."""
    found = {}
    for kind, figure in (
        ("steady", "p50_ms"),
        ("steady", "p99_ms"),
        ("saturated", "p50_ms"),
        ("saturated", "p99_ms"),
        ("saturated", "per_s"),
    ):
        each = medians(runs, kind, figure)
        for name in (KAFKA, OVER_GRPC):
            found[f"{kind}_{figure}_{name}_vs_http"] = ratio(each.get(name), each.get(OVER_HTTP))
    return {name: value for name, value in found.items() if value is not None}


class _Found(NamedTuple):
    """What was measured: how long each answer took, in seconds, and all of them together."""

    took: Sequence[float]
    seconds: float


async def _measured(
    opened: AbstractAsyncContextManager[Ask],
    measure: Callable[[Ask, UUID, float], Awaitable[_Found]],
    known: UUID,
    options: Options,
) -> _Found:
    async with opened as ask:
        for _ in range(WARM_UP):
            await ask(known)
        return await measure(ask, known, options.latency_s)


async def _steady(ask: Ask, known: UUID, seconds: float) -> _Found:
    """Ask at a steady rate, whatever is answered; the time begins when a question is due."""
    begin = time.perf_counter()

    async def one(number: int) -> float:
        due = begin + number / PER_S
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        await ask(known)
        return time.perf_counter() - due

    took = await asyncio.gather(*(one(number) for number in range(round(PER_S * seconds))))
    return _Found(took, time.perf_counter() - begin)


async def _saturated(ask: Ask, known: UUID, seconds: float) -> _Found:
    """Ask the next question as soon as one is answered."""
    begin, took = time.perf_counter(), list[float]()

    async def one() -> None:
        while (asked := time.perf_counter()) < begin + seconds:
            await ask(known)
            took.append(time.perf_counter() - asked)

    await asyncio.gather(*(one() for _ in range(AT_ONCE)))
    return _Found(took, time.perf_counter() - begin)


def _run(contender: str, kind: str, number: int, found: _Found) -> Run:
    took = [each * 1000 for each in found.took]
    figures = {
        "p50_ms": percentile(took, 50),
        "p99_ms": percentile(took, 99),
        "per_s": len(took) / found.seconds,
    }
    return Run(contender=contender, kind=kind, round=number, events=len(took), figures=figures)


def _over_kafka(
    stack: RunningStack, asked: Asked
) -> Callable[[], AbstractAsyncContextManager[Ask]]:
    @asynccontextmanager
    async def opened() -> AsyncIterator[Ask]:
        async with asked.requester(stack) as requester:

            async def ask(known: UUID) -> None:
                question = CanaryEmitted(canary_id=known, emitted_at=datetime.now(UTC))
                reply = await requester.request(question, timeout_s=TIMEOUT_S)
                if reply.payment_id != known:
                    raise BenchError(f"The answer is about {reply.payment_id}, and not {known}.")

            yield ask

    return opened


def _over_grpc(port: int) -> Callable[[], AbstractAsyncContextManager[Ask]]:
    @asynccontextmanager
    async def opened() -> AsyncIterator[Ask]:
        async with open_channel(f"http://{HOST}:{port}", longest_s=TIMEOUT_S) as channel:
            stub = LoyaltyServiceStub(channel)

            async def ask(known: UUID) -> None:
                answer = await stub.GetAccount(GetAccountRequest(user_id=str(known)))
                if answer.account.user_id != str(known):
                    raise BenchError(f"The answer is {answer}, and not about {known}.")

            yield ask

    return opened


def _over_http(port: int) -> Callable[[], AbstractAsyncContextManager[Ask]]:
    @asynccontextmanager
    async def opened() -> AsyncIterator[Ask]:
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        async with aiohttp.ClientSession(f"http://{HOST}:{port}", timeout=timeout) as http:

            async def ask(known: UUID) -> None:
                async with http.get(f"/amounts/{known}") as response:
                    answer = await response.json()
                if answer["amount_id"] != str(known):
                    raise BenchError(f"The answer is {answer}, and not about {known}.")

            yield ask

    return opened


def _amount(stack: RunningStack) -> UUID:
    known = new_id()
    with psycopg.connect(stack.database_url(OWNER)) as connection:
        connection.execute(answering.TABLE.encode())
        connection.execute("insert into analytics.answering_amount values (%s, 7, 0)", [known])
    return known


@contextmanager
def _worker(stack: RunningStack) -> Iterator[Asked]:
    asked = Asked.create(stack, "bench-answers")
    with (
        asked.declared(),
        _process(stack, answering.MODULE, asked.variables()) as process,
    ):
        _wait(process, process.is_ready)
        yield asked


@contextmanager
def _service(stack: RunningStack, module: str) -> Iterator[int]:
    port = free_port()
    with _process(stack, module, {"TAILRACE_PORT": str(port)}) as process:
        _wait(process, lambda: "event=listening" in process.log())
        yield port


@contextmanager
def _process(
    stack: RunningStack, module: str, variables: Mapping[str, str]
) -> Iterator[WorkerProcess]:
    environment = {
        **stack.environment,
        "TAILRACE_DATABASE_URL": stack.database_url(ROLE),
        "TAILRACE_KAFKA_BOOTSTRAP": stack.settings.kafka_bootstrap,
        "TAILRACE_REGISTRY_URL": stack.settings.registry_url,
        "TAILRACE_SCHEMA_CACHE": str(stack.settings.schema_cache),
        "TAILRACE_PORT": "0",
        **variables,
    }
    log = stack.settings.home / "logs" / f"{module}.log"
    process = WorkerProcess(module, environment, log)
    try:
        yield process
    finally:
        process.kill()


def _wait(process: WorkerProcess, is_ready: Callable[[], bool]) -> None:
    try:
        wait_until("nobody answers", is_ready, timeout_s=START_S)
    except ProbeTimeoutError as error:
        raise BenchError(f"{error} {process.last_words()}") from error
