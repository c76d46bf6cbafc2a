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
    """Return the text of each document by its path in the repository.

    Raises:
        ValueError: two APIs declare a problem of the same name.
    """
    apps = {service.name: _app(service) for service in SERVICES if service.kind == "rest"}
    apis = {api for app in apps.values() for api in served(app.router.routes)}
    require_distinct(problem for api in apis for problem in api.problems)
    return {f"{DIRECTORY}/{name}.json": canonical(app.openapi()) for name, app in apps.items()}


def _app(service: Service) -> FastAPI:
    """Return a service that is made, not started: where the others are does not matter."""
    bootstrap = import_module(f"{service.package}.bootstrap")
    app: FastAPI = bootstrap.create_app(settings_of(service, bootstrap.Settings, load_settings()))
    return app
