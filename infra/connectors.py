"""Bringing the connector of a shard to its configuration."""

from cdc import connector
from infra.capture import rendered, require_slot
from infra.deployment import Deployment, Shard
from infra.patience import Patience

CONNECTOR_TIMEOUT_S = 60.0
"""As `Patience` counts them."""


def apply_connector(deployment: Deployment, shard: Shard) -> str:
    """Apply a shard's connector and wait until its task runs; return what applying did."""
    require_slot(deployment, shard)
    config = rendered(deployment, shard)
    done = connector.apply(deployment.connect_url, shard.connector, config)
    connector.wait_until_running(
        deployment.connect_url, shard.connector, CONNECTOR_TIMEOUT_S, Patience().look
    )
    return str(done)
