"""Retention: days of messages are made ahead, and dropped once they are old and published. Events are kept for good.

What is done stands in `ddl/1_days.sql`, as a function of each schema that has an outbox. It runs as the owner of the
tables, so that the role which calls it may do that one thing and nothing else.
"""

ROLE = "tailrace_retention"
"""The role that may call it."""


def slot(*names: str) -> str:
    """Return how the publisher is named to retention that reads a replication slot, or several."""
    return f"slot:{','.join(names)}"


def relay(schema: str) -> str:
    """Return how the relay that keeps its progress in a schema is named to retention."""
    return f"relay:{schema}"
