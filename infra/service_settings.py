"""What services are told besides where everything is, as pydantic models of its names, bounds and defaults."""

import json
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from cdc.manifest import Service
from infra.services import SERVICES
from producers.rest.access.settings import AccessSettings
from producers.rest.limits import AnswerLimits, RequestLimits


def own_settings(service: Service) -> type[BaseModel] | None:
    """Return what may be set of a service, which `OwnSettings` in the `settings.py` of its folder has."""
    if not find_spec(f"{service.package}.settings"):
        return None
    own: type[BaseModel] | None = getattr(
        import_module(f"{service.package}.settings"), "OwnSettings", None
    )
    return own


def models_of(service: Service) -> Iterator[type[BaseModel]]:
    """Yield the models of what a service is told besides where everything is."""
    if service.kind == "rest":
        yield RequestLimits
    if service.kind == "rest" and service.schema:
        yield AnswerLimits
    if service.asks_who_calls:
        yield AccessSettings
    if own := OWN.get(service.name):
        yield own


def as_text(value: object) -> str:
    """Return a value as the environment has it: text as it is, all else as JSON."""
    plain = to_jsonable_python(value)
    return plain if isinstance(plain, str) else json.dumps(plain)


OWN = {each.name: own for each in SERVICES if (own := own_settings(each))}
"""Name of a service -> what may be set of it."""
