"""Sagas that meet on a few targets have them one at a time, and none loses a command, whatever happens."""

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Iterator
from uuid import UUID

import pytest
from hypothesis import settings

from consumers.testing.memory import MemoryDatabase
from tests.lock_torment import LockTorment
from tests.rig import Rig, in_memory
from tests.workers.chance import make_chance

RUNS_PER_EXAMPLE = 1.5


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


def test_sagas_take_turns_and_no_command_is_lost() -> None:
    async def run(seed: int) -> Counter[str]:
        database = MemoryDatabase[list[UUID]]([])
        rig = await Rig(in_memory(database)).start()
        happened = await LockTorment(rig, random.Random(seed)).play()  # noqa: S311
        assert await rig.parked() == []
        assert (database.committed.locks, database.committed.stash) == ({}, {})
        return happened

    happened, chance = Counter[str](), make_chance()
    for _ in range(round(RUNS_PER_EXAMPLE * settings().max_examples)):
        seed = chance.randrange(2**32)
        try:
            happened += asyncio.run(run(seed))
        except Exception as error:
            error.add_note(f"to repeat it: seed={seed}")
            raise
    never = {
        *("died", "faults", "delivered again", "taken out of the stash", "tried again"),
        *("dropped", "took effect"),
    } - happened.keys()
    assert not never, f"{never} did not happen: {happened}"
