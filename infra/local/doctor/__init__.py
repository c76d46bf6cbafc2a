"""The doctor: a list of small checks, each of which says OK, or what is wrong and how to mend it."""

from infra.local.doctor.check import Check, Finding, examine
from infra.local.doctor.database import database_checks
from infra.local.doctor.machine import MACHINE_CHECKS
from infra.local.doctor.parts import part_checks
from infra.local.doctor.pipeline import pipeline_checks
from infra.local.doctor.retention import RETENTION_CHECKS
from infra.local.doctor.slot import slot_checks
from infra.local.programs import publisher
from infra.settings import Settings

__all__ = ["Check", "Finding", "diagnose"]


def diagnose(settings: Settings) -> list[Finding]:
    """Run every check and return what it found, in the order of the pipeline."""
    by = publisher(settings)
    settings = settings.model_copy(update={"publisher": by})
    checks = (
        *MACHINE_CHECKS,
        *part_checks(settings),
        *database_checks(by),
        *slot_checks(by),
        *RETENTION_CHECKS,
        *pipeline_checks(by),
    )
    return examine(checks, settings)
