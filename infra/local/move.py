"""Moving a context of the local stack to a database of its own in the same server."""

from infra.deployment import Capture, Deployment
from infra.local.home import exclusive
from infra.local.provision import provision_database
from infra.local.running import NotRunningError
from infra.local.supervision.client import Supervisor
from infra.local.up import UpReport, up
from infra.moving.move import Move, Moved, plan
from infra.settings import Settings


def move(settings: Settings, context: str, told: UpReport, *, drop: bool = False) -> Moved:
    """Move a context to where the settings say that it is, and start what works in it anew."""
    if not Supervisor(settings.home).is_running():
        raise NotRunningError(
            "The stack is down, and a context is moved while its connector runs: leave it out of databases, run "
            "`make up`, name it again and go on."
        )
    deployment = settings.deployment()
    with exclusive(settings.home):
        work = Move(deployment, plan(deployment, context), _prepare)
        work.run(told)
    up(settings, told)
    return work.prove(told, drop=drop)


def _prepare(deployment: Deployment, capture: Capture) -> str:
    return ", ".join(provision_database(deployment, capture)[:1])
