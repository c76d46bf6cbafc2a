"""What an account is, and which tier its points reach. No I/O."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class Tier(StrEnum):
    """Standing in the programme, from low to high."""

    STANDARD = "standard"
    SILVER = "silver"
    GOLD = "gold"
    PLATINUM = "platinum"


POINTS = {Tier.PLATINUM: 100, Tier.GOLD: 20, Tier.SILVER: 5, Tier.STANDARD: 0}
"""Points from which a user has a tier, from high to low."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What one user has earned: a point for each order that was confirmed.

    What the orders came to does not count, as amounts in several currencies do not add up.
    """

    user_id: UUID
    points: int
    updated_at: datetime | None

    @property
    def tier(self) -> Tier:
        return next(tier for tier, points in POINTS.items() if self.points >= points)
