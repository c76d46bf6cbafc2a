"""Reading one's own replies: a thread that follows the partition in which they lie."""

import threading
from collections.abc import Callable, Sequence
from time import monotonic

from cdc.kafka import PROMPT, TopicError
from cdc.kafka_record import KafkaRecord, Place
from cdc.logs import FieldLogger
from cdc.partitioning import partition_of
from cdc.topic_reader import TopicReader

AGAIN_S = 0.5
PARTITIONS_EVERY_S = 30.0
"""How often the topic is asked how many partitions it has: with another number, replies lie elsewhere."""

log = FieldLogger(__name__)


class ReplyReader(threading.Thread):
    """Hands on what comes under a key, from the moment at which it has found its place.

    It belongs to no consumer group: whoever joined one would wait until it is dealt out, and leave something behind.

    Args:
        bootstrap: `host:port` of a broker.
        topic: Topic of replies.
        key: Key of our own replies, which also says in which partition they lie.
        found: Called, from this thread, each time when no later reply can be missed.
        take: Called, from this thread, with each of our replies.
        between: Called, from this thread, after each look, ten times a second at least.

    Attributes:
        trouble: Why replies are not read just now; empty when they are.
    """

    def __init__(
        self,
        *,
        bootstrap: str,
        topic: str,
        key: str,
        found: Callable[[], None],
        take: Callable[[Sequence[KafkaRecord]], None],
        between: Callable[[], None],
    ) -> None:
        super().__init__(name="replies", daemon=True)
        self.trouble = "they were not looked for yet"
        self._servers = bootstrap
        self._topic = topic
        self._key = key.encode()
        self._found = found
        self._take = take
        self._between = between
        self._stopped = threading.Event()
        self._position: tuple[Place, int] | None = None

    def stop(self) -> None:
        """Stop reading after the look under way."""
        self._stopped.set()

    def run(self) -> None:
        """Read until stopped."""
        while not self._stopped.is_set():
            try:
                self._between()
                with TopicReader(self._servers, **PROMPT) as reader:
                    self._follow(reader)
            except TopicError as error:
                self.trouble = str(error)
                log.warning("replies cannot be read", error=error, again_in_s=AGAIN_S)
                self._stopped.wait(AGAIN_S)
            except Exception as error:  # without this thread every question would time out
                self.trouble = repr(error)
                log.exception("replies cannot be read", again_in_s=AGAIN_S)
                self._stopped.wait(AGAIN_S)

    def _follow(self, reader: TopicReader) -> None:
        bounds = reader.bounds(self._topic)
        place = Place(self._topic, partition_of(self._key, len(bounds)))
        start = bounds[place].end
        if self._position is not None and self._position[0] == place:
            start = min(start, self._position[1])  # what came while it could not be read
        if self._stopped.is_set():
            return
        self._position = place, start
        looks = reader.follow({place: start})
        look_again_at = monotonic() + PARTITIONS_EVERY_S
        self.trouble = ""
        self._found()
        for records in looks:
            if self._stopped.is_set():
                return
            if records:
                self._position = place, records[-1].offset + 1
                self._take([record for record in records if record.key == self._key])
            self._between()
            if monotonic() > look_again_at:
                look_again_at = monotonic() + PARTITIONS_EVERY_S
                known = reader.topics(self._topic).get(self._topic)
                if known is None or known.partitions != len(bounds):
                    return
