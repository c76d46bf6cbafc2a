"""Renders the OpenAPI documents that are committed under `schemas/rest/openapi/`, with nothing running."""

from pathlib import Path

from fastapi import FastAPI

from producers.orders import bootstrap as orders
from producers.storefront import bootstrap as storefront
from schemas.gate.openapi_document import canonical

DIRECTORY = "schemas/rest/openapi"
NOWHERE = "http://127.0.0.1:1"
"""Services are made, not started; where the others are does not matter."""


def render_all() -> dict[str, str]:
    """Return the text of each document by its path in the repository."""
    return {f"{DIRECTORY}/{name}.json": canonical(app.openapi()) for name, app in _apps().items()}


def _apps() -> dict[str, FastAPI]:
    return {
        "orders": orders.create_app(
            orders.OrdersSettings(
                port=1, database_url=NOWHERE, registry_url=NOWHERE, schema_cache=Path()
            )
        ),
        "storefront": storefront.create_app(
            storefront.StorefrontSettings(port=1, orders_url=NOWHERE)
        ),
    }
