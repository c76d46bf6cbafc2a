"""Checks that servers and services answer, where nobody but themselves can tell how their processes are."""

import asyncio
import ssl
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from http import HTTPStatus
from urllib.parse import urlsplit

import httpx2

from cdc import connector
from cdc.database import connect
from cdc.kafka import ask
from infra.deployment import Capture, Deployment, Publisher
from infra.grpc_health import NotServingError, require_serving
from infra.operations.doctor.captures import of_each
from infra.operations.doctor.check import Check, Trouble
from infra.services import RETENTION, SERVICES
from producers.discovery import service_url
from schemas.proxies import heeded
from schemas.registry_subjects import Subjects

TIMEOUT_S = 5.0


def server_checks(deployment: Deployment, publisher: Publisher) -> Iterator[Check]:
    """Yield a check for each server, and for each service whose address is told."""
    yield Check("postgres", partial(_postgres, deployment))
    yield Check("kafka", partial(_kafka, deployment))
    yield Check("registry", partial(_registry, deployment))
    if publisher == "cdc":
        yield Check("connect", partial(_connect, deployment))
    for service in SERVICES:
        told = deployment.address_of(service.name).url
        if told and (service.kind != "relay" or publisher == "relay"):
            base = partial(deployment.url_of, service.name)
            yield Check(
                service.name,
                partial(_serves, base)
                if service.kind == "grpc"
                else partial(_answers, base, service.ready_path),
            )


def _postgres(deployment: Deployment) -> str:
    return of_each(deployment.captures, _answers_queries)


def _answers_queries(capture: Capture) -> str:
    with connect(capture.url(RETENTION)) as connection:
        [[version]] = connection.execute("show server_version").fetchall()
    return f"{capture.database.host}:{capture.database.port}, version {version}"


def _kafka(deployment: Deployment) -> str:
    brokers = ask(
        deployment.kafka_bootstrap, lambda admin: admin.list_topics(timeout=TIMEOUT_S).brokers
    )
    return f"{deployment.kafka_bootstrap}, {len(brokers)} of its brokers known"


def _registry(deployment: Deployment) -> str:
    with Subjects.open(deployment.registry) as subjects:
        subjects.versions("tailrace")
    return deployment.registry.url


def _connect(deployment: Deployment) -> str:
    said = [_answer(f"{url}/") for url in connector.urls_of(deployment.connect_url)]
    return f"ready at {', '.join(said)}"


def _answers(base: Callable[[], str], path: str) -> str:
    said = [_answer(f"{url.rstrip('/')}{path}") for url in _urls(base())]
    return f"ready at {', '.join(said)}"


def _answer(url: str) -> str:
    answer = httpx2.get(url, timeout=TIMEOUT_S, verify=_trusted(), trust_env=heeded(url))
    if answer.status_code != HTTPStatus.OK:
        raise Trouble(f"answers {answer.status_code} at {url}", "see its log")
    return url


@cache
def _trusted() -> ssl.SSLContext:
    """Return whom this machine trusts; to read that anew for each service takes longer than to ask it."""
    return ssl.create_default_context()


def _serves(base: Callable[[], str]) -> str:
    urls = _urls(base())
    try:
        for url in urls:
            require_serving(url, timeout_s=TIMEOUT_S)
    except NotServingError as error:
        raise Trouble(str(error), "see its log") from error
    return f"serving at {', '.join(urls)}"


def _urls(url: str) -> Sequence[str]:
    """Return the URL of each instance of a service."""
    address = service_url.read(url)
    if urlsplit(url).scheme in service_url.HTTP:
        return [url]
    found = asyncio.run(service_url.look_up(address, timeout_s=TIMEOUT_S))
    if not found:
        raise Trouble(f"there is no instance at {url}", "start one, or see to what tells of them")
    return [f"http://{each}" for each in sorted(found)]
