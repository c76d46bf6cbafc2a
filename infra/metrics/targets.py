"""Where Prometheus finds the processes that tell metrics of their own, as its HTTP service discovery reads it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from cdc.logs import FieldLogger
from infra.deployment import Deployment
from infra.errors import explain
from infra.operations.deployment import instances
from infra.operations.doctor import publisher_of
from infra.services import SERVICES

if TYPE_CHECKING:
    from infra.settings import Settings

NOT_KNOWN = 0
"""A port at which nobody listens: of a service of which no instance is known, so that it is seen to be down."""

log = FieldLogger(__name__)


def targets(deployment: Deployment, local: "Settings | None") -> list[dict[str, Any]]:
    """Return each instance of each service and each JVM, with labels that say of what it is one."""
    by = publisher_of(deployment.to_look())
    seconds = _seconds(local) if local else {}
    services = [
        {
            "targets": [*_addresses(deployment, service.name), *seconds.get(service.name, ())],
            "labels": {"service": service.name, "kind": service.kind},
        }
        for service in SERVICES
        if (service.kind != "relay" or by == "relay") and deployment.address_of(service.name).url
    ]
    jvms = [
        {"targets": where.split(","), "labels": {"service": name, "kind": "jvm"}}
        for name, where in deployment.jvms.items()
    ]
    return services + jvms


def _addresses(deployment: Deployment, service: str) -> Iterator[str]:
    try:
        found = instances(deployment, service)
    except Exception as error:
        if (sentence := explain(error)) is None:
            raise
        log.warning("instances are not known", service=service, because=sentence)
        yield f"{urlsplit(deployment.url_of(service)).hostname}:{NOT_KNOWN}"
        return
    port = deployment.address_of(service).metrics_port
    yield from (str(each if port is None else replace(each, port=port)) for each in found)


def _seconds(local: "Settings") -> Mapping[str, Sequence[str]]:
    """Return service -> where the second one is that a cluster runs of it."""
    from infra.settings import HOST
    from infra.shapes import TWICE, second_port_setting

    if local.shape != "cluster":
        return {}
    return {
        service.name: [f"{HOST}:{getattr(local, second_port_setting(service))}"]
        for service in TWICE
    }
