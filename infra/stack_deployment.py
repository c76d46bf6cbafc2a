"""The local stack as any other installation: addresses, files with credentials, and what each service is told."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from cdc.manifest import Service
from infra.compose.addresses import SEEN_BY_CONNECT, connect_seen_inside
from infra.deployment import MAIN, Address, Capture, Connect, Deployment
from infra.deployment.databases import contexts_told
from infra.service_settings import as_text, models_of
from infra.services import CAPTURE, PUBLISHER, REGISTRY_ADMIN, SERVICES
from infra.shapes import HOST, TWICE, second_port_setting
from schemas.registry_settings import RegistrySettings

if TYPE_CHECKING:
    from infra.settings import Settings


def deployment_of(settings: "Settings") -> Deployment:
    return Deployment(
        source=settings.source,
        variables=settings.environment(),
        kafka_bootstrap=settings.kafka_bootstrap,
        kafka_replication=settings.replicas,
        registry=RegistrySettings.from_environment(url=settings.registry_url),
        registry_writer=_registry_as(PUBLISHER, settings.registry_url, settings),
        registry_import=_registry_as(
            REGISTRY_ADMIN,
            f"http://{HOST}:{settings.registry_port}/apis/registry/v3/admin/import",
            settings,
        ),
        captures=settings.captures,
        connect=_connect(settings),
        services={
            service.name: Address(
                url=settings.url_of(service.name),
                host=HOST,
                port=settings.port_of(service.name),
                metrics_port=settings.metrics_port_of(service),
            )
            for service in SERVICES
        },
        jvms={name: f"{HOST}:{port}" for name, port in settings.jvm_metrics_ports.items()},
        outbox_days=settings.outbox_days,
        told={service.name: dict(_told(service, settings)) for service in SERVICES},
        told_all=_told_all(settings),
        trace_page=f"{settings.zipkin_url}/zipkin/traces/{{trace_id}}"
        if settings.has_zipkin
        else None,
        state=settings.home,
    )


def second_deployment_of(settings: "Settings") -> Deployment:
    """Return the same as the second one of a service is to be told of it: listening elsewhere."""
    deployment = deployment_of(settings)
    seconds = {
        service.name: replace(
            deployment.services[service.name], port=getattr(settings, second_port_setting(service))
        )
        for service in TWICE
    }
    return replace(deployment, services={**deployment.services, **seconds})


def databases_of(settings: "Settings") -> tuple[Capture, ...]:
    """Return the databases of the stack, all in one server, each with what captures it, in one shard."""
    contexts = contexts_told(settings.databases)
    databases = {MAIN: settings.database} | {
        name: replace(settings.database, name=name) for name in contexts.own
    }
    if settings.in_containers:
        host, port = SEEN_BY_CONNECT
    else:
        host, port = HOST, settings.postgres_ports[settings.primary]
    return tuple(
        Capture(
            name=name,
            database=database,
            contexts=contexts.own.get(name, contexts.main),
            connect_host=host,
            connect_port=port,
            source=settings.source,
        )
        for name, database in databases.items()
    )


def _connect(settings: "Settings") -> Connect:
    if settings.in_containers:
        return replace(
            connect_seen_inside(), url=settings.connect_url, profile=settings.cdc_profile
        )
    return Connect(
        url=settings.connect_url,
        password=f"${{directory:{settings.connect_secrets}:{CAPTURE}.password}}",
        profile=settings.cdc_profile,
    )


def _told(service: Service, settings: "Settings") -> Iterator[tuple[str, str]]:
    """Yield what a service is told besides where everything is."""
    for name in (name for model in models_of(service) for name in model.model_fields):
        value = getattr(settings, name)
        if value is None and name in service.secrets:
            value = settings.secret_file(service.secrets[name])
        if value is not None:
            yield name.upper(), as_text(value)


def _told_all(settings: "Settings") -> dict[str, str]:
    """Return what every service is told besides."""
    if settings.traces == "off":
        return {}
    where = {"TRACES_URL": settings.traces}
    if settings.has_zipkin:
        where = {"TRACES_URL": f"{settings.zipkin_url}/api/v2/spans", "TRACES_FORMAT": "zipkin"}
    return where | {"TRACES_SAMPLE_RATE": str(settings.traces_sample_rate)}


def _registry_as(user: str, url: str, settings: "Settings") -> RegistrySettings:
    return RegistrySettings(url=url, user=user, password_file=settings.secret_file(user))
