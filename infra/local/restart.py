"""Restarting one part of a running stack, with those that share its process."""

import time
from dataclasses import dataclass

from infra.errors import TailraceError
from infra.local.groups import wait_for_groups
from infra.local.home import exclusive, is_home
from infra.local.parts import parts_with
from infra.local.programs import publisher
from infra.local.starter import Starter
from infra.local.supervision.client import Supervisor
from infra.pipeline import GROUPS
from infra.settings import Settings


class NotRunningError(TailraceError):
    """The stack is down."""


@dataclass(frozen=True, slots=True)
class Restarted:
    """What a restart did."""

    seconds: float  # seconds until all that was stopped was ready again
    together: tuple[str, ...]  # the parts whose process it was


def restart(settings: Settings, name: str) -> Restarted:
    """Stop the part's process in good order, start it again and wait until it is ready."""
    supervisor = Supervisor(settings.home)
    if not is_home(settings.home) or not supervisor.is_running():
        raise NotRunningError("The stack is down: run `make up`.")
    kind, programs = publisher(settings), supervisor.processes()
    running = {part: part.program_in(programs) for part in parts_with(kind)}
    program = next((program for part, program in running.items() if part.name == name), None)
    if program is None:
        raise NotRunningError(
            f"{name} is no part of this stack, whose publisher is {kind}: `make up PUBLISHER=...` changes it."
        )
    with exclusive(settings.home):
        begin = time.monotonic()
        together = [part for part, runs_it in running.items() if runs_it == program]
        supervisor.stop([program])
        starter = Starter(settings, supervisor)
        for part in together:
            starter.launch(part)
            starter.wait_ready(part)
        if groups := [part.name for part in together if part.name in GROUPS]:
            wait_for_groups(settings, starter.cancelled, groups)
        return Restarted(time.monotonic() - begin, tuple(part.name for part in together))
