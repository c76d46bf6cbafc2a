"""The benchmark `inbox`: a full one against a new one, and dropping a day of it against deleting its rows."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import psycopg

from cdc.database import open_pool
from cdc.ids import new_id
from consumers.runtime.postgres import PostgresStore
from consumers.runtime.store import BatchClaim
from infra.services import SUPERUSER
from tests.bench.figures import percentile, ratio
from tests.bench.options import Options
from tests.bench.outcome import Outcome, Run, machine, medians
from tests.bench.progress import Progress
from tests.bench.report import summary
from tests.bench.stack import own_stack
from tests.inboxes import PLACE, Inbox, id_from, open_inbox

NAME = "inbox"
FULL, EMPTY, DROP, DELETE = "full", "empty", "drop", "delete"
WINDOW = timedelta(days=15)
DAYS = 15
"""Days that the rows of a full inbox are spread over."""
BATCHES = 300
BATCH = 100
"""Ids taken at a time: few, so that the cost of a look into the index shows."""

FILL = """
insert into inbox
select 'c', overlay(gen_random_uuid()::text placing %(prefix)s from 1 for 15)::uuid
from generate_series(1, %(rows)s)
"""
DELETE_DAY = "delete from inbox where message_id >= %(first)s and message_id < %(end)s"


def run(options: Options, progress: Progress) -> Outcome:
    """Run the benchmark on a stack of its own."""
    here, runs = machine(), list[Run]()
    with own_stack("postgres") as stack, ExitStack() as inboxes:
        by_name = {name: inboxes.enter_context(open_inbox(stack)) for name in (FULL, EMPTY)}
        for inbox in by_name.values():
            inbox.keep(WINDOW)
        with progress.step(f"filling an inbox with {options.inbox_rows:,} ids"):
            _fill(by_name[FULL], options.inbox_rows, progress)
            # it is on disk then, and not written while batches are taken
            with psycopg.connect(stack.database_url(SUPERUSER), autocommit=True) as postgres:
                postgres.execute("checkpoint")
        for number in range(1, options.rounds + 1):
            for name in (FULL, EMPTY) if number % 2 else (EMPTY, FULL):
                with progress.step(f"round {number}: taking {BATCHES} batches, {name}"):
                    runs.append(_run(name, "take", number, _take(by_name[name])))
                progress.found(summary(runs[-1].figures))
        # after all of the others: Postgres cleans up behind what is deleted
        for number in range(1, options.rounds + 1):
            for name, forget in ((DELETE, _delete), (DROP, _drop)):
                day = 2 * number - (name == DELETE)
                if day >= DAYS:
                    break  # there are no more days to forget
                with progress.step(f"round {number}: forgetting a day, {name}"):
                    runs.append(_run(name, "forget", number, forget(by_name[FULL], day)))
                progress.found(summary(runs[-1].figures))
    return Outcome(NAME, here, _ratios(runs), runs)


def _fill(inbox: Inbox, rows: int, progress: Progress) -> None:
    with inbox.owner() as connection:
        for day in range(DAYS):
            # the digits of the time are the day's, those after them random
            prefix = str(id_from(timedelta(days=day)))[:15]
            connection.execute(FILL.encode(), {"prefix": prefix, "rows": rows // DAYS})
            connection.commit()
            progress.now(f"{rows * (day + 1) // DAYS:,}")
        connection.autocommit = True
        connection.execute("vacuum analyze inbox")


def _take(inbox: Inbox) -> Mapping[str, float]:
    """Take batches of new ids, as a worker does for each batch of messages."""

    async def take() -> list[float]:
        took = []
        async with open_pool(inbox.store_url(), check=False) as pool:
            store = PostgresStore("c", pool)
            base = await store.begin(PLACE, 0)
            for _ in range(BATCHES):
                ids = [str(new_id()) for _ in range(BATCH)]
                claim = BatchClaim(
                    place=PLACE, base=base, next_offset=base + BATCH, message_ids=ids
                )
                begin = time.perf_counter()
                async with store.transaction() as transaction:
                    await store.take(transaction, [claim])
                took.append((time.perf_counter() - begin) * 1000)
                base += BATCH
        return took

    milliseconds = asyncio.run(take())
    return {"p50_ms": percentile(milliseconds, 50), "p99_ms": percentile(milliseconds, 99)}


def _delete(inbox: Inbox, day: int) -> Mapping[str, float]:
    """Delete the rows of a day one by one, as inboxes do that are one table."""
    first = _first_id(day)
    end = _first_id(day - 1)
    begin = time.perf_counter()
    with inbox.owner() as connection:
        connection.execute(DELETE_DAY, {"first": first, "end": end})
    return {"ms": (time.perf_counter() - begin) * 1000}


def _drop(inbox: Inbox, day: int) -> Mapping[str, float]:
    """Drop a day, as `maintain_inbox` does."""
    name = (datetime.now(UTC) - timedelta(days=day)).strftime("inbox_%Y%m%d")
    begin = time.perf_counter()
    with inbox.owner() as connection:
        connection.execute(f"drop table {name}".encode())
    return {"ms": (time.perf_counter() - begin) * 1000}


def _first_id(day: int) -> str:
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    milliseconds = int((midnight - timedelta(days=day)).timestamp() * 1000)
    return f"{milliseconds:012x}{'0' * 20}"


def _run(contender: str, kind: str, number: int, figures: Mapping[str, float]) -> Run:
    events = BATCHES * BATCH if kind == "take" else 0
    return Run(contender=contender, kind=kind, round=number, events=events, figures=figures)


def _ratios(runs: Sequence[Run]) -> Mapping[str, float]:
    p50, p99 = (medians(runs, "take", figure) for figure in ("p50_ms", "p99_ms"))
    forget = medians(runs, "forget", "ms")
    found = {
        "full_vs_empty": ratio(p50.get(FULL), p50.get(EMPTY)),
        "full_vs_empty_p99": ratio(p99.get(FULL), p99.get(EMPTY)),
        "drop_vs_delete": ratio(forget.get(DROP), forget.get(DELETE)),
    }
    return {name: value for name, value in found.items() if value is not None}
