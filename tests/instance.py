"""An instance of a service, in a process of its own that may be killed: by REST and by gRPC, each at any free port.

`python -m tests.instance` prints both ports when it serves, as a line of JSON.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from fastapi import APIRouter

from producers.rest.body import JsonRoute
from schemas.rpc.loyalty.v1 import loyalty_pb2 as loyalty
from tests.hops import app_of, served
from tests.rpc import Loyalty, serving_loyalty
from tests.services import start

WORK_S = 0.02
router = APIRouter(route_class=JsonRoute)


@router.get("/work")
@router.post("/work")
async def work() -> str:
    await asyncio.sleep(WORK_S)
    return "done"


async def tier(_: loyalty.GetTierRequest) -> loyalty.GetTierResponse:
    await asyncio.sleep(WORK_S)
    return loyalty.GetTierResponse(tier=loyalty.TIER_GOLD)


async def serve() -> None:
    async with served(app_of(router)) as url, serving_loyalty(Loyalty(tier)) as running:
        sys.stdout.write(json.dumps([int(url.rpartition(":")[2]), running.port]) + "\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


@dataclass(frozen=True)
class Process:
    """An instance that runs until it is killed."""

    process: subprocess.Popen[str]
    http_port: int
    grpc_port: int

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def instances(number: int) -> Iterator[Sequence[Process]]:
    """Run some side by side."""
    with ExitStack() as stack:
        processes = [
            start("-m", "tests.instance", errors=subprocess.DEVNULL, output=subprocess.PIPE)
            for _ in range(number)
        ]
        for each in processes:
            stack.callback(each.communicate)
            stack.callback(each.kill)
        yield [_ready(each) for each in processes]


def _ready(process: subprocess.Popen[str]) -> Process:
    assert process.stdout is not None
    http_port, grpc_port = json.loads(process.stdout.readline())
    return Process(process, http_port, grpc_port)


if __name__ == "__main__":
    sys.exit(asyncio.run(serve()))
