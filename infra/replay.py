"""The consumers of this installation as replays need them: where each is at home, and how its handlers are built."""

import logging
import os
from functools import partial
from importlib import import_module

from cdc.manifest import Service
from consumers.replay.sandbox_run import ReplayTarget
from consumers.replay.state import States
from consumers.runtime import retries
from consumers.runtime.consumer import Consumer
from consumers.runtime.outside import Outside
from infra.deployment import Deployment
from infra.errors import TailraceError
from infra.processes import settings_of
from infra.services import MIGRATIONS, OWNER, REPLAYS, SCHEMAS, WORKERS


class UnknownConsumerError(TailraceError):
    """No consumer of this installation has the name."""


def find_worker(name: str) -> Service:
    """Return a worker by its name, or by that of its service: `analytics-worker` or `analytics`."""
    for worker in WORKERS:
        if name in {worker.name, worker.name.removesuffix("-worker")}:
            return worker
    raise UnknownConsumerError(
        f"No consumer is called {name}; there are {', '.join(worker.name for worker in WORKERS)}."
    )


def subject_of(deployment: Deployment, worker: Service) -> ReplayTarget:
    """Return a worker's consumer with its surroundings in this stack."""
    role = str(worker.role)
    if deployment.source:
        # handlers look for credentials of the registry where they would in a process of their own
        known = deployment.registry.environment()
        os.environ |= {name: value for name, value in known.items() if name not in os.environ}
    return ReplayTarget(
        name=worker.name,
        role=role,
        url=deployment.database_url(role),
        owner_url=deployment.capture_of(role).url(OWNER),
        # a sandbox keeps no record of what was done to live consumers
        packages=[each for each in MIGRATIONS[role] if each != REPLAYS],
        build=partial(_build, deployment, worker),
        bootstrap=deployment.kafka_bootstrap,
        registry_url=deployment.registry.url,
        schema_cache=deployment.schema_cache,
        logs=partial(log_url, deployment),
    )


def leave_to_the_report() -> None:
    """Log nothing of single messages that a handler fails on: what came of them is in the result."""
    logging.getLogger(retries.__name__).setLevel(logging.ERROR)


def log_url(deployment: Deployment, owner: str) -> str | None:
    """Return where the event log of a service is read, None when no service of that name keeps one."""
    return deployment.database_url(owner) if owner in SCHEMAS else None


def states(deployment: Deployment) -> States:
    return States(deployment.state / "replays")


def _build(
    deployment: Deployment, worker: Service, database_url: str, outside: Outside
) -> Consumer:
    bootstrap = import_module(f"{worker.package}.bootstrap")
    values = settings_of(worker, bootstrap.Settings, deployment, database_url=database_url)
    consumer: Consumer = bootstrap.create_consumer(values, outside)
    return consumer
