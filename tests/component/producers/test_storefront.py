"""The storefront: what it refuses itself, and what it makes of an orders service that fails."""

import gzip
import json
import re
from collections.abc import Callable
from uuid import UUID

import httpx2
import pytest

from producers.storefront.bootstrap import Settings
from tests.answers import assert_problem, http
from tests.bad_requests import BAD_REQUESTS, FORM, ORDER, BadRequest

Ask = Callable[..., httpx2.Response]
Open = Callable[..., Ask]
Answering = Callable[[bytes | None], str]
Recording = Callable[[bytes | None], tuple[str, list[bytes]]]

BODY = json.dumps(ORDER).encode()
ORDER_ID = "0198c0de-0000-7000-8000-000000000001"
TRACE = "0af7651916cd43dd8448eb211c80319c"
PLACED = json.dumps(
    {
        **ORDER,
        "order_id": ORDER_ID,
        "status": "pending",
        "total": "9.99",
        "placed_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
        "version": 1,
    }
).encode()
PROBLEM = json.dumps({"title": "Later", "status": 503, "detail": "the database is away"}).encode()


def test_asking_for_the_stock_takes_more_to_know() -> None:
    told = {"port": 1, "orders_url": "http://127.0.0.1:9", "stock_check": "ask"}
    with pytest.raises(
        ValueError, match="takes TAILRACE_KAFKA_BOOTSTRAP and TAILRACE_REGISTRY_URL"
    ):
        Settings.model_validate(told)


@pytest.mark.parametrize("bad", BAD_REQUESTS, ids=lambda bad: bad.name)
def test_a_bad_request_is_a_problem(lonely_storefront: Ask, bad: BadRequest) -> None:
    response = lonely_storefront("POST", bad.path, content=bad.body, headers=bad.headers)
    problem = assert_problem(response, bad.status)
    errors = problem.get("errors", [])
    assert isinstance(errors, list)
    assert tuple(error["pointer"] for error in errors) == bad.pointers
    assert all(error["detail"] for error in errors)


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "application/json"},
        {"content-type": "application/json; charset=utf-8", "origin": "https://shop.example"},
        {"content-type": "application/vnd.shop+json"},
        {"content-type": FORM},
        {},
    ],
)
def test_json_is_taken_in_every_honest_dress(
    storefront: Open, answering: Answering, headers: dict[str, str]
) -> None:
    url = answering(http(201, PLACED, "application/json"))
    response = storefront(url)("POST", "/v1/orders", content=BODY, headers=headers)
    assert response.status_code == 201
    assert response.headers["location"] == f"/v1/orders/{ORDER_ID}"
    assert response.json()["total"] == "9.99"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/v1/orders/", 404),
        ("GET", "/v1/orders/not-an-id", 404),
        ("POST", "/nowhere", 404),
        ("GET", "/v1/orders", 405),
        ("DELETE", f"/v1/orders/{ORDER_ID}", 405),
    ],
)
def test_a_wrong_turn_is_a_problem(
    lonely_storefront: Ask, method: str, path: str, status: int
) -> None:
    response = lonely_storefront(method, path)
    assert assert_problem(response, status)["instance"] == path
    assert ("allow" in response.headers) == (status == 405)


def test_a_key_is_handed_on_and_what_was_answered_before_says_so(
    storefront: Open, recording: Recording
) -> None:
    url, received = recording(http(201, PLACED, "application/json", "idempotent-replayed: true"))
    ask = storefront(url)
    answer = ask("POST", "/v1/orders", content=BODY, headers={"idempotency-key": "a'b"})
    assert (answer.status_code, answer.headers["idempotent-replayed"]) == (201, "true")
    assert b'idempotency-key: "a\'b"\r\n' in received[0]
    answer = ask("POST", "/v1/orders", content=BODY)
    assert "idempotent-replayed" not in answer.headers
    assert b"idempotency-key" not in received[1].lower()


def test_a_refusal_that_was_given_before_is_the_same_to_the_byte(
    storefront: Open, answering: Answering
) -> None:
    before = json.dumps({**json.loads(PROBLEM), "status": 409, "correlation_id": "then"}).encode()
    url = answering(http(409, before, "application/problem+json", "idempotent-replayed: true"))
    ask, key = storefront(url), {"idempotency-key": "a"}
    first, again = (ask("POST", f"/v2/orders/{ORDER_ID}/cancel", headers=key) for _ in range(2))
    assert first.status_code == 409
    assert first.content == again.content
    assert first.headers["x-correlation-id"] != again.headers["x-correlation-id"]


