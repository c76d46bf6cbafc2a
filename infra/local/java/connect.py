"""Kafka Connect: distributed workers with Debezium's PostgreSQL connector on its class path."""

from dataclasses import replace
from pathlib import Path

from infra.local.java import artifacts, jvm
from infra.local.java.configuration import (
    jvm_options,
    make_directory,
    write_log4j,
    write_properties,
)
from infra.local.java.process import Process
from infra.local.probe import http_ok
from infra.settings import HOST

# No light compilation as for the other parts, unless asked for: this JVM works on every single record, and fully
# compiled it needs 40% less processor time for it.
HEAP_MB = 384
TIMER_SLACK_NS = "1000000"

# what the connectors do is worth reading; what every client is configured with is not
LOGGERS = {
    "org.apache.kafka": "warn",
    "org.apache.kafka.connect": "info",
    "org.apache.kafka.connect.runtime.WorkerInfo": "warn",
    "org.apache.kafka.connect.runtime.isolation": "warn",
    "org.apache.kafka.connect.runtime.rest": "warn",
    "org.apache.kafka.connect.util.KafkaBasedLog": "warn",
    "org.eclipse.jetty": "warn",
    "org.glassfish.jersey": "error",
}


def prepare(
    *,
    home: Path,
    cache: Path,
    port: int,
    kafka_bootstrap: str,
    name: str = "connect",
    replicas: int = 1,
    aot: bool = True,
) -> Process:
    """Write a worker's configuration and describe its process; it needs a broker that is ready.

    Args:
        home: the stack's home; everything goes to `<home>/<name>`. Connectors may refer to the files of
            `<home>/connect/secrets` as `${directory:<home>/connect/secrets:<file name>}`, and to no others: whoever
            may configure a connector may read what it refers to.
        name: of the part.
        replicas: how many brokers keep what the workers store in Kafka.
    """
    directory = make_directory(home, name)
    secrets = make_directory(home, "connect") / "secrets"
    secrets.mkdir(mode=0o700, exist_ok=True)  # the worker refuses to start without
    configuration = write_properties(
        directory / "worker.properties",
        settings(port=port, kafka_bootstrap=kafka_bootstrap, secrets=secrets, replicas=replicas),
    )
    log4j = write_log4j(directory / "log4j2.properties", "info", LOGGERS)
    program = jvm.Program(
        name="connect",
        main_class="org.apache.kafka.connect.cli.ConnectDistributed",
        class_path=artifacts.class_path(cache, "connect"),
        heap_mb=HEAP_MB,
        options=jvm_options(directory, log4j),
        arguments=(str(configuration),),
    )
    argv = jvm.command(program, cache=cache, aot=aot)
    return Process(name, argv, {}, directory, (configuration, log4j))


def with_late_timers(process: Process) -> Process:
    """Have the kernel end each wait of a process up to a millisecond late, where there is Linux.

    Debezium's queue waits for whole milliseconds and compares with "longer than", so that it asks the clock in a loop
    for the last one of each poll. Idle, that took a sixth of a core; a wait that ends late leaves nothing to loop for.
    """
    late = '{ echo "$0" > /proc/self/timerslack_ns; } 2>/dev/null; exec "$@"'
    return replace(process, argv=["/bin/sh", "-c", late, TIMER_SLACK_NS, *process.argv])


def compiling_lightly(process: Process) -> Process:
    """Have a process save the three seconds of processor time of full compilation, for a stack that does little."""
    java, *arguments = process.argv
    return replace(process, argv=[java, "-XX:TieredStopAtLevel=1", *arguments])


def is_ready(port: int) -> bool:
    """Tell whether the worker has joined its group and takes requests."""
    return http_ok(port, "/health")


def settings(*, port: int, kafka_bootstrap: str, secrets: Path, replicas: int) -> dict[str, object]:
    provider = "org.apache.kafka.common.config.provider.DirectoryConfigProvider"
    return {
        "bootstrap.servers": kafka_bootstrap,
        "group.id": "tailrace-connect",
        "listeners": f"http://{HOST}:{port}",
        "rest.advertised.host.name": HOST,
        "rest.advertised.port": port,
        "config.storage.topic": "connect-configs",
        "config.storage.replication.factor": replicas,
        "offset.storage.topic": "connect-offsets",
        "offset.storage.replication.factor": replicas,
        "offset.storage.partitions": 1,
        "status.storage.topic": "connect-status",
        "status.storage.replication.factor": replicas,
        "status.storage.partitions": 1,
        "key.converter": "org.apache.kafka.connect.storage.StringConverter",
        "value.converter": "org.apache.kafka.connect.converters.ByteArrayConverter",
        # everything stands on the class path and announces itself as a service
        "plugin.discovery": "service_load",
        "connector.client.config.override.policy": "All",
        "config.providers": "directory",
        "config.providers.directory.class": provider,
        "config.providers.directory.param.allowed.paths": secrets,
        "producer.compression.type": "lz4",
        "offset.flush.interval.ms": 1000,
        # it may be started before the broker: do not pause for long between attempts
        "reconnect.backoff.max.ms": 250,
        # after a crash the tasks are dealt out as soon as the broker has missed a worker, to itself when it is the only
        # one, instead of being left to the dead one for five minutes
        "session.timeout.ms": 4000,
        "heartbeat.interval.ms": 1000,
        "scheduled.rebalance.max.delay.ms": 0,
    }
