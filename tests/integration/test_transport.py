"""The Kafka client is asked where it is without being waited for."""

import asyncio

import aiokafka
import pytest
from faust.types import TP

from consumers.runtime.transport import position_of
from tests.produce import create_topic
from tests.stack import RunningStack


def test_a_partition_that_was_not_sought_yet_has_no_position(stack: RunningStack) -> None:
    ours, others = TP(create_topic(stack), 0), TP("not.assigned", 0)

    async def run() -> None:
        consumer = aiokafka.AIOKafkaConsumer(
            bootstrap_servers=stack.settings.kafka_bootstrap, auto_offset_reset="none"
        )
        await consumer.start()
        try:
            assert position_of(consumer, ours) is None
            consumer.assign([ours])
            with pytest.raises(
                asyncio.TimeoutError
            ):  # what the client's own answer waits for never comes
                await asyncio.wait_for(consumer.position(ours), 1)
            assert position_of(consumer, ours) is None
            consumer.seek(ours, 7)
            assert position_of(consumer, ours) == 7
            assert position_of(consumer, others) is None
        finally:
            await consumer.stop()

    asyncio.run(run())
