"""Differences from what is declared, as the doctor tells of them."""

from collections.abc import Sequence

from infra.drift.difference import Difference, told
from infra.operations.doctor.check import Trouble


def require_none(differences: Sequence[Difference]) -> None:
    if differences:
        raise Trouble(*told(differences))