@pytest.mark.parametrize("path", ["/v1/orders", "/v2/orders", "/orders", "/nowhere"])
def test_a_malformed_key_is_refused_before_anything_else(lonely_storefront: Ask, path: str) -> None:
    headers = {"idempotency-key": "a b"}
    problem = assert_problem(lonely_storefront("POST", path, content=BODY, headers=headers), 400)
    assert problem["type"] == "urn:tailrace:problem:malformed-idempotency-key"
    assert lonely_storefront("GET", "/health", headers=headers).status_code == 200


def test_orders_down_is_503_with_a_time_to_try_again(lonely_storefront: Ask) -> None:
    response = lonely_storefront("POST", "/v1/orders", content=BODY)
    assert_problem(response, 503)
    assert int(response.headers["retry-after"]) >= 1


def test_orders_silent_is_504(storefront: Open, answering: Answering) -> None:
    url = answering(None)
    response = storefront(url, timeout_ms=50)("GET", f"/v1/orders/{ORDER_ID}")
    assert "unknown" in str(assert_problem(response, 504)["detail"])


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        http(201, PLACED, "application/json")[:-20],
        http(201, b'{"order_id": 1}', "application/json"),
        http(500, b"<h1>oops</h1>", "text/html"),
        http(302, b"", "text/plain", "location: http://127.0.0.1:9/"),
        http(404, b"not a problem", "application/problem+json"),
        http(599, PROBLEM, "application/problem+json"),
        http(204, b"", "application/json"),
        http(200, b"[" * 200_000, "application/json"),
        http(200, b'{"order_id": "\\ud83d"}', "application/json"),
        http(200, gzip.compress(PLACED), "application/json", "content-encoding: gzip"),
        http(201, PLACED, "application/json", "transfer-encoding: chunked"),
        http(201, PLACED, "application/json", "content-length: 1"),
        http(201, PLACED, "application/json", "content-length: -1"),
        http(201, b" " * 5_000_000 + PLACED, "application/json"),
        http(201, PLACED, "application/json", "x: " + "x" * 1_000_000),
        http(201, PLACED, "application/json", "a b: c"),
        b"HTTP/1.1 201 X\r\ntransfer-encoding: chunked\r\n\r\nfff\r\n{}\r\n0\r\n\r\n",
        b"HTTP/1.1 201 X\r\ntransfer-encoding: chunked\r\n\r\n-1\r\n{}\r\n0\r\n\r\n",
        b"HTTP/1.1 103 X\r\n\r\n" * 1000,
        b"HTTP/1.1 101 X\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n",
        b"HTTP/2.0 201 X\r\n\r\n",
        b"\x00" * 200_000,
    ],
    ids=lambda answer: repr(answer[:90]),
)
def test_orders_confused_is_502(storefront: Open, answering: Answering, answer: bytes) -> None:
    response = storefront(answering(answer))("POST", "/v1/orders", content=BODY)
    assert_problem(response, 502)


@pytest.mark.parametrize("wait", ["soon", "-1", "1\u0661", "7, 7"])
def test_a_time_to_try_again_that_is_none_is_not_passed_on(
    storefront: Open, answering: Answering, wait: str
) -> None:
    answer = http(503, PROBLEM, "application/problem+json; charset=utf-8", f"retry-after: {wait}")
    response = storefront(answering(answer))("POST", "/v1/orders", content=BODY)
    assert_problem(response, 503)
    assert "retry-after" not in response.headers


def test_an_answer_that_trickles_is_504(storefront: Open, trickling: str) -> None:
    response = storefront(trickling, timeout_ms=200)("GET", f"/v1/orders/{ORDER_ID}")
    assert_problem(response, 504)


def test_a_problem_of_orders_is_passed_on(storefront: Open, answering: Answering) -> None:
    problem = {
        "type": "urn:tailrace:problem:unavailable",
        "title": "Out of service for the moment",
        "status": 503,
        "detail": "the database is away",
        "errors": [{"pointer": "#/lines", "detail": "too heavy"}],
    }
    answer = http(503, json.dumps(problem).encode(), "application/problem+json", "retry-after: 7")
    response = storefront(answering(answer))("POST", "/v1/orders", content=BODY)
    passed = assert_problem(response, 503)
    assert {key: passed[key] for key in problem} == problem
    assert response.headers["retry-after"] == "7"


