"""The contract of the runtime, kept by the store in memory."""

import asyncio

import pytest

from consumers.testing.memory import MemoryDatabase
from tests.rig import Rig, in_memory
from tests.runtime_contract.cases import CASES, Case


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_in_memory(case: Case) -> None:
    async def run() -> None:
        await case(await Rig(in_memory(MemoryDatabase([]))).start())

    asyncio.run(run())
