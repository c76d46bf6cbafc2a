"""Rows from before the outbox refused them, and a topic that is deleted: named while they last, and gone around."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import psycopg
import pytest
from confluent_kafka.admin import AdminClient

from cdc.ids import new_id
from infra.local.probe import wait_until
from infra.services import OWNER
from schemas.catalogue import catalogue
from tests import slots
from tests.declaring import declare_topic
from tests.doctor import findings
from tests.kafka import records_of
from tests.produce import create_topic
from tests.stack import RunningStack

TOO_LARGE = catalogue().message_bytes + 2**16


@contextmanager
def as_before(stack: RunningStack) -> Iterator["psycopg.Connection[Any]"]:
    """Write to the canary's outbox as if it refused nothing; what was written is removed when the block ends."""
    url = stack.database_url(OWNER)
    with psycopg.connect(url, autocommit=True, options="-c search_path=canary") as connection:
        connection.execute("alter table outbox disable trigger outbox_admit")
        try:
            yield connection
        finally:
            connection.execute("alter table outbox enable trigger outbox_admit")
            connection.execute(
                "delete from outbox where topic not in (select name from outbox_topic)"
                " or octet_length(payload) > 1000000"
            )


def insert(connection: "psycopg.Connection[Any]", topic: str, payload: bytes = b"x") -> UUID:
    message_id = new_id()
    connection.execute(
        "insert into outbox (id, kind, topic, aggregate_type, aggregate_id, type, payload, correlation_id)"
        " values (%s, 'message', %s, 'canary', 'k', 'c', %s, %s)",
        [message_id, topic, payload, message_id],
    )
    return message_id


def connector_status(stack: RunningStack) -> tuple[int, dict[str, Any]]:
    """Return exit status and output of `connector status`."""
    result = stack.cli("connector", "status", "--json", check=False)
    return result.returncode, json.loads(result.stdout)


@pytest.fixture
def topic(stack: RunningStack) -> Iterator[str]:
    yield create_topic(stack)
    slots.mend(stack)


def test_a_row_that_is_too_large_is_named_and_gone_around(stack: RunningStack, topic: str) -> None:
    with as_before(stack) as connection:
        large = insert(connection, topic, os.urandom(TOO_LARGE))
        behind = insert(connection, topic)
        wait_until(
            "the connector takes it",
            lambda: connector_status(stack)[1]["task"] == "FAILED",
            timeout_s=60,
        )
        code, told = connector_status(stack)
        assert code == 1
        assert told["cause"]["text"].startswith("RecordTooLargeException: The message is")
        assert "recover --force" in told["cause"]["advice"]
        found = findings(stack)["connector"]
        assert "RecordTooLargeException: The message is" in found["detail"]
        assert "recover --force" in found["remedy"]
        lines = stack.cli("connector", "status", check=False).stderr.splitlines()
        assert [line for line in lines if "RecordTooLargeException" in line]
        assert not [line for line in lines if line.startswith("\tat ")]

        slots.drop(stack)
        refused = stack.cli("connector", "recover", "--yes", check=False)
        assert refused.returncode == 1
        assert "Traceback" not in refused.stderr
        assert f"message {large} of canary" in refused.stderr
        assert "stays STOPPED" in refused.stderr
        assert connector_status(stack)[1]["connector"] == "STOPPED"

        recovered = slots.recover(stack, "--force")
        assert [each["message_id"] for each in recovered["too_large"]] == [str(large)]
        assert recovered["running"]
        seen = records_of(stack, topic, until=behind)
        assert str(large) not in seen


def test_a_topic_that_is_gone_is_named_and_delivery_goes_on_with_it(
    stack: RunningStack, topic: str
) -> None:
    admin = AdminClient({"bootstrap.servers": stack.settings.kafka_bootstrap})
    with as_before(stack) as connection:
        [deleted] = admin.delete_topics([topic], operation_timeout=30).values()
        deleted.result()
        waiting = insert(connection, topic)

        def named() -> bool:
            code, told = connector_status(stack)
            return bool(code == 1 and told["obstacles"])

        wait_until("nobody names the topic", named, timeout_s=60)
        [obstacle] = connector_status(stack)[1]["obstacles"]
        assert (obstacle["topic"], obstacle["first"]) == (topic, str(waiting))
        found = findings(stack)["connector"]
        assert f"'{topic}', which Kafka does not have" in found["detail"]
        assert "recover --force" in found["remedy"]
        create_topic(stack, name=topic)
        declare_topic(stack, topic)
        assert str(waiting) in records_of(stack, topic, until=waiting)
        wait_until("it is still named", lambda: not named(), timeout_s=60)
