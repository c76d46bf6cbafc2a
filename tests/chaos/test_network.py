"""Links that are cut, silent or slow while both ends are alive: who is cut off does no harm, and returns by itself."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import UUID

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Identifier

from cdc import connector
from infra.capture import rendered
from infra.deployment import Shard
from infra.local.probe import wait_until
from infra.services import CAPTURE, SUPERUSER
from infra.settings import HOST
from tests import writer
from tests.kafka_proxy import KafkaProxy
from tests.link import Link
from tests.stack import RunningStack
from tests.workers.chance import tell
from tests.workers.fleet import ROLE
from tests.workers.process import WorkerProcess
from tests.workers.trial import Trial, open_trial

PER_S = 200
DELAY_S = 0.05
RUNS_S = 60.0
SENDER_TIMEOUT = "3s"
"""After how long Postgres gives up a connector that is silent; by default it is a minute."""


def test_a_worker_that_is_cut_off_repeats_nothing_and_comes_back(
    stack: RunningStack, tmp_path: Path
) -> None:
    with ExitStack() as resources:
        kafka = resources.enter_context(KafkaProxy(stack.settings.kafka_port).running())
        postgres = resources.enter_context(Link(stack.settings.postgres_port).running())
        trial = resources.enter_context(open_trial(stack, tmp_path, partitions=6, keys=100))
        [other] = trial.fleet.start()
        [cut_off] = trial.fleet.start(
            TAILRACE_KAFKA_BOOTSTRAP=f"{HOST}:{kafka.port}",
            TAILRACE_DATABASE_URL=make_conninfo(stack.database_url(ROLE), port=postgres.port),
        )
        with trial.load.flowing(per_s=PER_S):
            trial.wait_more_effects(PER_S)
            for away in (kafka.silent, kafka.cut):
                with away():
                    wait_for_all_partitions(trial, other)
                tell(f"Kafka {away.__name__}: back after {trial.fleet.wait_joined():.1f} s")
            for away in (postgres.silent, postgres.cut):
                with away():
                    wait_until_behind(trial, cut_off)
                seconds = wait_until_ahead(trial, cut_off)
                tell(f"Postgres {away.__name__}: caught up after {seconds:.1f} s")
            with kafka.slow(DELAY_S), postgres.slow(DELAY_S):
                trial.wait_more_effects(PER_S)
        trial.fleet.wait_joined()
        trial.wait_at_end()
        assert kafka.held_up
        assert postgres.held_up
        assert not trial.fleet.stalls, "its watchdog had to end it"
        trial.assert_each_once_in_order()
        tell(f"{trial.duplicates()} deliveries were dropped as duplicates")


def test_a_connector_that_is_cut_off_from_postgres_comes_back_and_leaves_nothing_out(
    stack: RunningStack, tmp_path: Path
) -> None:
    with ExitStack() as resources:
        postgres = resources.enter_context(Link(stack.settings.postgres_port).running())
        trial = resources.enter_context(open_trial(stack, tmp_path, partitions=3))
        trial.fleet.start()
        service = writer.Writer(stack, trial.topic)
        with capturing_by(stack, postgres) as shard, service.at_work():
            trial.wait_more_effects(writer.KEYS)
            for away in (postgres.silent, postgres.cut):
                with away():
                    wait_until_given_up(stack, shard)
                seconds = trial.wait_more_effects(writer.KEYS)
                tell(f"Postgres {away.__name__}: effects after {seconds:.1f} s")
            with postgres.slow(DELAY_S):
                trial.wait_more_effects(writer.KEYS)
        written = service.written()
        trial.wait_effects(sum(map(len, written.values())))
        effects: dict[str, list[UUID]] = defaultdict(list)
        for entry in trial.entries():
            effects[entry.key].append(entry.message_id)
        assert effects == written
        tell(f"{trial.duplicates()} deliveries were dropped as duplicates")


def wait_for_all_partitions(trial: Trial, worker: WorkerProcess) -> None:
    """Wait until a worker holds what another one that is cut off has held, and works on it."""
    trial.fleet.wait_until("it does not hold all partitions", lambda: len(worker.partitions()) == 6)
    trial.wait_more_effects(PER_S)


def wait_until_behind(trial: Trial, worker: WorkerProcess) -> None:
    trial.fleet.wait_until("it is not behind", lambda: lag(worker) > PER_S)


def wait_until_ahead(trial: Trial, worker: WorkerProcess) -> float:
    """Wait until a worker has next to nothing left to do, and return the seconds that took."""
    return trial.fleet.wait_until("it does not catch up", lambda: 0 <= lag(worker) < PER_S / 10)


def lag(worker: WorkerProcess) -> int:
    """Return how many messages a worker has still to do, -1 if it holds nothing or does not know."""
    found = [each["lag"] for each in worker.partitions().values()]
    return -1 if None in found or not found else sum(found)


@contextmanager
def capturing_by(stack: RunningStack, link: Link) -> Iterator[Shard]:
    """Have the connector reach Postgres by a link while the block runs."""
    deployment = stack.settings.deployment()
    [shard], url = deployment.main.shards, deployment.connect_url
    config = rendered(deployment, shard)
    role = SQL("alter role {}").format(Identifier(CAPTURE))
    with psycopg.connect(stack.database_url(SUPERUSER), autocommit=True) as superuser:
        superuser.execute(role + SQL(f" set wal_sender_timeout = '{SENDER_TIMEOUT}'"))
        try:
            connector.apply(url, shard.connector, config | {"database.port": str(link.port)})
            connector.wait_until_running(url, shard.connector, RUNS_S)
            yield shard
        finally:
            superuser.execute(role + SQL(" reset wal_sender_timeout"))
            connector.apply(url, shard.connector, config)
            connector.wait_until_running(url, shard.connector, RUNS_S)


def wait_until_given_up(stack: RunningStack, shard: Shard) -> None:
    """Wait until Postgres has nobody any more that reads a slot."""
    with psycopg.connect(stack.database_url(SUPERUSER), autocommit=True) as connection:

        def is_free() -> bool:
            rows = connection.execute(
                "select active from pg_replication_slots where slot_name = %s", [shard.slot]
            )
            return rows.fetchall() == [(False,)]

        wait_until("the slot is still read", is_free, timeout_s=RUNS_S)
