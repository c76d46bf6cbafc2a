"""The doctor: a list of small checks, each of which says OK, or what is wrong and how to mend it."""

from infra.local.doctor.check import Check, Finding, examine
from infra.local.doctor.database import DATABASE_CHECKS
from infra.local.doctor.machine import MACHINE_CHECKS
from infra.local.doctor.parts import part_checks
from infra.local.doctor.pipeline import PIPELINE_CHECKS
from infra.local.doctor.slot import SLOT_CHECKS
from infra.settings import Settings

__all__ = ["Check", "Finding", "diagnose"]


def diagnose(settings: Settings) -> list[Finding]:
    """Run every check and return what it found, in the order of the pipeline."""
    checks = (
        *MACHINE_CHECKS,
        *part_checks(settings),
        *DATABASE_CHECKS,
        *SLOT_CHECKS,
        *PIPELINE_CHECKS,
    )
    return examine(checks, settings)
