"""Who publishes the outboxes of an installation, as its database tells."""

from cdc import retention
from cdc.relay.backlog import is_publishing
from infra.deployment import Capture, Deployment, Publisher
from infra.errors import TailraceError
from infra.services import RELAY


class NoConnectorError(TailraceError):
    """The relay publishes, and there is no connector to do anything about."""


def publisher(deployment: Deployment) -> Publisher:
    """Return who publishes: the relay if it does for any database, else the connectors."""
    return "relay" if "relay" in map(publisher_for, deployment.captures) else "cdc"


def publisher_for(capture: Capture) -> Publisher:
    """Return who publishes a database: the relay while it owes what its progress does not cover, else the connector."""
    return "relay" if is_publishing(capture.url(RELAY)) else "cdc"


def name_of(publisher: Publisher, capture: Capture) -> str:
    """Return who publishes a database, by the name that retention knows him by."""
    return (
        retention.relay(RELAY)
        if publisher == "relay"
        else retention.slot(*(shard.slot for shard in capture.shards))
    )


def require_connector(deployment: Deployment) -> Deployment:
    """Return the deployment when it is the connector that publishes there."""
    if publisher(deployment) == "relay":
        raise NoConnectorError(
            "The relay publishes here, and needs no connector: see `tailrace relay status`, or switch the local stack "
            "with `make up PUBLISHER=cdc`."
        )
    return deployment
