"""Asking: each request is waited for by its id, which its reply names as its cause."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Generic, Self, TypeVar
from uuid import UUID

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka import Message as Report

from cdc.context import MessageContext
from cdc.ids import new_id
from cdc.kafka_record import KafkaRecord
from cdc.logs import FieldLogger
from cdc.requests.direct import DirectSender
from cdc.requests.errors import (
    RequestError,
    RequestNotSentError,
    RequestTimeoutError,
    TooManyRequestsError,
    UnusableReplyError,
)
from cdc.requests.replies import ReplyReader
from cdc.tracing.spans import Doing, beginning, doing
from schemas.catalogue import Topic, catalogue
from schemas.codec import Codec
from schemas.message import Message
from schemas.registry import SchemaStore

MOST_IN_FLIGHT = 1000
START_S = 5.0
"""How long a start waits until replies are read; then each request waits for that, as long as it may take."""
STOP_S = 1.0
LONGEST_S = 86_400.0

R = TypeVar("R", bound=Message)

log = FieldLogger(__name__)


@dataclass(slots=True)
class RequestCounts:
    """What became of requests since the start."""

    sent: int = 0
    replied: int = 0
    timed_out: int = 0
    # replies that nobody waited for any more, and second replies to the same request
    late: int = 0


@dataclass(slots=True)
class _Waiting(Generic[R]):
    reply: "asyncio.Future[R]"
    is_sent: bool = False
    is_taken: bool = False  # Kafka has confirmed it


class Requester(Generic[R]):
    """Sends requests and waits for their replies; a context manager of one event loop.

    Its replies come under a key of its own, and so in one partition of the topic of replies, which it reads from its
    end on. Nothing is made at the start and nothing is left behind at the end, however that comes.

    Args:
        service: Name of the service that asks.
        reply_to: Topic of replies that the catalogue declares for it.
        bootstrap: `host:port` of a broker.
        registry_url: Base URL of the registry's Confluent-compatible API.
        schema_cache: Directory in which schema ids are kept.
        asks: Every message class that is asked.
        replies: Every message class that may come as a reply.
        most_in_flight: Most requests that may wait at once.

    Raises:
        ValueError: the catalogue declares no such topics of requests or replies.
        UnknownSchemaError: a schema was never published.
        RegistryUnavailableError: a schema id is not cached and the registry cannot be asked.
    """

    def __init__(  # noqa: PLR0913 - each by its name
        self,
        *,
        service: str,
        reply_to: str,
        bootstrap: str,
        registry_url: str,
        schema_cache: Path,
        asks: Sequence[type[Message]],
        replies: Sequence[type[R]],
        most_in_flight: int = MOST_IN_FLIGHT,
    ) -> None:
        catalogue().require_replies(reply_to)
        for reply in replies:
            catalogue().topic_for(reply.NAME, reply_to)
        self.counts = RequestCounts()
        self._topics = {each.NAME: catalogue().request_topic_of(each.NAME) for each in asks}
        self._replies = tuple(replies)
        self._reply_to = reply_to
        self._key = str(new_id())
        self._most = most_in_flight
        self._waiting: dict[UUID, _Waiting[R]] = {}
        self._codec = Codec(SchemaStore(registry_url, schema_cache), [*asks, *replies])
        self._codec.resolve()
        # the key tells where the reply belongs, and not where the request does: any partition will do for that
        self._sender = DirectSender(bootstrap, service, self._codec, partitioner="random")
        self._reader = ReplyReader(
            bootstrap=bootstrap,
            topic=reply_to,
            key=self._key,
            found=self._found,
            take=self._take,
            between=self._sender.poll,
        )
        self._is_reading = asyncio.Event()

    @property
    def in_flight(self) -> int:
        """How many requests wait for their replies."""
        return len(self._waiting)

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._reader.start()
        with suppress(TimeoutError):
            async with asyncio.timeout(START_S):
                await self._is_reading.wait()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._reader.stop()
        # while Kafka is away it may be waiting for an answer, and ends by itself later
        await asyncio.to_thread(self._reader.join, STOP_S)
        await asyncio.to_thread(self._sender.close, STOP_S)
        for waiting in self._waiting.values():
            if not waiting.reply.done():
                waiting.reply.set_exception(
                    RequestError("this service stops, and asks nothing more")
                )

    async def request(
        self, question: Message, *, timeout_s: float, context: MessageContext | None = None
    ) -> R:
        """Ask, and return the reply.

        Args:
            question: What to ask.
            timeout_s: How long the reply may take. The request carries the end of that time, after which nobody
                answers it; the clocks of both sides are compared.
            context: Correlation and trace to carry along; new ones when none are given.

        Raises:
            RequestTimeoutError: no reply came in time.
            TooManyRequestsError: as many requests wait as there may be.
            RequestNotSentError: Kafka refused the request.
            UnusableReplyError: the reply is none of the messages that were declared.
            ValueError: the question does not fit its schema, or was not declared, or the time is longer than a day.
        """
        topic = self._topic_of(question)
        if not timeout_s <= LONGEST_S:
            raise ValueError(f"a reply is waited for a day at most, and not for {timeout_s} s")
        if len(self._waiting) >= self._most:
            raise TooManyRequestsError(
                f"{len(self._waiting)} requests wait for their replies, which is as many as may: {question.NAME} was "
                f"not sent to {topic.owner}. Ask less at once, wait for less long, or raise `most_in_flight`."
            )
        expires_at = datetime.now(UTC) + timedelta(seconds=timeout_s)
        request_id, waiting = new_id(), _Waiting[R](asyncio.get_running_loop().create_future())
        self._waiting[request_id] = waiting
        try:
            with _asking(topic, request_id, context) as asking:
                async with asyncio.timeout(timeout_s):
                    await self._is_reading.wait()
                    self._send(question, topic, request_id, waiting, expires_at, asking.context)
                    reply = await waiting.reply
        except TimeoutError as error:
            self.counts.timed_out += 1
            raise RequestTimeoutError(
                f"{topic.owner} did not answer {question.NAME} {request_id} on {topic.name} within {timeout_s:g} s: "
                f"{self._why(waiting, topic)}. It has changed nothing: ask again, or give it more time."
            ) from error
        finally:
            del self._waiting[request_id]
        self.counts.replied += 1
        return reply

    def _topic_of(self, question: Message) -> Topic:
        topic = self._topics.get(question.NAME)
        if topic is None:
            raise ValueError(
                f"{question.NAME} is not among the messages that this program declares to ask"
            )
        return topic

    def _send(
        self,
        question: Message,
        topic: Topic,
        request_id: UUID,
        waiting: _Waiting[R],
        expires_at: datetime,
        context: MessageContext,
    ) -> None:
        def report(error: KafkaError | None, _: Report) -> None:
            if error is None:
                waiting.is_taken = True
            else:
                refusal = RequestNotSentError(
                    f"Kafka has not taken {question.NAME} {request_id} for {topic.name} ({error.str()}); see "
                    "`tailrace status` and `tailrace topics list`."
                )
                self._loop.call_soon_threadsafe(_fail, waiting.reply, refusal)

        try:
            self._sender.send(
                question,
                topic=topic.name,
                key=self._key,
                context=context,
                message_id=request_id,
                reply_to=self._reply_to,
                expires_at=expires_at,
                on_delivery=report,
            )
        except (BufferError, KafkaException) as error:
            raise RequestNotSentError(
                f"the Kafka client does not take {question.NAME} for {topic.name} ({error}); see `tailrace status`."
            ) from error
        waiting.is_sent = True
        self.counts.sent += 1

    def _why(self, waiting: _Waiting[R], topic: Topic) -> str:
        if not waiting.is_sent:
            return f"it was not sent, as replies cannot be read from {self._reply_to} yet ({self._reader.trouble})"
        if not waiting.is_taken:
            return "Kafka has not confirmed to have it; see `tailrace status`"
        if self._reader.trouble:
            return f"replies cannot be read just now ({self._reader.trouble})"
        who = ", ".join(topic.consumers) or "nobody by the catalogue"
        return f"see whether {who} runs, and what its /health says under `answers`"

    # from the reader's thread

    def _found(self) -> None:
        self._loop.call_soon_threadsafe(self._is_reading.set)

    def _take(self, records: Sequence[KafkaRecord]) -> None:
        read = [(cause, self._read(record)) for record in records if (cause := _cause_of(record))]
        if read:
            self._loop.call_soon_threadsafe(self._hand_on, read)

    def _read(self, record: KafkaRecord) -> R | UnusableReplyError:
        try:
            message = self._codec.decode(record.value or b"")
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one reply is told to whom it is for
            problem = str(error)
        else:
            if isinstance(message, self._replies):
                return message
            problem = f"{message.NAME} is not among the replies that this program declares"
        return UnusableReplyError(
            f"the reply at {record.topic}/{record.partition}/{record.offset} cannot be used: {problem}."
        )

    # on the event loop

    def _hand_on(self, read: Sequence[tuple[UUID, R | UnusableReplyError]]) -> None:
        for cause, reply in read:
            waiting = self._waiting.get(cause)
            if waiting is None or waiting.reply.done():
                self.counts.late += 1
                log.info("reply discarded: nobody waits for it any more", request_id=cause)
            elif isinstance(reply, UnusableReplyError):
                waiting.reply.set_exception(reply)
            else:
                waiting.reply.set_result(reply)


def _asking(topic: Topic, request_id: UUID, context: MessageContext | None) -> Doing:
    """Return the span of a request, which lasts until its reply is there."""
    name = f"ask {topic.name}"
    if context is None:
        asking = beginning(name, MessageContext(correlation_id=new_id()))
    else:
        asking = doing(name, context, "client")
    if asking.is_recorded:
        asking.attributes |= {
            "messaging.system": "kafka",
            "messaging.destination.name": topic.name,
            "messaging.operation.name": "ask",
            "messaging.operation.type": "send",
            "messaging.message.id": str(request_id),
            "peer.service": topic.owner,
        }
    return asking


def _fail(reply: "asyncio.Future[R]", error: RequestError) -> None:
    if not reply.done():
        reply.set_exception(error)


def _cause_of(record: KafkaRecord) -> UUID | None:
    """Return the id of the request that a reply is to; None of what is no reply."""
    found = dict(record.headers).get("causation_id")
    with suppress(ValueError):
        return UUID(found.decode()) if found else None
    return None
