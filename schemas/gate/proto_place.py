"""Where in the protos a finding stands, and what all kinds of types share: reserved numbers and names."""

from collections.abc import Iterator
from dataclasses import dataclass

from schemas.gate.finding import Finding
from schemas.gate.proto_model import Reserved
from schemas.gate.proto_options import Options

_LARGEST = {2**29 - 1, 2**31 - 1}  # what `max` stands for, in messages and in enums


@dataclass(frozen=True, slots=True)
class Place:
    """The package that is judged and one type in it.

    Args:
        package: Name of the package.
        file: Path of the file relative to the root of the repository.
        name: Name of the type within the package, such as `User.Address`.
        line: Line of the type in the new file.
    """

    package: str
    file: str
    name: str
    line: int | None

    def finding(
        self, member: str, rule: str, problem: str, fix: str, *, line: int | None = None
    ) -> Finding:
        """Return a finding about a member of the type, or about the type if `member` is empty."""
        path = f"/{self.name}/{member}" if member else f"/{self.name}"
        return Finding(
            subject=self.package,
            path=path,
            rule=rule,
            problem=problem,
            fix=fix,
            file=self.file,
            line=line or self.line,
        )


def check_options(
    place: Place, member: str, old: Options, new: Options, line: int | None
) -> Iterator[Finding]:
    """Yield a finding for every option that says something else now."""
    for name, was in old.items():
        is_now = new.get(name, was)
        if was != is_now:
            problem = f"the option {name} went from {was} to {is_now}; code that is generated from now on does not fit"
            yield place.finding(member, "option-changed", problem, f"Keep {was}", line=line)


def not_reserved(reserved: Reserved, number: int, name: str) -> str | None:
    """Return what is still to be reserved after a removal, such as `number 3 and name "email"`.

    Args:
        reserved: What the new version reserves.
        number: The number that was removed.
        name: The name that was removed.
    """
    missing = [] if reserved.has_number(number) else [f"number {number}"]
    missing += [] if name in reserved.names else [f'name "{name}"']
    return " and ".join(missing) or None


def dropped_reservations(place: Place, old: Reserved, new: Reserved) -> Iterator[Finding]:
    """Yield a finding for every range of numbers and every name that is no longer reserved."""
    lost = [_range(*gap) for taken in old.ranges for gap in _gaps(taken, new)]
    lost += [f'name "{name}"' for name in sorted(old.names - new.names)]
    for what in lost:
        problem = f"{what} may be taken again; an old program means something else by it"
        yield place.finding("", "reservation-dropped", problem, f"Reserve {what} again")


def _gaps(taken: tuple[int, int], new: Reserved) -> Iterator[tuple[int, int]]:
    """Yield the parts of an old range that the new ranges leave free."""
    first, last = taken
    for low, high in sorted(new.ranges):
        if high < first or low > last:
            continue
        if low > first:
            yield first, low - 1
        first = high + 1
    if first <= last:
        yield first, last


def _range(first: int, last: int) -> str:
    if first == last:
        return f"number {first}"
    return f"numbers {first} to {'max' if last in _LARGEST else last}"
