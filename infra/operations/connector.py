"""The connector: how it and its slot stand, and recovering a slot that was lost."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cdc import connector as debezium
from cdc.database import connect
from cdc.reconciliation import Progress
from cdc.recovery import Capture, Recovered, Tell, recover, rehearse
from cdc.slot import Slot
from cdc.slot.health import Diagnosis
from cdc.slot.obstacles import Obstacle
from infra.capture import connector_settings, examine, in_the_way, outbox_urls, slot
from infra.deployment import Deployment
from infra.drift.difference import Difference
from infra.drift.publication import publication_differences
from infra.publishing import require_connector
from infra.services import CAPTURE, OWNER


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
        """Whether it runs, and nothing is wrong."""
        return self.state.is_running and not (
            self.diagnosis.ailment or self.obstacles or self.differences
        )


def report(deployment: Deployment) -> ConnectorReport:
    """Look at connector, task, slot and publication."""
    require_connector(deployment)
    state = debezium.status(deployment.connect_url, debezium.NAME)
    held, diagnosis, obstacles = slot(deployment), examine(deployment), in_the_way(deployment)
    with connect(deployment.database_url(OWNER), autocommit=True) as connection:
        differing = publication_differences(connection)
    return ConnectorReport(state, held, diagnosis, obstacles, differing)


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
