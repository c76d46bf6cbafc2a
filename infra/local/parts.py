"""The parts of the stack, in the order they are shown: how each is run, probed and reached."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from cdc.manifest import Service
from infra.grpc_health import is_serving
from infra.interpreter import module_command
from infra.local import postgres, retention
from infra.local.java import agent, connect, kafka, registry, zipkin
from infra.local.java.process import Process as JavaProcess
from infra.local.probe import http_ok
from infra.local.program import Program, fingerprint, python_program
from infra.local.standby import watch
from infra.processes import command_of, environment_of, shared_command, shared_environment
from infra.services import RELAY_SERVICE, SERVICES, WORKERS
from infra.settings import HOST, Publisher, Settings
from infra.shapes import BROKERS, POSTGRES, RELAYS, Shape, second_port_setting
from infra.shapes import CONNECT as WORKERS_OF_CONNECT
from infra.stack_deployment import second_deployment_of

SHARED = "workers"  # the program that runs all consumers when they share a process
SECOND_WORKERS = "workers-2"  # of a cluster: one process with another worker of each consumer
KAFKA_OF_A_CLUSTER = BROKERS["cluster"]
CONNECT_OF_A_CLUSTER = WORKERS_OF_CONNECT["cluster"]
KAFKA = (*BROKERS["single"], *KAFKA_OF_A_CLUSTER)
CONNECT = (*WORKERS_OF_CONNECT["single"], *CONNECT_OF_A_CLUSTER)
RELAY = RELAYS["cluster"]
_, SECOND_RELAY = RELAY


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the stack."""

    name: str  # as in supervisor, status and logs
    # make what it needs on disk and describe its process; repeatable
    prepare: Callable[[Settings], Program]
    is_ready: Callable[[Settings], bool]  # one cheap look at whether it does its work
    url: Callable[[Settings], str | None]  # where it is reached, None if nowhere
    # it answers, and says that it cannot; one that says so for seconds while it is waited for has to be started anew
    has_failed: Callable[[Settings], bool] = lambda _settings: False
    ports: tuple[str, ...] = ()  # the settings with the ports it listens on
    publisher: Publisher | None = None  # it belongs only to stacks with this publisher; None is any
    shape: Shape | None = None  # it belongs only to stacks of this shape; None is any
    is_service: bool = False  # it is a service or worker, and needs the whole of the infrastructure
    may_share: bool = False  # it may run in one process with others of its kind

    @property
    def programs(self) -> tuple[str, ...]:
        """Names of the programs of which one runs it."""
        return (SHARED, self.name) if self.may_share else (self.name,)

    def program_in(self, programs: Collection[str]) -> str:
        """Return the name of the program that runs it, of those that supervision knows."""
        return next((name for name in self.programs if name in programs), self.name)


def _nodes(settings: Settings) -> list[kafka.Node]:
    return [
        kafka.Node(name, number, *ports)
        for number, (name, ports) in enumerate(
            zip(BROKERS[settings.shape], settings.kafka_ports, strict=True), start=1
        )
    ]


def _kafka(name: str, number: int, shape: Shape) -> Part:
    setting = "kafka" if number == 1 else f"kafka_{number}"

    def node(settings: Settings) -> kafka.Node:
        return _nodes(settings)[number - 1]

    def prepare(settings: Settings) -> Program:
        process = kafka.prepare(
            home=settings.home,
            cache=settings.cache,
            node=node(settings),
            nodes=_nodes(settings),
            aot=settings.aot != "off",
        )
        return _java(_told(process, settings), stage=20, stop_wait_s=30)

    return Part(
        name=name,
        prepare=prepare,
        is_ready=lambda settings: kafka.is_ready(node(settings).port, number),
        url=lambda settings: f"{HOST}:{node(settings).port}",
        ports=(f"{setting}_port", f"{setting}_controller_port", f"{setting}_metrics_port"),
        shape=shape,
    )


def _connect(name: str, number: int, shape: Shape) -> Part:
    setting = "connect" if number == 1 else f"connect_{number}"

    def port(settings: Settings) -> int:
        return settings.connect_ports[number - 1]

    def prepare(settings: Settings) -> Program:
        process = connect.prepare(
            home=settings.home,
            cache=settings.cache,
            port=port(settings),
            kafka_bootstrap=settings.kafka_bootstrap,
            name=name,
            replicas=settings.replicas,
            aot=settings.aot != "off",
        )
        if settings.cdc_profile == "thrifty":
            process = connect.compiling_lightly(process)
        return _java(connect.with_late_timers(_told(process, settings)), stage=30, stop_wait_s=20)

    return Part(
        name=name,
        prepare=prepare,
        is_ready=lambda settings: connect.is_ready(port(settings)),
        url=lambda settings: f"http://{HOST}:{port(settings)}",
        ports=(f"{setting}_port", f"{setting}_metrics_port"),
        publisher="cdc",
        shape=shape,
    )


def _postgres(name: str, shape: Shape | None = None) -> Part:
    return Part(
        name=name,
        prepare=lambda settings: postgres.prepare(settings, name),
        is_ready=lambda settings: postgres.is_ready(settings, name),
        url=lambda settings: f"postgresql://{HOST}:{settings.postgres_ports[name]}/tailrace",
        ports=(f"{name.replace('-', '_')}_port",),
        shape=shape,
    )


def _registry_database(settings: Settings) -> str:
    """Return the address of its database for JDBC, which finds out as libpq does which server takes writes."""
    servers = ",".join(f"{HOST}:{port}" for port in settings.postgres_ports.values())
    which = "?targetServerType=primary" if settings.shape == "cluster" else ""
    return f"jdbc:postgresql://{servers}/{registry.DATABASE}{which}"


