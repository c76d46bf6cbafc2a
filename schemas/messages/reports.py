"""Messages of the `reports` context, generated from `avro/reports/`. Do not edit."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeReport:
    """Work on a job: make the report that was asked for. What was asked for stands in the row of the job."""

    NAME: ClassVar[str] = "reports.MakeReport"
    READER: ClassVar[str | None] = None

    job_id: UUID
    """Identity of the job."""

    def to_avro(self) -> dict[str, Any]:
        return {
            "job_id": self.job_id,
        }

    @classmethod
    def from_avro(cls, datum: Mapping[str, Any]) -> Self:
        return cls(
            job_id=datum["job_id"],
        )
