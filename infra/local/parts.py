"""The parts of the stack, in the order they are shown: how each is run, probed and reached."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from cdc.manifest import Service
from infra.grpc_health import is_serving
from infra.local import postgres, retention
from infra.local.java import connect, kafka, registry
from infra.local.java.process import Process as JavaProcess
from infra.local.probe import http_ok
from infra.local.program import Program, fingerprint, python_program
from infra.processes import command_of, environment_of, shared_command, shared_environment
from infra.services import SERVICES, WORKERS
from infra.settings import HOST, Publisher, Settings

SHARED = "workers"  # the program that runs all consumers when they share a process


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the stack."""

    name: str  # as in supervisor, status and logs
    # make what it needs on disk and describe its process; repeatable
    prepare: Callable[[Settings], Program]
    is_ready: Callable[[Settings], bool]  # one cheap look at whether it does its work
    url: Callable[[Settings], str | None]  # where it is reached, None if nowhere
    ports: tuple[str, ...] = ()  # the settings with the ports it listens on
    publisher: Publisher | None = None  # it belongs only to stacks with this publisher; None is any
    is_service: bool = False  # it is a service or worker, and needs the whole of the infrastructure
    may_share: bool = False  # it may run in one process with others of its kind

    @property
    def programs(self) -> tuple[str, ...]:
        """Names of the programs of which one runs it."""
        return (SHARED, self.name) if self.may_share else (self.name,)

    def program_in(self, programs: Collection[str]) -> str:
        """Return the name of the program that runs it, of those that supervision knows."""
        return next((name for name in self.programs if name in programs), self.name)


def _kafka(settings: Settings) -> Program:
    process = kafka.prepare(
        home=settings.home,
        cache=settings.cache,
        port=settings.kafka_port,
        controller_port=settings.kafka_controller_port,
        aot=settings.aot != "off",
    )
    return _java(process, stage=20, stop_wait_s=30)


def _connect(settings: Settings) -> Program:
    process = connect.prepare(
        home=settings.home,
        cache=settings.cache,
        port=settings.connect_port,
        kafka_bootstrap=settings.kafka_bootstrap,
        aot=settings.aot != "off",
    )
    return _java(connect.with_late_timers(process), stage=30, stop_wait_s=20)


def _registry(settings: Settings) -> Program:
    process = registry.prepare(
        home=settings.home,
        cache=settings.cache,
        port=settings.registry_port,
        postgres_port=settings.postgres_port,
        aot=settings.aot != "off",
    )
    return _java(process, stage=30, stop_wait_s=20)


def _java(process: JavaProcess, *, stage: int, stop_wait_s: int) -> Program:
    return Program(
        name=process.name,
        argv=tuple(process.argv),
        env=process.env,
        directory=process.directory,
        stage=stage,
        stop_wait_s=stop_wait_s,
        fingerprint=fingerprint(process.argv, process.env, process.files),
    )


def _service(service: Service) -> Part:
    return Part(
        name=service.name,
        prepare=lambda settings: python_program(
            service.name, command_of(service), environment_of(service, settings.deployment())
        ),
        is_ready=_probe_of(service),
        url=lambda settings: settings.url_of(service.name),
        ports=(service.port_setting,),
        publisher="relay" if service.kind == "relay" else None,
        is_service=service.kind != "relay",
        may_share=service.is_consumer,
    )


def _probe_of(service: Service) -> Callable[[Settings], bool]:
    if service.kind == "grpc":
        return lambda settings: is_serving(settings.url_of(service.name))
    return lambda settings: http_ok(settings.port_of(service.name), service.ready_path)


def shared_workers(settings: Settings) -> Program:
    return python_program(
        SHARED, shared_command(WORKERS), shared_environment(WORKERS, settings.deployment())
    )


INFRASTRUCTURE = (
    Part(
        name="postgres",
        prepare=postgres.prepare,
        is_ready=postgres.is_ready,
        url=lambda settings: f"postgresql://{HOST}:{settings.postgres_port}/tailrace",
        ports=("postgres_port",),
    ),
    Part(
        name="kafka",
        prepare=_kafka,
        is_ready=lambda settings: kafka.is_ready(settings.kafka_port),
        url=lambda settings: settings.kafka_bootstrap,
        ports=("kafka_port", "kafka_controller_port"),
    ),
    Part(
        name="registry",
        prepare=_registry,
        is_ready=lambda settings: registry.is_ready(settings.registry_port),
        url=lambda settings: settings.registry_url,
        ports=("registry_port",),
    ),
    Part(
        name="connect",
        prepare=_connect,
        is_ready=lambda settings: connect.is_ready(settings.connect_port),
        url=lambda settings: settings.connect_url,
        ports=("connect_port",),
        publisher="cdc",
    ),
)

SERVICE_PARTS = tuple(_service(service) for service in SERVICES)
RETENTION_PART = Part(
    name="retention",
    prepare=retention.prepare,
    is_ready=retention.is_ready,
    url=lambda _settings: None,
)
PARTS = (*INFRASTRUCTURE, *SERVICE_PARTS, RETENTION_PART)
PART_NAMES = tuple(part.name for part in PARTS)
PORT_SETTINGS = tuple(name for part in PARTS for name in part.ports)


def parts_with(publisher: Publisher) -> tuple[Part, ...]:
    return tuple(part for part in PARTS if part.publisher in {None, publisher})
