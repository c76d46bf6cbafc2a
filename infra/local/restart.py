"""Restarting one part of a running stack, with those that share its process."""

import time
from dataclasses import dataclass

from infra.local.groups import wait_for_groups
from infra.local.home import exclusive
from infra.local.running import parts_together
from infra.local.starter import Starter
from infra.local.supervision.client import Supervisor
from infra.pipeline import GROUPS
from infra.settings import Settings


@dataclass(frozen=True, slots=True)
class Restarted:
    """What a restart did."""

    seconds: float  # seconds until all that was stopped was ready again
    together: tuple[str, ...]  # the parts whose process it was


def restart(settings: Settings, name: str) -> Restarted:
    """Stop the part's process in good order, start it again and wait until it is ready."""
    supervisor = Supervisor(settings.home)
    program, together = parts_together(settings, supervisor, name)
    with exclusive(settings.home):
        begin = time.monotonic()
        supervisor.stop([program])
        starter = Starter(settings, supervisor)
        for part in together:
            starter.launch(part)
            starter.wait_ready(part)
        if groups := [part.name for part in together if part.name in GROUPS]:
            wait_for_groups(settings, starter.cancelled, groups)
        return Restarted(time.monotonic() - begin, tuple(part.name for part in together))
