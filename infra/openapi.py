"""Renders the OpenAPI documents that are committed under `schemas/rest/openapi/`, with nothing running."""

from importlib import import_module
from typing import Any

from cdc.manifest import Service
from infra.processes import settings_of
from infra.services import SERVICES
from infra.settings import load_settings
from schemas.gate.openapi.document import canonical

DIRECTORY = "schemas/rest/openapi"


def render_all() -> dict[str, str]:
    """Return the text of each document by its path in the repository."""
    apis = [service for service in SERVICES if service.kind == "rest"]
    return {f"{DIRECTORY}/{api.name}.json": canonical(_document(api)) for api in apis}


def _document(api: Service) -> dict[str, Any]:
    """Return the document of a service that is made, not started: where the others are does not matter."""
    bootstrap = import_module(f"{api.package}.bootstrap")
    document: dict[str, Any] = bootstrap.create_app(
        settings_of(api, bootstrap.Settings, load_settings())
    ).openapi()
    return document
