"""Starting a service: settings from the environment, and one clear sentence when it cannot start."""

import sys
from collections.abc import Callable
from typing import TypeVar

from pydantic import ValidationError
from pydantic_settings import BaseSettings

from schemas.registry import RegistryUnavailableError, UnknownSchemaError

S = TypeVar("S", bound=BaseSettings)
A = TypeVar("A")


def start(create_app: Callable[[S], A], settings: type[S]) -> A:
    """Build a service from the environment.

    Args:
        create_app: Builds the service from its settings.
        settings: Class of the settings.

    Raises:
        SystemExit: with status 2 when a setting is missing or wrong, with status 1 when the registry lacks a schema or
            cannot be asked for it.
    """
    try:
        values = settings()
    except ValidationError as error:
        print(f"cannot start: {explain(error, settings)}", file=sys.stderr)
        raise SystemExit(2) from None
    try:
        return create_app(values)
    except (UnknownSchemaError, RegistryUnavailableError) as error:
        print(f"cannot start: {error}", file=sys.stderr)
        raise SystemExit(1) from None


def explain(error: ValidationError, settings: type[BaseSettings]) -> str:
    """Return what is wrong with settings, naming the environment variables and never showing a value."""
    prefix = settings.model_config.get("env_prefix", "")
    return "; ".join(
        f"{prefix}{'_'.join(str(part) for part in problem['loc'])}".upper() + f": {problem['msg']}"
        for problem in error.errors(include_input=False, include_url=False)
    )
