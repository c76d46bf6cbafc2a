"""Whether and where traces are recorded, from the environment."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

Format = Literal["otlp", "zipkin"]


class TraceSettings(BaseSettings):
    """Where a process sends the spans of its traces."""

    model_config = SettingsConfigDict(env_prefix="TAILRACE_", extra="ignore", frozen=True)

    # where spans are sent, such as http://collector:4318/v1/traces; none are recorded without
    traces_url: Annotated[str, Field(pattern=r"^(https?://[^\s/@?#]+(/\S*)?)?$")] = ""
    # how they are written: OTLP in protobuf, or the JSON of Zipkin's /api/v2/spans
    traces_format: Format = "otlp"
    # of the traces that begin here, how many are recorded; who is called follows whoever calls
    traces_sample_rate: Annotated[float, Field(ge=0, le=1)] = 0.1
