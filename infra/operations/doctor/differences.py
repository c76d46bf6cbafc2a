"""Differences from what is declared, as the doctor tells of them."""

from collections.abc import Sequence

from infra.drift.difference import Difference, told
from infra.operations.doctor.check import Trouble


def require_none(differences: Sequence[Difference]) -> None:
    """Do nothing when there is no difference.

    Raises:
        Trouble: there is one.
    """
    if differences:
        raise Trouble(*told(differences))
