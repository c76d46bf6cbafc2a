"""A service that asks who calls, over real connections: whom it lets in, what it tells the others, and what it logs."""

import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pydantic import ValidationError

from producers.rest.access.api_key import ApiKey
from producers.rest.access.guard import OPEN
from producers.rest.access.rate import Rate
from producers.rest.access.settings import DEFAULT_RATE, AccessSettings
from producers.rest.settings import ListenerSettings
from producers.storefront.bootstrap import Settings
from tests import plain_http
from tests.services import NOBODY_LISTENS, end, free_port, say, start, wait_until_healthy
from tests.tokens import settings_with, token

ORDER = "/v2/orders/01a2099f-7f09-7d0a-8a5c-2f6f9c0f8e11"
BURST = 12


@dataclass(frozen=True)
class Service:
    """A service that lets tokens in, and how it is asked."""

    port: int
    log: Path

    def ask(
        self,
        path: str,
        method: str = "GET",
        *,
        headers: Mapping[str, str] | None = None,
        **claims: Any,
    ) -> httpx2.Response:
        """Ask as whoever the claims say, or as the headers say."""
        sent = bearer(token(**claims)) if headers is None else headers
        return plain_http.request(method, f"http://127.0.0.1:{self.port}{path}", headers=sent)


def bearer(credential: str) -> dict[str, str]:
    return {"authorization": f"Bearer {credential}"}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A storefront behind which nobody listens: what it answers with 503, it has let through."""
    directory = tmp_path_factory.mktemp("guarded")
    port, log = free_port(), directory / "log"
    settings: dict[str, Any] = settings_with(directory) | {"rate_limit": f"{BURST}/h"}
    with log.open("w") as errors:
        process = start(
            *("-m", "producers.rest", "storefront"),
            errors=errors,
            port=str(port),
            orders_url=NOBODY_LISTENS,
            **settings,
        )
        try:
            wait_until_healthy(process, port)
            yield Service(port, log)
        finally:
            process.kill()
            process.communicate()


def problem_of(answer: httpx2.Response, status: int, kind: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["type"] == f"urn:tailrace:problem:{kind}"
    assert problem["correlation_id"] == answer.headers["x-correlation-id"]
    return problem


def test_who_shows_a_good_token_is_let_through(service: Service) -> None:
    assert problem_of(service.ask(ORDER), 503, "unavailable")["detail"].startswith("the orders")


@pytest.mark.parametrize(
    "path",
    [
        ORDER,
        "/orders/x",
        "/v1/orders",
        "/nowhere",
        "/figures",
        "/metrics",
        "//health",
        "/health/",
        "/docs/x",
        "/HEALTH",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "DELETE", "OPTIONS"])
def test_who_shows_nothing_is_told_how_and_hears_of_nothing_else(
    service: Service, path: str, method: str
) -> None:
    answer = service.ask(path, method, headers={})
    assert answer.headers["www-authenticate"] == 'Bearer realm="tailrace"'
    if method == "HEAD":
        assert (answer.status_code, answer.content) == (401, b"")
    else:
        assert "Authorization: Bearer" in problem_of(answer, 401, "unauthenticated")["detail"]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("Bearer x", "no JSON Web Token"),
        ("Bearer", "is to be `Bearer`"),
        ("Basic dXNlcjpwYXNz", "is to be `Bearer`"),
        ("bearer" + "x" * 50, "is to be `Bearer`"),
        (f"Bearer {ApiKey.new().text}", "no API keys are taken here"),
        (f"Bearer {token(exp=1)}", "expired"),
        (f"Bearer {token()} x", "broken"),
        (f"Bearer {'x' * 9000}", "bytes"),
    ],
    ids=range(8),
)
def test_credentials_that_are_no_good_are_told_why(
    service: Service, value: str, words: str
) -> None:
    answer = service.ask(ORDER, headers={"authorization": value})
    problem = problem_of(answer, 401, "unauthenticated")
    assert words in problem["detail"]
    challenge = answer.headers["www-authenticate"]
    assert re.fullmatch(
        r'Bearer realm="tailrace", error="invalid_token", error_description="[^"\\]+"', challenge
    )


def test_two_credentials_are_none(service: Service) -> None:
    lines = "".join(f"Authorization: Bearer {each}\r\n" for each in (token(), token(sub="eve")))
    raw = f"GET {ORDER} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{lines}\r\n"
    answer = say(service.port, raw.encode())
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"more than once" in answer


@pytest.mark.parametrize(
    "name", ["x-api-key", "api-key", "x-principal", "principal", "x-forwarded-user", "cookie"]
)
def test_credentials_are_taken_from_nowhere_else(service: Service, name: str) -> None:
    problem_of(service.ask(ORDER, headers={name: token()}), 401, "unauthenticated")
    problem_of(service.ask(f"{ORDER}?access_token={token()}", headers={}), 401, "unauthenticated")


@pytest.mark.parametrize(
    ("method", "path", "needed"),
    [
        ("GET", ORDER, "orders:read"),
        ("HEAD", ORDER, "orders:read"),
        ("POST", "/v1/orders", "orders:write"),
        ("POST", "/v2/orders", "orders:write"),
        ("POST", "/orders", "orders:write"),
        ("POST", f"{ORDER}/cancel", "orders:write"),
        ("GET", "/figures", "figures"),
        ("GET", "/metrics", "figures"),
    ],
)
def test_a_scope_lets_through_what_it_names_alone(
    service: Service, method: str, path: str, needed: str
) -> None:
    others = {"orders:read", "orders:write", "figures", "orders", "orders:*", needed.upper()} - {
        needed
    }
    answer = service.ask(path, method, sub=f"poor {method} {path}", scope=" ".join(others))
    assert answer.status_code == 403
    assert (
        answer.headers["www-authenticate"]
        == f'Bearer realm="tailrace", error="insufficient_scope", scope="{needed}"'
    )
    if method != "HEAD":
        assert needed in problem_of(answer, 403, "insufficient-scope")["detail"]
    let_in = service.ask(path, method, sub=f"rich {method} {path}", scope=needed)
    assert let_in.status_code not in {401, 403, 404}


def test_a_body_is_not_read_of_one_who_may_not_send_it(service: Service) -> None:
    url = f"http://127.0.0.1:{service.port}/v2/orders"
    answer = plain_http.post(url, headers=bearer(token(sub="poor", scope="")), content=b"{not json")
    problem_of(answer, 403, "insufficient-scope")


def test_who_is_let_in_hears_that_there_is_nothing(service: Service) -> None:
    assert service.ask("/nowhere", sub="lost").status_code == 404
    assert service.ask(ORDER, "DELETE", sub="lost").status_code == 405


def test_what_tells_of_the_service_is_for_everyone(service: Service) -> None:
    for path in OPEN:
        assert service.ask(path, headers={}).status_code == 200
        assert service.ask(path, headers=bearer("nonsense")).status_code == 200


def test_a_client_that_has_had_enough_is_told_when_to_come_back(service: Service) -> None:
    ask = partial(service.ask, ORDER, sub="eager")
    with ThreadPoolExecutor(4) as several:
        answers = list(several.map(lambda _: ask(), range(BURST + 3)))
    refused = [each for each in answers if each.status_code == 429]
    assert len(refused) == 3
    assert {each.status_code for each in answers} == {429, 503}
    for answer in refused:
        assert "12 requests" in problem_of(answer, 429, "rate-limited")["detail"]
        assert 0 < int(answer.headers["retry-after"]) <= 3600 / BURST
        assert answer.headers["ratelimit"].startswith('"client";r=0;t=')
    left = sorted(int(re.findall(r"r=(\d+)", each.headers["ratelimit"])[0]) for each in answers)
    assert left == [0, 0, 0, *range(BURST)]
    assert {each.headers["ratelimit-policy"] for each in answers} == {'"client";q=12;w=3600'}
    # whoever else calls is not told of it
    assert service.ask(ORDER, sub="patient").status_code == 503


def test_who_watches_over_the_service_is_not_counted(service: Service) -> None:
    assert service.ask(ORDER, headers={}).status_code == 401
    for _ in range(BURST + 1):
        assert service.ask("/health", headers={}).status_code == 200
        for path in ("/figures", "/metrics"):
            assert service.ask(path, sub="watch", scope="figures").status_code == 200
    told = service.ask("/figures", sub="watch", scope="figures").json()["access"]
    assert told["denied"] > 0
    assert told["rate_limited"] >= 0


def test_the_log_tells_who_called_and_no_secret(service: Service) -> None:
    credential = token(sub="logged")
    service.ask(ORDER, headers=bearer(credential))
    key = ApiKey.new()
    service.ask(ORDER, headers=bearer(key.text))
    text = service.log.read_text()
    assert 'caller="jwt:https://issuer.example.org logged"' in text
    for secret in (
        credential,
        credential.rpartition(".")[2],
        key.text,
        key.text.rpartition("_")[2],
    ):
        assert secret not in text


EVERYWHERE = "0.0.0.0"  # noqa: S104


def test_a_service_for_everyone_that_asks_nobody_does_not_start() -> None:
    process = start(
        *("-m", "producers.rest", "storefront"),
        host=EVERYWHERE,
        port=str(free_port()),
        orders_url=NOBODY_LISTENS,
    )
    status, errors = end(process)
    assert status == 2
    assert "Traceback" not in errors
    told = r"^TAILRACE_HOST is 0\.0\.0\.0.*TAILRACE_AUTH=keys.*TAILRACE_ALLOW_ANYONE=true.*\n$"
    assert re.match(told, errors)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"host": EVERYWHERE}, "TAILRACE_ALLOW_ANYONE=true"),
        ({"host": "::"}, "TAILRACE_ALLOW_ANYONE=true"),
        ({"host": "192.0.2.1"}, "TAILRACE_ALLOW_ANYONE=true"),
        ({"host": "shop.example.org"}, "TAILRACE_ALLOW_ANYONE=true"),
        ({"host": ""}, "host"),
        ({"auth": "jwt"}, "TAILRACE_JWT_ISSUER, TAILRACE_JWT_AUDIENCE, TAILRACE_JWT_KEYS"),
        ({"auth": "keys"}, "TAILRACE_KEYS_DATABASE_URL"),
        ({"auth": "keys, jwt"}, "TAILRACE_JWT_ISSUER"),
        ({"auth": "none"}, "off, keys, jwt, or keys,jwt"),
        ({"auth": ""}, "off, keys, jwt, or keys,jwt"),
        ({"auth": "off,keys"}, "off, keys, jwt, or keys,jwt"),
        ({"jwt_algorithms": "RS256,HS256"}, "HS256 is no algorithm"),
        ({"jwt_algorithms": "none"}, "none is no algorithm"),
        ({"jwt_algorithms": ""}, "nothing is no algorithm"),
        ({"jwt_keys": "http://issuer.example.org/keys"}, "https"),
        ({"rate_limit": "many"}, "100/s"),
    ],
    ids=str,
)
def test_settings_that_would_let_anybody_in_are_refused(
    settings: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValidationError, match=words):
        Settings(port=1, orders_url=NOBODY_LISTENS, **settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"host": "localhost"},
        {"host": "127.0.0.2"},
        {"host": "::1"},
        {"host": EVERYWHERE, "allow_anyone": True},
        {
            "host": EVERYWHERE,
            "auth": "keys",
            "keys_database_url": "postgresql://nobody@127.0.0.1:9/none",
        },
        {
            "auth": "keys",
            "rate_limit": "off",
            "keys_database_url": "postgresql://nobody@127.0.0.1:9/none",
        },
    ],
    ids=str,
)
def test_settings_that_let_in_whom_they_should_are_taken(settings: dict[str, Any]) -> None:
    assert Settings(port=1, orders_url=NOBODY_LISTENS, **settings).port == 1


def test_grpc_asks_nobody_and_so_is_for_this_machine(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="TAILRACE_ALLOW_ANYONE=true"):
        ListenerSettings(port=1, host=EVERYWHERE)
    assert ListenerSettings(port=1, host=EVERYWHERE, allow_anyone=True).allow_anyone


def test_a_limit_by_default_is_for_those_who_say_who_they_are() -> None:
    known: dict[str, Any] = {"auth": "keys"}
    assert AccessSettings().rate is None
    assert AccessSettings(**known).rate == DEFAULT_RATE
    assert AccessSettings(**known, rate_limit="off").rate is None
    assert AccessSettings(rate_limit="60/min", rate_limit_processes=3).rate == Rate(20, 60)
