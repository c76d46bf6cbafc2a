"""Projections: tables of which all that they hold follows from messages; which there are, and building them anew."""

import asyncio
import gc
from dataclasses import dataclass

from consumers.replay.outside import CapturedOutside
from consumers.replay.rebuild import Rebuild, Rebuilt
from consumers.replay.rebuild_schema import TellOf
from consumers.replay.state import new_run_id
from infra.deployment import Deployment
from infra.operations.replay.run import find_subject
from infra.replay import leave_to_the_report, subject_of
from infra.services import WORKERS


@dataclass(frozen=True, slots=True)
class Projection:
    """A projection that a consumer declares."""

    consumer: str
    table: str


def projections(deployment: Deployment) -> list[Projection]:
    return [
        Projection(worker.name, name)
        for worker in WORKERS
        for subject in [subject_of(deployment, worker)]
        for name, table in subject.build(subject.url, CapturedOutside()).tables.items()
        if table.is_projection
    ]


def rebuild(deployment: Deployment, consumer: str, tell: TellOf) -> tuple[str, Rebuilt]:
    """Build the projections of a consumer anew while its worker goes on; return its full name, and what came of it."""
    subject = find_subject(deployment, consumer)
    gc.set_threshold(100_000, 50, 50)  # as in a worker, see consumers.runtime.worker.run
    leave_to_the_report()
    return subject.name, asyncio.run(Rebuild(subject, new_run_id(), tell).run())
