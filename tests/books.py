"""The books of all services in tests, see `infra.demo.books`."""

from collections.abc import Sequence
from datetime import UTC, datetime

from infra.demo.all_books import all_disagreements
from tests.stack import RunningStack

EVER = datetime(2000, 1, 1, tzinfo=UTC)


def disagreements(stack: RunningStack, order_ids: Sequence[str]) -> list[str]:
    """Return in which way the books of the services disagree about some orders, and about the stock."""
    return all_disagreements(stack.deployment, since=EVER, order_ids=order_ids)
