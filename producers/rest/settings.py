"""Settings of an HTTP service, read from `TAILRACE_*` environment variables."""

import sys
from typing import Annotated, NoReturn, TypeVar

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "TAILRACE_"
WRONG_USAGE = 2


class ServiceSettings(BaseSettings):
    """Where a service listens."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True)

    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)]


Settings = TypeVar("Settings", bound=ServiceSettings)


def load(kind: type[Settings]) -> Settings:
    """Return the settings; end the process with a sentence and status 2 when one is missing or makes no sense.

    Args:
        kind: Settings class of the service.
    """
    try:
        return kind()
    except ValidationError as error:
        _refuse(error)


def _refuse(error: ValidationError) -> NoReturn:
    # The values stay out of the sentence: one of them may be a secret.
    for fault in error.errors(include_input=False, include_url=False):
        variable = PREFIX + str(fault["loc"][0]).upper()
        if fault["type"] == "missing":
            print(
                f"{variable} is not set; `tailrace up` sets it, or see the README", file=sys.stderr
            )
        else:
            print(f"{variable} cannot be used: {fault['msg']}", file=sys.stderr)
    sys.exit(WRONG_USAGE)
