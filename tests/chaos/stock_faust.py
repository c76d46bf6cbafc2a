"""Faust as released, an agent that works on two messages at a time: a program that tests start and kill.

It keeps a journal: `begun <id>` when a message reaches the handler, `done <id>` as the effect of the message.
"""

import asyncio
import sys
from pathlib import Path
from typing import Any, cast

import faust
from faust.streams import Stream
from faust.types import StreamT

COMMIT_INTERVAL_S = 0.2
SESSION_TIMEOUT_S = 6.0  # the broker allows no less; that long a killed worker keeps its partitions


def create_app(bootstrap: str, topic: str, journal: Path, stalled: str | None) -> faust.App:
    """Build an application that acknowledges as Faust does by itself, only committed sooner.

    Args:
        bootstrap: `host:port` of a broker.
        topic: What to consume; also the name of the consumer group.
        journal: File to append to.
        stalled: Id of the message whose handler does not come to an end.
    """
    app = faust.App(
        topic,
        broker=f"kafka://{bootstrap}",
        autodiscover=False,
        broker_commit_interval=COMMIT_INTERVAL_S,
        broker_heartbeat_interval=SESSION_TIMEOUT_S / 3,
        broker_session_timeout=SESSION_TIMEOUT_S,
        consumer_auto_offset_reset="earliest",
        datadir=str(journal.parent / "faust"),
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
    )

    async def consume(stream: StreamT[Any]) -> None:
        async for event in cast(Stream[Any], stream).events():
            message_id = dict(event.message.headers or {})["ce_id"].decode()
            note(journal, f"begun {message_id}")
            if message_id == stalled:
                await asyncio.Event().wait()
            note(journal, f"done {message_id}")

    channel = app.topic(topic, key_type=bytes, value_type=bytes, value_serializer="raw")
    app.agent(channel, concurrency=2)(consume)
    return app


def note(journal: Path, line: str) -> None:
    """Append a line, in one write that a kill does not tear."""
    with journal.open("a") as file:
        file.write(f"{line}\n")


def main(bootstrap: str, topic: str, journal: str, stalled: str | None = None) -> None:
    """Run the application until it is killed."""
    app = create_app(bootstrap, topic, Path(journal), stalled)
    faust.Worker(app, loglevel="INFO").execute_from_commandline()


if __name__ == "__main__":
    main(*sys.argv[1:])
