"""The program that looks after the outboxes: makes days of messages ahead, drops what is old and published."""

from pathlib import Path

from infra.interpreter import module_command
from infra.local.probe import touched_lately
from infra.local.program import Program, python_program
from infra.retention_access import looked_after
from infra.settings import Settings

ROUND_S = 3600


def prepare(settings: Settings) -> Program:
    argv = module_command("cdc.retention")
    environment = {
        "TAILRACE_OUTBOX_DATABASES": looked_after(settings.deployment(), settings.publisher),
        "TAILRACE_OUTBOX_DAYS": str(settings.outbox_days),
        "TAILRACE_OUTBOX_ROUND_S": str(ROUND_S),
        "TAILRACE_OUTBOX_ROUND_FILE": str(_round_file(settings)),
    }
    return python_program("retention", argv, environment)


def is_ready(settings: Settings) -> bool:
    """Tell whether it has made a round that it was due to make."""
    return touched_lately(_round_file(settings), within_s=2 * ROUND_S)


def _round_file(settings: Settings) -> Path:
    return settings.home / "supervisor" / "retention.round"
