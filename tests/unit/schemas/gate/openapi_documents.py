"""Small OpenAPI documents for the tests: one operation around what a test is about."""

from datetime import date
from typing import Any

from schemas.gate import openapi
from schemas.gate.finding import Finding

TODAY = date(2026, 7, 1)
REF = "#/components/schemas/"


def document(operation: Any, *, path: str = "/v1/orders", **components: Any) -> dict[str, Any]:
    """Return a document with one operation, or with none, and schemas as components."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "storefront", "version": "1"},
        "paths": {path: {"post": operation}} if operation is not None else {},
        "components": {"schemas": components},
    }


def with_request(schema: Any, **components: Any) -> dict[str, Any]:
    """Return a document with a schema in the body of a request."""
    body = {"required": True, "content": {"application/json": {"schema": schema}}}
    return document({"requestBody": body, "responses": {}}, **components)


def with_response(schema: Any, **components: Any) -> dict[str, Any]:
    """Return a document with a schema in the body of a response."""
    response = {"description": "", "content": {"application/json": {"schema": schema}}}
    return document({"responses": {"200": response}}, **components)


def check(old: dict[str, Any], new: dict[str, Any]) -> list[Finding]:
    """Return what the gate says about a change of documents."""
    return openapi.check("storefront", old, new, today=TODAY)
