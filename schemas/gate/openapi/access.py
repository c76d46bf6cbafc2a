"""Where an operation is called and by whom: servers and credentials. Whoever was let in must stay welcome."""

from collections.abc import Iterator
from typing import Any

from schemas.gate.finding import Finding
from schemas.gate.openapi.operations import Operation, Site
from schemas.gate.openapi.shapes import text

_TOKENS = ("flows", "openIdConnectUrl")


def check_access(site: Site, old: Operation, new: Operation) -> Iterator[Finding]:
    """Yield what is wrong for those who know where an operation is and how they are let in."""
    yield from _check_servers(site, old, new)
    yield from _check_security(site, old, new)
    yield from _check_schemes(site, old, new)


def _check_servers(site: Site, old: Operation, new: Operation) -> Iterator[Finding]:
    now = _servers(new)
    for url in _servers(old) - now:
        problem = f"the server {url} was removed; a client that calls it there does not reach it"
        yield site.finding("", "server-removed", problem, f"Keep {url} among the servers")


def _servers(operation: Operation) -> set[str]:
    """Return the addresses that a document gives for an operation, variables filled in; none if it gives none."""
    levels = (operation.spec, operation.item, operation.document.content)
    given: list[Any] = next((each["servers"] for each in levels if each.get("servers")), [])
    return {_address(each).rstrip("/") or "/" for each in given}


def _address(server: dict[str, Any]) -> str:
    url: str = server["url"]
    for name, variable in server.get("variables", {}).items():
        url = url.replace(f"{{{name}}}", variable.get("default", ""))
    return url


def _check_security(site: Site, old: Operation, new: Operation) -> Iterator[Finding]:
    """Yield a finding for every way of being allowed in that does not open the door any more."""
    ways = [frozenset(way.values()) for way in _ways_in(new)]
    for way in _ways_in(old):
        if not any(other <= frozenset(way.values()) for other in ways):
            names = " and ".join(sorted(way))
            how = f"with {names}" if names else "without credentials"
            problem = f"a client {how} was let in and is refused now"
            fix = f"Keep letting it in {how}"
            yield site.breaking("request", "request-security-added", problem, fix)


def _ways_in(operation: Operation) -> list[dict[str, str]]:
    """Return what is needed to be let in, as alternatives: by name, all that identifies it to clients."""
    content = operation.document.content
    demands = operation.spec.get("security", content.get("security", [])) or [{}]
    return [
        {
            called: it
            for name, scopes in demand.items()
            for called, it in _needs(operation, name, scopes)
        }
        for demand in demands
    ]


def _needs(operation: Operation, name: str, scopes: list[str]) -> Iterator[tuple[str, str]]:
    """Yield a scheme and its scopes; a scheme is what it asks for, its name is not sent."""
    scheme = _scheme(operation, name)
    identity = {key: scheme.get(key) for key in ("type", "scheme", "in", "name")}
    identity["scheme"] = str(identity["scheme"]).lower()
    shown = text(identity) if scheme else name
    yield name, shown
    yield from ((f"{name} {scope}", f"{shown} {scope}") for scope in scopes)


def _scheme(operation: Operation, name: str) -> dict[str, Any]:
    schemes = operation.document.content.get("components", {}).get("securitySchemes", {})
    found: dict[str, Any] = operation.document.resolve(schemes.get(name, {}))
    return found


def _check_schemes(site: Site, old: Operation, new: Operation) -> Iterator[Finding]:
    content = old.document.content
    demands = old.spec.get("security", content.get("security", []))
    for name in dict.fromkeys(name for demand in demands for name in demand):
        was, is_now = _scheme(old, name), _scheme(new, name)
        if not was or not is_now:
            continue
        for key in _TOKENS:
            if key in was and text(was[key]) != text(is_now.get(key)):
                problem = (
                    f"{key} of {name} changed; a client that gets its token as before may get none"
                )
                fix = f"Keep {key} as it was, or add a scheme with a name of its own"
                yield site.breaking("request", "security-url-changed", problem, fix)
