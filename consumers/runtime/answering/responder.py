"""Answers requests: judged, answered from a read-only connection, and replied to straight."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from datetime import datetime
from typing import Any

from cdc.chores import cancel
from cdc.context import MessageContext
from cdc.database import Pool, open_pool
from cdc.kafka_record import KafkaRecord
from cdc.logs import FieldLogger
from cdc.requests.direct import DirectSender
from consumers.runtime.answering.questions import QuestionReader
from consumers.runtime.answering.reading import Reading
from consumers.runtime.consumer import Consumer
from consumers.runtime.delivery import Delivery, MalformedRecordError, place_of
from consumers.runtime.failures import is_transient
from consumers.runtime.group import remove_left_behind
from consumers.runtime.handlers import Answer
from consumers.runtime.handling_trace import begin_trace
from consumers.runtime.intake import learn_schemas
from consumers.runtime.received import Received
from consumers.runtime.settings import WorkerSettings
from consumers.runtime.spans import message_spans
from consumers.runtime.type_counts import TypeCounts
from schemas.catalogue import answering_group, catalogue
from schemas.codec import Codec
from schemas.datum import UndecodableError
from schemas.message import Message
from schemas.registry import SchemaStore

MOST_WAITING = 1000
"""Requests that are read and not answered yet, in one worker."""
LONGEST_S = 60.0
"""How long a request is worked on, however long its sender would wait."""
AGAIN_S = 0.05
UNTOLD = "unknown"
"""Type of a request that failed before it was told."""
STOP_S = 1.0
LEAVE_S = 5.0
"""How long leaving the group may take, which is longer while Kafka is away."""

log = FieldLogger(__name__)


class Responder:
    """Answers the requests that a consumer declares to answer.

    Args:
        consumer: Whose they are.
        settings: Where the surroundings are.
        client_id: Client id in the group, which no other living process has.

    Raises:
        UnknownSchemaError: a schema was never published.
        RegistryUnavailableError: a schema id is not cached and the registry cannot be asked.
    """

    def __init__(self, consumer: Consumer, settings: WorkerSettings, client_id: str) -> None:
        self._consumer = consumer
        self._settings = settings
        self._table: Mapping[str, Answer] = consumer.answer_table
        self._group = answering_group(consumer.name)
        self._client_id = client_id
        questions = [answer.question for answer in self._table.values()]
        store = SchemaStore(settings.registry_url, settings.schema_cache)
        self._codec = Codec(store, [*questions, *consumer.sends])
        self._codec.resolve()
        self._sender = DirectSender(settings.kafka_bootstrap, consumer.name, self._codec)
        self._pool: Pool = open_pool(
            settings.database_url,
            max_size=consumer.parallel_answers,
            check=False,
            reads_only=True,
        )
        self._queue: asyncio.Queue[KafkaRecord] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []
        self._reader: QuestionReader | None = None
        self._answered: Counter[str] = Counter()
        self._failed: Counter[str] = Counter()
        self._malformed = 0
        self._spans = message_spans(self._group)
        self._expired = TypeCounts(consumer.name, "request expired: dropped")

    @property
    def trouble(self) -> str:
        """Why requests are not answered just now; empty when they are."""
        is_member = self._reader is not None and self._reader.is_member
        return "" if is_member else f"{self._group}, in which requests are read, is not joined"

    def counts(self) -> Mapping[str, Any]:
        """Return what became of requests since the start, by type where that is known."""
        return {
            "answered": dict(self._answered),
            "expired": dict(self._expired.counts()),
            "failed": dict(self._failed),
            "malformed": self._malformed,
        }

    async def start(self) -> None:
        """Open the database and join the group."""
        loop = asyncio.get_running_loop()
        bootstrap = self._settings.kafka_bootstrap
        if self._settings.port:
            await remove_left_behind(bootstrap, self._group, self._client_id)
        await self._pool.open()

        def take(records: Sequence[KafkaRecord]) -> None:
            loop.call_soon_threadsafe(self._take, records)

        self._reader = QuestionReader(
            bootstrap=bootstrap,
            group=self._group,
            client_id=self._client_id,
            topics=self._consumer.request_topics,
            take=take,
            between=self._sender.poll,
            most=MOST_WAITING,
        )
        self._tasks = [
            asyncio.create_task(self._work(self._reader), name=f"answers {number}")
            for number in range(self._consumer.parallel_answers)
        ]
        self._reader.start()

    async def stop(self) -> None:
        """Leave the group; what is not answered then, is for others."""
        if self._reader is not None:
            self._reader.stop()
            await asyncio.to_thread(self._reader.join, LEAVE_S)
        await cancel(self._tasks)
        await asyncio.to_thread(self._sender.close, STOP_S)
        await self._pool.close()

    def _take(self, records: Sequence[KafkaRecord]) -> None:
        for record in records:
            self._queue.put_nowait(record)

    async def _work(self, reader: QuestionReader) -> None:
        while True:
            record = await self._queue.get()
            try:
                await self._see_to(record)
            except (MalformedRecordError, UndecodableError) as error:
                self._malformed += 1
                log.warning("no request: dropped", at=place_of(record), because=error)
            except Exception:
                self._failed[UNTOLD] += 1
                log.exception("request not answered", at=place_of(record))
            reader.done(record)

    async def _see_to(self, record: KafkaRecord) -> None:
        delivery = Delivery.of(record)
        trace = begin_trace(dict(record.headers)) if self._spans else None
        received = Received[Any](record, str(delivery.message_id), delivery.type)
        received.trace = trace
        with self._spans.answering(received) if self._spans and trace else nullcontext():
            await self._answer(record, delivery, received)

    async def _answer(
        self, record: KafkaRecord, delivery: Delivery, received: Received[Any]
    ) -> None:
        answer, expires_at = self._judged(delivery)
        name = answer.question.NAME
        left_s = (expires_at - self._consumer.clock()).total_seconds()
        if left_s <= 0:
            self._expired.note(name.encode())
            return
        limit = asyncio.timeout(min(left_s, LONGEST_S))
        try:
            async with limit:
                question = await self._decoded(record, answer)
                reply = await self._reply(question, answer, delivery)
            self._send(reply, delivery, received.traceparent)
        except (MalformedRecordError, UndecodableError):
            raise
        except Exception:
            if limit.expired():
                self._expired.note(name.encode())
            else:
                self._failed[name] += 1
                log.exception("request not answered", type=name, request_id=delivery.message_id)
        else:
            self._answered[name] += 1

    def _judged(self, delivery: Delivery) -> tuple[Answer, datetime]:
        answer = self._table.get(delivery.type)
        if answer is None:
            raise MalformedRecordError(f"{self._consumer.name} does not answer {delivery.type}")
        if delivery.expires_at is None or delivery.reply_to is None:
            raise MalformedRecordError("a request says where to reply to, and until when")
        try:
            # or whoever may ask could have us write to any topic
            catalogue().require_replies(delivery.reply_to)
        except ValueError as error:
            raise MalformedRecordError(str(error)) from error
        return answer, delivery.expires_at

    async def _decoded(self, record: KafkaRecord, answer: Answer) -> Message:
        await learn_schemas(self._codec, [record.value])
        question = self._codec.decode(record.value or b"")
        if question.NAME != answer.question.NAME:
            raise UndecodableError(
                f"the headers announce {answer.question.NAME}, and the bytes hold {question.NAME}"
            )
        return question

    async def _reply(self, question: Message, answer: Answer, delivery: Delivery) -> Message:
        """Return the reply; what may pass is tried again as long as somebody waits for it."""
        while True:
            try:
                async with self._pool.connection() as connection:
                    reading = Reading(connection, delivery, self._consumer.clock)
                    return await answer.function(question, reading)
            except Exception as error:
                if not is_transient(error):
                    raise
                await asyncio.sleep(AGAIN_S)

    def _send(self, reply: Message, delivery: Delivery, traceparent: str) -> None:
        assert delivery.reply_to is not None  # noqa: S101 - it was judged
        self._sender.send(
            reply,
            topic=catalogue().topic_for(reply.NAME, delivery.reply_to).name,
            key=delivery.key,
            context=MessageContext(
                correlation_id=delivery.context.correlation_id,
                causation_id=delivery.message_id,
                traceparent=traceparent,
            ),
        )
