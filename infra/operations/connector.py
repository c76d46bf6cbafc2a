"""The connector of each capture: how it and its slot stand, and recovering a slot that was lost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from cdc import connector as debezium
from cdc.database import connect
from cdc.reconciliation import Progress
from cdc.recovery import Capture as LostCapture
from cdc.recovery import Recovered, Tell, recover, rehearse
from cdc.slot import Slot
from cdc.slot.health import Diagnosis
from cdc.slot.obstacles import Obstacle
from infra.capture import examine, in_the_way, rendered, require_slot, slot
from infra.deployment import Capture, Deployment
from infra.drift.difference import Difference
from infra.drift.publication import publication_differences
from infra.patience import Patience
from infra.pipeline import apply_connector
from infra.publishing import require_connector
from infra.services import CAPTURE, OWNER

RESTART_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorReport:
    """How a connector stands."""

    name: str
    capture: str
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


def reports(deployment: Deployment) -> list[ConnectorReport]:
    """Return how the connector of each capture stands, that of the main one first."""
    return [_report(require_connector(deployment), each) for each in deployment.captures]


def _report(deployment: Deployment, capture: Capture) -> ConnectorReport:
    state = debezium.status(deployment.connect_url, capture.connector)
    diagnosis, obstacles = examine(deployment, capture), in_the_way(deployment, capture)
    with connect(capture.url(OWNER), autocommit=True) as connection:
        differing = publication_differences(connection, capture.outboxes)
    return ConnectorReport(
        name=capture.connector,
        capture=capture.name,
        state=state,
        slot=slot(capture),
        diagnosis=diagnosis,
        obstacles=obstacles,
        differences=differing,
    )


def apply(deployment: Deployment) -> Mapping[str, str]:
    """Bring each connector to its configuration and wait until it runs; return what that took, by its name."""
    require_connector(deployment)
    return {each.connector: apply_connector(deployment, each) for each in deployment.captures}


def configured(deployment: Deployment, name: str) -> Mapping[str, str]:
    """Return the configuration of a capture's connector that would be applied; it refers to secrets and holds none."""
    return rendered(deployment, deployment.find_capture(name))


def held(deployment: Deployment, name: str) -> Mapping[str, str] | None:
    """Return the configuration that Connect holds of a capture's connector; None when it has no such connector."""
    connector = deployment.find_capture(name).connector
    return debezium.show(require_connector(deployment).connect_url, connector)


def restart(deployment: Deployment) -> Mapping[str, str]:
    """Restart each connector and its task, and wait until they run; a slot that rows would be lost with is refused."""
    url = require_connector(deployment).connect_url
    for capture in deployment.captures:
        require_slot(deployment, capture)
        debezium.restart(url, capture.connector)
        debezium.wait_until_running(url, capture.connector, RESTART_TIMEOUT_S, Patience().look)
    return {each.connector: "restarted" for each in deployment.captures}


@dataclass(frozen=True, slots=True)
class Ailing:
    """What is wrong with the slot, and how the connector stands."""

    diagnosis: Diagnosis
    state: debezium.ConnectorStatus


def diagnose(deployment: Deployment, capture: Capture) -> Ailing:
    state = debezium.status(require_connector(deployment).connect_url, capture.connector)
    return Ailing(examine(deployment, capture), state)


def worst(deployment: Deployment) -> Capture:
    """Return the first capture that something is wrong with; the main one when nothing is."""
    require_connector(deployment)
    ailing = (each for each in deployment.captures if examine(deployment, each).ailment)
    return next(ailing, deployment.main)


def recover_slot(
    deployment: Deployment,
    capture: Capture,
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
    lost = LostCapture(
        url=capture.url(CAPTURE),
        slot=capture.slot,
        connector=capture.connector,
        connect_url=deployment.connect_url,
        config=rendered(deployment, capture),
        bootstrap=deployment.kafka_bootstrap,
        outboxes=capture.outbox_urls(),
    )
    if dry_run:
        return rehearse(lost, since, progress)
    return recover(lost, since, progress, tell, leave_out=leave_out)
