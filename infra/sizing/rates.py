"""The rates that were measured, as `rates.toml` has them."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

Part = Literal["connector", "decoding", "relay", "worker", "partition", "broker"]
Stored = Literal["outbox_row", "inbox_row", "record"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """What one of a part carries."""

    per_s: float
    unit: str
    what: str
    command: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What was measured, and where."""

    machine: str
    cores: int
    parts: Mapping[Part, Rate]
    bytes: Mapping[Stored, int]


PARTS: tuple[Part, ...] = ("connector", "decoding", "relay", "worker", "partition", "broker")
STORED: tuple[Stored, ...] = ("outbox_row", "inbox_row", "record")


@cache
def measured() -> Rates:
    told = tomllib.loads(files(__package__).joinpath("rates.toml").read_text())
    return Rates(
        machine=told["machine"],
        cores=told["cores"],
        parts={part: Rate(**told[part]) for part in PARTS},
        bytes={stored: told[stored]["bytes"] for stored in STORED},
    )
