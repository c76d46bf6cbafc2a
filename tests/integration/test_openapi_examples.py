"""What the OpenAPI documents show as an example is sent to the services, and answered as they say."""

import socket
from collections.abc import Iterator
from functools import partial
from typing import Any

import httpx2
import pytest

from cdc.ids import new_id
from infra.local.probe import wait_until
from infra.services import SERVICES
from tests import plain_http
from tests.openapi import Node, examples_of, validator_of
from tests.stack import RunningStack

REST = [service.name for service in SERVICES if service.kind == "rest"]
LATE = {
    "/users": "the example has signed up already",
    "/resend": "what it sends again is under way",
    "/cancel": "the order, or the job, was faster",
}
"""Ends of the paths of requests that may come too late (409), and how."""


@pytest.mark.parametrize("service", REST)
def test_each_example_is_answered_as_described(stack: RunningStack, service: str) -> None:
    url = stack.settings.url_of(service)
    document = plain_http.get(f"{url}/openapi.json").json()
    ids = {"user_id": somebody(stack)}
    asked = 0
    for path, method, operation in in_order(document):
        for content in bodies(operation, document):
            target = path.format_map(ids)
            if target.endswith("/result"):
                job = url + target.removesuffix("/result")
                wait_until("the job is not done", partial(is_done, job), timeout_s=120)
            headers = headers_of(operation)
            if "body" in content:
                headers["content-type"] = content["media_type"]
            answer = plain_http.request(
                method, url + target, headers=headers, json=content.get("body")
            )
            require_described(answer, operation, document)
            assert answer.status_code in expected(path, method, operation, content), answer.text
            ids |= ids_in(answer)
            asked += 1
    assert asked >= len(document["paths"])


def somebody(stack: RunningStack) -> str:
    """Sign somebody up, since the example of it is good for once."""
    url = f"{stack.settings.url_of('users')}/v1/users"
    user_id: str = plain_http.post(url, json={"email": f"{new_id()}@example.com"}).json()["user_id"]
    return user_id


def is_done(job: str) -> bool:
    return bool(plain_http.get(job).json()["status"] == "done")


def in_order(document: Node) -> Iterator[tuple[str, str, Node]]:
    """Yield operations: what makes something before what looks at it, and what cancels it at last."""
    found = [
        (path, method, operation)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    ]
    yield from sorted(
        found,
        key=lambda each: (
            each[1] == "delete",
            each[0].count("{"),
            each[0].endswith("/cancel"),
            each[1] != "post",
        ),
    )


def bodies(operation: Node, document: Node) -> Iterator[Node]:
    """Yield what is sent: each example in each media type, or nothing."""
    sent = operation.get("requestBody", {}).get("content")
    if sent is None:
        yield {}
        return
    for media_type, shown in sent.items():
        examples = examples_of(shown, document)
        assert examples
        yield from ({"body": each, "media_type": media_type} for each in examples)


def headers_of(operation: Node) -> dict[str, str]:
    parameters = operation.get("parameters", ())
    return {
        each["name"]: each["example"]
        for each in parameters
        if each["in"] == "header" and "example" in each
    }


def expected(path: str, method: str, operation: Node, content: Node) -> set[int]:
    """Return the statuses of which one is right: that of success, unless this cannot be done, or not twice."""
    statuses = {int(status) for status in operation["responses"] if status.startswith("2")}
    url = content.get("body", {}).get("url", "")
    if "https://" in url and not has_address("example.com"):
        return {422}
    if method == "delete":
        return statuses | {404}  # by another path before
    return statuses | ({409} if path.endswith(tuple(LATE)) else set())


def has_address(name: str) -> bool:
    try:
        return bool(socket.getaddrinfo(name, 443))
    except OSError:
        return False


def require_described(answer: httpx2.Response, operation: Node, document: Node) -> None:
    """Hold an answer to what its operation says of the status, the media type, the schema and the headers."""
    described = operation["responses"][str(answer.status_code)]
    if answer.status_code == httpx2.codes.NO_CONTENT:
        assert "content" not in described
        assert answer.content == b""
        return
    media_type = answer.headers["content-type"].partition(";")[0]
    schema = described["content"][media_type]["schema"]
    if media_type.endswith("json"):
        validator_of(schema, document).validate(answer.json())
    of_transport = {"date", "content-length", "transfer-encoding"}
    unsaid = of_transport | {"content-type", "x-content-type-options"}
    if answer.is_success:
        named = {name.lower() for name in described.get("headers", ())}
        assert {name for name in answer.headers if name not in unsaid} <= named


def ids_in(answer: httpx2.Response) -> dict[str, str]:
    if not answer.content or not answer.headers["content-type"].endswith("json"):
        return {}
    body: dict[str, Any] = answer.json()
    return {name: str(value) for name, value in body.items() if name.endswith("_id")}
