"""What addresses and forms say: what no name or text is, is refused in words before it is looked for."""

import re
from collections.abc import Iterator

import pytest
from starlette.routing import Route
from starlette.testclient import TestClient

from infra.console.app import create_app
from infra.console.installation import Installation
from infra.console.listening import Listening
from infra.text import LONGEST_TEXT
from tests.stack import own_settings

PORT = 18088
HOME = f"http://127.0.0.1:{PORT}"
TOKEN = re.compile('name="token" value="([^"]+)"')
PAGES = (
    *("/", "/events", "/flow", "/sagas", "/saga", "/parked", "/parked/message", "/parked/edit"),
    *("/topics", "/topic", "/topic/follow", "/schemas", "/schema", "/replays", "/replay"),
    "/outboxes",
)
FORMS = {
    "/saga": ("id", "saga", "step", "verb"),
    "/parked/edit": ("place", "text", "based_on"),
    "/parked/retry": ("error", "key", "rate"),
    "/parked/skip": ("message_id", "consumer"),
    "/replays": ("topic", "start", "where"),
    "/replay": ("id", "why"),
    "/schema": ("name", "text"),
    "/outboxes/canary": ("actor", "why"),
}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    settings = own_settings(tmp_path_factory.mktemp("console") / "home")
    installation = Installation(
        deployment=settings.deployment(), local=settings, mode="act", actor="ada"
    )
    app = create_app(installation, Listening(port=PORT))
    with TestClient(app, base_url=HOME, follow_redirects=False) as client:
        yield client


def test_every_page_and_form_is_tried_here(client: TestClient) -> None:
    routes = [route for route in client.app.routes if isinstance(route, Route)]  # type: ignore[attr-defined]
    of = {
        method: {each.path for each in routes if method in (each.methods or ())}
        for method in ("GET", "POST")
    }
    assert of["GET"] == {*PAGES, "/health"}
    assert of["POST"] == {*FORMS}


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("text", ["\0", "before\0behind", "x" * (LONGEST_TEXT + 1)])
def test_what_no_text_is_is_refused_in_an_address(client: TestClient, path: str, text: str) -> None:
    for name in ("id", "type", "panels", "anything", "\0"):
        answer = client.get(path, params={name: text})
        assert answer.status_code == 400
        assert "is wrong" in answer.text
        assert "\0" not in answer.text
        assert len(answer.text) < 10_000


@pytest.mark.parametrize(("path", "name"), [(p, n) for p, names in FORMS.items() for n in names])
def test_what_no_text_is_is_refused_in_a_form(client: TestClient, path: str, name: str) -> None:
    found = TOKEN.search(client.get("/replays").text)
    assert found
    form = {"token": found[1], "actor": "ada", "why": "a trial"}
    for text in ("\0", "before\0behind", "x" * (LONGEST_TEXT + 1)):
        answer = client.post(path, data=form | {name: text}, headers={"origin": HOME})
        if name not in {"text", "where"} or "\0" in text:  # these may be long
            assert answer.status_code == 400
            assert "is wrong" in answer.text


@pytest.mark.parametrize("rows", ["9" * 5000, "000000000" + "9" * 9, "\u0663", "-1", "1e3"])
def test_numbers_are_judged_as_a_whole(client: TestClient, rows: str) -> None:
    found = TOKEN.search(client.get("/replays").text)
    assert found
    form = {"token": found[1], "actor": "ada", "why": "a trial", "consumer": "x", "rows": rows}
    assert client.post("/replays", data=form, headers={"origin": HOME}).status_code == 400
