"""Who looks at a page just now, and what they may do."""

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Somebody who asks.

    Args:
        name: Who has signed in; None where nobody is asked who they are, and a form says so.
        suggested: Who a form says unless it is told otherwise.
        token: What forms of their pages carry.
        is_welcome: Tells whether they still are, as what a page is told goes on.
    """

    name: str | None = None
    suggested: str = ""
    may_act: bool = False
    token: str = ""
    is_welcome: Callable[[], bool] = lambda: True


_present: ContextVar[Visitor] = ContextVar("visitor", default=Visitor())  # noqa: B039 - it is frozen


def present() -> Visitor:
    return _present.get()


def introduce(visitor: Visitor) -> None:
    """Have who asks known to all that goes on for this request."""
    _present.set(visitor)
