"""HTTP answers in tests: those that a server behind the storefront gives, and those that are problems."""

import httpx2


def http(status: int, body: bytes, content_type: str, *headers: str) -> bytes:
    """Return the bytes of an answer."""
    head = [f"HTTP/1.1 {status} X", f"content-type: {content_type}", *headers]
    head += [f"content-length: {len(body)}", "connection: close", "", ""]
    return "\r\n".join(head).encode() + body


def assert_problem(response: httpx2.Response, status: int) -> dict[str, object]:
    """Return the problem that an answer is."""
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    problem: dict[str, object] = response.json()
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert problem["correlation_id"] == response.headers["x-correlation-id"]
    return problem
