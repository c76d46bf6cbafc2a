"""What a stack has one of, or several, by its shape."""

from collections.abc import Mapping
from typing import Literal

from cdc.manifest import Service
from infra.services import RELAY_SERVICE, WORKERS

HOST = "127.0.0.1"
"""Where all of the stack listens."""
Shape = Literal["single", "cluster"]
TWICE = (RELAY_SERVICE, *WORKERS)
"""Services that a cluster runs two of."""
SECOND = 100
"""By how much the default port of the second one is higher."""
BROKERS: Mapping[Shape, tuple[str, ...]] = {
    "single": ("kafka",),
    "cluster": ("kafka-1", "kafka-2", "kafka-3"),
}
"""Shape of a stack -> its brokers, which are also the directories of their data."""
CONNECT: Mapping[Shape, tuple[str, ...]] = {
    "single": ("connect",),
    "cluster": ("connect-1", "connect-2"),
}
"""Shape of a stack -> its workers of Kafka Connect."""
RELAYS: Mapping[Shape, tuple[str, ...]] = {
    "single": (RELAY_SERVICE.name,),
    "cluster": (RELAY_SERVICE.name, f"{RELAY_SERVICE.name}-2"),
}
"""Shape of a stack -> its relays."""
POSTGRES: Mapping[Shape, tuple[str, ...]] = {
    "single": ("postgres",),
    "cluster": ("postgres", "postgres-2"),
}
"""Shape of a stack -> its servers of Postgres, which are also the directories of their data."""


def second_port_setting(service: Service) -> str:
    """Return the setting with the port of the second one of a service."""
    return f"{service.port_setting.removesuffix('_port')}_2_port"


CLUSTER_PORTS = frozenset(
    {
        *("kafka_2_port", "kafka_2_controller_port", "kafka_3_port", "kafka_3_controller_port"),
        *("postgres_2_port", "connect_2_port"),
        *("kafka_2_metrics_port", "kafka_3_metrics_port", "connect_2_metrics_port"),
        *map(second_port_setting, TWICE),
    }
)
JVM_METRICS_PORTS = frozenset(
    {
        *("kafka_metrics_port", "kafka_2_metrics_port", "kafka_3_metrics_port"),
        *("connect_metrics_port", "connect_2_metrics_port"),
    }
)
