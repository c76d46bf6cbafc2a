"""Where the tables of each consumer are: in the schema of the service it belongs to, open to that service's role."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg

from cdc.database import connect
from infra.deployment import Deployment
from infra.services import WORKERS

ROLES = tuple(dict.fromkeys(worker.role for worker in WORKERS if worker.role))
"""Roles of the services that consume; each has a schema of its name."""

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class ConsumerSchema:
    """A schema with the tables of consumers, and a connection to it in autocommit."""

    role: str
    """Its name, and that of the role that works in it."""
    connection: Connection


@contextmanager
def open_schemas(
    deployment: Deployment, consumer: str | None = None
) -> Iterator[list[ConsumerSchema]]:
    """Open the schemas in which a consumer may have its tables, until the block ends.

    All are opened when it is None, or a consumer that this code does not know.
    """
    with ExitStack() as stack:
        opened = []
        own = [worker.role for worker in WORKERS if worker.name == consumer and worker.role]
        for role in own or ROLES:
            connection = connect(deployment.database_url(role), autocommit=True)
            opened.append(ConsumerSchema(role, stack.enter_context(connection)))
        yield opened
