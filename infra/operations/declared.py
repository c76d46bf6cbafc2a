"""Bringing an installation back to what is declared of it: tables and grants, topics, schema ids."""

from collections.abc import Sequence
from dataclasses import dataclass

from infra import pipeline
from infra.deployment import Deployment
from infra.drift.database import database_differences
from infra.drift.difference import Difference
from infra.drift.registry import id_differences, restore_ids
from infra.drift.topics import topic_differences


@dataclass(frozen=True, slots=True)
class Mended:
    """What was brought back, a line for each, and what is left."""

    done: Sequence[str]
    left: Sequence[Difference]


def migrate(deployment: Deployment) -> Mended:
    """Apply the migrations of every service, and bring tables, grants and publication back."""
    done = pipeline.migrate(deployment)
    return Mended(done, database_differences(deployment))


def apply_topics(deployment: Deployment, *, add_partitions: bool = False) -> Mended:
    """Create the topics that are missing, and put settings back."""
    done = pipeline.apply_topics(deployment, add_partitions=add_partitions)
    return Mended(done, topic_differences(deployment))


def restore_schemas(deployment: Deployment) -> Mended:
    """Put schemas back into the registry under the ids by which messages name them."""
    done = restore_ids(deployment)
    return Mended(done, id_differences(deployment))
