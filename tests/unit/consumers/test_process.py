"""A process of workers that comes to its end whatever they do."""

import subprocess
import sys

STUCK = """
import asyncio

from cdc import logs
from consumers.runtime import process


class Stuck:
    name = "stuck"

    async def stop(self):
        await asyncio.Event().wait()


async def stop():
    logs.configure("stuck")
    process.STOP_S = 0.2
    stopping = process.Process([])
    stopping._workers = [Stuck()]
    await stopping.on_stop()


asyncio.run(stop())
"""


def test_a_worker_that_does_not_stop_is_not_waited_for() -> None:
    done = subprocess.run(
        [sys.executable, "-c", STUCK], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, "ended as it is" in done.stdout + done.stderr) == (1, True), done
