"""Everything that is declared of a stack that runs, held against what is."""

from infra.drift.database import database_differences
from infra.drift.delivery import delivery_differences
from infra.drift.difference import told
from infra.drift.registry import id_differences, rule_differences
from infra.drift.topics import topic_differences
from infra.errors import TailraceError
from infra.settings import Settings

PATIENCE_S = 10.0
"""How long the connector may take to confirm what it is past, when rows are missing: it does so every 5 seconds."""


class DifferenceError(TailraceError):
    """The stack runs, and is not as declared."""


def require_declared(settings: Settings) -> str:
    """Return a few words when everything is as declared.

    Raises:
        DifferenceError: something is not, and was not brought back.
    """
    found = [
        *database_differences(settings),
        *topic_differences(settings),
        *id_differences(settings),
        *rule_differences(settings),
        *delivery_differences(settings, PATIENCE_S),
    ]
    if found:
        what, remedy = told(found)
        raise DifferenceError(
            f"Everything runs, but not as declared: {what}. What mends it: {remedy}."
        )
    return "all"
