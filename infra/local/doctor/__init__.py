"""The doctor of the local stack: machine, files and processes first, then what is asked of any installation."""

from collections.abc import Iterable
from dataclasses import replace

from infra.local.doctor.machine import machine_checks
from infra.local.doctor.parts import part_checks
from infra.local.doctor.standby import standby_checks
from infra.local.programs import publisher
from infra.operations.doctor import Finding, checks_of
from infra.operations.doctor.check import Check, examine
from infra.settings import Settings


def diagnose(settings: Settings) -> list[Finding]:
    """Run every check and return what it found, in the order of the pipeline."""
    by = publisher(settings)  # whose parts run; the database may be down
    checks = (
        *machine_checks(settings),
        *part_checks(settings),
        *standby_checks(settings),
        *_of_the_primary(checks_of(settings.deployment(), by), settings.primary),
    )
    return examine(checks, "run `make up`, which repairs what is missing")


def _of_the_primary(checks: Iterable[Check], primary: str) -> list[Check]:
    """Have what needs Postgres need the server that takes writes, whichever that is."""
    return [
        replace(each, needs=tuple(primary if need == "postgres" else need for need in each.needs))
        for each in checks
    ]
