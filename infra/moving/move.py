"""The move of a context to the database that the settings give it, step by step, without a message lost or repeated.

Its writes are held back for some seconds, from when the old database is closed to the context until the new one is
open. In between the old connector brings to Kafka all that was written, so that nothing newer can overtake it; the
schema is copied, rows and all; and the copy is admitted to the publication of the new database, which the new connector
reads already. It reads none of the copied rows, as those were written before the publication had their table.

Which step is next, the databases tell (`marks`): a move that was interrupted begins anew as long as the old database is
the one that counts, and goes on when the new one is.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

import psycopg
from psycopg import sql

from cdc import causes, connector
from cdc.database import SyncConnection, connect, is_alone
from infra import pipeline
from infra.capture import apply_connector, examine, has_passed, in_the_way
from infra.deployment import Capture, Deployment, Shard
from infra.drift.database import mend_roles
from infra.drift.delivery import silent
from infra.errors import RequestError, TailraceError
from infra.moving import fence
from infra.moving.copying import CopyError, copy_schema
from infra.moving.marks import MOVED, Held, holders, mark, note_homes
from infra.operations.outbox.verify import TopicRequest, verify_topic
from infra.publishing import publisher_for
from infra.services import OWNER
from infra.sharding.marks import require_shards
from schemas.catalogue import catalogue

DRAINED_S = 120.0
LOOK_EVERY_S = 0.1
PROVED = timedelta(minutes=30)
"""How far back it is proved that nothing is missing, beside what is kept as events."""
PUBLISHED = """
select from pg_publication_tables where pubname = %s and schemaname = %s
"""


FROM_ELSEWHERE = (CopyError, psycopg.Error, connector.ConnectError)
"""What others refuse, and is told with what became of the move."""


class MoveError(TailraceError):
    """A context was not moved, or not to the end; the text says which of both."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What there is to be done.

    Args:
        source: Where the context is, or was.
        is_moved: The new database is the one that counts.
    """

    context: str
    source: Capture
    target: Capture
    is_moved: bool


def plan(deployment: Deployment, context: str) -> Plan:
    """Return what is to be done for a context to be where the settings say."""
    target = deployment.capture_of(context)
    if target.is_main:
        raise RequestError(
            f"The settings give {context} no database of its own: with the stack running, name one in databases "
            f"(TAILRACE_DATABASES={context}=NAME, or the line in the file), then run this again."
        )
    return plan_of(context, target, holders(deployment, (context,))[context])


def plan_of(context: str, target: Capture, found: Sequence[Held]) -> Plan:
    """Return the same by the databases that have a schema of the context."""
    here = [each for each in found if each.capture is target]
    elsewhere = [each for each in found if each.capture is not target]
    alive = [each.capture for each in elsewhere if not each.is_moved]
    if len(alive) > 1:
        listed = " and ".join(each.database.name for each in alive)
        raise MoveError(
            f"{context} was not moved: {listed} have tables of it, and nobody can tell which count. Drop those that "
            "do not, or rename their schema."
        )
    if alive:
        if here and not here[0].is_copy:
            raise MoveError(
                f"{context} was not moved: {target.database.name} has a schema {context} that no move has made. Drop "
                "it, or rename it, if it is of no use."
            )
        return Plan(context, alive[0], target, is_moved=False)
    if not here or not elsewhere:
        raise MoveError(
            f"There is nothing to move: no other database has tables of {context}. `make up`, or `tailrace migrate`, "
            "sees to those of its own."
        )
    return Plan(context, elsewhere[-1].capture, target, is_moved=True)


class Report(Protocol):
    """Told how a move goes on."""

    def started(self, stage: str) -> None:
        """A step has begun."""

    def finished(self, stage: str, seconds: float, detail: str) -> None:
        """A step is done; `detail` says what it did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """What a move did."""

    context: str
    source: str
    target: str
    closed_s: float  # how long the context could write nowhere; 0 when it had been moved before
    rows: int  # that were compared with Kafka and with what consumers took


Steps = Mapping[str, Callable[[], str]]


