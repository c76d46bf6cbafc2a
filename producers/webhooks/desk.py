"""What the endpoints of this service need beside the database: what may be called, and what seals keys."""

from collections.abc import Callable
from functools import cached_property
from typing import Annotated

from producers.rest.state import of_state
from producers.webhooks.addresses import Policy
from producers.webhooks.sealing import Seal


class Desk:
    """Judges and seals.

    Args:
        policy: What may be called.
        seal: Reads the key that seals, when it is first needed: the API is described without one.
    """

    def __init__(self, policy: Policy, seal: Callable[[], Seal]) -> None:
        self.policy = policy
        self._seal = seal

    @cached_property
    def seal(self) -> Seal:
        return self._seal()


AtDesk = Annotated[Desk, of_state("desk")]  # endpoint parameter that receives it
