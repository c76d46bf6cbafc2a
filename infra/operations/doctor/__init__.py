"""The doctor: a list of small checks, each of which says OK, or what is wrong and how to mend it."""

import psycopg

from infra.deployment import Deployment, Publisher
from infra.operations.doctor.check import Check, Finding, examine
from infra.operations.doctor.database import database_checks
from infra.operations.doctor.pipeline import Measure, pipeline_checks
from infra.operations.doctor.retention import retention_checks
from infra.operations.doctor.servers import server_checks
from infra.operations.doctor.slot import slot_checks
from infra.publishing import publisher

__all__ = [
    "Check",
    "Finding",
    "cheap_checks",
    "checks_of",
    "diagnose",
    "examine",
    "lasting_checks",
    "publisher_of",
]


def diagnose(deployment: Deployment) -> list[Finding]:
    """Run every check that needs no access to the machines, and return what it found, in the order of the pipeline."""
    by = publisher_of(deployment)
    checks = (*server_checks(deployment, by), *checks_of(deployment, by))
    return examine(checks, f"see to it that it runs, or correct its address in {deployment.source}")


def checks_of(deployment: Deployment, by: Publisher) -> tuple[Check, ...]:
    """Return the checks of the pipeline with this publisher; each needs checks with the names of its parts."""
    return (
        *database_checks(deployment, by),
        *slot_checks(deployment, by),
        *retention_checks(deployment),
        *pipeline_checks(deployment, by),
    )


CHEAP = frozenset(
    {
        "replication slot",
        "connector",
        "outbox backlog",
        "consumer groups",
        "consumer positions",
        "dead letters",
    }
)
"""Names of the checks that cost little and leave nothing behind."""

SENDING = frozenset({"pipeline"})
"""Names of the checks that send a message."""


def cheap_checks(deployment: Deployment, by: Publisher, measure: Measure) -> list[Check]:
    """Return the checks for who looks every few seconds."""
    checks = (*slot_checks(deployment, by), *pipeline_checks(deployment, by, measure))
    return [check for check in checks if check.name in CHEAP]


def lasting_checks(deployment: Deployment, by: Publisher) -> list[Check]:
    """Return every check but those that send something, for who makes them again and again."""
    checks = (*server_checks(deployment, by), *checks_of(deployment, by))
    return [check for check in checks if check.name not in SENDING]


def publisher_of(deployment: Deployment) -> Publisher:
    """Return who publishes, as far as that can be told."""
    try:
        return publisher(deployment)
    except psycopg.Error:
        # which the check of the database tells
        return "cdc" if deployment.connect else "relay"
