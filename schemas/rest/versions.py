"""A version of a REST API, and when it ends."""

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Version:
    """A version of an API.

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
