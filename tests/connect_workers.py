"""Which worker of Connect does what."""

from cdc import connector
from infra.local.parts import CONNECT_OF_A_CLUSTER
from tests.stack import RunningStack


def worker_of_the_task(stack: RunningStack) -> str:
    """Return the part of a cluster that runs the connector's task."""
    url = stack.settings.connect_url
    ran = connector.status(url, connector.NAME)
    return CONNECT_OF_A_CLUSTER[connector.urls_of(url).index(f"http://{ran.worker}")]
