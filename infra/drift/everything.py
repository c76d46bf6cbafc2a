"""Everything that is declared of a stack that runs, held against what is."""

from infra.deployment import Deployment
from infra.drift.database import database_differences
from infra.drift.delivery import delivery_differences
from infra.drift.difference import told
from infra.drift.registry import id_differences, rule_differences
from infra.drift.topics import topic_differences
from infra.errors import TailraceError

PATIENCE_S = 10.0
"""How long the connector may take to confirm what it is past, when rows are missing: it does so every 5 seconds."""


class DifferenceError(TailraceError):
    """The stack runs, and is not as declared."""


def require_declared(deployment: Deployment) -> str:
    """Return a few words when everything is as declared."""
    found = [
        *database_differences(deployment),
        *topic_differences(deployment),
        *id_differences(deployment),
        *rule_differences(deployment),
        *delivery_differences(deployment, PATIENCE_S),
    ]
    if found:
        what, remedy = told(found)
        raise DifferenceError(
            f"Everything runs, but not as declared: {what}. What mends it: {remedy}."
        )
    return "all"
