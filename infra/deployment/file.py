"""Reads a deployment from a file in TOML and from the environment, which wins line by line."""

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, ValidationInfo
from pydantic_core import ErrorDetails

from cdc.tracing.settings import Format
from infra.deployment import (
    MAX_OUTBOX_DAYS,
    Address,
    Capture,
    Connect,
    Database,
    Deployment,
    DeploymentError,
    Profile,
)
from infra.deployment.databases import (
    PairsError,
    contexts_of,
    read_pairs,
    require_apart,
    sharded,
)
from infra.paths import expanded
from infra.services import SERVICES, SUPERUSER
from producers.discovery import service_url
from schemas.registry_settings import RegistrySettings, RegistrySettingsError

VARIABLE = "TAILRACE_DEPLOYMENT"
ENVIRONMENT = "environment"
"""Value of the variable that names no file: everything is in the environment."""
PREFIX = "TAILRACE_"
MAX_REPLICATION = 100
NO_URL = "must be a URL that begins with http:// or https:// and a host"
BROKER = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^\s:,/@\[\]]+):\d{1,5}")


def _servers(text: str) -> str:
    if not all(BROKER.fullmatch(each) for each in text.split(",")):
        raise ValueError("must be host:port, or several with commas between them")
    return text


def _host(text: str) -> str:
    if not re.fullmatch(r"[\w.:-]+", text, re.ASCII):
        raise ValueError("must be the name or address of a host")
    return text


def _name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]*", text):
        raise ValueError("must be made of letters, digits, _ and -")
    return text


def _address(text: str) -> str:
    try:
        parts = urlsplit(text)
        _ = parts.port  # which is read only when it is asked for
    except ValueError:
        raise ValueError(NO_URL) from None  # the complaint quotes what may be a password
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(NO_URL)
    if parts.username is not None or parts.password is not None:
        raise ValueError("must hold no credentials")
    return text.rstrip("/")


def _addresses(text: str) -> str:
    return ",".join(_address(each) for each in text.split(","))


def _service_address(text: str) -> str:
    """Return where a service is: one address, or where to ask for several."""
    service_url.read(text)
    return text.rstrip("/")


def _reference(text: str) -> str:
    if not re.fullmatch(r"\$\{[^}]+\}", text):
        raise ValueError(
            "must be a reference that Connect resolves, such as ${directory:/secrets:capture.password}"
        )
    return text


def _page(text: str) -> str:
    if "{trace_id}" not in _address(text):
        raise ValueError("must hold {trace_id}, where the id of the trace goes")
    return text


def _from_here(path: Path, info: ValidationInfo) -> Path:
    """Return a path as seen from the directory of the file."""
    return Path(info.context or "") / expanded(path)


File = Annotated[Path, AfterValidator(_from_here)]
Servers = Annotated[str, AfterValidator(_servers)]
Host = Annotated[str, AfterValidator(_host)]
Name = Annotated[str, AfterValidator(_name)]
SslMode = Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]
Port = Annotated[int, Field(ge=1, le=65535)]
Url = Annotated[str, AfterValidator(_address)]
Urls = Annotated[str, AfterValidator(_addresses)]
ServiceAddress = Annotated[str, AfterValidator(_service_address)]


class ServiceLine(BaseModel):
    """`[services.<name>]`: where it is called, and where it listens if it is told."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    url: ServiceAddress | None = None
    host: Host = "127.0.0.1"  # others are let in by whoever says so
    port: Port | None = None
    metrics_port: Port | None = None  # of a gRPC service, which tells metrics beside what it serves


class DatabaseLines(BaseModel):
    """`[databases.<name>]`: a database of its own for some contexts; where nothing is said, it is as the main one."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    contexts: list[str] = []
    host: Host | None = None
    port: Port | None = None
    name: Name | None = None  # by default that of the table
    superuser: Name | None = None
    sslmode: SslMode | None = None
    sslrootcert: File | None = None
    password_files: File | None = None
    connector_host: Host | None = None
    connector_port: Port | None = None
    connector_password: Annotated[str, AfterValidator(_reference)] | None = None


