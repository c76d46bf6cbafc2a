"""The Debezium connector that carries the outbox to Kafka: its configuration, and keeping it applied and running."""

from cdc.connector.config import NAME, ConnectorSettings, render
from cdc.connector.connect import (
    Applied,
    ConnectError,
    ConnectorStatus,
    apply,
    restart,
    show,
    status,
    wait_until_running,
)

__all__ = [
    "NAME",
    "Applied",
    "ConnectError",
    "ConnectorSettings",
    "ConnectorStatus",
    "apply",
    "render",
    "restart",
    "show",
    "status",
    "wait_until_running",
]
