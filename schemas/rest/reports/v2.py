"""Version 2 of reports: what a report can be asked about, and how the job that makes it is shown."""

import re
from datetime import date, datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator
from pydantic.config import JsonDict
from pydantic_core import PydanticCustomError

from schemas.rest.fields import Currency, Text
from schemas.rest.problem import Problem

MAX_DAYS = 366
MAX_CURRENCIES = 20
MAX_SKUS = 20

_EXAMPLE: JsonDict = {"from": "2026-11-01", "to": "2026-12-01", "format": "csv"}
_DONE: JsonDict = {
    "job_id": "01a20999-2b11-7d02-8f6e-6c1b7a90e3d5",
    "status": "done",
    "progress": {"done": 30, "total": 30},
    "created_at": "2026-12-01T08:00:00.120000Z",
    "started_at": "2026-12-01T08:00:00.310000Z",
    "finished_at": "2026-12-01T08:00:04.870000Z",
    "result": {
        "url": "/v2/jobs/01a20999-2b11-7d02-8f6e-6c1b7a90e3d5/result",
        "media_type": "text/csv; charset=utf-8",
        "bytes": 1842,
        "expires_at": "2026-12-02T08:00:04.870000Z",
    },
}
_ISO = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


def _iso_date(value: Any) -> date:
    """Take a date as RFC 3339 writes it, and no number, time or week that some parser would take for one."""
    try:
        if isinstance(value, str) and _ISO.fullmatch(value):
            return date.fromisoformat(value)
    except ValueError:
        pass  # it has the form, and is no day of the calendar
    if type(value) is date:
        return value
    raise PydanticCustomError("iso_date", "must be a day of the calendar, such as 2026-11-28")


Day = Annotated[
    date, BeforeValidator(_iso_date), WithJsonSchema({"type": "string", "format": "date"})
]


class MakeReport(BaseModel):
    """Body of `POST /v2/reports`. An unknown field is refused: it is a slip more often.

    The report has a row for each day and currency on which anything happened, and for each article as well if
    articles are named. Days are those of UTC.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={"examples": [_EXAMPLE]},
    )

    from_: Annotated[Day, Field(alias="from", description="The first day.")]
    to: Annotated[
        Day, Field(description=f"The day after the last one; at most {MAX_DAYS} days after `from`.")
    ]
    format: Literal["csv", "parquet"] = "csv"
    currencies: Annotated[
        tuple[Currency, ...],
        Field(
            max_length=MAX_CURRENCIES, description="Only these currencies; all if none is named."
        ),
    ] = ()
    skus: Annotated[
        tuple[Text, ...],
        Field(
            max_length=MAX_SKUS,
            description="Only these articles, a row for each, with what their lines of the orders come to; whole "
            "orders if none is named.",
        ),
    ] = ()

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if not 1 <= (self.to - self.from_).days <= MAX_DAYS:
            raise PydanticCustomError(
                "period",
                "`to` must be 1 to {days} days after `from`: it is the day after the last one",
                {"days": MAX_DAYS},
            )
        return self


class Progress(BaseModel):
    """How much of a job is done."""

    model_config = ConfigDict(frozen=True)

    done: int
    total: int


class Result(BaseModel):
    """What a job has made."""

    model_config = ConfigDict(frozen=True)

    url: Annotated[
        str, Field(description="Where it can be had, relative to the address of the job.")
    ]
    media_type: str
    bytes: int
    expires_at: Annotated[datetime, Field(description="Until when it is kept.")]


class Job(BaseModel):
    """A job. Readers pass over fields that they do not know yet."""

    model_config = ConfigDict(frozen=True, extra="ignore", json_schema_extra={"examples": [_DONE]})

    job_id: UUID
    status: Annotated[
        Literal["queued", "running", "done", "failed", "cancelled", "expired"],
        Field(description="`expired`: it was done, and its result is gone."),
    ]
    progress: Annotated[Progress, Field(description="In days of the report.")]
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    result: Annotated[Result | None, Field(description="Only of a job that is done.")] = None
    problem: Annotated[Problem | None, Field(description="Why it failed.")] = None
