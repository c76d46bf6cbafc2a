"""The consumers of this installation as replays need them: where each is at home, and how its handlers are built."""

import logging
from functools import partial
from importlib import import_module

from cdc.manifest import Service
from consumers.replay.sandboxed import Subject
from consumers.replay.state import States
from consumers.runtime import retries
from consumers.runtime.consumer import Consumer
from consumers.runtime.outside import Outside
from infra.errors import TailraceError
from infra.processes import settings_of
from infra.services import MIGRATIONS, OWNER, REPLAYS, SCHEMAS, WORKERS
from infra.settings import Settings


class UnknownConsumerError(TailraceError):
    """No consumer of this installation has the name."""


def find_worker(name: str) -> Service:
    """Return a worker by its name, or by that of its service: `analytics-worker` or `analytics`.

    Raises:
        UnknownConsumerError: there is none.
    """
    for worker in WORKERS:
        if name in {worker.name, worker.name.removesuffix("-worker")}:
            return worker
    raise UnknownConsumerError(
        f"No consumer is called {name}; there are {', '.join(worker.name for worker in WORKERS)}."
    )


def subject_of(settings: Settings, worker: Service) -> Subject:
    """Return a worker's consumer with its surroundings in this stack."""
    role = str(worker.role)
    return Subject(
        name=worker.name,
        role=role,
        url=settings.database_url(role),
        owner_url=settings.database_url(OWNER),
        # a sandbox keeps no record of what was done to live consumers
        packages=[each for each in MIGRATIONS[role] if each != REPLAYS],
        build=partial(_build, settings, worker),
        bootstrap=settings.kafka_bootstrap,
        registry_url=settings.registry_url,
        schema_cache=settings.schema_cache,
        logs=partial(log_url, settings),
    )


def leave_to_the_report() -> None:
    """Log nothing of single messages that a handler fails on: what came of them is in the result."""
    logging.getLogger(retries.__name__).setLevel(logging.ERROR)


def log_url(settings: Settings, owner: str) -> str | None:
    """Return where the event log of a service is read, None when no service of that name keeps one."""
    return settings.database_url(owner) if owner in SCHEMAS else None


def states(settings: Settings) -> States:
    """Return where replays that were interrupted are remembered."""
    return States(settings.home / "replays")


def _build(settings: Settings, worker: Service, database_url: str, outside: Outside) -> Consumer:
    bootstrap = import_module(f"{worker.package}.bootstrap")
    values = settings_of(worker, bootstrap.Settings, settings, database_url=database_url)
    consumer: Consumer = bootstrap.create_consumer(values, outside)
    return consumer
