"""Changing by how many connectors databases of the local stack are captured."""

from infra.local.home import exclusive
from infra.local.running import NotRunningError
from infra.local.supervision.client import Supervisor
from infra.local.up import UpReport, up
from infra.settings import Settings
from infra.sharding.reshard import Change, Tell, reshard


def reshard_stack(settings: Settings, tell: Tell, told: UpReport) -> list[Change]:
    """Have databases captured by as many connectors as the settings say, and tell whoever has to know."""
    if not Supervisor(settings.home).is_running():
        raise NotRunningError(
            "The stack is down, and the number of shards is changed while its connectors run: put shards back, run "
            "`make up`, change it again and go on."
        )
    with exclusive(settings.home):
        done = reshard(settings.deployment(), tell)
    up(settings, told)
    return done
