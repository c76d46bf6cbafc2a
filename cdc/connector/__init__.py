"""The Debezium connector that carries the outbox to Kafka: its configuration, and keeping it applied and running."""

from cdc.connector.config import NAME, ConnectorSettings, profiles, render
from cdc.connector.connect import (
    Applied,
    ConnectError,
    ConnectorStatus,
    Position,
    apply,
    create_stopped,
    delete,
    forget_position,
    read_position,
    restart,
    show,
    status,
    stop,
    urls_of,
    wait_until_running,
)

__all__ = [
    "NAME",
    "Applied",
    "ConnectError",
    "ConnectorSettings",
    "ConnectorStatus",
    "Position",
    "apply",
    "create_stopped",
    "delete",
    "forget_position",
    "profiles",
    "read_position",
    "render",
    "restart",
    "show",
    "status",
    "stop",
    "urls_of",
    "wait_until_running",
]
