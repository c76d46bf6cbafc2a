"""Sagas on Postgres: few statements for many, deadlines that several orchestrators share, and what is kept."""

import asyncio
import json
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from cdc.database import connect
from cdc.due import PoolTransactions, work_once
from cdc.ids import new_id
from cdc.manifest import SAGA_TABLES
from cdc.outbox import ConcurrencyError
from cdc.work import utc_now
from consumers.runtime.refusals import RefusedError
from consumers.sagas.engine import begin
from consumers.sagas.inputs import Act, Start
from consumers.sagas.instance import Instance
from consumers.sagas.reading import Choice, SagaReader
from consumers.sagas.registry import Sagas
from consumers.sagas.store import PostgresSagas
from consumers.testing.postgres import PostgresDatabase
from consumers.testing.records import deliver
from consumers.testing.sagas import SagaScenario
from consumers.testing.schemas import codec_of_all
from infra.errors import RequestError
from infra.operations import sagas as operations
from infra.settings import REPOSITORY
from schemas.messages.sagas import DeadlinePassed
from tests import sagas
from tests.held_up import held_up
from tests.produce import create_topic
from tests.sagas import State, enter_world, trial
from tests.stack import RunningStack

PLACED = sagas.Placed(item_id="item-1")
MANY = [f"item-{number}" for number in range(1200)]

Part = Callable[[SagaScenario[State], PostgresDatabase], Awaitable[None]]


