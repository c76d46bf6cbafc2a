"""A process and the workers in it, which start, stop and end together."""

import asyncio
import gc
import logging
import os
import threading
from collections.abc import Awaitable, Callable, Mapping
from contextvars import copy_context
from functools import partial
from typing import NoReturn

import mode
import mode.loop

from cdc import logs
from cdc.chores import Chore, Chores
from cdc.logs import FieldLogger
from cdc.service import start
from cdc.speaker import speaker
from consumers.runtime.watchdog import watchdogs_for
from consumers.runtime.worker import Worker

NAME = "workers"
"""What a process with several workers is called in its log."""
COLLECT_EVERY_S = 10.0
STOP_S = 30.0
"""How long stopping may take; what is under way then was not committed, and is delivered again.

A worker that stops because it has crashed is not waited for by anybody, and its watchdog has ended before it.
"""

log = FieldLogger(__name__)


class Process(mode.Worker):
    """Runs workers until a signal comes or one of them crashes.

    Args:
        workers: Those that run.
    """

    def __init__(self, workers: list[Worker]) -> None:
        super().__init__(*workers, override_logging=False, redirect_stdouts=False)
        self._workers = workers
        self._watchdogs = watchdogs_for([worker.watch for worker in workers])
        self._chores = Chores()

    async def on_start(self) -> None:
        """Start the workers side by side: each waits for others most of the time."""
        self._chores.start([Chore("garbage collection", COLLECT_EVERY_S, self._collect_garbage)])
        for watchdog in self._watchdogs:
            watchdog.start()
        await asyncio.gather(*(_as(worker, worker.maybe_start()) for worker in self._workers))
        gc.freeze()  # what is there now stays, and need not be looked through every time

    async def on_stop(self) -> None:
        """Stop them in the same way; who hangs while that is done keeps nobody from a new start."""
        giving_up = threading.Timer(STOP_S, _give_up)
        giving_up.daemon = True
        giving_up.start()
        for watchdog in self._watchdogs:
            watchdog.stop()
        await asyncio.gather(*(_as(worker, worker.stop()) for worker in self._workers))
        await self._chores.stop()

    @staticmethod
    async def _collect_garbage() -> None:
        gc.collect()


def _give_up() -> None:
    log.error("ended as it is, for it did not stop", after_s=STOP_S)
    logging.shutdown()
    os._exit(1)


def _check(worker: Worker) -> None:
    speaker.set(worker.name)
    worker.check()


async def _as(worker: Worker, doing: Awaitable[object]) -> None:
    """Do something so that the log tells whose doing it is, and that of all tasks that come of it."""
    speaker.set(worker.name)
    await doing


def run_together(builders: Mapping[str, Callable[[], Worker]]) -> NoReturn:
    """Run workers in the foreground until SIGTERM or SIGINT, or until one of them ends, then exit.

    Args:
        builders: What builds each worker, by the name of its service.
    """
    mode.loop.use("uvloop")  # Faust's objects look for their loop as soon as they are made
    workers = {name: start(build, name) for name, build in builders.items()}
    first, *others = workers.values()
    logs.configure(NAME if others else first.name)
    for name, worker in workers.items():
        start(partial(copy_context().run, _check, worker), name)
    # Batches are hundreds of thousands of objects that live until they are written: looking through them as often as
    # Python does finds nothing, and costs a quarter of the rate (measured by `make bench BENCH=consumer`). The
    # process collects by the clock instead.
    gc.freeze()
    gc.disable()
    Process(list(workers.values())).execute_from_commandline()
