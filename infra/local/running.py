"""Parts of a running stack, and the process that each of them is in."""

from collections.abc import Sequence

from infra.errors import TailraceError
from infra.local.home import is_home
from infra.local.parts import Part
from infra.local.programs import parts_brought_up, publisher
from infra.local.supervision.client import Supervisor
from infra.settings import Settings


class NotRunningError(TailraceError):
    """The stack is down, or has no such part."""


def parts_together(
    settings: Settings, supervisor: Supervisor, name: str
) -> tuple[str, Sequence[Part]]:
    """Return the program that runs a part, and all parts that it runs."""
    if not is_home(settings.home) or not supervisor.is_running():
        raise NotRunningError("The stack is down: run `make up`.")
    programs = supervisor.processes()
    running = {part: part.program_in(programs) for part in parts_brought_up(settings)}
    program = next((program for part, program in running.items() if part.name == name), None)
    if program is None:
        raise NotRunningError(
            f"{name} is no part of this stack, whose publisher is {publisher(settings)} and whose profile is "
            f"{settings.shape}: `make status` shows its parts, and `make up PUBLISHER=...` changes the publisher."
        )
    return program, [part for part, runs_it in running.items() if runs_it == program]
