"""A broker that tells of no brokers, as one does that was counted as lost: librdkafka forgets it, our clients go on."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from functools import partial

from confluent_kafka import KafkaError, KafkaException, Message
from confluent_kafka.admin import AdminClient

from cdc.context import MessageContext
from cdc.ids import new_id
from cdc.kafka import PROMPT, Admin, new_admin, read_topics
from cdc.kafka_record import KafkaRecord, Place
from cdc.requests.direct import DirectSender
from cdc.topic_reader import TopicReader
from consumers.runtime.answering.questions import QuestionReader
from infra.local.probe import wait_until
from infra.settings import HOST
from schemas.codec import Codec
from schemas.messages.canary import CanaryEmitted
from schemas.registry import SchemaStore
from tests.kafka_proxy import KafkaProxy
from tests.produce import create_topic
from tests.stack import RunningStack
from tests.workers.chance import tell

EACH = 3
ASKING_S = 11.0
"""Longer than the clients take until they look for partitions that are new."""
BLIND_S = 3.0
"""How long a client may find no broker while one answers others, until it is taken for blind."""
BACK_S = 60.0


def test_clients_that_were_told_of_no_brokers_find_one_again(stack: RunningStack) -> None:
    topic = create_topic(stack)
    with ExitStack() as resources:
        proxy = resources.enter_context(KafkaProxy(stack.settings.kafka_port).running())
        servers = f"{HOST}:{proxy.port}"
        bare = [new_admin(servers) for _ in range(EACH)]
        admins = [Admin(servers) for _ in range(EACH)]
        senders = [Sender(stack, servers, topic) for _ in range(EACH)]
        readers = [resources.enter_context(reading(servers, topic)) for _ in range(EACH)]
        readers += [resources.enter_context(seen_to(servers, topic)) for _ in range(EACH)]
        clients: list[Callable[[], object]] = [
            *(partial(read_topics, each, [topic], BLIND_S) for each in bare),
            *(partial(is_asked, each, topic) for each in admins),
            *(each.send for each in senders),
        ]
        first = {sender.wait_delivered() for sender in senders}
        for keys in readers:
            wait_until("not all is read", partial(first.issubset, keys), timeout_s=BACK_S)
        with proxy.telling_of_none():
            ask_for(ASKING_S, clients)
        assert proxy.told

        since = time.monotonic()
        for admin in admins:
            wait_until("kafka is not asked", partial(is_asked, admin, topic), timeout_s=BACK_S)
        tell(f"asked again after {time.monotonic() - since:.1f} s")
        last = {sender.wait_delivered() for sender in senders}
        tell(f"delivered again after {time.monotonic() - since:.1f} s")
        for keys in readers:
            wait_until("not all is read", partial(last.issubset, keys), timeout_s=BACK_S)
        tell(f"read again after {time.monotonic() - since:.1f} s")
        assert all(is_blind(each, topic) for each in bare), "librdkafka does without us"


class Sender:
    """Sends canaries past the outbox."""

    def __init__(self, stack: RunningStack, servers: str, topic: str) -> None:
        settings = stack.settings
        store = SchemaStore(settings.registry_url, settings.schema_cache)
        codec = Codec(store, [CanaryEmitted])
        codec.resolve()
        self._sender = DirectSender(servers, "canary", codec)
        self._topic = topic
        self._delivered: list[bytes] = []

    def send(self) -> None:
        canary_id = new_id()

        def report(error: KafkaError | None, _: Message) -> None:
            if error is None:
                self._delivered.append(str(canary_id).encode())

        self._sender.send(
            CanaryEmitted(canary_id=canary_id, emitted_at=datetime.now(UTC)),
            topic=self._topic,
            key=str(canary_id),
            context=MessageContext(correlation_id=canary_id).next_span(),
            on_delivery=report,
        )
        self._sender.poll()

    def wait_delivered(self) -> bytes:
        """Send until something sent from now on is delivered, and return its key."""
        before = len(self._delivered)

        def is_delivered() -> bool:
            self.send()
            return len(self._delivered) > before

        wait_until("nothing is delivered", is_delivered, timeout_s=BACK_S)
        return self._delivered[-1]


@contextmanager
def reading(servers: str, topic: str) -> Iterator[list[bytes]]:
    """Follow a topic in a thread, and yield the keys that have come."""
    keys: list[bytes] = []
    stopped = threading.Event()

    def follow() -> None:
        # whatever its client asks for during the trouble may make it blind, this it does soon
        with TopicReader(
            servers, **PROMPT, **{"topic.metadata.refresh.interval.ms": 500}
        ) as reader:
            for records in reader.follow({Place(topic, 0): 0}):
                keys.extend(record.key or b"" for record in records)
                if stopped.is_set():
                    return

    thread = threading.Thread(target=follow)
    thread.start()
    try:
        yield keys
    finally:
        stopped.set()
        thread.join()


@contextmanager
def seen_to(servers: str, topic: str) -> Iterator[list[bytes]]:
    """Read a topic as requests are read, in a group of its own, and yield the keys of those that were seen to."""
    keys: list[bytes] = []

    def take(records: Sequence[KafkaRecord]) -> None:
        for record in records:
            keys.append(record.key or b"")
            reader.done(record)

    reader = QuestionReader(
        bootstrap=servers,
        group=f"questions-{new_id()}",
        client_id="questions",
        topics=[topic],
        take=take,
        between=lambda: None,
        most=100,
    )
    reader.start()
    try:
        yield keys
    finally:
        reader.stop()
        reader.join()


def ask_for(seconds: float, clients: list[Callable[[], object]]) -> None:
    """Have each client ask again and again for a while."""
    end = time.monotonic() + seconds

    def ask_on(client: Callable[[], object]) -> None:
        while time.monotonic() < end:
            with suppress(KafkaException):
                client()
            time.sleep(0.1)

    with ThreadPoolExecutor(len(clients)) as threads:
        for client in clients:
            threads.submit(ask_on, client)


def is_asked(admin: Admin, topic: str) -> bool:
    with suppress(KafkaException), admin.asking() as client:
        read_topics(client, [topic], BLIND_S)
        return True
    return False


def is_blind(client: AdminClient, topic: str) -> bool:
    try:
        client.list_topics(topic, timeout=BLIND_S)
    except KafkaException:
        return True
    return False
