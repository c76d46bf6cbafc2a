"""Locks on Postgres: no command is lost by a worker that is killed, and sagas take turns whatever happens."""

import asyncio
import logging
import pickle
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cdc.database import connect
from consumers.runtime.locking.reading import find_locked, unlock
from consumers.testing.postgres import PostgresDatabase
from infra.settings import REPOSITORY
from tests.integration.test_runtime_contract import rig_on, schema_on, start_rig
from tests.lock_torment import LockTorment, play_until_shown
from tests.rig import Rig
from tests.runtime_contract.locking import locking
from tests.stack import RunningStack
from tests.workers.chance import make_chance
from tests.workers.lock_victim import Plan

TORMENTS = 2
LOCKS = "select target, saga_id from saga_lock order by 1"
STASH = "select target, saga_id from saga_stash order by stash_id"


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


async def rows(database: Any, query: str) -> list[tuple[Any, ...]]:
    async with database.connection() as connection:
        found: list[tuple[Any, ...]] = await (await connection.execute(query.encode())).fetchall()
        return found


async def left_of(rig: Rig) -> tuple[Any, ...]:
    return (
        await rig.effects(),
        await rows(rig.world.database, LOCKS),
        await rows(rig.world.database, STASH),
    )


def run_victim(plan: Plan, database: PostgresDatabase, directory: Path) -> int:
    file = directory / "plan"
    file.write_bytes(pickle.dumps(plan))
    url = str(database.pool.conninfo)
    command = [sys.executable, "-m", "tests.workers.lock_victim", str(file), url]
    return subprocess.run(command, cwd=REPOSITORY, check=False, timeout=60).returncode


def test_a_worker_killed_between_lock_and_release_loses_no_command(
    stack: RunningStack, tmp_path: Path
) -> None:
    async def run() -> None:
        async with schema_on(stack) as database:
            rig = await start_rig(database)
            await locking(rig)
            records = [
                rig.placed("a1"),
                rig.placed("b1"),
                rig.cancelled("a2"),
                rig.cancelled("b2"),
            ]
            plan = Plan(records, rig._labels, "")
            held, waits = [("ada", "a")], [("ada", "b")]
            for dies_in, *left in (
                ("a1", [], [], []),
                ("a2", ["a1"], held, waits),
                ("b1", ["a1", "a2"], [], waits),
                ("b2", ["a1", "a2", "b1"], [("ada", "b")], []),
            ):
                code = run_victim(replace(plan, dies_in=dies_in), database, tmp_path)
                assert code == -signal.SIGKILL, f"it was not killed in {dies_in}"
                assert list(await left_of(rig)) == left, f"killed in {dies_in}"
            assert run_victim(plan, database, tmp_path) == 0
            assert await left_of(rig) == (["a1", "a2", "b1", "b2"], [], [])

    asyncio.run(run())


def test_what_is_freed_by_hand_goes_to_whoever_waits_and_is_written_down(
    stack: RunningStack,
) -> None:
    async def run() -> None:
        async with rig_on(stack) as rig:
            await locking(rig)
            await rig.deliver([rig.placed("a1"), rig.placed("b1")])
            database = rig.world.database
            assert isinstance(database, PostgresDatabase)
            assert (await left_of(rig))[1:] == ([("ada", "a")], [("ada", "b")])
            with connect(str(database.pool.conninfo), autocommit=True) as connection:
                [locked] = find_locked(connection, "customer", "ada")
                assert (locked.saga_id, locked.waiting_sagas) == ("a", ["b"])
                other = replace(locked, saga_id="b")
                assert unlock(connection, other, actor="op", why="a guess") is None
                assert unlock(connection, locked, actor="op", why="it was killed")
                assert find_locked(connection, "customer", "ada") == []
            await rig.worker.work_on_stash()
            assert (await left_of(rig))[1:] == ([("ada", "b")], [])
            told = await rows(database, "select saga_id, actor, why from saga_unlock")
            assert told == [("a", "op", "it was killed")]

    asyncio.run(run())


def test_sagas_take_turns_under_everything_that_may_happen(stack: RunningStack) -> None:
    async def run(seed: int) -> Counter[str]:
        async with rig_on(stack) as rig:
            happened = await LockTorment(rig, random.Random(seed)).play()  # noqa: S311
            assert await rig.parked() == []
            assert (await left_of(rig))[1:] == ([], [])
            return happened

    play_until_shown(
        run,
        make_chance(),
        *("died", "faults", "taken out of the stash", "delivered again", "took effect"),
        least=TORMENTS,
    )
