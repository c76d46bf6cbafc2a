"""Jobs of reports on tables of their own: leases, fences, cancelling, giving up and expiring."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from arro3.io import read_parquet
from psycopg.errors import CheckViolation
from psycopg.types.json import Jsonb

from cdc.chores import cancel
from cdc.context import MessageContext
from cdc.database import Connection, begin, connect_async, open_pool
from cdc.deadline import Deadline, within
from cdc.due import PoolTransactions, work_once
from cdc.ids import new_id
from consumers.reports.bootstrap import Settings, create_consumer
from consumers.reports.due import AT_ONCE, ExpiredWork, ForgettingWork
from consumers.reports.lease import Lease, LostError
from consumers.reports.making import CHUNK_BYTES, RETRIES, Maker
from consumers.reports.service import SERVICE
from consumers.runtime.outside import RealOutside
from consumers.runtime.throwaway import leading_into
from consumers.testing.records import deliver
from infra.processes import settings_of
from producers.reports import jobs
from producers.reports.jobs import Asked, Job
from producers.reports.watch import Watch
from schemas.messages.orders import OrderCancelled, OrderConfirmed, OrderCreated, OrderLine
from schemas.messages.payments import PaymentRefunded
from schemas.messages.reports import MakeReport
from tailrace import PostgresDatabase, RequestWork, Scenario, sample_of
from tests.held_up import held_up
from tests.stack import RunningStack

DAY = date(2026, 11, 28)
NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
KEPT = timedelta(hours=1)
ASKED = Asked(first_day=DAY, days=1, format="csv", currencies=(), skus=())


@dataclass(frozen=True)
class Desk:
    """Tables of the reports service, and whoever works on them."""

    database: PostgresDatabase
    settings: Settings

    @property
    def url(self) -> str:
        return leading_into(self.settings.database_url, self.database.schema)

    @property
    def maker(self) -> Maker:
        return Maker(self.url, KEPT)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        async with await connect_async(self.url, autocommit=True) as connection:
            yield connection

    async def run(self, statement: str, *values: Any) -> None:
        async with self.database.connection() as connection:
            await connection.execute(statement.encode(), values)

    async def ask(self, **changes: Any) -> UUID:
        """Keep a job whose command has come."""
        asked = replace(ASKED, **changes)
        job_id = new_id()
        row = {"job_id": job_id, "request": Jsonb(asked.to_json()), "total": asked.days}
        async with self.database.connection() as connection:
            await connection.execute(jobs.QUERIES["add"], row)
        await self.make_due(job_id)
        return job_id

    async def make_due(self, job_id: UUID) -> None:
        """Let the time pass until somebody may take the job up."""
        await self.run("update job set due_at = clock_timestamp() where job_id = %s", job_id)

    async def job(self, job_id: UUID) -> Job:
        async with self.connection() as connection:
            found = await jobs.find(connection, job_id)
        assert found is not None
        return found

    async def result(self, job_id: UUID) -> bytes:
        job = await self.job(job_id)
        return b"".join([each async for each in jobs.result(self.database.pool, job)])

    async def made(self, **asked: Any) -> bytes:
        job_id = await self.ask(**asked)
        await self.maker.make(job_id)
        job = await self.job(job_id)
        assert (job.status, job.done) == ("done", job.total)
        content = await self.result(job_id)
        assert len(content) == job.bytes
        return content

    async def count(self, table: str) -> int:
        state = await self.database.state()
        return len(list(state[table]))


Scene = Callable[[Desk], Awaitable[None]]


def play(stack: RunningStack, scene: Scene) -> None:
    async def run() -> None:
        settings = settings_of(SERVICE, Settings, stack.deployment)
        database = PostgresDatabase(
            owner_url=stack.database_url("tailrace_owner"),
            url=settings.database_url,
            packages=["producers.reports.migrations", "consumers.reports.migrations"],
        )
        async with database:
            await scene(Desk(database, settings))

    asyncio.run(run())


def test_a_report_says_what_was_told_once_each_and_exactly(stack: RunningStack) -> None:
    async def scene(desk: Desk) -> None:
        scenario = Scenario(create_consumer(desk.settings, RealOutside()), desk.database)
        records = [deliver(each) for each in told()]
        await scenario.when(*records)
        await scenario.when(*reversed(records))
        scenario.then_duplicates(len(records))
        rows = list(csv.DictReader(io.StringIO((await desk.made()).decode())))
        assert rows == [
            row("EUR", "", 3, 2, 1, '{"out_of_stock": 1}', "999999999999999.9999", "0.0001"),
            row("JPY", "", 1, 0, 0, "{}", "0.0000", "0.0000"),
        ]
        by_sku = await desk.made(skus=("=cmd", "b"), currencies=("EUR",))
        assert list(csv.DictReader(io.StringIO(by_sku.decode()))) == [
            row("EUR", "'=cmd", 1, 1, 0, "{}", "0.0001", "0.0001"),
            row("EUR", "b", 1, 1, 0, "{}", "999999999999999.9998", "0.0000"),
        ]
        table: Any = read_parquet(io.BytesIO(await desk.made(format="parquet"))).read_all()
        assert [each.as_py() for each in table.column("revenue")] == [
            Decimal("999999999999999.9999"),
            Decimal("0.0000"),
        ]

    play(stack, scene)


def told() -> list[Any]:
    """Return what orders and payments say of one day in UTC, its neighbours, and of nothing given back."""
    [first, second, third, yen, late] = [new_id() for _ in range(5)]
    last_moment = datetime(2026, 11, 28, 23, 59, 59, 999999, tzinfo=UTC)
    return [
        placed(first, "0.0001", sku="=cmd"),
        placed(second, "999999999999999.9998", sku="b", at=last_moment),
        placed(third, "5", sku="c"),
        placed(yen, "500", sku="=cmd", currency="JPY"),
        placed(late, "7", sku="b", at=last_moment + timedelta(microseconds=1)),
        *(confirmed(each, total) for each, total in ((first, "0.0001"), (second, MOST))),
        OrderCancelled(
            order_id=third,
            reason="out_of_stock",
            currency="EUR",
            total=Decimal(5),
            cancelled_at=NOON,
        ),
        refunded(first, "0.0001"),
        refunded(third, None),
    ]


MOST = "999999999999999.9998"


def placed(
    order_id: UUID, total: str, *, sku: str, at: datetime = NOON, currency: str = "EUR"
) -> OrderCreated:
    line = OrderLine(
        sku=sku, quantity=1, unit_price=Decimal(total), tax_rate=None, tax=None, digital=False
    )
    return sample_of(
        OrderCreated,
        order_id=order_id,
        currency=currency,
        lines=(line,),
        total=Decimal(total),
        placed_at=at,
    )


def confirmed(order_id: UUID, total: str) -> OrderConfirmed:
    return sample_of(
        OrderConfirmed,
        order_id=order_id,
        currency="EUR",
        total=Decimal(total),
        confirmed_at=NOON,
    )


def refunded(order_id: UUID, amount: str | None) -> PaymentRefunded:
    return sample_of(
        PaymentRefunded,
        order_id=order_id,
        currency=amount and "EUR",
        amount=amount and Decimal(amount),
        refunded_at=NOON,
    )


def row(*values: Any) -> dict[str, str]:
    columns = (
        "currency",
        "sku",
        "orders_placed",
        "orders_confirmed",
        "orders_cancelled",
        "cancelled_by_reason",
        "revenue",
        "refunds",
    )
    return {"day": DAY.isoformat()} | dict(zip(columns, map(str, values), strict=True))


def test_a_command_that_comes_twice_or_late_begins_nothing_anew(stack: RunningStack) -> None:
    async def scene(desk: Desk) -> None:
        scenario = Scenario(create_consumer(desk.settings, RealOutside()), desk.database)
        job_id, cancelled = await desk.ask(), await desk.ask()
        for each in (job_id, cancelled):
            await desk.run("update job set due_at = null where job_id = %s", each)
        async with desk.connection() as connection:
            await jobs.cancel(connection, cancelled)
            assert await Lease.take(connection, job_id) is None  # its command has not come
        await scenario.when(MakeReport(job_id=job_id), MakeReport(job_id=cancelled))
        await desk.maker.make(job_id)
        before = [await desk.job(each) for each in (job_id, cancelled)]
        assert [each.status for each in before] == ["done", "cancelled"]
        await scenario.when(MakeReport(job_id=job_id))
        scenario.then_parked()
        await desk.maker.make(job_id)
        assert [await desk.job(each) for each in (job_id, cancelled)] == before

    play(stack, scene)


def test_a_command_waits_for_a_job_that_cannot_be_seen_yet(stack: RunningStack) -> None:
    """What a transaction has sent may come before others see what it has written."""

    async def scene(desk: Desk) -> None:
        scenario = Scenario(create_consumer(desk.settings, RealOutside()), desk.database)
        job_id = new_id()
        row = {"job_id": job_id, "request": Jsonb(ASKED.to_json()), "total": ASKED.days}
        async with desk.database.pool.connection() as asking, desk.connection() as look:
            await begin(asking)
            await asking.execute(jobs.QUERIES["add"], row)
            accepting = asyncio.create_task(scenario.when(MakeReport(job_id=job_id)))
            assert await held_up(accepting, by=asking, look=look)
            await asking.commit()
            await accepting
        scenario.then_parked()
        async with desk.connection() as connection:
            assert await Lease.take(connection, job_id) is not None

    play(stack, scene)


def test_a_command_whose_job_is_gone_changes_nothing(stack: RunningStack) -> None:
    async def scene(desk: Desk) -> None:
        scenario = Scenario(create_consumer(desk.settings, RealOutside()), desk.database)
        await scenario.when(MakeReport(job_id=new_id()))
        scenario.then_parked()
        async with desk.connection() as connection:
            assert (await connection.execute("select from job")).rowcount == 0

    play(stack, scene)


def test_one_that_was_frozen_changes_nothing_after_another_took_over(stack: RunningStack) -> None:
    async def scene(desk: Desk) -> None:
        job_id = await desk.ask(days=3)
        async with desk.connection() as connection:
            frozen = await Lease.take(connection, job_id)
            assert frozen is not None
            await frozen.add_part(0, b"")
            assert await Lease.take(connection, job_id) is None  # as long as the lease lasts
            await desk.make_due(job_id)
            other = await Lease.take(connection, job_id)
            assert other is not None
            assert (other.generation, other.done) == (2, 1)
            writes: list[Callable[[], Awaitable[None]]] = [
                lambda: frozen.add_part(1, b"wrong"),
                lambda: frozen.add_chunk(0, b"wrong"),
                lambda: frozen.finish("text/csv; charset=utf-8", 5, "wrong", KEPT),
                lambda: frozen.fail("wrong"),
                lambda: frozen.put_off(connection, KEPT),
            ]
            for stage in ("running", "done"):
                assert (await desk.job(job_id)).status == stage
                for write in writes:
                    with pytest.raises(LostError):
                        await write()
                await desk.make_due(job_id)
                await desk.maker.make(job_id)
        job = await desk.job(job_id)
        assert (job.generation, job.done) == (3, 3)
        assert b"wrong" not in await desk.result(job_id)

    play(stack, scene)


def test_two_that_begin_at_once_do_not_both_work(stack: RunningStack) -> None:
    async def scene(desk: Desk) -> None:
        job_ids = [await desk.ask(days=30) for _ in range(3)]
        await asyncio.gather(*(desk.maker.make(each) for each in job_ids * 4))
        for job_id in job_ids:
            job = await desk.job(job_id)
            assert (job.status, job.generation, job.done) == ("done", 1, 30)

    play(stack, scene)


@asynccontextmanager
async def held_back(desk: Desk, job_id: UUID, number: int) -> AsyncIterator[None]:
    """Keep whoever works on a job from finishing one of its days."""
    async with await connect_async(
        leading_into(desk.settings.database_url, desk.database.schema)
    ) as connection:
        await connection.execute("insert into job_part values (%s, %s, '')", (job_id, number))
        yield
        await connection.rollback()


async def until(desk: Desk, job_id: UUID, done: int) -> None:
    async with asyncio.timeout(20):
        while (await desk.job(job_id)).done < done:  # noqa: ASYNC110 - another connection changes it
            await asyncio.sleep(0.01)


def test_what_is_cancelled_in_the_midst_ends_and_leaves_nothing(stack: RunningStack) -> None:
    async def scene(desk: Desk) -> None:
        job_id = await desk.ask(days=60)
        async with desk.connection() as connection:
            async with held_back(desk, job_id, 40):
                making = asyncio.create_task(desk.maker.make(job_id))
                await until(desk, job_id, 40)
                cancelling = asyncio.create_task(jobs.cancel(connection, job_id))
                # it waits for the one statement that is held up
                await asyncio.wait([cancelling], timeout=0.2)
            job = await cancelling
        await making
        assert job is not None
        assert (job.status, job.done < 60) == ("cancelled", True)
        assert (await desk.job(job_id)).status == "cancelled"
        while await work_once(ExpiredWork(), PoolTransactions(desk.database.pool)):
            pass
        assert [await desk.count(each) for each in ("job_part", "job_chunk")] == [0, 0]

    play(stack, scene)


def test_one_that_is_stopped_in_the_midst_is_followed_at_once_by_one_that_goes_on(
    stack: RunningStack,
) -> None:
    async def scene(desk: Desk) -> None:
        job_id = await desk.ask(days=20)
        async with held_back(desk, job_id, 7):
            working = asyncio.create_task(desk.maker.work(desk.database.pool))
            await until(desk, job_id, 7)
            await cancel([working])
        assert working.cancelled()
        job = await desk.job(job_id)
        assert (job.status, job.generation, job.attempts) == ("running", 1, 0)
        assert job.done in (7, 8)
        await desk.maker.work(desk.database.pool)
        job = await desk.job(job_id)
        assert (job.status, job.generation, job.done) == ("done", 2, 20)

    play(stack, scene)


def test_what_never_comes_on_is_given_up_and_says_why(stack: RunningStack) -> None:
    async def scene(desk: Desk) -> None:
        await desk.run(f"revoke select on sale from {SERVICE.role}")
        job_id = await desk.ask()
        for attempt in range(1, RETRIES.attempts + 1):
            assert (await desk.job(job_id)).attempts == attempt - 1
            await desk.make_due(job_id)
            await desk.maker.make(job_id)
        job = await desk.job(job_id)
        assert (job.status, job.is_expired) == ("failed", True)
        assert "InsufficientPrivilege" in str(job.reason)
        killer = await desk.ask()
        async with desk.connection() as connection:
            for _ in range(RETRIES.attempts):  # taken up by workers that it kills
                await Lease.take(connection, killer)
                await desk.make_due(killer)
        await desk.maker.make(killer)
        assert "never came on" in str((await desk.job(killer)).reason)

    play(stack, scene)


def test_what_has_expired_goes_piece_by_piece_and_is_forgotten_later(stack: RunningStack) -> None:
    async def scene(desk: Desk) -> None:
        transactions = PoolTransactions(desk.database.pool)
        kept, gone = await desk.ask(), await desk.ask()
        for job_id in (kept, gone):
            await desk.maker.make(job_id)
        pieces = 2 * AT_ONCE + 1
        await desk.run(
            "insert into job_chunk select %s, 1, number, '' from generate_series(1, %s) as number",
            gone,
            pieces - 1,
        )
        assert not await work_once(ExpiredWork(), transactions)
        await desk.run("update job set expires_at = clock_timestamp() where job_id = %s", gone)
        job = await desk.job(gone)
        assert (job.status, job.shown_status) == ("done", "expired")
        left = list[int]()
        while await work_once(ExpiredWork(), transactions):
            left.append(await desk.count("job_chunk"))
        assert left == [1 + AT_ONCE + 1, 1 + 1, 1]
        with pytest.raises(jobs.ResultGoneError):
            [each async for each in jobs.result(desk.database.pool, job)]
        assert await desk.result(kept)
        assert not await work_once(ForgettingWork(), transactions)
        await desk.run("update job set finished_at = finished_at - interval '31 days'")
        while await work_once(ForgettingWork(), transactions):
            pass
        [row] = (await desk.database.state())["job"]
        assert row["job_id"] == kept

    play(stack, scene)


def test_a_worker_works_on_one_job_at_a_time_and_another_on_the_next(stack: RunningStack) -> None:
    async def scene(desk: Desk) -> None:
        first, second = await desk.ask(days=5), await desk.ask(days=5)
        async with held_back(desk, first, 3):
            working = asyncio.create_task(desk.maker.work(desk.database.pool))
            await until(desk, first, 3)
            assert (await desk.job(second)).status == "queued"
            await desk.maker.work(desk.database.pool)
            assert (await desk.job(second)).status == "done"
        await working
        assert (await desk.job(first)).status == "done"

    play(stack, scene)


def test_who_waits_is_told_when_a_job_is_finished_and_not_later(stack: RunningStack) -> None:
    async def scene(desk: Desk) -> None:
        watch, loop = Watch(desk.database.pool), asyncio.get_running_loop()
        job_id, never = await desk.ask(), await desk.ask()
        waiting = [asyncio.create_task(watch.until_finished(job_id, 60)) for _ in range(50)]
        other = asyncio.create_task(watch.until_finished(never, 60))
        await watch.until_finished(never, 0.3)
        assert not any(each.done() for each in waiting)
        async with desk.connection() as connection:
            await jobs.cancel(connection, job_id)
        begun = loop.time()
        async with asyncio.timeout(10):
            await asyncio.gather(*waiting, watch.until_finished(new_id(), 60))
        assert loop.time() - begun < 10
        assert not other.done()
        other.cancel()
        await asyncio.wait([other])

    play(stack, scene)


def test_a_large_result_lies_in_pieces(stack: RunningStack) -> None:
    async def scene(desk: Desk) -> None:
        await desk.run(
            "insert into sale (order_id, what, at, currency, amount, reason) "
            "select gen_random_uuid(), 'cancelled', %s, 'EUR', 1, repeat('x', 90) || number "
            "from generate_series(1, 8000) as number",
            NOON,
        )
        content = await desk.made()
        assert len(content) > CHUNK_BYTES
        csv.field_size_limit(10_000_000)
        [found] = csv.DictReader(io.StringIO(content.decode()))
        assert found["orders_cancelled"] == "8000"

    play(stack, scene)


def test_whoever_reads_slowly_gets_all_of_a_result_however_long_a_request_may_take(
    stack: RunningStack,
) -> None:
    async def scene(desk: Desk) -> None:
        job = await desk.job(await desk.ask())
        pieces = 3
        await desk.run(
            "insert into job_chunk select %s, %s, number, 'x' from generate_series(0, %s) as number",
            job.job_id,
            job.generation,
            pieces - 1,
        )
        read = bytearray()
        async with open_pool(desk.url) as pool:
            with within(Deadline.after(0.05)) as deadline:
                async for piece in jobs.result(pool, replace(job, bytes=pieces)):
                    read += piece
                    await asyncio.sleep(deadline.remaining_s())
        assert read == b"xxx"

    play(stack, scene)


def test_a_job_and_its_command_are_both_there_or_neither_and_no_more_than_may_wait(
    stack: RunningStack,
) -> None:
    async def begin(desk: Desk) -> Job:
        async with desk.database.pool.connection() as connection, connection.transaction():
            work = RequestWork(
                connection, desk.database.outbox(), MessageContext(correlation_id=new_id())
            )
            return await jobs.begin(ASKED, work)

    async def scene(desk: Desk) -> None:
        job = await begin(desk)
        assert (job.status, job.total, job.is_expired) == ("queued", 1, False)
        [sent] = (await desk.database.look("reports-worker")).sent
        assert (sent.message, sent.key) == (MakeReport(job_id=job.job_id), str(job.job_id))
        await desk.run("alter table outbox_message add constraint refuse check (false) not valid")
        with pytest.raises(CheckViolation):
            await begin(desk)
        assert await desk.count("job") == 1
        await desk.run(
            "insert into job (job_id, request, total) "
            "select gen_random_uuid(), '{}', 1 from generate_series(2, %s)",
            jobs.MAX_WAITING,
        )
        with pytest.raises(jobs.TooManyJobsError):
            await begin(desk)

    play(stack, scene)
