"""The OpenAPI document of a service: what FastAPI tells of its routes, with versions, negotiation and problems."""

import json
import re
from collections.abc import Iterable, Iterator
from copy import deepcopy
from typing import Any

from starlette.routing import BaseRoute

from producers.rest import event_stream
from producers.rest.access.routes import ApiRoute
from producers.rest.figures import FIGURES
from producers.rest.idempotency.key import MAX_KEY_CHARACTERS
from producers.rest.negotiation import JSON, offers_at, offers_of
from producers.rest.problems import answers
from producers.rest.versions import NegotiatedRoute, VersionRoute
from schemas.rest.api import FIGURES_SCOPE
from schemas.rest.problem import Problem

Node = dict[str, Any]

HEADERS: dict[str, str] = {
    "X-Accel-Buffering": "`no`: a proxy is to pass on what it has.",
    "Accept-Ranges": "`none`: it is sent as a whole.",
    "Cache-Control": "Whether the answer may be kept; what is kept is asked for again each time.",
    "Content-Disposition": "What the file is called.",
    "ETag": "Stands for this answer, in `If-None-Match`, and for what is shown, in `If-Match` (RFC 9110).",
    "Idempotent-Replayed": "`true` where the request was answered before under its `Idempotency-Key`.",
    "Deprecation": "Since when this version is deprecated, as `@` and seconds since 1970 (RFC 9745).",
    "Link": (
        "With the relation `next`, the next page of a list; with `successor-version`, the same in the version after "
        "this one."
    ),
    "Location": "Where what was made can be found from now on.",
    "Preference-Applied": "The preference of `Prefer` that was followed, as far as it was (RFC 7240).",
    "RateLimit": "How many requests may follow at once, and in how many seconds all may again.",
    "RateLimit-Policy": "How many requests each client has, and in how many seconds.",
    "Retry-After": "In how many seconds it makes sense to ask again.",
    "Sunset": "Until when this version is certain to answer (RFC 8594).",
    "Vary": "The answer depends on `Accept`.",
    "WWW-Authenticate": "How to say who calls, and what is wrong with the credentials (RFC 6750).",
    "X-Correlation-Id": "Shared by everything that the request set in motion.",
}
RATE_HEADERS = ("RateLimit", "RateLimit-Policy")
ACCESS_PROBLEMS = {
    401: ("WWW-Authenticate",),
    403: ("WWW-Authenticate",),
    429: ("Retry-After", *RATE_HEADERS),
}
"""Answers to those who may not, or not now, each with the headers that say more of it."""
BEARER = "bearer"
SCHEMES = {
    BEARER: {
        "type": "http",
        "scheme": "bearer",
        "description": (
            "An API key, `trk_...`, or a JSON Web Token, as the installation has it; where it asks for neither, "
            "requests without credentials are served. The names are those of scopes that the credentials need."
        ),
    }
}
KEY_PROBLEMS = (400, 409, 422)
KEY_PARAMETER = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": (
        "Makes it safe to send the request again when its answer was lost: with the same key and body it is done once, "
        "and answered the same each time. Quoted or not, of printable ASCII; a UUID does well."
    ),
    "schema": {
        "type": "string",
        "minLength": 1,
        "maxLength": 2 * MAX_KEY_CHARACTERS + 2,  # each escaped, and the quotes
        "examples": ["01a20999-13c2-7477-bc0d-7ecf0b47d38d"],
    },
}
IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "`ETag` of an answer that the client has. If it would get the same again, the answer is 304.",
    "schema": {"type": "string", "examples": ['"3-5f70bf18a08660b5d6f1e0e6d5d1c0a2"']},
}
IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "description": "`ETag` of what the client has seen. If that has changed since, nothing is done: the answer is 412.",
    "schema": {
        "type": "string",
        "pattern": r'^(\*|(W/)?"[!#-~]*"(, *(W/)?"[!#-~]*")*)$',
        "examples": ['"3-5f70bf18a08660b5d6f1e0e6d5d1c0a2"'],
    },
}
_LONG_NAME = re.compile(r"(?<=#/components/schemas/)\w+__v([0-9]+)__(\w+)|^\w+__v([0-9]+)__(\w+)$")
_VERSION_IN_ID = re.compile(r"_v[0-9]+(?=_)")


def describe(document: Node, routes: Iterable[BaseRoute], api_routes: Iterable[ApiRoute]) -> Node:
    """Complete a document.

    Args:
        document: What FastAPI tells.
        routes: Routes of the application itself, of which those without a version are looked at.
        api_routes: Routes that ask for a scope.
    """
    document = _with_short_names(document)
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas.update(_problem_schemas())
    for operation in _operations(document, "get"):
        _tell_conditions(operation)
    for operation in _operations(document, "post"):
        _tell_repetition(operation)
    for stream in _streams(document):
        _tell_events(stream, schemas)
    document["components"]["securitySchemes"] = SCHEMES
    for guarded in api_routes:
        _tell_access(_operation(document, guarded), guarded.scope_needed)
    _tell_access(document["paths"][FIGURES]["get"], FIGURES_SCOPE)
    negotiated = [route for route in routes if isinstance(route, NegotiatedRoute)]
    for route in negotiated:
        for versioned in route.routes.values():
            _tell_version(_operation(document, versioned), versioned)
    for route in negotiated:
        _add_negotiated(document, route)
    return document


def _with_short_names(node: Any) -> Any:
    """Call `schemas__rest__orders__v2__Order` `OrderV2`, in every reference, too."""
    match node:
        case dict():
            return {_short(key): _with_short_names(value) for key, value in node.items()}
        case list():
            return [_with_short_names(item) for item in node]
        case str():
            return _short(node)
    return node


