"""Topics of requests and replies of a test's own, which the catalogue knows for as long as the test runs."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Self, cast

from cdc.requests.requester import Requester
from schemas.catalogue import Kind, Topic, catalogue
from schemas.messages.canary import CanaryEmitted
from schemas.messages.payments import PaymentCompleted
from tests.produce import create_topic
from tests.stack import RunningStack

VARIABLE = "TAILRACE_ANSWERING"


@dataclass(frozen=True, slots=True)
class Asked:
    """Who is asked, and where: a sign of life is the question, and a payment the answer."""

    consumer: str
    requests: str
    replies: str
    # what the consumer takes besides: nothing ever comes there
    silent: str
    partitions: int

    @classmethod
    def create(cls, stack: RunningStack, consumer: str, *, partitions: int = 4) -> Self:
        """Make the topics."""
        requests, replies, silent = (create_topic(stack, partitions=partitions) for _ in range(3))
        return cls(consumer, requests, replies, silent, partitions)

    @classmethod
    def told(cls) -> Self:
        """Return what the environment of this process says."""
        return cls(**json.loads(os.environ[VARIABLE]))

    def variables(self) -> Mapping[str, str]:
        """Return what another process is to be told."""
        return {VARIABLE: json.dumps(asdict(self))}

    @contextmanager
    def declared(self) -> Iterator[Self]:
        """Have the catalogue of this process know the topics until the block ends."""
        known = cast(dict[str, Topic], catalogue().topics)
        ours = [
            self._topic(self.requests, "requests", [CanaryEmitted.NAME]),
            self._topic(self.replies, "replies", [PaymentCompleted.NAME]),
        ]
        known.update({topic.name: topic for topic in ours})
        try:
            yield self
        finally:
            for topic in ours:
                del known[topic.name]

    def _topic(self, name: str, kind: Kind, messages: Sequence[str]) -> Topic:
        return Topic(
            name=name,
            owner="the test",
            aggregate="asker",
            partitions=self.partitions,
            retention_hours=1,
            messages=tuple(messages),
            consumers={self.consumer: tuple(messages)} if kind == "requests" else {},
            kind=kind,
        )

    def requester(self, stack: RunningStack, **options: Any) -> Requester[PaymentCompleted]:
        """Return who asks."""
        return Requester(
            service="asker",
            reply_to=self.replies,
            bootstrap=stack.settings.kafka_bootstrap,
            registry_url=stack.settings.registry_url,
            schema_cache=stack.settings.schema_cache,
            asks=[CanaryEmitted],
            replies=[PaymentCompleted],
            **options,
        )
