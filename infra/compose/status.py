"""How every container is: seen by the engine, and by whether the part in it answers."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime

from infra.compose.engine import Container, Engine
from infra.local.parts import RETENTION_PART, SHARED, Part, parts_with
from infra.local.status import STARTING_TIME_S, PartStatus
from infra.settings import Settings

STATES = {"restarting": "restarting", "paused": "frozen", "exited": "stopped", "dead": "failed"}


def parts_of_containers() -> tuple[Part, ...]:
    """Return the parts that have a container, of their own or with others."""
    return parts_with("cdc", "single", optional=())


def container_of(part: Part) -> str:
    return SHARED if part.may_share else part.name


def ready(settings: Settings, part: Part, found: Mapping[str, Container]) -> bool:
    """Tell whether a part does its work."""
    container = found.get(container_of(part))
    if container is None or not container.is_running:
        return False
    # what it has done is noted down in its container
    return part is RETENTION_PART or part.is_ready(settings)


def status(settings: Settings) -> list[PartStatus]:
    """Look at every part; works as well when nothing runs."""
    engine = Engine(settings)
    engine.require()
    found = engine.containers()
    return [_status(settings, part, found) for part in parts_of_containers()]


def _status(settings: Settings, part: Part, found: Mapping[str, Container]) -> PartStatus:
    container = found.get(container_of(part))
    runs = container is not None and container.is_running
    uptime_s = _seconds_since(container.started_at) if container and runs else None
    return PartStatus(
        name=part.name,
        program=container_of(part),
        state=_state(settings, part, found, uptime_s),
        pid=container.pid if container and runs else None,
        url=part.url(settings),
        uptime_s=uptime_s,
        restarts=container.restarts if container else 0,
        memory_mb=None,
    )


def _state(
    settings: Settings, part: Part, found: Mapping[str, Container], uptime_s: int | None
) -> str:
    container = found.get(container_of(part))
    if container is None or uptime_s is None:
        return STATES.get(container.state, "stopped") if container else "stopped"
    if ready(settings, part, found):
        return "running"
    return "starting" if uptime_s < STARTING_TIME_S else "unresponsive"


def _seconds_since(moment: str) -> int:
    began = datetime.fromisoformat(moment.partition(".")[0].rstrip("Z")).replace(tzinfo=UTC)
    return max(0, int(time.time() - began.timestamp()))
