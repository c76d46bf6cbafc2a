"""What a REST API declares of itself, once, as `API` in its folder of the contract."""

from dataclasses import dataclass

from schemas.rest.problem import ProblemType, require_distinct
from schemas.rest.versions import Version

FIGURES_SCOPE = "figures"
"""What credentials have to allow for looking at how a service does."""
READING = frozenset({"GET", "HEAD"})
"""Methods that change nothing."""


@dataclass(frozen=True, slots=True)
class Api:
    """A REST API, whichever services serve it.

    Args:
        name: Name of its folder.
        versions: Every version that is served, oldest first.
        problems: Kinds of problems that are its own, beside those that all services share.
    """

    name: str
    versions: tuple[Version, ...]
    problems: tuple[ProblemType, ...] = ()

    def __post_init__(self) -> None:
        """Refuse versions of which the newest cannot be told, and problems that cannot be told apart.

        Raises:
            ValueError: there is no version, they are not in the order of their numbers, or two problems have one name.
        """
        numbers = [version.number for version in self.versions]
        if not numbers or numbers != sorted(set(numbers)):
            raise ValueError(f"the versions of {self.name} are not there, oldest first")
        require_distinct(self.problems)

    def scope_of(self, method: str) -> str:
        """Return what credentials have to allow for a request with this method."""
        return f"{self.name}:{'read' if method in READING else 'write'}"

    @property
    def scopes(self) -> tuple[str, str]:
        """Every scope that its operations ask for."""
        return self.scope_of("GET"), self.scope_of("POST")

    def successor_of(self, version: Version) -> Version | None:
        """Return the version that came after this one, if one did."""
        later = (other for other in self.versions if other.number > version.number)
        return next(later, None)
