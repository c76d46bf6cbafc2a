"""Runs benchmarks: `python -m tests.bench consumer`, or `make bench BENCH=consumer`."""

import signal
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, get_args

import click

from infra.cli.output import console
from infra.settings import Publisher
from schemas.messages.orders import Fulfilment
from tests.bench import console as of_console
from tests.bench import (
    consumer,
    curves,
    failover,
    inbox,
    recovery,
    replay,
    request_reply,
    scale,
    shards,
    traces,
)
from tests.bench.command import run_to_exit
from tests.bench.e2e import run as e2e
from tests.bench.formats import run as formats
from tests.bench.measurements import CONTENDERS
from tests.bench.options import Options, names_of
from tests.bench.outcome import Outcome
from tests.bench.progress import Progress
from tests.bench.publish import run as publish
from tests.bench.report import show
from tests.bench.sagas import run as sagas
from tests.bench.sync import run as sync
from tests.faults.plan import at_risk

BENCHMARKS: Mapping[str, Callable[[Options, Progress], Outcome]] = {
    of_console.NAME: of_console.run,
    consumer.NAME: consumer.run,
    curves.NAME: curves.run,
    e2e.NAME: e2e.run,
    failover.NAME: failover.run,
    formats.NAME: formats.run,
    inbox.NAME: inbox.run,
    publish.NAME: publish.run,
    recovery.NAME: recovery.run,
    replay.NAME: replay.run,
    request_reply.NAME: request_reply.run,
    sagas.NAME: sagas.run,
    scale.NAME: scale.run,
    shards.NAME: shards.run,
    sync.NAME: sync.run,
    traces.NAME: traces.run,
}

F = TypeVar("F", bound=Callable[..., None])

COUNT = click.IntRange(min=1)
POSITIVE = click.FloatRange(min=0, min_open=True)


def _option(
    name: str, kind: click.ParamType, default: Any, text: str, **more: Any
) -> Callable[[F], F]:
    variable = f"BENCH_{name.replace('-', '_').upper()}"
    return click.option(
        f"--{name}",
        type=kind,
        default=default,
        show_default=True,
        envvar=variable,
        show_envvar=True,
        help=text,
        **more,
    )


