"""Starting a service: settings from the environment, and one clear sentence when it cannot start."""

import sys
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import NoReturn, TypeVar

from pydantic import ValidationError
from pydantic_settings import BaseSettings

from schemas.registry import RegistryUnavailableError, UnknownSchemaError

PREFIX = "TAILRACE_"
FAILURE = 1
WRONG_USAGE = 2

S = TypeVar("S", bound=BaseSettings)
A = TypeVar("A")


class StartError(Exception):
    """A service cannot start; the text says why, in sentences for the person who started it."""


NOT_STARTED = (StartError, UnknownSchemaError, RegistryUnavailableError)
"""What keeps a service from starting for a reason that a sentence tells."""


def bootstrap_named(folder: str) -> ModuleType:
    """Return the `bootstrap.py` of the service that the command line names.

    Args:
        folder: Package in which services have their folders.

    Raises:
        SystemExit: with status 2 and a sentence when it names none.
    """
    names = sys.argv[1:]
    if len(names) != 1 or not names[0].isidentifier() or not _has_bootstrap(folder, names[0]):
        print(f"name one folder in {folder}/ that has a bootstrap.py", file=sys.stderr)
        sys.exit(WRONG_USAGE)
    return import_module(f"{folder}.{names[0]}.bootstrap")


def load(kind: type[S]) -> S:
    """Return a service's settings from the environment.

    Args:
        kind: Class of the settings, its variables beginning with `TAILRACE_`.

    Raises:
        SystemExit: with status 2 and a sentence for each setting that is missing or makes no sense.
    """
    try:
        return kind()
    except ValidationError as error:
        _refuse(error)


def start(create_app: Callable[[S], A], settings: S) -> A:
    """Build a service.

    Args:
        create_app: Builds the service from its settings.
        settings: Its settings.

    Raises:
        SystemExit: with status 1 and a sentence when the registry lacks a schema or cannot be asked for it, or the
            service has another reason to refuse.
    """
    try:
        return create_app(settings)
    except NOT_STARTED as error:
        print(f"cannot start: {error}", file=sys.stderr)
        sys.exit(FAILURE)


def _has_bootstrap(folder: str, name: str) -> bool:
    try:
        return find_spec(f"{folder}.{name}.bootstrap") is not None
    except ModuleNotFoundError:
        return False


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
