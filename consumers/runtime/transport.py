"""A Faust transport that delivers one fetched partition batch as one message.

Faust spends most of its time per message on the way from the fetched records to the agent. Delivered whole, that cost
is paid once a batch; agents, rebalancing and commits stay Faust's. Two of its parts are replaced: the scheduler, which
deals records out one by one, and the reckoning of what may be committed, which takes the offsets inside a batch for
gaps and may commit past a batch that is still being worked on.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from faust.transport.drivers.aiokafka import Consumer, Transport
from faust.types import TP
from faust.types.transports import SchedulingStrategyT
from faust.types.tuples import ConsumerMessage

from consumers.runtime.delivery import Record


class WholeBatches(SchedulingStrategyT):
    """Hands out the records of each partition together."""

    def iterate(self, records: Mapping[TP, list[Any]]) -> Iterator[tuple[TP, Any]]:
        """Return each partition with its list of records."""
        return iter(records.items())


class BatchConsumer(Consumer):
    """Consumes batches; each is acknowledged whole, and in order because agents run one at a time."""

    def _to_message(self, tp: TP, records: list[Record]) -> ConsumerMessage:
        last = records[-1]
        return ConsumerMessage(
            last.topic,
            last.partition,
            last.offset,
            last.timestamp / 1000.0,
            last.timestamp_type,
            [],
            None,
            records,  # type: ignore[arg-type]  # the raw serializer passes the list through
            None,
            None,
            None,
            tp,
            generation_id=self.app.consumer_generation_id,
        )

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Offsets between two acknowledged ones belong to the later batch; there are no gaps to track."""

    def _new_offset(self, tp: TP) -> int | None:
        """Return the offset after the newest acknowledged batch."""
        acked = self._acked[tp]
        if not acked:
            return None
        newest = max(acked)
        acked.clear()
        self._acked_index[tp].clear()
        return int(newest) + 1


class BatchTransport(Transport):
    """The aiokafka transport with batches."""

    Consumer = BatchConsumer