def _registry(settings: Settings) -> Program:
    process = registry.prepare(
        home=settings.home,
        cache=settings.cache,
        port=settings.registry_port,
        database_url=_registry_database(settings),
        aot=settings.aot != "off",
    )
    return _java(process, stage=30, stop_wait_s=20)


def _told(process: JavaProcess, settings: Settings) -> JavaProcess:
    """Return it as it is, or as one that tells of its JVM, whichever the settings want."""
    port = settings.jvm_metrics_ports.get(process.name)
    return process if port is None else agent.attached(process, cache=settings.cache, port=port)


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
        ports=tuple(service.ports),
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


def _second_workers(settings: Settings) -> Program:
    return python_program(
        SECOND_WORKERS,
        shared_command(WORKERS),
        shared_environment(WORKERS, second_deployment_of(settings)),
    )


def _second_relay(settings: Settings) -> Program:
    environment = environment_of(RELAY_SERVICE, second_deployment_of(settings))
    return python_program(SECOND_RELAY, command_of(RELAY_SERVICE), environment)


def _second_is_ready(service: Service) -> Callable[[Settings], bool]:
    setting = second_port_setting(service)
    return lambda settings: http_ok(getattr(settings, setting), service.ready_path)


INFRASTRUCTURE = (
    *(
        _postgres(name, None if name in POSTGRES["single"] else "cluster")
        for name in POSTGRES["cluster"]
    ),
    _kafka("kafka", 1, "single"),
    *(_kafka(name, number, "cluster") for number, name in enumerate(KAFKA_OF_A_CLUSTER, 1)),
    Part(
        name="registry",
        prepare=_registry,
        is_ready=lambda settings: registry.is_ready(settings.registry_port),
        has_failed=lambda settings: registry.has_failed(settings.registry_port),
        url=lambda settings: settings.registry_url,
        ports=("registry_port",),
    ),
    _connect("connect", 1, "single"),
    *(_connect(name, number, "cluster") for number, name in enumerate(CONNECT_OF_A_CLUSTER, 1)),
)

SERVICE_PARTS = tuple(_service(service) for service in SERVICES)
STANDBY_WATCH = Part(
    name=watch.NAME,
    prepare=watch.prepare,
    is_ready=watch.is_ready,
    url=lambda _settings: None,
    shape="cluster",
)
RETENTION_PART = Part(
    name="retention",
    prepare=retention.prepare,
    is_ready=retention.is_ready,
    url=lambda _settings: None,
)
SECONDS = (
    Part(
        name=SECOND_RELAY,
        prepare=_second_relay,
        is_ready=_second_is_ready(RELAY_SERVICE),
        url=lambda settings: (
            f"http://{HOST}:{getattr(settings, second_port_setting(RELAY_SERVICE))}"
        ),
        ports=(second_port_setting(RELAY_SERVICE),),
        publisher="relay",
        shape="cluster",
    ),
    Part(
        name=SECOND_WORKERS,
        prepare=_second_workers,
        is_ready=lambda settings: all(_second_is_ready(worker)(settings) for worker in WORKERS),
        url=lambda _settings: None,
        ports=tuple(map(second_port_setting, WORKERS)),
        shape="cluster",
        is_service=True,
    ),
)
CONSOLE_PART = Part(
    name="console",
    # it works on the stack as a command does, by the same settings
    prepare=lambda settings: python_program(
        "console", module_command("infra.console"), settings.environment()
    ),
    is_ready=lambda settings: http_ok(settings.console_port, "/health"),
    url=lambda settings: settings.console_url,
    ports=("console_port",),
)
METRICS_PART = Part(
    name="metrics",
    prepare=lambda settings: python_program(
        "metrics", module_command("infra.metrics"), settings.environment()
    ),
    is_ready=lambda settings: http_ok(settings.metrics_port, "/health"),
    url=lambda settings: f"{settings.metrics_url}/metrics",
    ports=("metrics_port",),
)


def _zipkin(settings: Settings) -> Program:
    process = zipkin.prepare(home=settings.home, cache=settings.cache, port=settings.zipkin_port)
    return _java(process, stage=30, stop_wait_s=10)


ZIPKIN_PART = Part(
    name=zipkin.PART,
    prepare=_zipkin,
    is_ready=lambda settings: zipkin.is_ready(settings.zipkin_port),
    url=lambda settings: f"{settings.zipkin_url}/zipkin/",
    ports=("zipkin_port",),
)
OPTIONAL = (CONSOLE_PART, METRICS_PART, ZIPKIN_PART)
"""Parts that the settings may have or leave out."""
PARTS = (
    *INFRASTRUCTURE,
    STANDBY_WATCH,
    *SERVICE_PARTS,
    *SECONDS,
    RETENTION_PART,
    *OPTIONAL,
)
PART_NAMES = tuple(part.name for part in PARTS)
PORT_SETTINGS = tuple(dict.fromkeys(name for part in PARTS for name in part.ports))


def parts_with(
    publisher: Publisher, shape: Shape, *, optional: Collection[str]
) -> tuple[Part, ...]:
    """Return the parts of a stack.

    Args:
        optional: Names of those it has that not every stack does; others may be among them.
    """
    return tuple(
        part
        for part in PARTS
        if part.publisher in {None, publisher}
        and part.shape in {None, shape}
        and (part not in OPTIONAL or part.name in optional)
    )


def parts_of(settings: Settings) -> tuple[Part, ...]:
    """Return the parts that a stack with these settings has."""
    wanted = {
        CONSOLE_PART.name: settings.console != "off",
        METRICS_PART.name: settings.metrics != "off",
        ZIPKIN_PART.name: settings.has_zipkin,
    }
    optional = [name for name, is_wanted in wanted.items() if is_wanted]
    return parts_with(settings.publisher, settings.shape, optional=optional)
