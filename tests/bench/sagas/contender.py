"""What is measured of whoever fulfils orders."""

from collections.abc import Collection
from typing import Protocol

CHOREOGRAPHY, ORCHESTRATION, DBOS = "choreography", "orchestration", "dbos"


class Contender(Protocol):
    """Fulfils orders, one line each, none of which is refused."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def roles(self) -> Collection[str]:
        """Database roles that it works with."""

    def place(self, count: int) -> None:
        """Place orders that become visible all at once."""

    def finished(self) -> int:
        """Return of how many orders that were placed last nothing is left to be done."""

    def one(self) -> float:
        """Place an order alone, and return after how many seconds it was fulfilled."""
