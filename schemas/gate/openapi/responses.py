"""What clients receive: statuses, headers and bodies. Nothing may come that clients were not told of."""

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from schemas.gate.finding import Finding
from schemas.gate.openapi.document import Document
from schemas.gate.openapi.operations import Operation, Site
from schemas.gate.openapi.requests import essence, matching
from schemas.gate.openapi.schemas import Comparison

Response = Mapping[str, Any]


def check_responses(
    site: Site, comparison: Comparison, old: Operation, new: Operation
) -> Iterator[Finding]:
    was, is_now = _responses(old), _responses(new)
    for status, response in was.items():
        other = is_now[status] if status in is_now else _covering(status, is_now)
        if other is not None:
            yield from _check_headers(site, comparison, status, (old, response), (new, other))
            yield from _check_content(site, comparison, status, response, other)
        else:
            problem = (
                f"status {status} was removed; a client that waits for it does not see it any more"
            )
            fix = f"Keep answering {status}"
            yield site.breaking(f"response {status}", "response-status-removed", problem, fix)
    for status, response in is_now.items():
        covering = None if status in was else _covering(status, was)
        if status in was or (covering is None and status[0] not in "23"):
            continue
        if covering is None:
            problem = f"status {status} was added; a client that knows the old ones takes it for a failure"
            fix = "Keep to the old statuses"
            yield site.breaking(f"response {status}", "response-status-added", problem, fix)
        elif f"{status[0]}XX" in was or status[0] in "45":  # `default` mostly stands for failures
            yield from _check_headers(site, comparison, status, (old, covering), (new, response))
            yield from _check_content(site, comparison, status, covering, response)


def _covering(status: str, responses: Mapping[str, Response]) -> Response | None:
    """Return the response to a status that is named by its range, or by nothing but `default`."""
    if status == "default":
        return None
    return responses.get(f"{status[0]}XX", responses.get("default"))


def _responses(operation: Operation) -> dict[str, Response]:
    """Return the responses by status; ranges in capitals, as in `4XX`."""
    return {
        status if status == "default" else str(status).upper(): operation.document.resolve(response)
        for status, response in operation.spec.get("responses", {}).items()
    }


def _check_headers(
    site: Site,
    comparison: Comparison,
    status: str,
    old: tuple[Operation, Response],
    new: tuple[Operation, Response],
) -> Iterator[Finding]:
    was, is_now = (_headers(operation.document, response) for operation, response in (old, new))
    for key, (name, header) in was.items():
        where = f"response {status} header {name}"
        if key not in is_now:
            problem = "the header was removed; a client that reads it finds nothing"
            yield site.breaking(where, "response-header-removed", problem, "Keep sending it")
            continue
        other = is_now[key][1]
        if header.get("required") and not other.get("required"):
            problem = "the header may be missing now; a client that relies on it fails"
            yield site.breaking(where, "response-header-made-optional", problem, "Always send it")
        schemas = (each.get("schema", {}) for each in (header, other))
        yield from site.breaches(where, comparison.of_text.compare(*schemas))


def _headers(document: Document, response: Response) -> dict[str, tuple[str, Any]]:
    """Return names and headers by the lower-case name, which is how headers are compared."""
    headers = response.get("headers", {})
    return {name.lower(): (name, document.resolve(header)) for name, header in headers.items()}


def _check_content(
    site: Site, comparison: Comparison, status: str, old: Response, new: Response
) -> Iterator[Finding]:
    """Compare the bodies of one status. More media types are fine: clients say which one they accept."""
    was, is_now = old.get("content", {}), new.get("content", {})
    for media_type, body in was.items():
        where = f"response {status}" if len(was) == 1 else f"response {status} {media_type}"
        match = matching(media_type, was, is_now) or _within(media_type, is_now)
        if match is not None:
            schemas = (each.get("schema", {}) for each in (body, is_now[match]))
            yield from site.breaches(where, comparison.compare(*schemas))
        else:
            problem = f"{media_type} is no longer sent; a client that accepts it only gets nothing"
            fix = f"Keep sending {media_type}"
            yield site.breaking(where, "response-content-type-removed", problem, fix)


def _within(media_type: str, content: Mapping[str, Any]) -> str | None:
    """Return a media type of the range, such as `text/*`, that was announced."""
    return next((each for each in content if fnmatchcase(essence(each), media_type)), None)
