"""Restarting one part of a running stack."""

import time

from infra.errors import TailraceError
from infra.local.home import exclusive, is_home
from infra.local.parts import parts_with
from infra.local.pipeline import GROUPS, wait_for_groups
from infra.local.programs import publisher
from infra.local.starter import Starter
from infra.local.supervision.client import Supervisor
from infra.settings import Settings


class NotRunningError(TailraceError):
    """The stack is down."""


def restart(settings: Settings, name: str) -> float:
    """Stop the part in good order, start it again and return the seconds until it was ready.

    Raises:
        NotRunningError: the stack is down.
        TailraceError: the part does not come up again.
    """
    supervisor = Supervisor(settings.home)
    if not is_home(settings.home) or not supervisor.is_running():
        raise NotRunningError("The stack is down: run `make up`.")
    kind = publisher(settings)
    part = next((part for part in parts_with(kind) if part.name == name), None)
    if part is None:
        raise NotRunningError(
            f"{name} is no part of this stack, whose publisher is {kind}: `make up PUBLISHER=...` changes it."
        )
    with exclusive(settings.home):
        begin = time.monotonic()
        supervisor.stop([name])
        starter = Starter(settings, supervisor)
        starter.launch(part)
        starter.wait_ready(part)
        if name in GROUPS:
            wait_for_groups(settings, starter.cancelled, [name])
        return time.monotonic() - begin
