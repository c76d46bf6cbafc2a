"""What an OpenAPI document says of bodies: their examples, and what holds them to their schema."""

from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

Node = dict[str, Any]


def examples_of(shown: Node, document: Node) -> list[Any]:
    """Return the examples of a body: its own, or else those of its schema."""
    if "example" in shown:
        return [shown["example"]]
    return list(resolved(shown["schema"], document).get("examples", ()))


def resolved(schema: Node, document: Node) -> Node:
    """Return a schema, or what it refers to."""
    if "$ref" not in schema:
        return schema
    found: Node = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return found


def validator_of(schema: Node, document: Node) -> Draft202012Validator:
    """Return what holds values to a schema of the document."""
    return Draft202012Validator(
        {**schema, "components": document["components"]}, format_checker=FormatChecker()
    )
