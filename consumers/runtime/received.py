"""A message on its way to a handler."""

from typing import Generic, TypeVar

from cdc.context import next_traceparent
from consumers.runtime.delivery import Delivery, Record, place_of
from consumers.runtime.handlers import Handler
from consumers.runtime.handling_trace import HandlingTrace
from schemas.message import Message

M = TypeVar("M")


class Received(Generic[M]):
    """A record, and what became of it on the way in.

    Args:
        record: The record as delivered.
        message_id: Id of the message as text; empty when the record has none that the inbox can keep. It is at hand,
            while all else in `delivery` is read from the headers when first asked for.
        type: Full name of the message; None when the record does not say.
        handler: The function that takes it; None when there is nothing to do about it.
        message: The decoded message; None when there is nobody to take it, or when it cannot be decoded.
        error: Why it cannot be handled; None when it can.
        attempt: Number of the attempt, from 1.

    Attributes:
        concerns_us: There is a handler to call, or an error to decide about.
        replied: Class of the reply that its handler has given, wanted or not; None when it has given none.
        trace: What is recorded of its handling; None where its trace is not.
    """

    __slots__ = (
        "_delivery",
        "_message",
        "attempt",
        "concerns_us",
        "error",
        "handler",
        "message_id",
        "record",
        "replied",
        "trace",
        "type",
    )

    def __init__(
        self,
        record: Record,
        message_id: str,
        type_: str | None,
        handler: Handler | None = None,
        message: M | None = None,
        error: Exception | None = None,
        attempt: int = 1,
    ) -> None:
        self.record = record
        self.message_id = message_id
        self.type = type_
        self.handler = handler
        self.error = error
        self.attempt = attempt
        self.concerns_us = handler is not None or error is not None
        self.replied: type[Message] | None = None
        self.trace: HandlingTrace | None = None
        self._message = message
        self._delivery: Delivery | None = None

    @property
    def message(self) -> M:
        """The decoded message."""
        if self._message is None:
            raise AttributeError(f"the record at {place_of(self.record)} was not decoded")
        return self._message

    @property
    def recorded_traceparent(self) -> str | None:
        """The same as `traceparent` if it is recorded, for what is kept to go on with later; None if it is not."""
        return None if self.trace is None else self.trace.traceparent

    @property
    def traceparent(self) -> str:
        """The context of the span in which it is handled, which whatever comes of it carries on."""
        if self.trace is not None:
            return self.trace.traceparent
        return next_traceparent(self.delivery.context.traceparent, may_record=False)

    @property
    def delivery(self) -> Delivery:
        """What is known of the message besides its content; read from the headers when first asked for."""
        if self._delivery is None:
            self._delivery = Delivery.of(self.record, self.attempt)
        return self._delivery
