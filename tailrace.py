"""Everything that a context is written with, under one name: `from tailrace import Consumer, Work, handles`.

A name is imported from its home when it is first asked for, so that a `service.py`, which every command reads, costs
nothing but its class.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cdc.database import Connection
    from cdc.due import DueWork, RetryPolicy
    from cdc.ids import new_id
    from cdc.manifest import Service
    from cdc.outbox import ConcurrencyError, Outbox
    from cdc.requests.errors import RequestError
    from cdc.requests.requester import Requester
    from cdc.sql import columns, load_queries
    from cdc.work import RequestWork, UnitOfWork
    from consumers.runtime.answering.reading import Reading
    from consumers.runtime.consumer import Consumer
    from consumers.runtime.failures import PoisonError, TransientError
    from consumers.runtime.handlers import answers, handles, handles_in_bulk
    from consumers.runtime.locking.lock import Lock
    from consumers.runtime.outside import Note, Outside
    from consumers.runtime.received import Received
    from consumers.runtime.settings import WorkerSettings
    from consumers.runtime.tables import Table
    from consumers.runtime.work import BulkWork, Work
    from consumers.sagas.consumer import saga_consumer
    from consumers.sagas.definition import NOTHING_TO_UNDO, Ask, Parallel, Pivot, Saga, Step
    from consumers.testing.memory import MemoryDatabase
    from consumers.testing.postgres import PostgresDatabase
    from consumers.testing.saga_torment import torment_saga
    from consumers.testing.sagas import SagaScenario
    from consumers.testing.samples import sample_of
    from consumers.testing.scenario import Scenario

HOMES = {
    "cdc.database": ("Connection",),
    "cdc.due": ("DueWork", "RetryPolicy"),
    "cdc.ids": ("new_id",),
    "cdc.manifest": ("Service",),
    "cdc.outbox": ("ConcurrencyError", "Outbox"),
    "cdc.requests.errors": ("RequestError",),
    "cdc.requests.requester": ("Requester",),
    "cdc.sql": ("columns", "load_queries"),
    "cdc.work": ("RequestWork", "UnitOfWork"),
    "consumers.runtime.answering.reading": ("Reading",),
    "consumers.runtime.consumer": ("Consumer",),
    "consumers.runtime.failures": ("PoisonError", "TransientError"),
    "consumers.runtime.handlers": ("answers", "handles", "handles_in_bulk"),
    "consumers.runtime.locking.lock": ("Lock",),
    "consumers.runtime.outside": ("Note", "Outside"),
    "consumers.runtime.received": ("Received",),
    "consumers.runtime.settings": ("WorkerSettings",),
    "consumers.runtime.tables": ("Table",),
    "consumers.runtime.work": ("BulkWork", "Work"),
    "consumers.sagas.consumer": ("saga_consumer",),
    "consumers.sagas.definition": (
        "NOTHING_TO_UNDO",
        "Ask",
        "Parallel",
        "Pivot",
        "Saga",
        "Step",
    ),
    "consumers.testing.memory": ("MemoryDatabase",),
    "consumers.testing.postgres": ("PostgresDatabase",),
    "consumers.testing.saga_torment": ("torment_saga",),
    "consumers.testing.sagas": ("SagaScenario",),
    "consumers.testing.samples": ("sample_of",),
    "consumers.testing.scenario": ("Scenario",),
}
"""Module -> what is had from it; the same as above, where a type checker and an editor look."""
_HOME_OF = {name: module for module, names in HOMES.items() for name in names}

__all__ = [
    "NOTHING_TO_UNDO",
    "Ask",
    "BulkWork",
    "ConcurrencyError",
    "Connection",
    "Consumer",
    "DueWork",
    "Lock",
    "MemoryDatabase",
    "Note",
    "Outbox",
    "Outside",
    "Parallel",
    "Pivot",
    "PoisonError",
    "PostgresDatabase",
    "Reading",
    "Received",
    "RequestError",
    "RequestWork",
    "Requester",
    "RetryPolicy",
    "Saga",
    "SagaScenario",
    "Scenario",
    "Service",
    "Step",
    "Table",
    "TransientError",
    "UnitOfWork",
    "Work",
    "WorkerSettings",
    "answers",
    "columns",
    "handles",
    "handles_in_bulk",
    "load_queries",
    "new_id",
    "saga_consumer",
    "sample_of",
    "torment_saga",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'tailrace' has no attribute {name!r}")
    found = getattr(import_module(_HOME_OF[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(_HOME_OF)
