"""A connection of the Kafka client that says so when it is closed."""

from aiokafka import conn
from aiokafka.errors import KafkaConnectionError


class Connection(conn.AIOKafkaConnection):  # type: ignore[misc]  # aiokafka carries no types
    """A connection on which nothing is sent once it is closed.

    What uvloop raises then is no error of a connection to the client (aiokafka 1038): it gives up its place in the
    group, and the worker crashes, when all that has happened is that a broker went away.
    """

    def send(self, request: object, expect_response: bool = True) -> object:  # noqa: FBT001, FBT002 - as the client calls it
        """Send a request.

        Raises:
            KafkaConnectionError: the connection is closed.
        """
        if self._writer is not None and self._writer.transport.is_closing():
            self.close(reason=conn.CloseReason.CONNECTION_BROKEN)
            raise KafkaConnectionError(f"Connection at {self.host}:{self.port} is closed")
        return super().send(request, expect_response)


def use() -> None:
    """Have the clients of this process connect by it."""
    conn.AIOKafkaConnection = Connection
