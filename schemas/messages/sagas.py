"""Messages of the `sagas` context, generated from `avro/sagas/`. Do not edit."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadlinePassed:
    """The time of a saga's step has passed: that of an answer, or the pause before its next attempt."""

    NAME: ClassVar[str] = "sagas.DeadlinePassed"
    READER: ClassVar[str | None] = None

    saga: str
    """Name of the saga's definition."""
    saga_id: str
    """Id of the saga."""
    step: str
    """Name of the step."""
    generation: int
    """Which of the step's deadlines it is; one that is not the present one means nothing any more."""

    def to_avro(self) -> dict[str, Any]:
        return {
            "saga": self.saga,
            "saga_id": self.saga_id,
            "step": self.step,
            "generation": self.generation,
        }

    @classmethod
    def from_avro(cls, datum: Mapping[str, Any]) -> Self:
        return cls(
            saga=datum["saga"],
            saga_id=datum["saga_id"],
            step=datum["step"],
            generation=datum["generation"],
        )
