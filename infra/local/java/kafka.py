"""The Kafka brokers: nodes that are broker and controller, on loopback, each with its storage in the home."""

import base64
import subprocess
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from cdc.topics import needed_in_sync
from infra.errors import TailraceError
from infra.local.java import artifacts, jvm
from infra.local.java.configuration import (
    jvm_options,
    make_directory,
    write_log4j,
    write_properties,
)
from infra.local.java.process import Process
from infra.local.probe import port_answers
from infra.settings import HOST
from schemas.catalogue import catalogue

HEAP_MB = 320
# Compiling lightly halves the processor time of a start. It costs nothing here: the broker hands
# batches on without looking into them, and measured under load it needed less, not more.
COMPILER_OPTIONS = ("-XX:TieredStopAtLevel=1",)
TIMEOUT_S = 1.0

LOGGERS = {
    "kafka.server.KafkaRaftServer": "info",
    "org.apache.kafka.common.utils.AppInfoParser": "error",
}


class KafkaError(TailraceError):
    """The broker cannot be set up."""


@dataclass(frozen=True, slots=True)
class Node:
    """A broker, which is a controller as well."""

    name: str  # of its part, and of its directory in the home
    number: int  # the id by which Kafka knows it
    port: int
    controller_port: int


def prepare(
    *, home: Path, cache: Path, node: Node, nodes: Sequence[Node], aot: bool = True
) -> Process:
    """Write a broker's configuration, format its storage at the first call, describe its process.

    Args:
        home: the stack's home.
        cache: of the jars.
        node: the broker.
        nodes: all brokers of its cluster, itself included.
        aot: use the start-up cache.
    """
    directory = make_directory(home, node.name)
    data = directory / "data"
    configuration = write_properties(
        directory / "server.properties", settings(data, node=node, nodes=nodes)
    )
    log4j = write_log4j(directory / "log4j2.properties", "warn", LOGGERS)
    program = jvm.Program(
        name="kafka",
        main_class="kafka.Kafka",
        class_path=artifacts.class_path(cache, "kafka"),
        heap_mb=HEAP_MB,
        options=(*COMPILER_OPTIONS, *jvm_options(directory, log4j)),
        arguments=(str(configuration),),
    )
    if not (data / "meta.properties").is_file():
        _format(program, configuration, cache=cache, cluster_id=_cluster_id(home))
    argv = jvm.command(program, cache=cache, aot=aot)
    return Process(node.name, argv, {}, directory, (configuration, log4j))


def is_ready(port: int, number: int = 1) -> bool:
    """Tell whether the broker answers a request for its metadata, and is one that partitions may be led by."""
    if not port_answers(port):  # librdkafka would print to stderr that it is refused
        return False
    client = AdminClient({"bootstrap.servers": f"{HOST}:{port}", "log_level": 0})
    try:
        return number in client.list_topics(timeout=TIMEOUT_S).brokers
    except KafkaException:
        return False


def settings(data: Path, *, node: Node, nodes: Sequence[Node]) -> dict[str, object]:
    replicas, needed = len(nodes), needed_in_sync(len(nodes))
    return {
        "process.roles": "broker,controller",
        "node.id": node.number,
        "controller.quorum.voters": ",".join(
            f"{each.number}@{HOST}:{each.controller_port}" for each in nodes
        ),
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "listeners": f"PLAINTEXT://{HOST}:{node.port},CONTROLLER://{HOST}:{node.controller_port}",
        "advertised.listeners": f"PLAINTEXT://{HOST}:{node.port}",
        "log.dirs": data,
        # topics come from the catalogue alone
        "auto.create.topics.enable": False,
        # whatever an outbox has taken passes
        "message.max.bytes": catalogue().batch_bytes,
        "replica.fetch.max.bytes": catalogue().batch_bytes,
        # the loss of one broker of several leaves a record where it can be read, and new ones can be written
        "default.replication.factor": replicas,
        "min.insync.replicas": needed,
        "offsets.topic.replication.factor": replicas,
        "offsets.topic.num.partitions": 4,
        "transaction.state.log.replication.factor": replicas,
        "transaction.state.log.min.isr": needed,
        "transaction.state.log.num.partitions": 4,
        "share.coordinator.state.topic.replication.factor": replicas,
        "share.coordinator.state.topic.min.isr": needed,
        "share.coordinator.state.topic.num.partitions": 1,
        # a group of one worker need not wait for others
        "group.initial.rebalance.delay.ms": 0,
        # sized for one machine: threads, and buffers that would not fit the small heap
        "num.network.threads": 2,
        "num.io.threads": 4,
        "background.threads": 4,
        "num.recovery.threads.per.data.dir": 2,
        "log.cleaner.dedupe.buffer.size": 16 * 1024 * 1024,
        "log.segment.bytes": 128 * 1024 * 1024,
        "log.index.size.max.bytes": 1024 * 1024,
        # after a crash the broker waits until its former self is given up, counted from its own start;
        # six heartbeats, as a machine short of processor time must not look like a crash
        "broker.session.timeout.ms": 3000,
        "broker.heartbeat.interval.ms": 500,
        # whoever shares a machine with the broker may be missed sooner than over a network
        "group.min.session.timeout.ms": 3000,
        # an idle quorum of one writes an empty record twice a second otherwise
        "metadata.max.idle.interval.ms": 5000,
    }


def _cluster_id(home: Path) -> str:
    """Return the same id for all brokers of a home, also for one that comes later because its disk was lost."""
    digest = uuid.uuid5(uuid.NAMESPACE_URL, home.as_uri()).bytes
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _format(program: jvm.Program, configuration: Path, *, cache: Path, cluster_id: str) -> None:
    """Give the storage its identity, which Kafka demands before its first start."""
    formatter = replace(
        program,
        main_class="kafka.tools.StorageTool",
        # one word, as an id may begin with a dash
        arguments=("format", f"--cluster-id={cluster_id}", "--config", str(configuration)),
    )
    result = subprocess.run(
        jvm.command(formatter, cache=cache, aot=True),
        cwd=configuration.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        reason = (result.stderr.strip() or result.stdout.strip()).splitlines()
        raise KafkaError(
            f"Kafka's storage in {configuration.parent / 'data'} cannot be formatted: "
            f"{reason[-1] if reason else f'exit {result.returncode}'}."
        )
