"""Stopping the stack in a kind order, deleting it, and making sure that nothing of it lives on."""

from dataclasses import dataclass

from infra.errors import TailraceError
from infra.local.home import delete_home, exclusive, is_home, may_be_deleted
from infra.local.running import parts_together
from infra.local.stop import stop_everything
from infra.local.supervision import leftovers
from infra.local.supervision.client import Supervisor
from infra.settings import Settings


class DownError(TailraceError):
    """Something could not be stopped."""


@dataclass(frozen=True, slots=True)
class DownResult:
    """What a `down` did."""

    stopped: list[str]  # names of the programs that were running
    leftovers: int  # number of processes that ran without supervision and were ended


@dataclass(frozen=True, slots=True)
class PartDown:
    """What was stopped with a part."""

    program: str
    together: tuple[str, ...]  # the parts whose process it was, itself included


def take_down(settings: Settings, name: str, *, kill: bool) -> PartDown:
    """Stop one part, which stays down until `up` or `restart`.

    Args:
        settings: Of the stack, which is running.
        name: Of the part.
        kill: End it without a word to anybody, as the loss of its machine would.
    """
    supervisor = Supervisor(settings.home)
    program, together = parts_together(settings, supervisor, name)
    with exclusive(settings.home):
        if kill:
            supervisor.kill(program)
        else:
            supervisor.stop([program])
    return PartDown(program, tuple(part.name for part in together))


def down(settings: Settings) -> DownResult:
    """Stop everything: workers and services first, the database last; the data stay."""
    if not is_home(settings.home):
        return DownResult([], 0)
    with exclusive(settings.home):
        return _down(settings)


def reset(settings: Settings) -> None:
    if not may_be_deleted(settings.home):
        return
    with exclusive(settings.home):
        _down(settings)
        delete_home(settings.home)


def _down(settings: Settings) -> DownResult:
    result = DownResult(*stop_everything(settings, Supervisor(settings.home)))
    if survivors := leftovers.find(settings.home):
        listed = ", ".join(str(process.pid) for process in survivors)
        raise DownError(
            f"These processes could not be ended: {listed}. End them by hand, then try again."
        )
    return result
