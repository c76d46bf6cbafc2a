"""One worker in the foreground, as `python -m consumers.runtime` runs those of services."""

from collections.abc import Callable
from typing import NoReturn, TypeVar

from cdc.service import load
from consumers.runtime.process import run_together
from consumers.runtime.settings import WorkerSettings
from consumers.runtime.worker import Worker

S = TypeVar("S", bound=WorkerSettings)


def run(create: Callable[[S], Worker], settings: type[S]) -> NoReturn:
    """Run a worker until SIGTERM or SIGINT, with settings from the environment."""
    values = load(settings)
    run_together({"": lambda: create(values)})
