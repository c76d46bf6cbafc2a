"""The doctor of the local stack: machine, files and processes first, then what is asked of any installation."""

from infra.local.doctor.machine import machine_checks
from infra.local.doctor.parts import part_checks
from infra.local.programs import publisher
from infra.operations.doctor import Finding, checks_of
from infra.operations.doctor.check import examine
from infra.settings import Settings


def diagnose(settings: Settings) -> list[Finding]:
    """Run every check and return what it found, in the order of the pipeline."""
    by = publisher(settings)  # whose parts run; the database may be down
    checks = (
        *machine_checks(settings),
        *part_checks(settings),
        *checks_of(settings.deployment(), by),
    )
    return examine(checks, "run `make up`, which repairs what is missing")