class Move:
    """The move of a context.

    Args:
        deployment: As it is to be: with the context in its new database.
        todo: What is left to do.
        prepare: Makes the new database and who may enter it, as far as that is ours to do.
    """

    def __init__(
        self, deployment: Deployment, todo: Plan, prepare: Callable[[Deployment, Capture], str]
    ) -> None:
        self._deployment = deployment
        self._todo = todo
        self._prepare_database = prepare
        self._source = replace(todo.source, contexts=(*todo.source.contexts, todo.context))
        others = tuple(each for each in todo.target.contexts if each != todo.context)
        self._target = replace(todo.target, contexts=others)
        self._begun = datetime.now(UTC)
        self._closed_at = 0.0
        self._closed_s = 0.0
        self._rows = 0

    def run(self, told: Report) -> None:
        """Do what is to be done before services are started anew."""
        with self._alone():
            self._run(told)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep a second move of the context from beginning while the block runs."""
        url = self._todo.source.url(self._todo.source.database.superuser)
        with connect(url, autocommit=True) as connection:
            if not is_alone(connection, f"tailrace context move {self._todo.context}"):
                raise MoveError(f"Another command moves {self._todo.context}: wait for it.")
            yield

    def _run(self, told: Report) -> None:
        before: Steps = {
            "check": self._check,
            "prepare": self._prepare,
            "close": self._undone_on_failure(self._close),
            "drain": self._undone_on_failure(self._drain),
            "copy": self._undone_on_failure(self._copy),
        }
        _run(
            told, {**({} if self._todo.is_moved else before), "open": self._to_the_end(self._open)}
        )

    def prove(self, told: Report, *, drop: bool) -> Moved:
        """Prove, once they were, that nothing is missing.

        Args:
            drop: Whether to drop what is left behind, now that it is of no use.
        """
        afterwards: Steps = {"drop": self._drop_left_behind} if drop else {}
        _run(told, {"flowing": self._flowing, "verify": self._verify, **afterwards})
        return Moved(
            context=self._todo.context,
            source=self._todo.source.database.name,
            target=self._todo.target.database.name,
            closed_s=round(self._closed_s, 3),
            rows=self._rows,
        )

    def _drop_left_behind(self) -> str:
        """Drop what is left in the old database; its mark stays."""
        context, old = self._todo.context, self._todo.source
        name = sql.Identifier(context)
        with connect(old.url(OWNER)) as connection:
            connection.execute(sql.SQL("drop schema {} cascade").format(name))
            connection.execute(sql.SQL("create schema {}").format(name))
            mark(connection, context, f"{MOVED}{self._todo.target.database.name}")
        return f"{old.database.name} has no tables of {context} any more"

    def _check(self) -> str:
        """Refuse what would be unsafe, before anything was changed."""
        require_shards(self._deployment)
        fence.reopen(self._source, self._todo.context)  # an earlier move may have been killed
        if publisher_for(self._source) == "relay":
            raise self._refused(
                "the relay publishes, and only a connector can tell that it has come to the end of what was written"
            )
        if trouble := self._ailing():
            raise self._refused(trouble)
        if obstacles := [
            found for each in self._source.shards for found in in_the_way(self._deployment, each)
        ]:
            raise self._refused("; ".join(each.told for each in obstacles))
        if _version(self._target) < _version(self._source):
            raise self._refused(
                f"the server of {self._target.database.name} is of an older version"
            )
        return f"{self._source.database.name} is captured well"

    def _ailing(self) -> str:
        """Return why an old connector does not publish; empty when all do."""
        return next(filter(None, map(self._ailing_shard, self._source.shards)), "")

    def _ailing_shard(self, shard: Shard) -> str:
        state = connector.status(self._deployment.connect_url, shard.connector)
        if not state.is_running:
            return f"the connector {shard.connector} is {state.connector}, its task {state.task}"
        diagnosis = examine(self._deployment, shard)
        return diagnosis.told if diagnosis.ailment else ""

    def _prepare(self) -> str:
        """Have the new database captured, with everything in it but the context."""
        told = self._prepare_database(self._deployment, self._target)
        pipeline.migrate_database(self._target, self._deployment.state)
        for each in self._target.shards:
            apply_connector(self._deployment, each)
        seconds = max(
            pipeline.send_canary_by(self._deployment, each) for each in self._target.shards
        )
        return f"{told or self._target.database.name}, commit to Kafka in {seconds * 1000:.0f} ms"

    def _close(self) -> str:
        self._closed_at = time.monotonic()
        fence.close(self._source, self._todo.context)
        return f"{self._todo.context} may not write to {self._source.database.name} any more"

    def _undone_on_failure(self, run: Callable[[], str]) -> Callable[[], str]:
        def tried() -> str:
            try:
                return run()
            except BaseException as error:
                with suppress(psycopg.Error):  # whoever moves it next lets it in first
                    fence.reopen(self._source, self._todo.context)
                if isinstance(error, FROM_ELSEWHERE):
                    raise self._refused(causes.of_error(error).text) from error
                raise

        return tried

    def _to_the_end(self, run: Callable[[], str]) -> Callable[[], str]:
        def tried() -> str:
            try:
                return run()
            except FROM_ELSEWHERE as error:
                context, name = self._todo.context, self._todo.target.database.name
                raise MoveError(
                    f"{context} was moved to {name}, and not to the end: {causes.of_error(error).text}. It may write "
                    f"nowhere until that is mended and `tailrace context move {context}` is run again, which goes on."
                ) from error

        return tried

    def _drain(self) -> str:
        """Wait until the old connector has brought everything to Kafka that the context has written."""
        end = fence.wal_end(self._source)
        deadline = time.monotonic() + DRAINED_S
        while True:
            if all(has_passed(each, end) for each in self._source.shards):
                return "all of it is in Kafka"
            if trouble := self._ailing():
                raise self._refused(trouble)
            if time.monotonic() > deadline:
                raise self._refused(
                    f"after {DRAINED_S:g} s the connector has not come to the end of what was written"
                )
            time.sleep(LOOK_EVERY_S)

    def _copy(self) -> str:
        copy_schema(self._source, self._target, self._todo.context)
        return f"the schema is in {self._target.database.name}"

    def _open(self) -> str:
        """Have the new database count from now on, and only then let anybody in."""
        context, old, new = self._todo.context, self._todo.source, self._todo.target
        with connect(old.url(old.database.superuser)) as connection:
            mark(connection, context, f"{MOVED}{new.database.name}")
            for each in old.shards:
                if connection.execute(PUBLISHED, [each.publication, context]).fetchone():
                    _leave_publication(connection, each.publication, context)
        note_homes(self._deployment)
        pipeline.migrate_database(new, self._deployment.state)
        with connect(new.url(new.database.superuser)) as connection:
            mark(connection, context, None)
        for each in new.shards:
            apply_connector(self._deployment, each)
        mend_roles(new)
        pipeline.migrate_database(old, self._deployment.state)
        self._closed_s = time.monotonic() - self._closed_at if self._closed_at else 0.0
        return f"{context} is at home in {new.database.name}"

    def _flowing(self) -> str:
        seconds = pipeline.send_canary(self._deployment)
        return f"commit to Kafka in {seconds * 1000:.0f} ms"

    def _verify(self) -> str:
        """Prove that outbox, Kafka and inboxes hold the same of every topic that the context writes to or reads."""
        context = self._todo.context
        topics = [
            each.name
            for each in catalogue().topics.values()
            if each.messages
            and not each.is_direct
            and (each.owner == context or f"{context}-worker" in each.takers)
        ]
        for topic in topics:
            request = TopicRequest(topic=topic, since=self._begun - PROVED, until=datetime.now(UTC))
            found = verify_topic(self._deployment, request, silent)
            if not found.is_good:
                raise MoveError(
                    f"{context} is in {self._todo.target.database.name}, and something is wrong with {topic}: run "
                    f"`tailrace outbox verify --topic {topic}`, which names it."
                )
            self._rows += found.rows
        return f"nothing is missing of {self._rows:,} messages on {', '.join(topics)}"

    def _refused(self, why: str) -> MoveError:
        context, name = self._todo.context, self._source.database.name
        return MoveError(
            f"{context} was not moved: {why}. It is in {name} as before; see `tailrace connector status` and `tailrace "
            "doctor`, then try again."
        )


def _version(capture: Capture) -> int:
    """Return the major version of a server."""
    with connect(
        capture.url(capture.database.superuser, "postgres"), autocommit=True
    ) as connection:
        return connection.info.server_version // 10_000


def _leave_publication(connection: SyncConnection, publication: str, context: str) -> None:
    statement = sql.SQL("alter publication {} drop table {}")
    table = sql.Identifier(context, "outbox")
    connection.execute(statement.format(sql.Identifier(publication), table))


def _run(told: Report, steps: Steps) -> None:
    for name, step in steps.items():
        begin = time.monotonic()
        told.started(name)
        detail = step()
        told.finished(name, time.monotonic() - begin, detail)
