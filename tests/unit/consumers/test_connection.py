"""A connection to a broker that has gone."""

import asyncio

import pytest
import uvloop
from aiokafka import conn
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.admin import ApiVersionRequest

from consumers.runtime.connection import Connection


def test_what_is_sent_when_the_broker_has_gone_is_an_error_of_the_connection() -> None:
    assert isinstance(sent_by(Connection), KafkaConnectionError)


def test_the_client_itself_does_not_know_the_error_of_uvloop() -> None:
    """Once it does, ours is not needed any more."""
    error = sent_by(conn.AIOKafkaConnection)
    assert isinstance(error, RuntimeError)
    assert not isinstance(error, KafkaConnectionError)


def sent_by(kind: type[conn.AIOKafkaConnection]) -> BaseException:
    """Return what comes of a request on a connection that was closed a moment ago."""

    async def send() -> BaseException:
        server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        connection = kind(host, port)
        _, connection._writer = await asyncio.open_connection(host, port)
        connection._writer.transport.abort()
        await asyncio.sleep(0)
        with pytest.raises((KafkaConnectionError, RuntimeError)) as raised:
            connection.send(ApiVersionRequest())
        server.close()
        error: BaseException = raised.value
        return error

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(send())
