"""Renders the OpenAPI documents that are committed under `schemas/rest/openapi/`, with nothing running."""

from importlib import import_module

from fastapi import FastAPI

from cdc.manifest import Service
from infra.processes import settings_of
from infra.services import SERVICES
from infra.settings import load_settings
from producers.rest.versions import served
from schemas.gate.openapi.document import canonical
from schemas.rest.problem import require_distinct

DIRECTORY = "schemas/rest/openapi"


def render_all() -> dict[str, str]:
    """Return the text of each document by its path in the repository."""
    found = apps()
    apis = {api for app in found.values() for api in served(app.router.routes)}
    require_distinct(problem for api in apis for problem in api.problems)
    return {path: canonical(app.openapi()) for path, app in found.items()}


def apps() -> dict[str, FastAPI]:
    """Return every REST service, made but not started, by the path of its document in the repository."""
    rest = (service for service in SERVICES if service.kind == "rest")
    return {f"{DIRECTORY}/{service.name}.json": _app(service) for service in rest}


def _app(service: Service) -> FastAPI:
    bootstrap = import_module(f"{service.package}.bootstrap")
    app: FastAPI = bootstrap.create_app(
        settings_of(service, bootstrap.Settings, load_settings().deployment())
    )
    return app
