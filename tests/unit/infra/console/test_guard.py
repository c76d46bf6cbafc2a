"""Who is let in, and what a page of somebody else's cannot do."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from starlette.routing import Route
from starlette.testclient import TestClient

from infra.console.app import create_app
from infra.console.installation import Installation, Mode
from infra.console.listening import Listening
from infra.local.probe import wait_until
from infra.settings import Settings
from tests.stack import own_settings

PORT = 18088
HOME = f"http://127.0.0.1:{PORT}"
TOKEN = re.compile('name="token" value="([^"]+)"')
POSTS = (
    "/saga",
    "/parked/edit",
    "/parked/retry",
    "/parked/skip",
    "/replays",
    "/replay",
    "/outboxes/canary",
)
ASKING = ("/schema",)
"""What is sent a form, and changes nothing."""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return own_settings(tmp_path / "home")


def opened(settings: Settings, mode: Mode) -> TestClient:
    installation = Installation(
        deployment=settings.deployment(), local=settings, mode=mode, actor="ada"
    )
    return TestClient(create_app(installation, Listening(port=PORT)), base_url=HOME)


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    with opened(settings, "act") as client:
        yield client


def post(client: TestClient, path: str, **headers: str) -> httpx2.Response:
    return client.post(path, data={"token": "guessed"}, headers={"origin": HOME} | headers)


def test_every_route_that_changes_something_is_tried_here(settings: Settings) -> None:
    with opened(settings, "act") as client:
        routes = [route for route in client.app.routes if isinstance(route, Route)]  # type: ignore[attr-defined]
        posts = {route.path for route in routes if "POST" in (route.methods or ())}
        assert posts == {*POSTS, *ASKING}


@pytest.mark.parametrize("host", ["evil.example", f"evil.example:{PORT}", "127.0.0.1:1", ""])
@pytest.mark.parametrize("path", ["/", "/events?panels=wrong", "/static/console.js", "/saga"])
def test_by_another_name_nothing_is_told(client: TestClient, host: str, path: str) -> None:
    answer = client.get(path, headers={"host": host})
    assert answer.status_code == 403
    assert answer.text.startswith("This is none of the names of the console")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_our_own_names_are_known(client: TestClient, host: str) -> None:
    assert client.get("/health", headers={"host": f"{host}:{PORT}"}).status_code == 200


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {
            "origin": f"http://localhost:{PORT}"
        },  # another origin than that of the host that is asked
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
    ids=str,
)
def test_what_does_not_come_from_our_pages_changes_nothing(
    client: TestClient, path: str, headers: dict[str, str]
) -> None:
    answer = post(client, path, **headers)
    assert answer.status_code == 403
    assert answer.text.startswith("Nothing was done: the request ")


@pytest.mark.parametrize("path", POSTS)
def test_without_an_origin_nothing_is_done(client: TestClient, path: str) -> None:
    assert client.post(path, data={}).status_code == 403


@pytest.mark.parametrize("path", POSTS)
def test_without_the_token_of_our_pages_nothing_is_done(client: TestClient, path: str) -> None:
    answer = post(client, path)
    assert answer.status_code == 403
    assert "the page is from before the console was started" in answer.text


@pytest.mark.parametrize("path", [*POSTS, *ASKING])
def test_a_form_is_bounded_and_a_form(client: TestClient, path: str) -> None:
    headers = {"origin": HOME, "content-type": "application/x-www-form-urlencoded"}
    most_kb = 4096 if path in {"/parked/edit", "/schema"} else 16
    content = b"a=" + b"x" * (most_kb * 1024)
    refused = client.post(path, content=content, headers=headers).text
    assert f"the form has more than {most_kb} kB" in refused
    assert "cannot be read" in client.post(path, content=b"\xff\xfe", headers=headers).text
    assert "is sent as" in client.post(path, json={}, headers={"origin": HOME}).text


@pytest.mark.parametrize("path", POSTS)
def test_who_may_only_look_can_do_nothing(settings: Settings, path: str) -> None:
    with opened(settings, "look") as client:
        answer = post(client, path)
        assert answer.status_code == 403
        assert "this console is there to look" in answer.text


def test_pages_take_no_script_and_no_style_from_elsewhere(client: TestClient) -> None:
    for path in ("/", "/flow", "/nope", "/static/console.css"):
        answer = client.get(path)
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'self';")
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["x-content-type-options"] == "nosniff"
    page = client.get("/").text
    assert "style=" not in page
    assert not re.search(r"<script(?! src=\"/static/)|<[^>]+ on[a-z]+=", page)


def test_files_are_kept_by_their_content_and_pages_are_not_kept(client: TestClient) -> None:
    page = client.get("/")
    assert page.headers["cache-control"] == "no-store"
    [address] = re.findall(r'href="(/static/console\.css\?[0-9a-f]{12})"', page.text)
    assert "immutable" in client.get(address).headers["cache-control"]


def test_with_everything_down_pages_say_so(client: TestClient) -> None:
    wait_until(
        "the page does not name it",
        lambda: "<strong>postgres, kafka" in client.get("/").text,
        timeout_s=30,
    )
    for path in ("/sagas", "/flow?id=abc"):
        answer = client.get(path)
        assert answer.status_code == 503
        assert "This cannot be shown" in answer.text
        assert "Connection refused" in answer.text
    assert "Connection refused" in client.get("/outboxes").text
    page = client.get("/schema?name=orders.OrderCreated")
    assert page.status_code == 200
    assert "What the registry holds cannot be told" in page.text
    [token] = TOKEN.findall(page.text)
    form = {"token": token, "name": "orders.OrderCreated", "text": "{}"}
    judged = client.post("/schema", data=form, headers={"origin": HOME})
    assert judged.status_code == 409
    assert "cannot be asked" in judged.text
    assert "read by" in client.get("/schemas").text
