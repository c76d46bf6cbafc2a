"""Parties outside of the database that handlers call: the real ones, or what stands in for them in a replay.

A bootstrap names each party once, with the way to make the real one and the way to make its stand-in. Which of the two
is made is decided by whoever starts the handlers, so that in a replay the real one does not even exist.
"""

from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

Note = Callable[[str, str, Mapping[str, object]], None]
"""Notes what would have been done outside: the action, its idempotency key, and details that JSON can hold."""

T = TypeVar("T")


class Outside(Protocol):
    """Hands out the parties outside."""

    def party(self, name: str, real: Callable[[], T], stand_in: Callable[[Note], T]) -> T:
        """Return a party.

        Args:
            name: What people call it, such as `card processor`.
            real: Makes the party that acts.
            stand_in: Makes one that acts on nothing, notes what it was asked for, and answers by rule.
        """


class RealOutside:
    """The world as it is: what workers run with."""

    def party(self, name: str, real: Callable[[], T], stand_in: Callable[[Note], T]) -> T:
        """Return the party that acts."""
        return real()
