"""Which changes of a service break its callers, rpc by rpc."""

from collections.abc import Iterator

from schemas.gate.finding import Finding
from schemas.gate.proto_model import Method, Service
from schemas.gate.proto_place import Place, check_options

_STREAMING = {
    (False, False): "one request and one response",
    (True, False): "a stream of requests and one response",
    (False, True): "one request and a stream of responses",
    (True, True): "streams both ways",
}


def check_service(place: Place, old: Service, new: Service) -> Iterator[Finding]:
    """Yield what is wrong with a service after the change."""
    methods = {method.name: method for method in new.methods}
    for method in old.methods:
        same = methods.get(method.name)
        if same is None:
            yield _gone(place, method)
        else:
            yield from _changed(place, method, same)


def _gone(place: Place, method: Method) -> Finding:
    problem = "the rpc was removed or renamed; a client that calls it gets UNIMPLEMENTED"
    fix = f"Bring {method.name} back; mark it deprecated, or publish a new version of the package"
    return place.finding(method.name, "rpc-removed", problem, fix)


def _changed(place: Place, old: Method, new: Method) -> Iterator[Finding]:
    for side, was, is_now in (
        ("request", old.request, new.request),
        ("response", old.response, new.response),
    ):
        if was != is_now:
            problem = f"the {side} went from {was} to {is_now}; old stubs send or expect the other"
            fix = f"Keep {was}, or add an rpc with a name of its own"
            yield place.finding(new.name, f"rpc-{side}-changed", problem, fix, line=new.line)
    was, is_now = _streaming(old), _streaming(new)
    if was != is_now:
        problem = f"went from {was} to {is_now}; old stubs speak the other way"
        fix = f"Keep {was}, or add an rpc with a name of its own"
        yield place.finding(new.name, "rpc-streaming-changed", problem, fix, line=new.line)
    yield from check_options(place, new.name, old.options, new.options, new.line)


def _streaming(method: Method) -> str:
    return _STREAMING[method.client_streams, method.server_streams]
