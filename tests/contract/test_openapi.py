"""The committed OpenAPI documents: they are what the services say today, and they say what a client needs."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from infra.openapi import apps, render_all
from infra.settings import REPOSITORY
from producers.rest.access.guard import OPEN
from producers.rest.versions import NegotiatedRoute
from schemas.rest.api import FIGURES_SCOPE
from schemas.rest.apis import apis as apis_declared
from schemas.rest.apis import scopes
from tests.openapi import examples_of, validator_of

Node = dict[str, Any]

APPS = apps()
NEGOTIATED = [
    (path, route)
    for path, app in APPS.items()
    for route in app.router.routes
    if isinstance(route, NegotiatedRoute)
]
ROUTES = [
    pytest.param(path, route, id=f"{path.rpartition('/')[2]}{route.path}")
    for path, route in NEGOTIATED
]
PROBLEM = "application/problem+json"


@pytest.fixture(scope="module")
def rendered() -> dict[str, str]:
    return render_all()


@pytest.fixture(scope="module")
def documents(rendered: dict[str, str]) -> dict[str, Node]:
    return {path: json.loads(text) for path, text in rendered.items()}


@pytest.fixture(params=APPS, ids=lambda path: path.rpartition("/")[2])
def document(request: pytest.FixtureRequest, documents: dict[str, Node]) -> Node:
    return documents[request.param]


@pytest.mark.parametrize("path", APPS)
def test_nothing_has_drifted(path: str, rendered: dict[str, str]) -> None:
    file = REPOSITORY / path
    committed = file.read_text() if file.exists() else ""
    assert committed == rendered[path], f"{path} is not what the services say: run make generate"


def test_rendering_again_gives_the_same(rendered: dict[str, str]) -> None:
    assert render_all() == rendered


def test_it_is_openapi_3_1_and_every_reference_leads_somewhere(document: Node) -> None:
    assert document["openapi"].startswith("3.1.")
    references = {node["$ref"] for node in nodes(document) if "$ref" in node}
    names = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert references <= names


def test_nothing_described_is_unused(document: Node) -> None:
    used = {node["$ref"].rpartition("/")[2] for node in nodes(document) if "$ref" in node}
    assert used == set(document["components"]["schemas"])


@pytest.mark.parametrize(("document", "route"), ROUTES, indirect=["document"])
def test_each_version_is_described_with_its_end(document: Node, route: NegotiatedRoute) -> None:
    for version, versioned in route.routes.items():
        operation = document["paths"][version.prefix + route.path][versioned.method.lower()]
        assert operation.get("deprecated", False) == bool(version.deprecated_on)
        sunset = version.sunset_on.isoformat() if version.sunset_on else None
        assert operation.get("x-sunset") == sunset
        for body in bodies(operation):
            assert set(body["content"]) == {"application/json", version.media_type}
        announced = {"Deprecation", "Sunset"} & set(success(operation)["headers"])
        assert bool(announced) == bool(version.deprecated_on)


@pytest.mark.parametrize(("document", "route"), ROUTES, indirect=["document"])
def test_negotiation_is_described(document: Node, route: NegotiatedRoute) -> None:
    versions = list(route.routes)
    operation = document["paths"][route.path][route.routes[versions[0]].method.lower()]
    assert not operation.get("deprecated", False)
    ends = {"Deprecation", "Sunset"} if any(version.sunset_on for version in versions) else set()
    assert {"Vary"} | ends <= set(success(operation)["headers"])
    for body in bodies(operation):
        types = {version: named(body, version.media_type) for version in versions}
        assert named(body, "application/json") == types[max(versions, key=lambda v: v.number)]
        if len(versions) > 1:
            assert all(name.endswith(f"V{version.number}") for version, name in types.items())
    assert "406" in operation["responses"]


def test_orders_are_described_in_two_versions_at_both_services() -> None:
    described = [(r.path, [v.number for v in r.routes]) for _, r in NEGOTIATED if "order" in r.path]
    assert described.count(("/orders", [1, 2])) == 2
    assert described.count(("/orders/{order_id}", [1, 2])) == 2


def test_errors_are_problems(document: Node) -> None:
    for path in document["paths"].values():
        for operation in path.values():
            assert "default" in operation["responses"]
            for status, answer in operation["responses"].items():
                if not status.startswith(("2", "3")):
                    assert list(answer["content"]) == [PROBLEM]


def test_each_post_may_be_sent_again_under_a_key(document: Node) -> None:
    posts = [path["post"] for path in document["paths"].values() if "post" in path]
    assert posts
    for operation in posts:
        [key] = [each for each in operation["parameters"] if each["name"] == "Idempotency-Key"]
        assert (key["in"], key["required"]) == ("header", False)
        assert {"400", "409", "422"} <= set(operation["responses"])
        assert "Idempotent-Replayed" in success(operation)["headers"]


def test_what_is_not_open_to_everyone_names_its_scope(document: Node) -> None:
    [(scheme, told)] = document["components"]["securitySchemes"].items()
    assert (told["type"], told["scheme"]) == ("http", "bearer")
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if path in OPEN:
                assert "security" not in operation
                continue
            [credentials, nothing] = operation["security"]
            [scope] = credentials[scheme]
            assert scope in scopes()
            assert scope == FIGURES_SCOPE or scope.endswith("read" if method == "get" else "write")
            assert nothing == {}  # which is enough where nobody is asked
            assert {"401", "403", "429"} <= set(operation["responses"])
            assert "WWW-Authenticate" in operation["responses"]["401"]["headers"]
            assert "Retry-After" in operation["responses"]["429"]["headers"]


def test_each_api_has_scopes_of_its_own() -> None:
    found = list(apis_declared())
    assert {"orders", "reports", "users", "webhooks"} <= {api.name for api in found}
    assert len(set(scopes())) == 2 * len(found) + 1


def test_operations_have_names_of_their_own(document: Node) -> None:
    names = [op["operationId"] for path in document["paths"].values() for op in path.values()]
    assert len(names) == len(set(names))


def test_everything_that_is_sent_and_answered_has_an_example_that_fits(document: Node) -> None:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            sent = operation.get("requestBody", {})
            for body in (sent, *operation["responses"].values()):
                for media_type, shown in body.get("content", {}).items():
                    if shown["schema"].get("format") == "binary" and media_type != "text/csv":
                        continue
                    found = examples_of(shown, document)
                    assert found, f"{method} {path} shows no {media_type}"
                    for example in found:
                        validator_of(shown["schema"], document).validate(example)


def test_conditions_are_described(document: Node) -> None:
    for path in document["paths"].values():
        operation = path.get("get")
        if operation and not streams(operation):
            assert "If-None-Match" in [each["name"] for each in operation["parameters"]]
            assert "304" in operation["responses"]
            assert {"ETag", "Cache-Control"} <= set(success(operation)["headers"])


def nodes(node: Any) -> Iterator[Node]:
    if isinstance(node, dict):
        yield node
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for child in children:
        yield from nodes(child)


def streams(operation: Node) -> bool:
    return "text/event-stream" in operation["responses"].get("200", {}).get("content", {})


def success(operation: Node) -> Node:
    [answer] = [a for status, a in operation["responses"].items() if status.startswith("2")]
    found: Node = answer
    return found


def bodies(operation: Node) -> list[Node]:
    found = [operation[key] for key in ("requestBody",) if key in operation]
    return found if "204" in operation["responses"] else [*found, success(operation)]


def named(body: Node, media_type: str) -> str:
    reference: str = body["content"][media_type]["schema"]["$ref"]
    return reference
