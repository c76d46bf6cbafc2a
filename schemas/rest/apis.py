"""Every REST API of the contract, found in its folders."""

import pkgutil
from collections.abc import Iterator
from importlib import import_module

from schemas import rest
from schemas.rest.api import FIGURES_SCOPE, Api


def apis() -> Iterator[Api]:
    """Yield what each folder declares of its API."""
    for module in pkgutil.iter_modules(rest.__path__, f"{rest.__name__}."):
        if module.ispkg and hasattr(found := import_module(module.name), "API"):
            yield found.API


def scopes() -> tuple[str, ...]:
    """Return every scope that credentials can have."""
    return (FIGURES_SCOPE, *sorted(scope for api in apis() for scope in api.scopes))
