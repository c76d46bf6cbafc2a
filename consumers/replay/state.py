"""What is remembered of a replay so that it can be resumed: what was asked for, what was planned, how far it came."""

import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from consumers.replay import plan as plans
from consumers.replay.errors import ReplayError
from consumers.replay.source import Plan
from consumers.runtime.store import Place
from schemas.files import replace_file

Mode = Literal["sandbox", "topic", "live"]
RUN_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{4}")
LAST = "last"


@dataclass(slots=True, kw_only=True)
class RunState:
    """A replay that has not come to its end."""

    run_id: str
    mode: Mode
    asked: Mapping[str, Any]
    plan: Mapping[str, Any]
    target: str
    # `topic/partition` -> where to go on, where that is not kept with the effects
    positions: dict[str, int] = field(default_factory=dict)
    # what the Git revision whose handlers are at work was called, and its commit; None for those of the working tree
    code: str | None = None
    commit: str | None = None

    def planned(self) -> Plan:
        return plans.from_json(self.plan)

    def note(self, place: Place, position: int) -> None:
        self.positions[f"{place.topic}/{place.partition}"] = position

    def places(self) -> dict[Place, int]:
        begins = plans.places_of(self.planned())
        return {
            place: self.positions.get(f"{place.topic}/{place.partition}", begin)
            for place, begin in begins.items()
        }


class States:
    """Keeps them as files."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def save(self, state: RunState) -> None:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace_file(self._path(state.run_id), json.dumps(asdict(state), indent=1))

    def load(self, run_id: str) -> RunState:
        """Return the state of a replay, or of the one that was begun last.

        Raises:
            ReplayError: there is none that could be resumed.
        """
        if run_id == LAST:
            found = sorted(self._directory.glob("*-*-*.json"))
            if not found:
                raise ReplayError("no replay was interrupted; there is nothing to resume")
            return self._read(found[-1])
        if not RUN_ID.fullmatch(run_id) or not self._path(run_id).is_file():
            raise ReplayError(f"there is no replay {run_id} that could be resumed")
        return self._read(self._path(run_id))

    def forget(self, run_id: str) -> None:
        self._path(run_id).unlink(missing_ok=True)

    def _path(self, run_id: str) -> Path:
        return self._directory / f"{run_id}.json"

    @staticmethod
    def _read(path: Path) -> RunState:
        try:
            return RunState(**json.loads(path.read_text()))
        except (OSError, ValueError, TypeError) as error:
            raise ReplayError(f"{path} cannot be read: {error}; delete it") from error


def new_run_id() -> str:
    """Return the id of a new replay; ids sort by time."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