def _short(text: str) -> str:
    return _LONG_NAME.sub(lambda found: "{1}V{0}".format(*filter(None, found.groups())), text)


def _problem_schemas() -> Node:
    schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    return {**schema.pop("$defs"), "Problem": schema}


def _operation(document: Node, route: ApiRoute) -> Node:
    operation: Node = document["paths"][route.path_format][route.method.lower()]
    return operation


def _streams(document: Node) -> Iterator[Node]:
    """Yield what is said of bodies that are streams of events."""
    for path in document["paths"].values():
        for answer in path.get("get", {}).get("responses", {}).values():
            if event_stream.MEDIA_TYPE in answer.get("content", {}):
                yield answer["content"][event_stream.MEDIA_TYPE]


def _tell_events(stream: Node, schemas: Node) -> None:
    """Describe what a stream is made of, instead of a body: events, whose data are what is declared."""
    of_data = {"$ref": stream["schema"]["$ref"]}
    [example] = schemas[of_data["$ref"].rpartition("/")[2]]["examples"]
    data = {"type": "string", "contentMediaType": "application/json", "contentSchema": of_data}
    stream["schema"] = {
        "type": "object",
        "required": ["data"],
        "properties": {"id": {"type": "string"}, "data": data},
    }
    stream["example"] = {"id": str(example["version"]), "data": json.dumps(example)}


def _operations(document: Node, method: str) -> Iterator[Node]:
    return (path[method] for path in document["paths"].values() if method in path)


def _tell_conditions(operation: Node) -> None:
    """Add what lets a client keep an answer; none keeps a stream."""
    streams = [
        answer
        for answer in _successes(operation)
        if event_stream.MEDIA_TYPE in answer.get("content", {})
    ]
    for answer in streams:
        answer["headers"] = _headers("Cache-Control", "X-Accel-Buffering")
    if streams:
        return
    operation.setdefault("parameters", []).append(IF_NONE_MATCH)
    operation["responses"]["304"] = {
        "description": "The client has it: `If-None-Match` names its `ETag`.",
        "headers": _headers("Cache-Control", "ETag"),
    }
    for answer in _successes(operation):
        answer["headers"] = _headers("Cache-Control", "ETag", *answer.get("headers", ()))


def _tell_access(operation: Node, scope: str) -> None:
    """Add who may call, and what is told to those who may not."""
    operation["security"] = [{BEARER: [scope]}, {}]
    for status, names in ACCESS_PROBLEMS.items():
        answer = operation["responses"].setdefault(str(status), answers(status)[status])
        answer["headers"] = _headers(*names)
    for answer in _successes(operation):
        answer["headers"] = _headers(*RATE_HEADERS, *answer.get("headers", ()))


def _tell_repetition(operation: Node) -> None:
    """Add the key under which a POST may be sent again, and the problems that come with one."""
    operation.setdefault("parameters", []).append(KEY_PARAMETER)
    if "412" in operation["responses"]:
        operation["parameters"].append(IF_MATCH)
    for status, answer in answers(*KEY_PROBLEMS).items():
        operation["responses"].setdefault(str(status), answer)
    for answer in _successes(operation):
        answer["headers"] = _headers("Idempotent-Replayed", *answer.get("headers", ()))


def _tell_version(operation: Node, route: VersionRoute) -> None:
    """Add the version's media type and what its answers announce."""
    types = [offer.media_type for offer in offers_at(route.version)]
    for body in _bodies(operation):
        body["content"] = dict.fromkeys(types, body["content"][JSON])
    for answer in _successes(operation):
        names = [name.title() for name in route.announcement("")]
        answer["headers"] = _headers(*names, *answer.get("headers", ()))
    if route.version.sunset_on:
        operation["x-sunset"] = route.version.sunset_on.isoformat()


def _add_negotiated(document: Node, route: NegotiatedRoute) -> None:
    """Describe a path without a version by its operations in each version."""
    operations = {version: _operation(document, r) for version, r in route.routes.items()}
    offers = offers_of(list(operations))
    newest = offers[0].version
    merged = deepcopy(operations[newest])
    merged["operationId"] = _VERSION_IN_ID.sub("", merged["operationId"])
    merged["description"] += (
        f"\n\nIn the version that `Accept` or the body's `Content-Type` asks for, and in the newest, {newest.number}, "
        "if they ask for none."
    )
    bodies = {version: list(_bodies(operation)) for version, operation in operations.items()}
    for index, body in enumerate(_bodies(merged)):
        body["content"] = {
            offer.media_type: bodies[offer.version][index]["content"][JSON] for offer in offers
        }
    for answer in (a for operation in operations.values() for a in _successes(operation)):
        for mine in _successes(merged):
            mine["headers"] |= answer["headers"]
    path = document["paths"].setdefault(route.path_format, {})
    path[route.routes[newest].method.lower()] = merged


def _bodies(operation: Node) -> Iterator[Node]:
    """Yield the request's body, if there is one, and those of successful answers, of which 204 has none."""
    if "requestBody" in operation:
        yield operation["requestBody"]
    yield from (answer for answer in _successes(operation) if "content" in answer)


def _successes(operation: Node) -> Iterator[Node]:
    for status, answer in operation["responses"].items():
        if status.startswith("2"):
            yield answer


def _headers(*names: str) -> Node:
    return {
        name: {"description": HEADERS[name], "schema": {"type": "string"}}
        for name in (*names, "X-Correlation-Id")
    }
