"""Sagas that meet on a few targets have them one at a time, and none loses a command, whatever happens."""

import logging
import random
from collections import Counter
from collections.abc import Iterator
from uuid import UUID

import pytest
from hypothesis import settings

from consumers.testing.memory import MemoryDatabase
from tests.lock_torment import LockTorment, play_until_shown
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

    play_until_shown(
        run,
        make_chance(),
        *("died", "faults", "delivered again", "taken out of the stash", "tried again"),
        *("dropped", "took effect"),
        least=round(RUNS_PER_EXAMPLE * settings().max_examples),
    )