@pytest.fixture(autouse=True)
def trial_world(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    enter_world(monkeypatch)
    yield
    codec_of_all.cache_clear()


@asynccontextmanager
async def a_database(stack: RunningStack) -> AsyncIterator[PostgresDatabase]:
    database = PostgresDatabase(
        owner_url=stack.database_url("tailrace_owner"),
        url=stack.database_url("payments"),
        packages=[SAGA_TABLES],
    )
    async with database:
        yield database


def play(stack: RunningStack, part: Part) -> None:
    async def run() -> None:
        async with a_database(stack) as database:
            await part(SagaScenario(trial(), database), database)

    asyncio.run(run())


async def rows(database: PostgresDatabase, query: Any, *values: object) -> list[Any]:
    async with database.connection() as connection:
        return await (await connection.execute(query, values)).fetchall()


async def statuses(database: PostgresDatabase) -> dict[str, int]:
    return dict(await rows(database, "select status, count(*) from saga_instance group by 1"))


async def request(database: PostgresDatabase, act: Act, saga_id: str = "item-1") -> None:
    async with database.connection() as connection:
        await PostgresSagas(Sagas([trial()])).request(connection, "trial", saga_id, act, "to see")


def test_a_saga_is_kept_with_its_steps_and_its_log(stack: RunningStack) -> None:
    async def part(saga: SagaScenario[State], database: PostgresDatabase) -> None:
        await saga.when(PLACED)
        saga.then("running", sagas.Authorise)
        await saga.after(seconds=31)
        saga.then("compensating", sagas.Void)
        await saga.answer(sagas.Voided(item_id="item-1"))
        await saga.answer(sagas.Rejected(item_id="item-1"))
        saga.then("compensated", sagas.Reject)
        assert saga.state == State("item-1", "authorise: no answer in time", ("Voided", "Rejected"))
        [(status, due, steps)] = await rows(
            database, "select status, next_deadline, steps from saga_instance"
        )
        assert (status, due) == ("compensated", None)
        assert {name: step["status"] for name, step in steps.items()} == {
            "item": "undone",
            "authorise": "undone",
        }
        log = await rows(database, "select what, step from saga_log order by number")
        assert log == [
            ("started", ""),
            ("asked", "authorise"),
            ("no answer in time", "authorise"),
            ("compensating", ""),
            ("asked to undo", "authorise"),
            ("answered", "authorise"),
            ("asked to undo", "item"),
            ("answered", "item"),
            ("compensated", ""),
        ]

    play(stack, part)


class Statements:
    """Counts what is asked of Postgres."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.queries: list[str] = []
        execute = psycopg.AsyncCursor.execute

        async def counted(cursor: Any, query: Any, *args: Any, **options: Any) -> Any:
            self.queries.append(str(query))
            return await execute(cursor, query, *args, **options)

        patch.setattr(psycopg.AsyncCursor, "execute", counted)


def test_a_batch_takes_few_statements_however_many_sagas_it_is_about(
    stack: RunningStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def part(saga: SagaScenario[State], database: PostgresDatabase) -> None:
        await saga.when(sagas.Placed(item_id="the first"))
        worker = saga.scenario._worker
        assert worker is not None
        log = saga.scenario._log
        for item in MANY:
            log.append(deliver(sagas.Placed(item_id=item, text="digital")))
        with pytest.MonkeyPatch.context() as patch:
            statements = Statements(patch)
            await worker.catch_up(log)
        assert len(statements.queries) < 10, statements.queries
        asked = await rows(
            database, "select id, aggregate_id from outbox where type = %s", sagas.Authorise.NAME
        )
        assert len(asked) == len(MANY) + 1
        for command_id, item in asked:
            log.append(
                deliver(
                    sagas.Authorised(item_id=item),
                    causation_id=command_id,
                    to="trial.replies",
                )
            )
        with pytest.MonkeyPatch.context() as patch:
            statements = Statements(patch)
            await worker.catch_up(log)
        assert len(statements.queries) < 10, statements.queries
        assert await statuses(database) == {"running": len(MANY) + 1}
        sent = await rows(
            database,
            "select aggregate_id from outbox where type = %s order by seq",
            sagas.Check.NAME,
        )
        assert [key for (key,) in sent] == [item for _, item in asked], "as they were answered"

    play(stack, part)


def test_several_orchestrators_share_deadlines_and_each_passes_once(stack: RunningStack) -> None:
    async def part(saga: SagaScenario[State], database: PostgresDatabase) -> None:
        await saga.scenario.when(*(deliver(sagas.Placed(item_id=item)) for item in MANY))
        saga.now += timedelta(seconds=31)
        consumer = saga.scenario.consumer
        outbox = database.outbox(consumer.outgoing)
        transactions = PoolTransactions(database.pool)
        shared: Counter[int] = Counter()

        async def work(number: int) -> None:
            deadlines = consumer.due[0](consumer, outbox)
            while await work_once(deadlines, transactions):
                shared[number] += 1

        await asyncio.gather(*(work(number) for number in range(3)))
        assert len(shared) > 1, "one did it all"
        passed = await rows(
            database,
            "select aggregate_id, count(*) from outbox where type = %s group by 1",
            DeadlinePassed.NAME,
        )
        assert dict(passed) == dict.fromkeys(MANY, 1)
        assert await statuses(database) == {"running": len(MANY)}, "a deadline is only sent"

    play(stack, part)


def test_what_operators_want_is_done_once_and_kept(stack: RunningStack) -> None:
    async def part(saga: SagaScenario[State], database: PostgresDatabase) -> None:
        await saga.when(PLACED)
        for act in (
            Act("resume", "ann"),
            Act("cancel", "ann"),
            Act("kill", "bob"),
            Act("kill", "bob"),
        ):
            await request(database, act)
        await request(database, Act("kill", "bob"), "nobody")
        await asyncio.gather(saga.scenario.after(seconds=0))
        kept = await rows(
            database,
            "select verb, actor, why, outcome, done_at is null from saga_action order by action_id",
        )
        assert kept == [
            ("resume", "ann", "to see", "no step of it has used up its attempts", False),
            ("cancel", "ann", "to see", "done", False),
            ("kill", "bob", "to see", "done", False),
            ("kill", "bob", "to see", "it is abandoned", False),
            ("kill", "bob", "to see", "there is no such saga", False),
        ]
        assert await statuses(database) == {"abandoned": 1}

    play(stack, part)


def test_a_worker_does_not_start_where_sagas_could_not_finish_as_they_began(
    stack: RunningStack,
) -> None:
    async def part(saga: SagaScenario[State], database: PostgresDatabase) -> None:
        def introduce(*definitions: Any) -> None:
            with connect(database._made.inside_url) as connection:
                PostgresSagas(Sagas(definitions)).introduce(connection)

        fewer = trial().steps[:2]
        introduce(trial())
        introduce(trial())
        with pytest.raises(RefusedError, match="version 1 of the saga trial is not what it was"):
            introduce(trial(steps=fewer))
        introduce(trial(version=2, steps=fewer))
        await saga.when(PLACED)
        with pytest.raises(RefusedError, match="does not know: trial version 1"):
            introduce(trial(version=2, steps=fewer))
        introduce(trial(), trial(version=2, steps=fewer))
        await saga.act("kill")
        introduce(trial(version=2, steps=fewer))

    play(stack, part)


def test_what_comes_for_a_saga_of_a_version_that_nobody_keeps_is_too_late(
    stack: RunningStack,
) -> None:
    async def part(saga: SagaScenario[State], database: PostgresDatabase) -> None:
        await saga.when(PLACED)
        [asked] = saga.commands
        late = saga.reply_to(asked, sagas.Authorised(item_id="item-1"))
        newer = SagaScenario(trial(version=2), database)
        await newer.scenario.when(late)
        assert len(newer.scenario.parked) == 1, "while it is under way somebody else has to take it"
        await saga.act("kill")
        await newer.scenario.when(deliver(sagas.Withdrawn(item_id="item-1")), deliver(PLACED))
        await newer.scenario.after(seconds=2)
        assert newer.scenario.parked == []
        assert await statuses(database) == {"abandoned": 1}

    play(stack, part)


def test_what_two_begin_at_once_one_begins(stack: RunningStack) -> None:
    async def part(saga: SagaScenario[State], database: PostgresDatabase) -> None:
        start = Start(message=PLACED, saga_id="item-1", correlation_id=new_id())
        decision = begin(saga.saga, start, utc_now())
        assert decision is not None
        instance: Instance[State] = decision.instance
        store = PostgresSagas(Sagas([saga.saga]))
        async with database.pool.connection() as connection:
            await store.write(connection, [instance], decision.entries)
        async with database.pool.connection() as connection:
            with pytest.raises(ConcurrencyError, match="begun by somebody else"):
                await store.write(connection, [replace(instance)], decision.entries)
            [kept] = await store.load(connection, ["item-1"])
        assert kept == replace(instance, revision=1)

    play(stack, part)


def test_an_answer_waits_for_a_saga_that_cannot_be_seen_yet(stack: RunningStack) -> None:
    """What a transaction has sent may be answered before others see what it has written."""

    async def part(saga: SagaScenario[State], database: PostgresDatabase) -> None:
        await saga.scenario.when(deliver(sagas.Placed(item_id="item-2")))
        start = Start(message=PLACED, saga_id="item-1", correlation_id=new_id())
        decision = begin(saga.saga, start, utc_now())
        assert decision is not None
        [asked] = decision.sends
        authorised = sagas.Authorised(item_id="item-1")
        reply = deliver(authorised, key="item-1", causation_id=asked.id, to=saga.saga.replies_to)
        store = PostgresSagas(Sagas([saga.saga]))
        async with database.pool.connection() as begun, database.connection() as look:
            await begun.execute("begin")
            await store.write(begun, [decision.instance], decision.entries)
            answering = asyncio.create_task(saga.scenario.when(reply))
            assert await held_up(answering, by=begun, look=look)
            await begun.commit()
            await answering
        saga.scenario.then_parked()
        [(log,)] = await rows(
            database,
            "select array_agg(what order by number) from saga_log where saga_id = 'item-1'",
        )
        assert log[:3] == ["started", "asked", "answered"]

    play(stack, part)


def test_an_answer_to_a_saga_that_there_is_not_changes_nothing(stack: RunningStack) -> None:
    async def part(saga: SagaScenario[State], database: PostgresDatabase) -> None:
        reply = deliver(sagas.Authorised(item_id="nobody"), to=saga.saga.replies_to)
        await saga.scenario.when(reply, deliver(PLACED))
        saga.scenario.then_parked()
        assert await statuses(database) == {"running": 1}

    play(stack, part)


def test_messages_under_every_fault_have_the_effects_of_one_clean_delivery(
    stack: RunningStack,
) -> None:
    async def part(saga: SagaScenario[State], database: PostgresDatabase) -> None:
        items = MANY[:4]
        await saga.scenario.torment(
            *(deliver(sagas.Placed(item_id=item)) for item in items),
            *(deliver(sagas.Withdrawn(item_id=item)) for item in items[:2]),
            rounds=1,
        )
        assert await statuses(database) == {"running": 2, "compensating": 2}

    play(stack, part)


def test_what_ended_long_ago_is_forgotten_with_its_log(stack: RunningStack) -> None:
    async def part(saga: SagaScenario[State], database: PostgresDatabase) -> None:
        await saga.when(sagas.Placed(item_id="item-2"))
        await saga.when(PLACED)
        await saga.act("kill")
        await saga.after(seconds=31 * 24 * 3600)
        assert await statuses(database) == {"compensating": 1}
        [[logged]] = await rows(database, "select array_agg(distinct saga_id) from saga_log")
        assert logged == ["item-2"]
        [[actions]] = await rows(database, "select count(*) from saga_action")
        assert actions == 1, "who wanted what is kept"

    play(stack, part)


def test_figures_tell_how_sagas_stand_and_what_their_steps_took(stack: RunningStack) -> None:
    async def part(saga: SagaScenario[State], database: PostgresDatabase) -> None:
        await saga.scenario.when(*(deliver(sagas.Placed(item_id=item)) for item in MANY[:50]))
        for item in ("item-x", "item-y"):
            await saga.when(sagas.Placed(item_id=item))
            saga.now += timedelta(seconds=2)
            await saga.answer(sagas.Declined(item_id=item))
            saga.now += timedelta(seconds=2)
            await saga.answer(sagas.Rejected(item_id=item))
        await saga.after(seconds=31)
        with connect(database._made.inside_url, autocommit=True) as connection:
            PostgresSagas(Sagas([trial()])).introduce(connection)
            [found] = operations.figures([SagaReader(connection)], timedelta(days=1))
            none = operations.figures([SagaReader(connection)], timedelta(days=1), "another")
            [under_way] = operations.running([SagaReader(connection)])
            [open_] = operations.figures([SagaReader(connection)], timedelta(days=-1))
        assert none == []
        assert (under_way.version, under_way.sagas) == (1, 50)
        assert under_way.reads == {DeadlinePassed.NAME, *(each.NAME for each in sagas.REPLIES)} | {
            sagas.Withdrawn.NAME
        }
        assert under_way.commands == {each.NAME for each in sagas.COMMANDS} - {sagas.Sorry.NAME}
        ended = found.statuses["compensated"]
        assert (found.sagas, ended.sagas, ended.p50_s, ended.p99_s) == (52, 2, 4, 4)
        assert open_.sagas == 50, "none has ended in the future"
        assert found.commits_per_saga < 0.3, "fifty began in one"
        first, second = found.steps
        assert (first.step, first.statuses, first.attempts, first.undo_attempts) == (
            *("item", {"done": 50, "undone": 2}),
            *(0, 2),
        )
        assert second.statuses == {"out": 50, "refused": 2}
        assert (second.attempts, second.undo_attempts, second.timeouts) == (52, 50, 50)
        assert (second.p50_s, second.p99_s) == (2, 2)

    play(stack, part)


def test_a_fork_is_kept_beside_the_run_that_it_came_from(stack: RunningStack) -> None:
    async def part(saga: SagaScenario[State], database: PostgresDatabase) -> None:
        await saga.when(PLACED)
        await saga.answer(sagas.Authorised(item_id="item-1"))
        await saga.act("kill")
        with connect(database._made.inside_url, autocommit=True) as connection:
            PostgresSagas(Sagas([trial()])).introduce(connection)
            readers = [SagaReader(connection)]

            async def fork(step: str, *, newest: bool = False) -> None:
                request = operations.ActionRequest(
                    verb="fork",
                    saga_id="item-1",
                    step=step,
                    newest=newest,
                    actor="ann",
                    why="mended",
                )
                doing = asyncio.create_task(asyncio.to_thread(operations.act, readers, request))
                while not doing.done():
                    await saga.scenario.after(seconds=0)
                await doing

            with pytest.raises(operations.NotDoneError, match="left alone: reserve comes behind"):
                await fork("authorise")
            await fork("reserve", newest=True)
            shown = operations.show(readers, "item-1")
            [counted] = operations.figures(readers, timedelta(days=1))
        assert (counted.sagas, counted.earlier_runs) == (1, 1)
        [past] = shown.runs
        assert (past.run, past.status, past.reason) == (1, "abandoned", "a test: to see")
        assert (shown.saga.status, set(shown.saga.waits_for)) == ("running", {"reserve", "check"})
        assert [(each.verb, each.outcome, each.newest) for each in shown.actions[1:]] == [
            ("fork", "reserve comes behind authorise and is not undone; fork from there", False),
            ("fork", "done", True),
        ]
        await saga.come([])
        await saga.answer(sagas.Reserved(item_id="item-1"), sagas.Checked(item_id="item-1"))
        assert saga.state.seen == ("Authorised", "Reserved", "Checked")
        await saga.act("kill")
        await saga.after(seconds=31 * 24 * 3600)
        assert await rows(database, "select * from saga_run") == []

    play(stack, part)


def test_operators_see_what_sagas_wait_for_and_have_it_seen_to(stack: RunningStack) -> None:
    async def part(saga: SagaScenario[State], database: PostgresDatabase) -> None:
        await saga.scenario.when(deliver(sagas.Placed(item_id="item-2")))
        await saga.when(PLACED)
        saga.then("running", sagas.Authorise)
        with connect(database._made.inside_url, autocommit=True) as connection:
            PostgresSagas(Sagas([trial()])).introduce(connection)
            readers = [SagaReader(connection)]
            [waiting] = operations.stuck(readers, timedelta(0))
            assert (waiting.step, waiting.asks, waiting.sagas) == (
                "authorise",
                sagas.Authorise.NAME,
                2,
            )
            assert operations.stuck(readers, timedelta(hours=1)) == []
            found = operations.list_sagas(readers, Choice(status=["running"]), 1)
            assert [each.saga_id for each in found] == ["item-2"]
            assert operations.list_sagas(readers, Choice(saga="trial", status=["paused"]), 1) == []
            for unknown in ("trials", "Trial", "\u202e"):
                with pytest.raises(
                    RequestError, match="is no definition of sagas; there are trial"
                ):
                    operations.list_sagas(readers, Choice(saga=unknown), 1)
            request = operations.ActionRequest(
                verb="cancel", saga_id="item-1", actor="ann", why="they called"
            )
            with pytest.raises(operations.NotDoneError, match="no worker has seen to it"):
                operations.act(readers, request, wait_s=0)
            doing = asyncio.create_task(asyncio.to_thread(operations.act, readers, request))
            while not doing.done():
                await saga.scenario.after(seconds=0)
            with pytest.raises(operations.NotDoneError, match="left alone: it is compensating"):
                await doing
            shown = operations.show(readers, "item-1")
            assert [each.outcome for each in shown.actions] == ["done", "it is compensating"]
            assert shown.remaining == ["reserve", "check", "capture", "confirm"]
            assert (shown.log[0].what, shown.saga.waits_for) == ("started", ["authorise"])
            drawn = operations.diagram(readers, "item-1")
            assert 'step_capture{{"capture<br/>trial.Capture"}}' in drawn
            assert "style step_authorise" in drawn
            with pytest.raises(operations.NoSuchSagaError, match="no saga has the id nobody"):
                operations.show(readers, "nobody")

    play(stack, part)


REFUSING = """
from consumers.runtime.refusals import RefusedError
from consumers.runtime.worker import Worker
from tests.workers.ledger import LedgerSettings, consumer_of
from tests.workers.running import run

def refuse(connection):
    [[asked]] = connection.execute("select 'the database'").fetchall()
    raise RefusedError(f"{asked} was asked")

def create(settings):
    return Worker(consumer_of(settings).with_options(at_start=refuse), settings)

run(create, LedgerSettings)
"""


def test_what_is_refused_at_start_is_a_sentence(stack: RunningStack, tmp_path: Path) -> None:
    topic = create_topic(stack)
    environment = {
        **stack.environment,
        "TAILRACE_DATABASE_URL": stack.database_url("analytics"),
        "TAILRACE_KAFKA_BOOTSTRAP": stack.settings.kafka_bootstrap,
        "TAILRACE_REGISTRY_URL": stack.settings.registry_url,
        "TAILRACE_SCHEMA_CACHE": str(stack.settings.schema_cache),
        "TAILRACE_LEDGER_CONSUMER": topic,
        "TAILRACE_LEDGER_TOPICS": json.dumps([topic]),
        "TAILRACE_LEDGER_DIRECTORY": str(tmp_path),
    }
    ended = subprocess.run(
        [sys.executable, "-c", REFUSING],
        cwd=REPOSITORY,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, "Traceback" in ended.stderr) == (1, False), ended.stderr
    assert "cannot start: the database was asked" in ended.stderr
