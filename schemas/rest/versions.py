"""The versions of the REST API: the one place that says which there are, and when one of them ends."""

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Version:
    """A version of the API.

    Args:
        number: What it is called.
        deprecated_on: From when on nobody should begin to use it.
        sunset_on: The last day on which it is certain to answer.
    """

    number: int
    deprecated_on: date | None = None
    sunset_on: date | None = None

    def __post_init__(self) -> None:
        """Refuse an end that was not announced.

        Raises:
            ValueError: there is a last day, but no earlier day of deprecation.
        """
        if self.sunset_on and (not self.deprecated_on or self.sunset_on <= self.deprecated_on):
            raise ValueError(f"version {self.number} ends before it is deprecated")

    @property
    def prefix(self) -> str:
        """First segment of its paths, such as `/v1`."""
        return f"/v{self.number}"

    @property
    def media_type(self) -> str:
        """Media type of its bodies, such as `application/vnd.tailrace.v1+json`."""
        return f"{VENDOR}v{self.number}+json"


VENDOR = "application/vnd.tailrace."
"""Beginning of every media type that names a version."""

V1 = Version(1, deprecated_on=date(2026, 11, 23), sunset_on=date(2027, 11, 30))
V2 = Version(2)

VERSIONS = (V1, V2)
"""Every version that is served, oldest first."""
NEWEST = VERSIONS[-1]


def version_at(path: str) -> Version:
    """Return the version whose paths begin like this one.

    Raises:
        LookupError: the path begins with no version.
    """
    for version in VERSIONS:
        if path.startswith(f"{version.prefix}/"):
            return version
    raise LookupError(f"{path} begins with no version of the API")


def successor_of(version: Version) -> Version | None:
    """Return the version that came after this one, if one did."""
    later = [other for other in VERSIONS if other.number > version.number]
    return later[0] if later else None
