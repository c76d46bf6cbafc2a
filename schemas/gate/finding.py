"""What the gate says about a change that would break somebody: one finding per broken rule."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One reason to refuse a change.

    Args:
        subject: What is judged, such as `orders.OrderCreated`, `tailrace.users.v1` or `storefront v1`.
        path: Where in it, as a JSON pointer followed by the name of what stands there: `/fields/3 total`.
        rule: Stable name of the broken rule, such as `field-added-without-default`.
        problem: What is wrong and who suffers from it, as a clause with neither capital nor full stop.
        fix: What to do about it, as a sentence without full stop.
        file: Path of the contract file, relative to the root of the repository.
        line: Line in that file, counted from 1.
    """

    subject: str
    path: str
    rule: str
    problem: str
    fix: str
    file: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        return f"{self.subject} {self.path}: {self.problem}. {self.fix}"
