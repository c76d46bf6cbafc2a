"""Faust as what drives a worker: it holds a place in the group, fetches, and commits what was acknowledged."""

from collections.abc import Mapping
from typing import Any, cast

import faust
from faust.assignor.partition_assignor import PartitionAssignor
from faust.tables.manager import TableManager
from faust.types import TP, AppT
from faust.types.transports import TransportT

from consumers.runtime import connection, refusals
from consumers.runtime.consumer import Consumer
from consumers.runtime.peers import client_id
from consumers.runtime.settings import WorkerSettings
from consumers.runtime.store import Place
from consumers.runtime.transport import Assignee, BatchConsumer, BatchTransport

POLLED_BATCHES = 4
"""Full transactions that one poll may bring, for all partitions together.

aiokafka asks the broker for more of a partition when all that it had of it is handed out. A poll that leaves a rest in
most partitions makes it fetch them one by one, in many small requests.
"""

SESSION_S = 10.0
"""How long a worker may be silent until its partitions go to others.

That matters when its machine is lost: a process that was killed is started again, and takes its former self out of the
group, or others on its machine do. A shorter time would take a machine that is short of processor time for one that is
lost.
"""
HEARTBEAT_S = 1.0
"""How often a worker says that it is alive; by the answer it learns that partitions are dealt out anew."""

METADATA_AGE_S = 2.0
"""How old the client's knowledge of topics may be, instead of five minutes.

A broker that has just started may say that a topic does not exist. Whoever leads the group then deals out nothing,
until it asks again.
"""


class Driver(faust.App):
    """Faust, set up for one consumer; it has no agents.

    Args:
        consumer: Name and topics.
        settings: Where the surroundings are.
        assignee: Who takes partitions and batches.
        options: Settings of Faust that differ.
    """

    def __init__(
        self,
        consumer: Consumer,
        settings: WorkerSettings,
        assignee: Assignee,
        options: Mapping[str, Any],
    ) -> None:
        self._assignee = assignee
        connection.use()
        super().__init__(
            consumer.name,
            **{
                "broker": f"kafka://{settings.kafka_bootstrap}",
                # what stands in the environment wins over all that follows, be it there for somebody else: APP_VERSION
                # or BROKER_URL, say; so Faust's variables have a name of their own
                "env_prefix": "FAUST",
                "autodiscover": False,
                "broker_client_id": client_id(consumer.name, settings.host, settings.port),
                "broker_commit_interval": 1.0,
                "broker_heartbeat_interval": HEARTBEAT_S,
                "broker_session_timeout": SESSION_S,
                "broker_max_poll_interval": refusals.POLL_INTERVAL_S,
                "broker_max_poll_records": POLLED_BATCHES * consumer.max_batch,
                # where a position does not exist is told of, and not passed over by the client
                "consumer_auto_offset_reset": "none",
                "consumer_metadata_max_age_ms": int(METADATA_AGE_S * 1000),
                "datadir": str(settings.schema_cache / "faust"),
                "store": "memory://",
                "stream_wait_empty": False,
                "topic_allow_declare": False,
                "topic_disable_leader": True,
                "web_enabled": False,
                "worker_redirect_stdouts": False,
                "PartitionAssignor": EvenAssignor,
                "TableManager": NoTables,
                **options,
            },
        )
        self.topics.add(self.topic(*consumer.topics, key_type=bytes, value_type=bytes))

    @property
    def batches(self) -> BatchConsumer:
        """What fetches, and takes partitions over; it is made when it is first asked for."""
        return cast(BatchConsumer, self.consumer)

    def take_over_again(self) -> None:
        """Begin anew in all partitions; may be called from other threads."""
        self.loop.call_soon_threadsafe(self.batches.take_over_again)

    async def seek(self, place: Place, offset: int) -> None:
        """Go on fetching from an offset."""
        await self.batches.seek_wait({TP(*place): offset})

    def _new_transport(self) -> TransportT:
        return BatchTransport(self._assignee, self.conf.broker_consumer, self)


class EvenAssignor(PartitionAssignor):
    """Faust's assignor without standbys of tables, with which one of four members would get none of six partitions."""

    def __init__(self, app: AppT, replicas: int = 0) -> None:
        super().__init__(app)


class NoTables(TableManager):
    """Faust's tables, of which a worker has none: they are not waited for."""

    async def on_start(self) -> None:
        """Be done at once, instead of after a second in which tables might be declared."""
        await self._update_channels()
        await self.recovery.start()
