"""Starting a service: settings from the environment, and one clear sentence when it cannot start."""

import os
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import NoReturn, TypeVar

from pydantic import ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource
from pydantic_settings import SettingsError as UnreadError

from schemas.registry import RegistryUnavailableError, UnknownSchemaError

PREFIX = "TAILRACE_"
FAILURE = 1
WRONG_USAGE = 2
JSON_FORM = "[443,8443]"
"""How a list stands in a variable."""

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
    if len(names) != 1 or not _has_bootstrap(folder, names[0]):
        _refuse_names(f"name one folder in {folder}/ that has a bootstrap.py")
    return import_module(f"{folder}.{names[0]}.bootstrap")


def bootstraps_named(folder: str) -> list[ModuleType]:
    """Return the same of all services that the command line names, at least one, and each once."""
    names = sys.argv[1:]
    if not 0 < len(names) == len(set(names)) or not all(
        _has_bootstrap(folder, each) for each in names
    ):
        _refuse_names(f"name one or more folders in {folder}/ that have a bootstrap.py")
    return [import_module(f"{folder}.{name}.bootstrap") for name in names]


def name_of(bootstrap: ModuleType) -> str:
    """Return the name of the service that a `bootstrap.py` builds."""
    return str(import_module(f"{bootstrap.__package__}.service").SERVICE.name)


def own_variable(service: str, name: str = "") -> str:
    """Return how a variable is called that is meant for one service of several in a process.

    Args:
        service: Name of the service.
        name: Name of the setting.
    """
    return f"{PREFIX}{service}_{name}".upper().replace("-", "_")


def load(kind: type[S], service: str = "") -> S:
    """Return a service's settings from the environment.

    Args:
        kind: Class of the settings, its variables beginning with `TAILRACE_`.
        service: Name of the service; `TAILRACE_<SERVICE>_<SETTING>` is its alone, and wins.

    Raises:
        SystemExit: with status 2 and a sentence for each setting that is missing or makes no sense.
    """
    own = EnvSettingsSource(kind, env_prefix=own_variable(service)) if service else dict
    try:
        return kind(**own())
    except ValidationError as error:
        _refuse(error, service)
    except UnreadError as error:
        variable = _variable(service, unread(error))
        print(f"{variable} cannot be used: it must be JSON, such as {JSON_FORM}", file=sys.stderr)
        sys.exit(WRONG_USAGE)


def unread(error: UnreadError) -> str:
    """Return the setting whose variable is no JSON although it has to be."""
    return str(error).split('"')[1]


def start(create: Callable[[], A], service: str = "") -> A:
    """Build a service, or have it do something else that it may refuse.

    Args:
        create: Builds it.
        service: Its name, told when it refuses.

    Raises:
        SystemExit: with status 1 and a sentence when the registry lacks a schema or cannot be asked for it, or the
            service has another reason to refuse.
    """
    try:
        return create()
    except NOT_STARTED as error:
        print(f"{service} cannot start: {error}".lstrip(), file=sys.stderr)
        sys.exit(FAILURE)


def _has_bootstrap(folder: str, name: str) -> bool:
    try:
        return (
            all(map(str.isidentifier, name.split(".")))
            and find_spec(f"{folder}.{name}.bootstrap") is not None
        )
    except ModuleNotFoundError:
        return False


def _refuse_names(sentence: str) -> NoReturn:
    print(sentence, file=sys.stderr)
    sys.exit(WRONG_USAGE)


def _refuse(error: ValidationError, service: str) -> NoReturn:
    # The values stay out of the sentence: one of them may be a secret.
    for fault in error.errors(include_input=False, include_url=False):
        if not fault["loc"]:  # of several settings together
            print(fault["msg"].removeprefix("Value error, "), file=sys.stderr)
            continue
        variable = _variable(service, str(fault["loc"][0]))
        if fault["type"] == "missing":
            print(
                f"{variable} is not set; `tailrace up` sets it, or see the README", file=sys.stderr
            )
        else:
            print(f"{variable} cannot be used: {fault['msg']}", file=sys.stderr)
    sys.exit(WRONG_USAGE)


def _variable(service: str, name: str) -> str:
    """Return the variable that a setting was read from, or would be."""
    own = own_variable(service, name)
    return own if service and own in os.environ else PREFIX + name.upper()