class DeploymentFile(BaseModel):
    """The keys of a deployment file; each but the tables also as a variable, `TAILRACE_<KEY>`."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    kafka_bootstrap: Servers
    kafka_replication: Annotated[int, Field(ge=1, le=MAX_REPLICATION)] = 1
    registry_url: Url
    registry_user: str | None = None
    registry_password_file: File | None = None
    registry_token_file: File | None = None
    registry_ca_file: File | None = None
    registry_certificate_file: File | None = None
    registry_key_file: File | None = None
    registry_timeout_s: float = 5.0
    registry_retries: int = 3
    registry_retry_wait_ms: int = 200
    registry_retry_max_wait_ms: int = 5_000
    registry_writer_user: str | None = None
    registry_writer_password_file: File | None = None
    connect_url: Urls | None = None
    connector_password: Annotated[str, AfterValidator(_reference)] | None = None
    connector_database_host: Host | None = None
    connector_database_port: Port | None = None
    cdc_profile: Profile = "default"
    database_host: Host
    database_port: Port = 5432
    database_name: Name = "tailrace"
    database_superuser: Name = SUPERUSER
    database_sslmode: SslMode | None = None
    database_sslrootcert: File | None = None
    password_files: File
    state: File
    outbox_days: Annotated[int, Field(ge=1, le=MAX_OUTBOX_DAYS)] = 7
    traces_url: Url | None = None
    traces_format: Format = "otlp"
    traces_sample_rate: Annotated[float, Field(ge=0, le=1)] = 0.1
    trace_page: Annotated[str, AfterValidator(_page)] | None = None
    shards: str = ""  # how many a capture has, where there are several
    services: dict[str, ServiceLine] = {}
    jvms: dict[Name, Servers] = {}
    databases: dict[str, DatabaseLines] = {}


TABLES = frozenset({"services", "jvms", "databases"})
NAMES = frozenset(service.name for service in SERVICES)


def read_deployment(named: str, environment: Mapping[str, str] = os.environ) -> Deployment:
    """Return the deployment that a file describes, or the environment alone.

    Args:
        named: Path of the file, or `environment`.
        environment: Variables, of which `TAILRACE_<KEY>` and `TAILRACE_<SERVICE>_URL` win over the file.
    """
    path = None if named == ENVIRONMENT else _file(named)
    source = str(path) if path else "the environment"
    lines = _lines(path) if path else {}
    _overlay(lines, environment)
    beside = path.parent if path else Path.cwd()
    try:
        read = DeploymentFile.model_validate(lines, context=beside)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        raise DeploymentError(_sentence(fault, source, environment)) from None
    if unknown := sorted(read.services.keys() - NAMES):
        raise DeploymentError(
            f"services.{unknown[0]} in {source} is no service of ours: there are {', '.join(sorted(NAMES))}."
        )
    try:
        read.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise DeploymentError(
            f"state in {source} leads to {read.state}, where no directory can be made ({error.strerror}): name one "
            "that may be written to."
        ) from None
    variables = {name: value for name, value in environment.items() if name.startswith(PREFIX)} | {
        VARIABLE: str(path) if path else ENVIRONMENT
    }
    return _deployment(read, source, variables)


def _file(named: str) -> Path:
    try:
        return expanded(Path(named)).absolute()
    except ValueError as error:
        raise DeploymentError(
            f"The deployment file {named} cannot be read, as its path {error}: {VARIABLE} or --deployment names it."
        ) from None


def _lines(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DeploymentError(
            f"The deployment file {path} cannot be read ({error.strerror}): {VARIABLE} or --deployment names it; "
            "name another, or unset the variable to work on the local stack."
        ) from None
    except ValueError as error:
        # the complaint about the syntax, with line and column
        raise DeploymentError(f"{path} is no TOML: {error}. Mend that line.") from None


def _overlay(lines: dict[str, Any], environment: Mapping[str, str]) -> None:
    """Let variables win; one that is empty counts as unset."""
    for name in DeploymentFile.model_fields.keys() - TABLES:
        if text := environment.get(_variable(name)):
            lines[name] = text
    _overlay_databases(lines, environment)
    for name in NAMES:
        if text := environment.get(_variable(f"{name.replace('-', '_')}_url")):
            services = lines.setdefault("services", {})
            if isinstance(services, dict) and isinstance(services.get(name, {}), dict):
                services[name] = services.get(name, {}) | {"url": text}


def _overlay_databases(lines: dict[str, Any], environment: Mapping[str, str]) -> None:
    """Let `TAILRACE_DATABASES` say which contexts are where, and `TAILRACE_DATABASE_<NAME>_<KEY>` the rest."""
    databases = lines.setdefault("databases", {})
    if not isinstance(databases, dict) or not all(isinstance(v, dict) for v in databases.values()):
        return  # which is told when the lines are validated
    if text := environment.get(_variable("databases")):
        for each in databases.values():
            each["contexts"] = []
        try:
            pairs = read_pairs(text)
        except PairsError as error:
            raise DeploymentError(f"{_variable('databases')} {error}.") from None
        for context, name in pairs:
            databases.setdefault(name, {}).setdefault("contexts", []).append(context)
    keys = DatabaseLines.model_fields.keys() - {"contexts"}
    for name, each in databases.items():
        for key in keys:
            if text := environment.get(_variable(f"database_{name}_{key}")):
                each[key] = text
    known = {_variable(f"database_{name}_{key}") for name in databases for key in keys}
    pattern = re.compile(rf"{_variable('database_')}\w+_({'|'.join(keys)})", re.IGNORECASE)
    for variable, text in environment.items():
        if text and variable not in known and pattern.fullmatch(variable):
            raise DeploymentError(
                f"{variable} is set, and databases name none that it could be of: write the name as there, or unset it."
            )


def _deployment(read: DeploymentFile, source: str, variables: Mapping[str, str]) -> Deployment:
    registry = _registry(read, source)
    return Deployment(
        source=source,
        variables=variables,
        kafka_bootstrap=read.kafka_bootstrap,
        kafka_replication=read.kafka_replication,
        registry=registry,
        registry_writer=_writer(read, registry, source),
        captures=_captures(read, source),
        connect=_connect(read, source),
        services={
            service.name: Address(
                url=line.url,
                host=line.host,
                port=line.port or service.port,
                metrics_port=line.metrics_port or service.metrics_port,
            )
            for service in SERVICES
            if (line := read.services.get(service.name))
        },
        jvms=read.jvms,
        outbox_days=read.outbox_days,
        told_all=_traces(read),
        trace_page=read.trace_page,
        state=read.state,
    )


def _traces(read: DeploymentFile) -> dict[str, str]:
    if read.traces_url is None:
        return {}
    return {
        "TRACES_URL": read.traces_url,
        "TRACES_FORMAT": read.traces_format,
        "TRACES_SAMPLE_RATE": str(read.traces_sample_rate),
    }


def _captures(read: DeploymentFile, source: str) -> tuple[Capture, ...]:
    main = Database(
        host=read.database_host,
        port=read.database_port,
        name=read.database_name,
        passwords=read.password_files,
        superuser=read.database_superuser,
        tls=_tls(read.database_sslmode, read.database_sslrootcert),
    )
    own = {name: each for name, each in read.databases.items() if each.contexts}
    try:
        contexts = contexts_of({name: each.contexts for name, each in own.items()})
        captures = (
            Capture(
                database=main,
                contexts=contexts.main,
                connect_host=read.connector_database_host,
                connect_port=read.connector_database_port,
                source=source,
            ),
            *(_capture(name, each, contexts.own[name], main, source) for name, each in own.items()),
        )
        require_apart(captures)
    except PairsError as error:
        raise DeploymentError(f"databases in {source} {error}.") from None
    try:
        return sharded(captures, read.shards)
    except PairsError as error:
        raise DeploymentError(f"shards in {source} {error}.") from None


def _capture(
    name: str, lines: DatabaseLines, contexts: tuple[str, ...], main: Database, source: str
) -> Capture:
    tls = _tls(lines.sslmode, lines.sslrootcert)
    return Capture(
        name=name,
        database=replace(
            main,
            host=lines.host or main.host,
            port=lines.port or main.port,
            name=lines.name or name,
            passwords=lines.password_files or main.passwords,
            superuser=lines.superuser or main.superuser,
            tls={**main.tls, **tls},
        ),
        contexts=contexts,
        connect_host=lines.connector_host,
        connect_port=lines.connector_port,
        connect_password=lines.connector_password,
        source=source,
    )


def _tls(sslmode: str | None, sslrootcert: Path | None) -> dict[str, str]:
    settings = (("sslmode", sslmode), ("sslrootcert", sslrootcert))
    return {name: str(value) for name, value in settings if value}


def _connect(read: DeploymentFile, source: str) -> Connect | None:
    if read.connect_url is None:
        return None
    if read.connector_password is None:
        raise DeploymentError(
            f"connector_password is missing from {source}, which names a connect_url: add the reference by which "
            "Connect finds the password of its role, such as ${directory:/secrets:tailrace_capture.password}."
        )
    return Connect(url=read.connect_url, password=read.connector_password, profile=read.cdc_profile)


def _registry(read: DeploymentFile, source: str) -> RegistrySettings:
    try:
        names = (each.name for each in fields(RegistrySettings))
        return RegistrySettings(**{name: getattr(read, f"registry_{name}") for name in names})
    except RegistrySettingsError as error:
        raise DeploymentError(f"registry_... in {source}: {error}.") from None


def _writer(read: DeploymentFile, registry: RegistrySettings, source: str) -> RegistrySettings:
    """Return how to write to the registry: as another user, if one is named, else as whoever reads."""
    user, password_file = read.registry_writer_user, read.registry_writer_password_file
    if user is None and password_file is None:
        return registry
    try:
        return replace(registry, user=user, password_file=password_file, token_file=None)
    except RegistrySettingsError as error:
        raise DeploymentError(f"registry_writer_... in {source}: {error}.") from None


def _sentence(fault: ErrorDetails, source: str, environment: Mapping[str, str]) -> str:
    """Return what is wrong with which key; the value stays out of it, since it may be a secret in the wrong place."""
    name = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "missing":
        variable = f", or set {_variable(name)}" if "." not in name else ""
        return f"{name} is missing from {source}: add it{variable}."
    if fault["type"] == "extra_forbidden":
        return f"{name} in {source} is no key of a deployment: remove the line."
    reason = fault["msg"].removeprefix("Value error, ").removeprefix("Input ")
    where = name
    if "." not in name and environment.get(_variable(name)):
        where = _variable(name)
    return f"{where} in {source} cannot be used, as it {reason}: change it."


def _variable(name: str) -> str:
    return f"{PREFIX}{name.upper()}"
