"""A replay into a sandbox: made, filled, compared with what is live, and kept or dropped."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from psycopg.rows import dict_row

from cdc.database import Connection
from cdc.outbox import Outbox
from consumers.replay.comparison import compare
from consumers.replay.coverage import Coverage
from consumers.replay.diff import TableDiff
from consumers.replay.engine import Engine, Tell
from consumers.replay.errors import EmptyRangeError
from consumers.replay.log_source import Urls
from consumers.replay.outside import CapturedOutside, no_network
from consumers.replay.plan import open_source, places_of
from consumers.replay.sandbox import QUERIES, Sandbox, SandboxInfo, SandboxStore, named
from consumers.replay.selection import Selection
from consumers.replay.source import Batch, Plan
from consumers.runtime.consumer import Consumer
from consumers.runtime.delivery import REPLAY_RUN
from consumers.runtime.failures import storable
from consumers.runtime.outside import Outside
from consumers.runtime.parked.payload import Payloads
from consumers.runtime.store import Place
from consumers.runtime.throwaway import ThrowawaySchema
from consumers.runtime.window import InboxWindow
from schemas.codec import Codec
from schemas.datum import UndecodableError
from schemas.registry import SchemaStore

PARKED_LISTED = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayTarget:
    """A consumer, and the surroundings in which its handlers are replayed."""

    name: str
    role: str
    url: str
    owner_url: str
    packages: Sequence[str]
    build: Callable[[str, Outside], Consumer]
    bootstrap: str
    registry_url: str
    schema_cache: Path
    logs: Urls

    def codec(self, consumer: Consumer) -> Codec:
        """Return what decodes the consumer's messages, and the fields of any other."""
        return Codec(SchemaStore(self.registry_url, self.schema_cache), consumer.messages)

    def outbox(self, consumer: Consumer) -> Outbox:
        return Outbox.open(self.registry_url, self.schema_cache, consumer.outgoing)

    def build_for(self, schema: ThrowawaySchema) -> Consumer:
        """Return the consumer for a sandbox, without locks: commands lie in the log in the order that is replayed."""
        consumer = self.build(schema.inside_url, CapturedOutside())
        return consumer.with_options(locks=())

    def sandbox(self, info: SandboxInfo) -> Sandbox:
        schema = ThrowawaySchema(
            name=info.name, owner_url=self.owner_url, url=self.url, packages=self.packages
        )
        return Sandbox(schema, info, self.role)


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What a replay into a sandbox came to."""

    run_id: str
    sandbox: str
    records: int = 0
    seconds: float = 0.0
    applied: int = 0
    duplicates: int = 0
    parked: int = 0
    parked_rows: list[dict[str, Any]] = field(default_factory=list)
    outgoing: list[dict[str, Any]] = field(default_factory=list)
    outside: list[dict[str, Any]] = field(default_factory=list)
    # messages of the range that the live consumer has not taken itself yet, at most
    behind: int = 0
    tables: list[TableDiff] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """Whether the sandbox is what is live, and no handler failed."""
        return not self.parked and all(table.is_equal for table in self.tables)


class SandboxReplay:
    """One replay into a sandbox."""

    def __init__(
        self, subject: ReplayTarget, selection: Selection, plan: Plan, info: SandboxInfo
    ) -> None:
        self._subject = subject
        self._selection = selection
        self._plan = plan
        self._info = info
        self._sandbox = subject.sandbox(info)
        self._consumer = subject.build_for(self._sandbox.schema)

    @property
    def name(self) -> str:
        return self._info.name

    async def make(self) -> None:
        try:
            await self._sandbox.make(self._consumer.before_a_replay)
        except BaseException:
            await self._sandbox.drop()
            raise

    async def drop(self) -> None:
        await self._sandbox.drop()

    async def keep(self) -> None:
        await self._sandbox.keep()

    async def run(self, tell: Tell, *, rate: float | None = None, most_rows: int = 20) -> Outcome:
        """Apply what is left of the plan, then look at what came of it."""
        outcome = Outcome(run_id=self._info.run_id, sandbox=self._info.name)
        async with self._sandbox.working() as owner:
            await self._apply(outcome, owner, tell, rate)
            await self._look(outcome, owner)
            outcome.tables = await self._compare(owner, most_rows)
        return outcome

    async def _apply(
        self, outcome: Outcome, owner: Connection, tell: Tell, rate: float | None
    ) -> None:
        subject, consumer = self._subject, self._consumer
        codec = subject.codec(consumer)
        source = open_source(
            self._plan,
            self._selection,
            subject.bootstrap,
            subject.logs,
            codec,
            [(REPLAY_RUN, self._info.run_id.encode())],
        )
        window = InboxWindow()
        try:
            async with self._sandbox.open_pool(consumer.parallel_partitions + 2) as pool:
                store = SandboxStore(consumer.name, pool)
                await store.open_inbox(window)
                engine = Engine(consumer, store, codec, subject.outbox(consumer), window)
                begin = time.monotonic()
                with no_network(subject.registry_url):
                    outcome.records = await engine.run(
                        source,
                        places_of(self._plan),
                        tell=tell,
                        rate=rate,
                        before=self._note_keys(owner),
                    )
                outcome.seconds = time.monotonic() - begin
            if not outcome.records:
                await self._require_any(owner, source.complaint())
        finally:
            await asyncio.to_thread(source.close)

    def _note_keys(self, owner: Connection) -> Any:
        if not any(table.record_key for table in self._consumer.tables.values()):
            return None
        handled = {name.encode() for name in self._consumer.table}

        async def note(batch: Batch) -> None:
            keys = [
                storable(record.key.decode(errors="replace"))
                for record in batch.records
                if record.key is not None and dict(record.headers).get("ce_type") in handled
            ]
            if keys:
                await owner.execute(QUERIES["note_keys"], {"keys": keys})

        return note

    async def _require_any(self, owner: Connection, complaint: str) -> None:
        cursor = await owner.execute("select sum(next_offset) from consumer_offset")
        [[moved]] = await cursor.fetchall()
        if moved == sum(each.begin for each in self._plan.ranges):
            raise EmptyRangeError(
                f"none of the {self._plan.total:,} messages in the range matches the filters{complaint}"
            )

    async def _look(self, outcome: Outcome, owner: Connection) -> None:
        who = {"consumer": self._consumer.name, "limit": PARKED_LISTED}
        cursor = owner.cursor(row_factory=dict_row)
        [totals] = await (await cursor.execute(QUERIES["sandbox_totals"], who)).fetchall()
        outcome.applied, outcome.duplicates = totals["applied"], totals["duplicates"]
        outcome.parked = totals["parked"]
        rows = await (await cursor.execute(QUERIES["sandbox_parked"], who)).fetchall()
        outcome.parked_rows = [row | {"key": _text(row["key"])} for row in rows]
        outcome.behind = await self._behind(owner)
        outcome.outside = await (await cursor.execute(QUERIES["outside"])).fetchall()
        payloads = Payloads(SchemaStore(self._subject.registry_url, self._subject.schema_cache))
        for row in await (await cursor.execute(QUERIES["outgoing"])).fetchall():
            data = row.pop("payload")
            outcome.outgoing.append(row | {"payload": _decoded(payloads, data)})

    async def _compare(self, owner: Connection, most_rows: int) -> list[TableDiff]:
        """Compare, up to the last message unless the live consumer has taken later ones by the end of it."""

        async def tables(*, to_the_last: bool) -> list[TableDiff]:
            return await asyncio.to_thread(
                compare,
                self._subject.owner_url,
                self._info.name,
                self._subject.role,
                tables=self._consumer.tables,
                coverage=Coverage.of(
                    self._plan, self._selection, self._consumer, to_the_last=to_the_last
                ),
                most_rows=most_rows,
            )

        if await self._is_nothing_later_live(owner):
            found = await tables(to_the_last=True)
            if await self._is_nothing_later_live(owner):
                return found
        return await tables(to_the_last=False)

    async def _is_nothing_later_live(self, owner: Connection) -> bool:
        if self._plan.reaches is None:
            return False
        positions = await self._live_positions(owner)
        return all(at <= self._plan.reaches.get(place, at) for place, at in positions.items())

    async def _live_positions(self, owner: Connection) -> dict[Place, int]:
        query = named(QUERIES["live_positions"].decode(), ":live", self._subject.role)
        cursor = await owner.execute(query, {"consumer": self._consumer.name})
        return {Place(topic, number): at for topic, number, at in await cursor.fetchall()}

    async def _behind(self, owner: Connection) -> int:
        if self._plan.kind == "log":
            return 0  # where its events lie in Kafka is not known
        positions = await self._live_positions(owner)
        return sum(
            max(0, each.end - max(each.begin, positions.get(each.place, 0)))
            for each in self._plan.ranges
        )


def _decoded(payloads: Payloads, data: bytes) -> Any:
    try:
        return payloads.read(data).value
    except UndecodableError as error:
        return {"undecodable": str(error)}


def _text(key: bytes | None) -> str | None:
    return None if key is None else bytes(key).decode(errors="backslashreplace")
