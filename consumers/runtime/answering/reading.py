"""What a function marked with `@answers` is given beside the question."""

from datetime import datetime

from cdc.database import Connection
from cdc.work import Clock
from consumers.runtime.delivery import Delivery


class Reading:
    """What a question is answered from.

    Args:
        connection: Reads, and writes nothing. Each statement sees what is committed by then; those that must see the
            same belong in a transaction on it.
        delivery: What is known of the question besides its content.
        clock: Tells the present.
    """

    def __init__(self, connection: Connection, delivery: Delivery, clock: Clock) -> None:
        self.connection = connection
        self.delivery = delivery
        self._clock = clock

    def now(self) -> datetime:
        """The present."""
        return self._clock()
