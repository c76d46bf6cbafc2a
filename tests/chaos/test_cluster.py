"""A cluster loses a broker, a worker of Connect and a process of workers for good, its database, twice, and what chance
will; in the end its code is changed while it runs.
"""

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic

import pytest

from cdc import connector
from cdc.kafka import new_admin
from consumers.runtime.group import read_groups
from infra.local.parts import CONNECT_OF_A_CLUSTER, KAFKA_OF_A_CLUSTER, SECOND_WORKERS, SHARED
from infra.local.standby.files import FENCED
from infra.local.standby.status import answering
from infra.pipeline import GROUPS
from infra.services import STANDBY
from tests.again import show
from tests.connect_workers import worker_of_the_task
from tests.doctor import findings, wait_until_well
from tests.faults.account import account, before
from tests.faults.load import Load, unanswered
from tests.faults.plan import SLOT as SLOT_TARGET
from tests.faults.plan import Fault, Kind, Step, at_risk, plan
from tests.faults.run import LIMIT_S, conduct, flowing
from tests.faults.verdict import judge
from tests.release import NOTE, make_next
from tests.stack import RunningStack, make_directory, own_settings
from tests.workers.chance import make_chance, tell
from tests.working_tree import copy_to

ORDERS_PER_S = 5
CHAOS_PER_S = 4
PROMOTED_PER_S = 2
"""Fewer, as the copy of a server and the comparison want processor time as well."""
TIMEOUT_S = 10.0
SLOT = "tailrace_outbox"
WORKER = "payments-worker"
"""A consumer whose part is the shared process of all of them."""


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository, which may become another release."""
    directory = tmp_path_factory.mktemp("code")
    copy_to(directory)
    return directory


@pytest.fixture(scope="module")
def cluster(code: Path, alone_at_work: None) -> Iterator[RunningStack]:
    directory = make_directory()
    # services ask each other past the outbox, too
    settings = own_settings(
        directory / "home", profile="cluster", workers="shared", stock_check="ask"
    )
    stack = RunningStack(settings, code)
    try:
        stack.cli("up", "--json")
        yield stack
    finally:
        stack.delete()
        shutil.rmtree(directory)


@pytest.mark.alone
def test_any_one_of_several_may_be_lost_for_good(cluster: RunningStack) -> None:
    load = Load(cluster.settings.url_of("storefront"), per_s=ORDERS_PER_S)
    since = before(cluster)
    still_s: list[float] = []
    with flowing(cluster, load) as trial:
        for lost in losses(cluster):
            at = cluster.lose(lost)
            flow = trial.wait_until_flowing_again(at, f"the loss of {lost}")
            tell(
                f"{lost} lost: effects after {flow.flowing_s:.1f} s, all after {flow.drained_s:.1f} s"
            )
            still_s.append(flow.still_s)
    found = account(cluster, load, since)
    tell(f"{len(load.sent)} orders, {found.copies} records delivered more than once")
    assert list(judge(found).sentences()) == []
    assert unanswered(load.sent) == 0
    assert max(still_s) <= LIMIT_S
    what_is_down_is_named_and_started(cluster)


@pytest.mark.alone
def test_the_standby_takes_over_twice_in_a_row(cluster: RunningStack) -> None:
    """The second time is the one at which a slot that was left behind would have ended the protection."""
    load = Load(cluster.settings.url_of("storefront"), per_s=PROMOTED_PER_S, seed=1)
    since = before(cluster)
    still_s: list[float] = []
    with flowing(cluster, load) as trial:
        for old, new in (("postgres", "postgres-2"), ("postgres-2", "postgres")):
            assert json.loads(cluster.cli("postgres", "status", "--json").stdout)["primary"] == old
            at = cluster.lose(old)
            command = monotonic()
            with ThreadPoolExecutor(1) as executor:
                promotion = executor.submit(cluster.cli, "postgres", "promote", "--yes", "--json")
                flow = trial.wait_until_flowing_again(at, f"the promotion of {new}")
                done = json.loads(promotion.result().stdout)
            tell(
                f"{new} promoted: effects {flow.flowing_s - (command - at):.1f} s after the command, all after "
                f"{flow.drained_s:.1f} s, a standby after {done['total_s']:.1f} s; {done['rows']} messages compared"
            )
            still_s.append(flow.still_s)
            assert (done["primary"], done["standby"]) == (new, old)
            show(done["rows"], "no message was compared")
            assert slots_of(cluster, new) == {(SLOT, "logical"), (STANDBY, "physical")}
            assert slots_of(cluster, old) == {(SLOT, "synced")}
            assert not (cluster.settings.home / old / FENCED).exists()
    found = account(cluster, load, since)
    tell(f"{len(load.sent)} orders, {found.copies} records delivered more than once")
    assert list(judge(found).sentences()) == []
    assert unanswered(load.sent) == 0
    assert max(still_s) <= LIMIT_S
    cluster.cli("outbox", "verify")
    everything_is_well(cluster)


@pytest.mark.alone
def test_disks_and_the_slot_are_lost_under_load(cluster: RunningStack) -> None:
    """A short run of what `make chaos PROFILE=cluster` does for longer."""
    seed = make_chance().randrange(2**32)
    [by_chance] = plan(seed, 1, at_risk(cluster.settings.publisher, "cluster"))
    steps = [
        Step((Fault(Kind.WIPE, KAFKA_OF_A_CLUSTER[seed % 3]),)),
        Step((Fault(Kind.DROP, SLOT_TARGET),)),
        # what the task had published since it last stored its position is published again
        Step(tuple(Fault(Kind.KILL, name) for name in CONNECT_OF_A_CLUSTER)),
        by_chance,
    ]
    run = conduct(cluster, steps, per_s=CHAOS_PER_S, seed=seed, say=tell)
    assert list(run.verdict.sentences()) == []
    assert unanswered(run.load.sent) == 0
    assert run.standstills == []
    show(run.account.copies + run.duplicates, "nothing was delivered twice")
    everything_is_well(cluster)


@pytest.mark.alone
def test_code_tables_and_a_contract_change_while_orders_flow(
    cluster: RunningStack, code: Path
) -> None:
    """The last one: the stack is of the next release afterwards."""
    load = Load(cluster.settings.url_of("storefront"), per_s=PROMOTED_PER_S, seed=2)
    since = before(cluster)
    with flowing(cluster, load) as trial:
        old = pid_of(cluster, WORKER)
        make_next(code)
        applied = json.loads(cluster.cli("migrate", "--json").stdout)["done"]
        assert len([each for each in applied if each.endswith("_note")]) > 1, applied
        cluster.cli("schema", "publish")
        for part in (SECOND_WORKERS, "orders"):
            cluster.cli("restart", part)
        at = monotonic()
        flow = trial.wait_until_flowing_again(at, "the new code of orders")
        tell(f"both releases at work: effects after {flow.flowing_s:.1f} s")
        assert NOTE in cluster.cli("topics", "tail", "order.events", "--last", "50").stdout
        assert set(members(cluster).values()) == {2}
        assert pid_of(cluster, WORKER) == old
        cluster.cli("restart", WORKER)
        flow = trial.wait_until_flowing_again(monotonic(), "the new code of all workers")
        tell(f"the new one alone: effects after {flow.flowing_s:.1f} s")
    found = account(cluster, load, since)
    tell(f"{len(load.sent)} orders, {found.copies} records delivered more than once")
    assert list(judge(found).sentences()) == []
    assert unanswered(load.sent) == 0
    assert connector.status(cluster.settings.connect_url, connector.NAME).is_running
    everything_is_well(cluster)


def pid_of(stack: RunningStack, part: str) -> int | None:
    return stack.status()[part].pid


def slots_of(stack: RunningStack, server: str) -> set[tuple[str, str]]:
    """Return the slots of a server of Postgres, each with its kind."""
    query = "select slot_name::text, case when synced then 'synced' else slot_type end from pg_replication_slots"
    with answering(stack.settings, server) as connection:
        assert connection, f"{server} does not answer"
        # what was synced to it before it was promoted says so for ever
        [[is_standby]] = connection.execute("select pg_is_in_recovery()").fetchall()
        found = connection.execute(query).fetchall()
    return {(name, kind if is_standby or kind == "physical" else "logical") for name, kind in found}


def losses(stack: RunningStack) -> Iterator[str]:
    """Yield what is to be lost next, and see afterwards that others have taken over what it did."""
    led = leaders(stack)
    broker, partitions = led.most_common(1)[0]
    yield KAFKA_OF_A_CLUSTER[broker - 1]
    show(partitions, "the broker that was lost led nothing")
    assert leaders(stack).keys() == led.keys() - {broker}
    assert leaders(stack).total() == led.total()

    ran = worker_of_the_task(stack)
    yield ran
    assert connector.status(stack.settings.connect_url, connector.NAME).is_running
    show(worker_of_the_task(stack) != ran, "the task did not run where it was lost")

    assert set(members(stack).values()) == {2}
    yield WORKER
    assert set(members(stack).values()) == {1}


def leaders(stack: RunningStack) -> Counter[int]:
    """Return how many partitions each broker leads; those that nobody leads are counted as of -1."""
    topics = new_admin(stack.settings.kafka_bootstrap).list_topics(timeout=TIMEOUT_S).topics
    return Counter(
        partition.leader for topic in topics.values() for partition in topic.partitions.values()
    )


def members(stack: RunningStack) -> dict[str, int]:
    """Return how many workers each consumer has."""
    found = read_groups(new_admin(stack.settings.kafka_bootstrap), GROUPS)
    return {name: len(getattr(group, "members", ())) for name, group in found.items()}


def what_is_down_is_named_and_started(stack: RunningStack) -> None:
    found = findings(stack)
    wrong = {name: each["detail"] for name, each in found.items() if each["state"] == "wrong"}
    down = {name for name, part in stack.status().items() if part.state == "stopped"}
    assert down <= wrong.keys()
    assert "not in step: " in wrong["replicas"]
    started = json.loads(stack.cli("up", "--json").stdout)["started"]
    assert {SHARED} < set(started)
    assert len(started) == 3
    everything_is_well(stack)


def everything_is_well(stack: RunningStack) -> None:
    wait_until_well(stack)
    # sessions that read only find the server that takes writes as well
    assert "GetStock" in stack.cli("topics", "tail", "inventory.requests", "--last", "1").stdout
    assert "Stock" in stack.cli("topics", "tail", "storefront.replies", "--last", "1").stdout
    stack.cli("replay", "--topic", "order.events", "--consumer", "analytics")
