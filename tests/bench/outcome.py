"""What a benchmark found: its runs and ratios, where it ran, and the file that keeps it."""

import json
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil

from infra.settings import REPOSITORY
from tests.bench.figures import median

DIRECTORY = REPOSITORY / ".bench"


def load_average() -> float:
    """Return how many processes have wanted a processor, on average over the last minute."""
    return round(os.getloadavg()[0], 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One measurement of one contender.

    Args:
        contender: Who was measured.
        kind: What was measured, such as `rate`.
        round: In which round, from 1.
        events: Events that were to take effect, and did.
        figures: What was found, by a name that ends in the unit.
        load: Load average of the machine at the end.
    """

    contender: str
    kind: str
    round: int
    events: int
    figures: Mapping[str, float]
    load: float = field(default_factory=load_average)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a benchmark found.

    Args:
        name: Name of the benchmark.
        machine: Where it ran.
        ratios: The figures that count, candidate to reference.
        runs: Every measurement.
    """

    name: str
    machine: Mapping[str, Any]
    ratios: Mapping[str, float]
    runs: Sequence[Run]

    def document(self) -> dict[str, Any]:
        """Return it as JSON keeps it."""
        return {
            "name": self.name,
            "machine": dict(self.machine),
            "ratios": {name: round(value, 3) for name, value in self.ratios.items()},
            "runs": [_run_document(run) for run in self.runs],
        }

    def save(self, directory: Path = DIRECTORY) -> Path:
        """Write it to `<name>.json` and return the file."""
        directory.mkdir(exist_ok=True)
        path = directory / f"{self.name}.json"
        path.write_text(json.dumps(self.document(), indent=2) + "\n")
        return path


def machine() -> dict[str, Any]:
    """Describe the machine as it is now."""
    return {
        "cpus": os.cpu_count(),
        "memory_mb": psutil.virtual_memory().total // 2**20,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "load": load_average(),
    }


def medians(runs: Sequence[Run], kind: str, figure: str) -> dict[str, float]:
    """Return the median of a figure over all rounds, for each contender that has it."""
    return {
        contender: value
        for contender in dict.fromkeys(run.contender for run in runs)
        if (value := median(_figures(runs, contender, kind, figure))) is not None
    }


def _figures(runs: Sequence[Run], contender: str, kind: str, figure: str) -> Iterator[float]:
    for run in runs:
        if (run.contender, run.kind) == (contender, kind) and figure in run.figures:
            yield run.figures[figure]


def _run_document(run: Run) -> dict[str, Any]:
    figures = {name: round(value, 3) for name, value in run.figures.items()}
    return asdict(run) | {"figures": figures}
