"""Upcasting: bridging what Avro's resolution cannot, when an old event means something else by now.

Avro fills defaults, follows aliases and widens numbers. It cannot split a field in two or work out a new one from an
old. An upcaster is a function for that, chosen by what the writer's schema lacks.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Datum = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Upcaster:
    """Turns the datum of an old event into what the current schema holds."""

    message: str
    # a field of the current schema; events whose writer did not know it are upcast
    written_without: str
    # Takes the datum as it was written and returns one that is complete by the current schema. It must not change
    # the one it is given.
    upcast: Callable[[Mapping[str, Any]], Datum]

    def applies_to(self, writer: Mapping[str, Any]) -> bool:
        names = {field["name"] for field in writer["fields"]}
        return self.written_without not in names


UPCASTERS: tuple[Upcaster, ...] = ()
"""Every upcaster, oldest first: each is given what the one before it made. A new one needs golden bytes from before."""
