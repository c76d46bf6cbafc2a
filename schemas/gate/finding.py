"""What the gate says about a change that would break somebody: one finding per broken rule."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One reason to refuse a change."""

    # what is judged, such as `orders.OrderCreated`, `tailrace.users.v1` or `storefront v1`
    subject: str
    # where in it, as a JSON pointer followed by the name of what stands there: `/fields/3 total`
    path: str = "/"
    rule: str  # stable name of the broken rule, such as `field-added-without-default`
    # what is wrong and who suffers from it, as a clause with neither capital nor full stop
    problem: str
    fix: str  # what to do about it, as a sentence without full stop
    file: str | None = None  # path of the contract file, relative to the root of the repository
    line: int | None = None  # line in that file, counted from 1

    def __str__(self) -> str:
        return f"{self.subject} {self.path}: {self.problem}. {self.fix}"
