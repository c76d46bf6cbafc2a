"""The connector: how it and its slot stand, and recovering a slot that was lost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from cdc import connector as debezium
from cdc.database import connect
from cdc.reconciliation import Progress
from cdc.recovery import Capture, Recovered, Tell, recover, rehearse
from cdc.slot import Slot
from cdc.slot.health import Diagnosis
from cdc.slot.obstacles import Obstacle
from infra.capture import connector_settings, examine, in_the_way, outbox_urls, require_slot, slot
from infra.deployment import Deployment
from infra.drift.difference import Difference
from infra.drift.publication import publication_differences
from infra.patience import Patience
from infra.pipeline import apply_connector
from infra.publishing import require_connector
from infra.services import CAPTURE, OWNER

RESTART_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class ConnectorReport:
    """How the connector stands."""

    state: debezium.ConnectorStatus
    slot: Slot | None
    diagnosis: Diagnosis
    obstacles: Sequence[Obstacle]
    differences: Sequence[Difference]

    @property
    def is_well(self) -> bool:
        return self.state.is_running and not (
            self.diagnosis.ailment or self.obstacles or self.differences
        )


def report(deployment: Deployment) -> ConnectorReport:
    require_connector(deployment)
    state = debezium.status(deployment.connect_url, debezium.NAME)
    diagnosis, obstacles = examine(deployment), in_the_way(deployment)
    with connect(deployment.database_url(OWNER), autocommit=True) as connection:
        differing = publication_differences(connection)
    return ConnectorReport(state, slot(deployment), diagnosis, obstacles, differing)


def apply(deployment: Deployment) -> str:
    """Bring the connector to its configuration and wait until it runs; return what that took."""
    return apply_connector(require_connector(deployment))


def rendered(deployment: Deployment) -> Mapping[str, str]:
    """Return the configuration that would be applied; it refers to secrets and holds none."""
    return debezium.render(connector_settings(deployment))


def held(deployment: Deployment) -> Mapping[str, str] | None:
    """Return the configuration that Connect holds; None when it has no such connector."""
    return debezium.show(require_connector(deployment).connect_url, debezium.NAME)


def restart(deployment: Deployment) -> None:
    """Restart the connector and its task, and wait until they run; a slot that rows would be lost with is refused."""
    url = require_connector(deployment).connect_url
    require_slot(deployment)
    debezium.restart(url, debezium.NAME)
    debezium.wait_until_running(url, debezium.NAME, RESTART_TIMEOUT_S, Patience().look)


@dataclass(frozen=True, slots=True)
class Ailing:
    """What is wrong with the slot, and how the connector stands."""

    diagnosis: Diagnosis
    state: debezium.ConnectorStatus


def diagnose(deployment: Deployment) -> Ailing:
    require_connector(deployment)
    return Ailing(examine(deployment), debezium.status(deployment.connect_url, debezium.NAME))


def recover_slot(
    deployment: Deployment,
    since: datetime | None,
    progress: Progress,
    tell: Tell,
    *,
    leave_out: bool = False,
    dry_run: bool = False,
) -> Recovered:
    """Make a new slot, and publish again what Kafka lacks of rows written since; or say what that would be.

    Rows that no broker takes stop it, unless they are to be left out.
    """
    config = connector_settings(deployment)
    capture = Capture(
        url=deployment.database_url(CAPTURE),
        slot=config.slot,
        connect_url=deployment.connect_url,
        config=debezium.render(config),
        bootstrap=deployment.kafka_bootstrap,
        outboxes=outbox_urls(deployment),
    )
    if dry_run:
        return rehearse(capture, since, progress)
    return recover(capture, since, progress, tell, leave_out=leave_out)