def _contenders(_: click.Context, __: click.Parameter, value: str) -> frozenset[str]:
    try:
        return frozenset(names_of(value, CONTENDERS, "contender"))
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def _parts(context: click.Context, __: click.Parameter, value: str) -> list[str]:
    known = at_risk(context.params["publisher"])
    try:
        return names_of(value, known, "part") if value else []
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("names", default="")
@_option("rounds", COUNT, 3, "How often each contender is measured.")
@_option("events", COUNT, 200_000, "Events in a measurement of the rate.")
@_option("plain-events", COUNT, 20_000, "As many of them for plain_agent, which is slow.")
@_option(
    "backlog",
    click.IntRange(min=0),
    0,
    "Measure memory also with so many events waiting, when that is more than --events.",
)
@_option("aggregates", COUNT, 5_000, "Keys that the events are spread over.")
@_option("latency-per-s", POSITIVE, 20.0, "Events per second while latency is measured.")
@_option("latency-s", POSITIVE, 15.0, "Seconds for which latency is measured.")
@_option(
    "warm-up-s",
    POSITIVE,
    30.0,
    "Seconds of orders before anything is measured, in console, e2e and traces.",
)
@_option(
    "only",
    click.STRING,
    ",".join(CONTENDERS),
    "Contenders to measure; a ratio needs both of its sides.",
    callback=_contenders,
)
@_option("inbox-rows", COUNT, 5_000_000, "Ids in the full inbox.")
@_option("transactions", COUNT, 1_000, "Transactions whose cost is measured.")
@_option("times", COUNT, 10, "How often each part is killed, and frozen; or lost, in failover.")
@_option(
    "publisher",
    click.Choice(get_args(Publisher)),
    "cdc",
    "Who carries the outbox to Kafka, in recovery and e2e.",
    is_eager=True,
)
@_option(
    "form",
    click.Choice([form.value for form in Fulfilment if form is not Fulfilment.UNKNOWN]),
    Fulfilment.CHOREOGRAPHY.value,
    "In which form the product fulfils orders, in e2e.",
    callback=lambda _, __, value: Fulfilment(value),
)
@_option("parts", click.STRING, "", "Parts to kill and freeze; all by default.", callback=_parts)
@_option("orders-per-s", POSITIVE, 20.0, "Orders per second meanwhile.")
@_option("seed", click.IntRange(min=0), 0, "Which orders.")
@_option(
    "format-ms", POSITIVE, 100.0, "Milliseconds for which each figure of a format is measured."
)
@_option(
    "orders",
    COUNT,
    2_000,
    "Orders that are fulfilled at once; in console, e2e and traces, that clients place.",
)
@_option("pages", COUNT, 100, "Pages of the console that are open at once, in console.")
def bench(names: str, **options: Any) -> None:
    """Measure NAMES: a benchmark, or several with commas between them.

    \b
    console    what the console costs, with all of the stack running
               page        time and size of the overview from a console that was just
                           started, of the first one of a console that has settled,
                           and of the next
               quiet       processor time of the console with no page open, one,
                           --pages overviews, and as many of a mix, with their streams
               orders      8 clients meanwhile, each placing the next order when its
                           last one has ended
    consumer   events in Kafka become rows in Postgres, each once. The runtime in
               consumers/ (ours) against a Faust agent with a transaction for each
               event (plain_agent) and an aiokafka loop (handwritten).
               rate      committed effects per second, without the first tenth,
                         which is warm-up, and without the last, in which
                         nothing is left to read
               latency   from producing an event to writing its row; what the
                         commit takes is not in it
               memory    most that the worker's process held
    curves     effects per second of the runtime, and memory, with more and more events, keys,
               partitions, workers of a consumer, consumers, and bytes of an event; ratios
               are to the point before
    e2e        whole orders, from the request at the storefront to the last event in
               Kafka; of two steps (digital: paid, confirmed) and of four (set aside and
               shipped besides). Beside the same services as written by hand
               (handwritten: FastAPI, aiohttp, a short poller, aiokafka, a transaction
               a batch; handwritten_httpx: with another client at the storefront) and
               on libraries (faststream_outbox: SQLAlchemy, a transaction a message)
               N clients   each places the next order when its last one has ended
               N/s         placed at a steady rate; time begins when an order is due
               cost        statements of an order, with 8 clients, while the server
                           writes every one of them down
    failover   one of several of a cluster lost for good under a load of orders: a process
               of workers, a broker, the worker of Connect that runs the task, and the
               primary, with the command that promotes its standby; seconds from the
               loss, and ratios to the aim, as in recovery
    formats    messages of ours as JSON by the standard library (json) and by pydantic,
               as Avro by the codec of the product, and as protobuf; processor time.
               Needs no stack
               bytes       of the message, and of those packed by gzip
               write       bytes out of what the format's library takes
               read        every field out of bytes, as the library gives it
               encode      bytes out of the class that services work with
               decode      that class out of bytes, with amounts, ids and times
    inbox      what an inbox costs that is full (full) against a new one (empty):
               taking batches of new ids; and dropping a day of it (drop) against
               deleting the same rows (delete).
    publish    from the writing transaction to Kafka.
               cost      placing an order: its row alone (none), with its event in
                         the outbox (outbox) or as a message in the WAL
                         (emit_message)
               latency   from sending the commit to reading the record, at 100
                         transactions per second; and processor time when idle
               drain     records per second out of a backlog, from the end of the
                         first tenth; pg_recvlogical decodes the same WAL to
                         nowhere
               order     keys of which a version came before an earlier one, with
                         two publishers at once
    recovery   each part killed (kill), and frozen for 20 s (freeze), under a load of
               orders: seconds from the signal, or from the wake-up, until an order
               sent after it had its last effect (effects) and until none waits that
               was sent before (backlog_gone); orders refused for the moment and
               unanswered; what was lost, repeated or reordered. Ratios are to the aim
               for the part, at the median and at most
    replay     orders replayed into a sandbox of analytics (sandbox) against the
               live worker that takes the same ones (live_worker); the sandbox must
               come to the same rows
    request-reply
               a question answered out of Postgres, over Kafka (kafka), gRPC (grpc)
               and HTTP (http), from asking to the answer
               steady      at 100 a second
               saturated   64 at once, each followed by the next
    sagas      orders fulfilled by choreography, by orchestration, and in the same
               three steps by a workflow on DBOS (dbos), on the same server
               backlog   placed all at once: finished per second, the slowest
                         included, and how long each took
               alone     one after the other: from placing an order to its
                         confirmation
               cost      transactions that write, and statements, those included
                         that look whether something is due; transactions of the
                         orchestrator for each reply
    scale      effects per second with 1, 2 and 4 workers, with one broker and with three that
               keep every record, on the same cores; ratios are to one worker, and to one
               broker
    sync       calls between services.
               layers    placing an order with nothing around it (bare), with a
                         deadline, with breaker, bulkhead and retry budget (calling),
                         with an Idempotency-Key (key), and with all; ratios are to
                         the aim for all together
               slow_hop  four services in a row of which the last takes 4 s, and
                         clients that wait for one second: until they know, and what
                         the last one does in vain, for each request

    traces     whole orders as in e2e, by services that record no traces (off), a tenth
               of them (tenth) and all, sent to where they are dropped

    Benchmarks start a stack of their own and delete it at the end. Contenders alternate, and medians of all rounds
    are shown; every run is kept in .bench/<name>.json. Ends with 0 when done, 1 on a failure, 2 on wrong usage.
    """
    try:
        chosen = names_of(names, BENCHMARKS, "benchmark")
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    for name in chosen:
        measure(name, Options(**options))


def measure(name: str, options: Options) -> Outcome:
    """Run a benchmark, show what it found and keep it."""
    outcome = BENCHMARKS[name](options, Progress(console(stderr=True)))
    path = outcome.save()
    show(outcome, console())
    click.echo(f"kept in {path}", err=True)
    return outcome


if __name__ == "__main__":
    run_to_exit(bench, "bench")
