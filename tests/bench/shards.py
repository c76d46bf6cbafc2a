"""What several connectors gain for one database: a backlog drained by one, and by two with half of the keys each."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from itertools import count

import psutil
import psycopg
from psycopg import sql

from cdc import connector
from cdc.publication import PARAMETERS, published
from cdc.shards import Keys
from infra.capture import connector_settings
from infra.services import SUPERUSER
from tests.bench.errors import BenchError
from tests.bench.figures import ratio
from tests.bench.options import Options
from tests.bench.outcome import Outcome, Run, machine, medians
from tests.bench.progress import Progress
from tests.bench.publish.drain import Ends
from tests.bench.publish.floor import floor
from tests.bench.publish.publishers import CAPTURED, Debezium, drop_slots
from tests.bench.publish.rows import open_rows
from tests.bench.publish.run import NEEDED, PARTITIONS, STANDSTILL_S
from tests.bench.publish.watch import watching
from tests.bench.report import summary
from tests.bench.stack import own_stack
from tests.produce import create_topic
from tests.stack import RunningStack

NAME = "shards"
KIND = "drain"
CONNECTORS: Mapping[str, int] = {"one": 1, "two": 2}
DECODED: Mapping[str, str] = {"one": "decoded_for_one", "two": "decoded_for_half"}
"""Contender -> decoding its WAL and nothing else, with the row filter of its first connector."""

_numbers = count(1)


def run(options: Options, progress: Progress) -> Outcome:
    """Run the benchmark on a stack of its own.

    Raises:
        BenchError: rows were lost, or the order of a key was broken.
    """
    here, runs = machine(), list[Run]()
    with own_stack(*NEEDED) as stack:
        connector.delete(stack.settings.connect_url, connector.NAME)
        drop_slots(stack)
        for number in range(1, options.rounds + 1):
            for name in list(CONNECTORS)[:: 1 if number % 2 else -1]:
                with progress.step(f"round {number}: drain by {name}"):
                    found = _drain(stack, name, options)
                for contender, figures in found.items():
                    runs.append(
                        Run(
                            contender=contender,
                            kind=KIND,
                            round=number,
                            events=options.events,
                            figures=figures,
                        )
                    )
                    progress.found(f"{contender}: {summary(figures)}")
    return Outcome(NAME, here, ratios(runs), runs)


def ratios(runs: Sequence[Run]) -> Mapping[str, float]:
    drained = medians(runs, KIND, "per_s")
    found = {
        "two_connectors_vs_one": ratio(drained.get("two"), drained.get("one")),
        "decoding_half_vs_all": ratio(drained.get(DECODED["two"]), drained.get(DECODED["one"])),
    }
    return {name: value for name, value in found.items() if value is not None}


def _drain(stack: RunningStack, name: str, options: Options) -> Mapping[str, Mapping[str, float]]:
    """Measure how fast a backlog goes by so many connectors, and how fast its WAL is decoded for the first of them."""
    topic, events = create_topic(stack, partitions=PARTITIONS), options.events
    with _connectors(stack, CONNECTORS[name]) as publishers:
        with (
            floor(stack, publishers[0].publication) as decode,
            open_rows(stack, CAPTURED, topic) as rows,
        ):
            rows.fill(events, options.aggregates)
            decoded = events / decode()
        for each in publishers:
            each.resume()
        psutil.cpu_percent()
        with closing(Ends(stack, topic)) as ends:
            per_s = ends.rate(events, STANDSTILL_S)
        busy = psutil.cpu_percent()
    with watching(stack, topic) as watch:
        if disordered := watch.wait_for(events, STANDSTILL_S).disordered:
            raise BenchError(f"{name} has broken the order of {len(disordered)} keys.")
    return {
        name: {"per_s": per_s, "busy_cpu_percent": busy},
        DECODED[name]: {"per_s": decoded},
    }


class _Connector(Debezium):
    """A connector with some of the keys."""

    def __init__(self, stack: RunningStack, keys: Keys) -> None:
        number = next(_numbers)
        self.publication = f"bench_shard_{number}"
        config = connector.render(connector_settings(stack.deployment, stack.deployment.shards[0]))
        own = {
            "name": f"bench-shard-{number}",
            "slot.name": self.publication,
            "publication.name": self.publication,
            "topic.prefix": f"tailrace_bench{number}",
        }
        super().__init__(stack, config | connector.profiles()["default"] | own)
        table = published(sql.Identifier(CAPTURED, "outbox"), keys.row_filter)
        with psycopg.connect(stack.database_url(SUPERUSER)) as connection:
            connection.execute(
                sql.SQL("create publication {} for table {} with ({})").format(
                    sql.Identifier(self.publication), table, sql.SQL(PARAMETERS)
                )
            )

    def resume(self) -> None:
        """Let it run, without waiting until it does."""
        connector.apply(self._url, self._config["name"], self._config)


@contextmanager
def _connectors(stack: RunningStack, number: int) -> Iterator[list[_Connector]]:
    """Have connectors with slots that stand still, each with its part of the keys."""
    with ExitStack() as deleting:
        made = []
        for each in range(number):
            publisher = _Connector(stack, Keys(each, number))
            publisher.start()  # which makes the slot
            deleting.callback(publisher.delete)
            made.append(publisher)
        for publisher in made:
            publisher.pause()
        yield made
