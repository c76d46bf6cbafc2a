"""The program that sees to it that commits wait for the standby, and for no standby that is gone."""

from pathlib import Path

from infra.interpreter import module_command
from infra.local.probe import touched_lately
from infra.local.program import Program, python_program
from infra.services import STANDBY
from infra.settings import Settings

NAME = "standby-watch"
FRESH_S = 15.0


def prepare(settings: Settings) -> Program:
    environment = {
        "TAILRACE_DATABASE_URL": settings.database_url(STANDBY, "postgres"),
        "TAILRACE_STANDBY": STANDBY,
        "TAILRACE_STANDBY_BEHIND_FILE": str(behind_file(settings)),
        "TAILRACE_STANDBY_LOOK_FILE": str(_look_file(settings)),
    }
    return python_program(NAME, module_command("cdc.standby"), environment)


def is_ready(settings: Settings) -> bool:
    """Tell whether it has looked lately."""
    return touched_lately(_look_file(settings), within_s=FRESH_S)


def behind_file(settings: Settings) -> Path:
    """Return the mark that the standby may lack something."""
    return settings.home / "supervisor" / "standby.behind"


def _look_file(settings: Settings) -> Path:
    return settings.home / "supervisor" / "standby.look"
