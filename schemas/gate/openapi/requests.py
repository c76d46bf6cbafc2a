"""What clients send: parameters, bodies and credentials. Whatever was accepted must stay accepted."""

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from schemas.gate.finding import Finding
from schemas.gate.openapi.operations import Operation, Site
from schemas.gate.openapi.schemas import Comparison
from schemas.gate.openapi.shapes import text

_REFUSED = "a request without it was accepted and is refused now"
_IGNORED_HEADERS = {"accept", "content-type", "authorization"}  # as the specification demands
_FORMS = {"application/x-www-form-urlencoded", "multipart/form-data"}
_STYLES = {"path": "simple", "header": "simple", "query": "form", "cookie": "form"}

Parameters = dict[tuple[str, str], dict[str, Any]]


def check_request(
    site: Site, comparison: Comparison, old: Operation, new: Operation
) -> Iterator[Finding]:
    yield from _check_parameters(site, comparison, _parameters(old), _parameters(new))
    yield from _check_body(site, comparison, old, new)


def _parameters(operation: Operation) -> Parameters:
    """Return the parameters by place and name; those of the path by their position, as their names are not sent."""
    positions = {name: str(index) for index, name in enumerate(operation.placeholders)}
    found: Parameters = {}
    for node in (*operation.shared, *operation.spec.get("parameters", ())):
        parameter = operation.document.resolve(node)
        place, name = parameter["in"], parameter["name"]
        if place == "path":
            found[place, positions.get(name, name)] = parameter
        elif place != "header":
            found[place, name] = parameter
        elif name.lower() not in _IGNORED_HEADERS:
            found[place, name.lower()] = parameter
    return found


def _check_parameters(
    site: Site, comparison: Comparison, old: Parameters, new: Parameters
) -> Iterator[Finding]:
    for key, parameter in old.items():
        if key in new:
            yield from _check_parameter(site, comparison, parameter, new[key])
        else:
            problem = "the parameter was removed; what clients send in it is ignored now"
            fix = "Keep it, marked deprecated"
            yield site.breaking(_named(parameter), "request-parameter-removed", problem, fix)
    for key, parameter in new.items():
        was_required = key in old and old[key].get("required", False)
        if parameter.get("required", False) and not was_required:
            came, what = ("made", "became") if key in old else ("added", "was added and is")
            rule, problem = f"request-parameter-{came}-required", f"the parameter {what} required"
            fix = "Make it optional"
            yield site.breaking(_named(parameter), rule, f"{problem}; {_REFUSED}", fix)


def _check_parameter(
    site: Site, comparison: Comparison, old: dict[str, Any], new: dict[str, Any]
) -> Iterator[Finding]:
    where = _named(old)
    was, is_now = _style(old), _style(new)
    if was != is_now:
        problem = (
            f"was read as {was} and is now read as {is_now}; what an old client writes is misread"
        )
        fix = f"Keep {was}"
        yield site.breaking(where, "request-parameter-style-changed", problem, fix)
    compares = comparison if "content" in old else comparison.of_text
    yield from site.breaches(where, compares.compare(_schema(old), _schema(new)))


def _schema(parameter: Mapping[str, Any]) -> Any:
    content = list(parameter.get("content", {}).values())
    return parameter.get("schema", content[0].get("schema", {}) if content else {})


def _style(parameter: Mapping[str, Any]) -> str:
    if "content" in parameter:
        return " ".join(parameter["content"])
    style = parameter.get("style", _STYLES[parameter["in"]])
    flags = {"explode": style == "form", "allowEmptyValue": False, "allowReserved": False}
    return ", ".join([style, *(flag for flag in flags if parameter.get(flag, flags[flag]))])


def _named(parameter: Mapping[str, Any]) -> str:
    return f"request {parameter['in']} parameter {parameter['name']}"


def _check_body(
    site: Site, comparison: Comparison, old: Operation, new: Operation
) -> Iterator[Finding]:
    was, is_now = (
        operation.document.resolve(operation.spec.get("requestBody")) for operation in (old, new)
    )
    if was is not None and is_now is None:
        problem = "the body is no longer read; what clients send in it is ignored now"
        yield site.breaking("request", "request-body-removed", problem, "Keep reading it")
    elif is_now is not None:
        if is_now.get("required", False) and not (was or {}).get("required", False):
            problem = f"the body became required; {_REFUSED}"
            yield site.breaking(
                "request", "request-body-made-required", problem, "Keep it optional"
            )
        yield from _check_content(site, comparison, was or {}, is_now)


def _check_content(
    site: Site, comparison: Comparison, old: Mapping[str, Any], new: Mapping[str, Any]
) -> Iterator[Finding]:
    was, is_now = old.get("content", {}), new.get("content", {})
    for media_type, body in was.items():
        match = matching(media_type, was, is_now)
        if match is None:
            problem = (
                f"{media_type} is no longer accepted; a request that was accepted is refused now"
            )
            fix = f"Keep accepting {media_type}"
            yield site.breaking("request", "request-content-type-removed", problem, fix)
        else:
            where = "request" if len(was) == 1 else f"request {media_type}"
            compares = comparison.of_text if essence(media_type) in _FORMS else comparison
            breaches = compares.compare(body.get("schema", {}), is_now[match].get("schema", {}))
            yield from site.breaches(where, breaches)
            yield from _check_encoding(site, where, body, is_now[match])


def _check_encoding(
    site: Site, where: str, old: Mapping[str, Any], new: Mapping[str, Any]
) -> Iterator[Finding]:
    now = new.get("encoding", {})
    for part, was in old.get("encoding", {}).items():
        if text(was) != text(now.get(part, {})):
            problem = (
                "how it is written changed; what an old client writes may be refused or misread"
            )
            fix = "Keep its encoding"
            yield site.breaking(f"{where} part {part}", "request-part-changed", problem, fix)


def essence(media_type: str) -> str:
    """Return a media type without its parameters, in small letters."""
    return media_type.partition(";")[0].strip().lower()


def matching(media_type: str, olds: Mapping[str, Any], news: Mapping[str, Any]) -> str | None:
    """Return the one of the new media types that takes one of the old ones.

    Parameters such as `charset` matter only where several types differ by them alone, as versions do.
    """
    if media_type in news:
        return media_type
    kind = essence(media_type)
    rivals = [each for each in olds if essence(each) == kind]
    same = [each for each in news if essence(each) == kind]
    if len(same) == len(rivals) == 1:
        return same[0]
    return _matching(kind, news)


def _matching(media_type: str, content: Mapping[str, Any]) -> str | None:
    """Return the range of media types, such as `text/*`, that takes a media type."""
    ranges = (pattern for pattern in content if fnmatchcase(media_type, pattern))
    return next(ranges, None)
