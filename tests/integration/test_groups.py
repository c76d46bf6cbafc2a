"""Asking for a consumer group without the client that would abort the process."""

from confluent_kafka import KafkaException

from cdc.kafka import new_admin
from consumers.runtime.group import Group, GroupReader, read_groups
from infra.local.probe import wait_until
from tests.kafka_proxy import KafkaProxy
from tests.stack import RunningStack

GROUP = "payments-worker"


def read(reader: GroupReader, name: str) -> Group:
    group = reader.read([name])[name]
    if isinstance(group, KafkaException):
        raise group
    return group


def test_a_group_is_read_as_the_other_client_reads_it(stack: RunningStack) -> None:
    reader = GroupReader(stack.settings.kafka_bootstrap)

    def same() -> bool:
        there = read_groups(new_admin(stack.settings.kafka_bootstrap), [GROUP])[GROUP]
        here = read(reader, GROUP)
        return here == there and bool(here.members) and bool(here.held)

    wait_until("both see the same members", same, timeout_s=60)
    reader.close()


def test_a_group_without_members_is_none_that_works(stack: RunningStack) -> None:
    reader = GroupReader(stack.settings.kafka_bootstrap)
    assert not read(reader, "nobody").is_stable
    reader.close()


def test_a_reader_sees_again_after_a_broker_was_gone(stack: RunningStack) -> None:
    with KafkaProxy(stack.settings.kafka_port).running() as proxy:
        reader = GroupReader(f"127.0.0.1:{proxy.port}")

        def sees() -> bool:
            try:
                return bool(read(reader, GROUP).members)
            except KafkaException:
                return False

        assert sees()
        with proxy.cut():
            wait_until("the reader sees without a broker", lambda: not sees(), timeout_s=30)
        with proxy.telling_of_none():
            sees()
        wait_until("the reader stays blind", sees, timeout_s=30)
        reader.close()
