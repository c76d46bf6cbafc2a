"""A difference between what is declared and what is, and the statements that mend it."""

from collections.abc import Iterable
from dataclasses import dataclass

MIGRATE = "run `tailrace migrate`"  # the remedy for what differs in Postgres


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Something that is not as declared."""

    thing: str  # what differs, such as `orders.outbox: row level security`
    declared: str
    actual: str
    remedy: str  # what mends it, as a clause: the command, or what to do where no command can
    # SQL by which that command mends it; none where it cannot, or where it is not about Postgres
    statements: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.thing} is {self.actual}, and is declared as {self.declared}"


def told(differences: Iterable[Difference]) -> tuple[str, str]:
    found = list(differences)
    remedies = dict.fromkeys(each.remedy for each in found)
    return "; ".join(map(str, found)), "; ".join(remedies)