def test_a_correlation_id_goes_round_and_a_missing_one_is_made(lonely_storefront: Ask) -> None:
    mine = {"x-correlation-id": ORDER_ID}
    assert lonely_storefront("GET", "/", headers=mine).headers["x-correlation-id"] == ORDER_ID
    for headers in ({}, {"x-correlation-id": "not an id"}):
        made = UUID(lonely_storefront("GET", "/", headers=headers).headers["x-correlation-id"])
        assert made.version == 7


def test_context_is_sent_on_with_a_span_of_its_own(storefront: Open, recording: Recording) -> None:
    parent = f"00-{TRACE}-b7ad6b7169203331-01"
    headers = {"x-correlation-id": ORDER_ID, "traceparent": parent}
    url, received = recording(http(201, PLACED, "application/json"))
    storefront(url)("POST", "/v1/orders", content=BODY, headers=headers)
    request = received[0].decode()
    assert f"x-correlation-id: {ORDER_ID}" in request
    sent = re.search(r"traceparent: (\S+)", request)
    assert sent is not None
    assert sent[1].startswith(f"00-{TRACE}-")
    assert sent[1] != parent


def test_the_front_page_leads_everywhere(lonely_storefront: Ask) -> None:
    for path in ("/", "/health", "/docs", "/openapi.json"):
        assert lonely_storefront("GET", path).status_code == 200
    described = lonely_storefront("GET", "/openapi.json").json()
    answers = described["paths"]["/v1/orders"]["post"]["responses"]
    assert "application/problem+json" in answers["default"]["content"]
    assert "application/problem+json" in answers["422"]["content"]


def test_requests_are_counted_by_what_there_are_few_of(lonely_storefront: Ask) -> None:
    def counted() -> set[str]:
        told = lonely_storefront("GET", "/metrics")
        assert told.headers["content-type"].startswith("text/plain; version=")
        assert 'tailrace_call_breaker_state{state="closed",target="orders"} 1.0' in told.text
        name = "tailrace_http_request_duration_seconds_count"
        lines = (line for line in told.text.splitlines() if line.startswith(name))
        return {line.partition(" ")[0].removeprefix(name) for line in lines}

    lonely_storefront("GET", "/v1/orders/a")
    lonely_storefront("GET", "/orders/a")
    lonely_storefront("GET", "/nowhere/a")
    lonely_storefront("BREW", "/v1/orders")
    before = counted()
    assert '{method="GET",route="/v1/orders/{order_id}",status="404"}' in before
    assert '{method="GET",route="/orders/{order_id}",status="404"}' in before
    assert '{method="GET",route="other",status="404"}' in before
    assert any('method="other"' in labels for labels in before)
    lonely_storefront("GET", "/v1/orders/b")
    lonely_storefront("GET", "/nowhere/b")
    lonely_storefront("STEEP", "/v1/orders")
    assert counted() - before <= {'{method="GET",route="/metrics",status="200"}'}


def test_what_becomes_of_calls_can_be_looked_up(storefront: Open, answering: Answering) -> None:
    url = answering(http(201, PLACED, "application/json"))
    ask = storefront(url)
    assert ask("POST", "/v1/orders", content=BODY).status_code == 201
    told = ask("GET", "/figures").json()
    assert told["requests"] == {
        "in_flight": 0,
        "most": 512,
        "shed": 0,
        "too_late": 0,
        "abandoned": 0,
    }
    assert told["calls"]["orders"] == {
        "state": "closed",
        "in_flight": 0,
        "attempts": 1,
        "failures": 0,
        "retries": 0,
        "retries_left": 10,
        "refused_open": 0,
        "refused_full": 0,
        "source": url,
        "stale_s": 0,
        "source_error": None,
        "instances": [
            {
                "address": url.removeprefix("http://"),
                "weight": 1,
                "priority": 0,
                "in_flight": 0,
                "calls": 1,
                "failures": 0,
                "ejected_s": 0,
            }
        ],
    }
