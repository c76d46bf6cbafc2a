"""Stopping all programs in a kind order: workers and services first, the database last."""

from itertools import groupby

from infra.local.programs import remembered
from infra.local.supervision import leftovers
from infra.local.supervision.client import Supervisor
from infra.settings import Settings


def stop_everything(settings: Settings, supervisor: Supervisor) -> tuple[list[str], int]:
    """Stop all programs and supervisord, then end what ran without it; return the programs, and how many processes."""
    stopped: list[str] = []
    if supervisor.is_running():
        programs = sorted(remembered(settings.home), key=lambda program: -program.stage)
        for _, together in groupby(programs, key=lambda program: program.stage):
            stopped += supervisor.stop([program.name for program in together])
        supervisor.shutdown()
    return stopped, leftovers.end(settings.home)
