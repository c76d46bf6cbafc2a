"""Whether and where traces are recorded, from the environment."""

from collections.abc import Mapping
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

Format = Literal["otlp", "zipkin"]
PATHS: Mapping[Format, str] = {"otlp": "/v1/traces", "zipkin": "/api/v2/spans"}


class TraceSettings(BaseSettings):
    """Where a process sends the spans of its traces."""

    model_config = SettingsConfigDict(env_prefix="TAILRACE_", extra="ignore", frozen=True)

    # where spans are sent, such as http://collector:4318; none are recorded without
    traces_url: Annotated[str, Field(pattern=r"^(https?://[^\s/@?#]+(/\S*)?)?$")] = ""
    # how they are written: OTLP in protobuf, or the JSON of Zipkin's /api/v2/spans
    traces_format: Format = "otlp"
    # of the traces that begin here, how many are recorded; who is called follows whoever calls
    traces_sample_rate: Annotated[float, Field(ge=0, le=1)] = 0.1

    @property
    def endpoint(self) -> str:
        """Return the URL that spans are posted to: with the path that is usual for the format, if it has none."""
        has_path = urlsplit(self.traces_url).path.strip("/")
        return (
            self.traces_url if has_path else self.traces_url.rstrip("/") + PATHS[self.traces_format]
        )
