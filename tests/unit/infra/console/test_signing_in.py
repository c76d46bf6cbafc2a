"""Signing in: who may come in, what they may do, and what a guess, a thief or a page of somebody else's comes to."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from starlette.testclient import TestClient

from infra.console.app import create_app
from infra.console.installation import Installation, Mode
from infra.console.listening import Listening
from infra.console.signing_in import sessions
from infra.console.users import Users, UsersError, add, remove
from infra.errors import RequestError
from tests.stack import own_settings

NAME = "console.example.com"
HOME = f"https://{NAME}"
PASSWORD = "correct horse battery"
TOKEN = re.compile('name="token" value="([^"]+)"')


@pytest.fixture(autouse=True)
def _streams_look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """See soon who may hear no more."""
    monkeypatch.setattr("infra.console.streams.HEARTBEAT_S", 0.1)


@pytest.fixture(scope="module", autouse=True)
def cheap() -> Iterator[None]:
    """Have passwords hashed at less cost, as many are tried."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("infra.console.users.COST", 2)
        yield


@pytest.fixture(scope="module")
def users(tmp_path_factory: pytest.TempPathFactory, cheap: None) -> Path:
    path = tmp_path_factory.mktemp("users") / "users.toml"
    add(path, "ada", "act", PASSWORD)
    add(path, "lou", "look", PASSWORD)
    return path


def opened(directory: Path, users: Path, mode: Mode = "act") -> TestClient:
    settings = own_settings(directory / "home")
    installation = Installation(
        deployment=settings.deployment(), local=settings, mode=mode, actor="operator"
    )
    listening = Listening(
        host="10.0.0.1", port=18088, names=(NAME,), users=users, is_behind_proxy=True
    )
    return TestClient(create_app(installation, listening), base_url=HOME, follow_redirects=False)


@pytest.fixture
def client(tmp_path: Path, users: Path) -> Iterator[TestClient]:
    with opened(tmp_path, users) as client:
        yield client


def sign_in(
    client: TestClient, name: str, password: str = PASSWORD, to: str = "/"
) -> httpx2.Response:
    return client.post(
        "/sign-in", data={"name": name, "password": password, "to": to}, headers={"origin": HOME}
    )


def token_of(client: TestClient) -> str:
    found = TOKEN.search(client.get("/replays").text)
    assert found
    return found[1]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 303),
        ("/parked?key=a", 303),
        ("/schema", 303),
        ("/events?panels=wrong", 401),
        ("/topic/follow", 401),
    ],
)
def test_who_has_not_signed_in_sees_nothing(client: TestClient, path: str, status: int) -> None:
    answer = client.get(path)
    assert answer.status_code == status
    assert "Tailrace" not in answer.text
    assert client.post("/saga", data={}, headers={"origin": HOME}).status_code == 401


def test_who_signs_in_comes_to_the_page_that_was_asked_for(client: TestClient) -> None:
    asked = client.get("/parked?key=a%26b").headers["location"]
    assert asked == "/sign-in?to=%2Fparked%3Fkey%3Da%2526b"
    assert 'value="/parked?key=a%26b"' in client.get(asked).text
    answer = sign_in(client, "ada", to="/parked?key=a%26b")
    assert (answer.status_code, answer.headers["location"]) == (303, "/parked?key=a%26b")
    cookie = answer.headers["set-cookie"]
    for flag in ("__Host-console=", "HttpOnly", "Secure", "SameSite=strict", "Path=/"):
        assert flag in cookie
    assert not re.search("max-age|expires", cookie, re.IGNORECASE)  # each use prolongs it
    assert "strict-transport-security" in answer.headers
    assert "Signed in as ada" in client.get("/replays").text


@pytest.mark.parametrize(
    "to",
    [
        *("//evil.example", "https://evil.example", "/\\evil.example", "x", ""),
        # which cannot be taken apart
        *("//[", "/\\]", "http://[::1", "//[x]/", "//\u2100.example", "///[v1.x]@"),
    ],
)
def test_signing_in_leads_to_no_page_of_somebody_elses(client: TestClient, to: str) -> None:
    page = client.get("/sign-in", params={"to": to})
    assert (page.status_code, 'name="to" value="/"' in page.text) == (200, True)
    assert sign_in(client, "ada", to=to).headers["location"] == "/"


def test_what_is_done_is_done_by_who_signed_in_whatever_a_form_says(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = []
    monkeypatch.setattr(
        "infra.operations.replay.jobs.stop", lambda _deployment, job_id: done.append(job_id)
    )
    noted = []
    monkeypatch.setattr(
        "infra.console.guard.log.info", lambda event, **fields: noted.append((event, fields))
    )
    sign_in(client, "ada")
    page = client.get("/replays").text
    assert "Who you are" not in page
    form = {"token": token_of(client), "actor": "somebody else", "why": "a trial", "id": "7"}
    assert client.post("/replay", data=form, headers={"origin": HOME}).status_code == 303
    assert done == ["7"]
    assert noted == [("asked for", {"path": "/replay", "actor": "ada", "why": "a trial"})]


def test_who_may_look_cannot_act_and_nobody_can_in_a_console_for_looking(
    tmp_path: Path, client: TestClient, users: Path
) -> None:
    sign_in(client, "lou")
    page = client.get("/replays").text
    assert "for looking only" in page
    assert "Hand messages" not in page
    form = {"token": "none", "why": "a trial", "id": "7"}
    refused = client.post("/replay", data=form, headers={"origin": HOME})
    assert refused.status_code == 403
    assert "you may look, and not act" in refused.text
    with opened(tmp_path, users, "look") as other:
        sign_in(other, "ada")
        assert "for looking only" in other.get("/replays").text
        refused = other.post("/replay", data=form, headers={"origin": HOME})
        assert "this console is there to look" in refused.text


def test_the_token_of_one_is_none_of_another(
    tmp_path: Path, users: Path, client: TestClient
) -> None:
    sign_in(client, "ada")
    token = token_of(client)
    sign_in(client, "ada")
    assert token_of(client) != token
    form = {"token": token, "why": "a trial", "id": "7"}
    assert client.post("/replay", data=form, headers={"origin": HOME}).status_code == 403


def test_signing_in_from_a_page_of_somebody_elses_is_refused(client: TestClient) -> None:
    data = {"name": "ada", "password": PASSWORD}
    for origin in ("https://evil.example", f"http://{NAME}", "null"):
        assert client.post("/sign-in", data=data, headers={"origin": origin}).status_code == 403


def test_passwords_are_not_guessed(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ada", "nobody", "", "ada\n", "é" * 60):
        for _ in range(2):
            answer = sign_in(client, name, "wrong")
            assert answer.status_code in {403, 429}
            assert "set-cookie" not in answer.headers
    refused = [sign_in(client, "ada", "wrong").status_code for _ in range(sessions.TRIES)]
    assert refused[-1] == 429
    assert sign_in(client, "ada").status_code == 429  # also with the right one
    assert sign_in(client, "lou").status_code == 303  # others are not kept out
    monkeypatch.setattr(sessions, "WITHIN_S", 0.0)
    assert sign_in(client, "ada").status_code == 303


def test_a_session_ends_by_signing_out_and_by_being_left_alone(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in(client, "ada")
    stolen = dict(client.cookies)
    form = {"token": token_of(client)}
    assert client.post("/sign-out", data=form, headers={"origin": HOME}).status_code == 303
    client.cookies.update(stolen)
    assert client.get("/replays").status_code == 303
    sign_in(client, "ada")
    monkeypatch.setattr(sessions, "IDLE_S", 0.0)
    assert client.get("/replays").status_code == 303


def test_who_is_taken_out_of_the_file_is_out(tmp_path: Path) -> None:
    path = tmp_path / "users.toml"
    add(path, "ada", "act", PASSWORD)
    add(path, "lou", "look", PASSWORD)
    with opened(tmp_path, path) as client:
        sign_in(client, "ada")
        assert client.get("/replays").status_code == 200
        with client.stream("GET", "/events?panels=replays") as stream:
            told = stream.iter_lines()
            assert any(line == "event: replays" for line in told)
            remove(path, "ada")
            assert list(told)[-1] == ""  # it ends by itself
        assert client.get("/replays").status_code == 303
        assert sign_in(client, "ada").status_code == 403
        sign_in(client, "lou")
        path.chmod(0o644)
        path.touch()
        refused = client.get("/replays")
        assert refused.status_code == 503
        assert "others may read it" in refused.text
        assert client.get("/health").status_code == 200


@pytest.mark.parametrize("changes", ["password", "role", "anew", "by hand"])
def test_another_password_ends_the_sessions_of_the_one_before(tmp_path: Path, changes: str) -> None:
    path = tmp_path / "users.toml"
    add(path, "ada", "act", PASSWORD)
    add(path, "lou", "look", PASSWORD)
    with opened(tmp_path, path) as client, opened(tmp_path, path) as other:
        sign_in(client, "ada")
        with client.stream("GET", "/events?panels=replays") as stream:
            told = stream.iter_lines()
            assert any(line == "event: replays" for line in told)
            match changes:
                case "password":
                    add(path, "ada", "act", PASSWORD[::-1])
                case "role":
                    add(path, "ada", "look", PASSWORD[::-1])
                case "anew":
                    remove(path, "ada")
                    add(path, "ada", "act", PASSWORD[::-1])
                case _:
                    kept = Users(path).find("ada")
                    assert kept
                    path.write_text(path.read_text().replace(kept.password, "scrypt$AAAA$AAAA"))
            assert list(told)[-1] == ""
        assert client.get("/replays").status_code == 303
        assert sign_in(client, "ada").status_code == 403
        sign_in(other, "lou")
        add(path, "ada", "look", PASSWORD)
        assert other.get("/replays").status_code == 200  # others stay
        sign_in(client, "ada")
        assert client.get("/replays").status_code == 200


def test_a_file_holds_no_password_and_is_for_nobody_else(tmp_path: Path) -> None:
    path = tmp_path / "users.toml"
    add(path, "ada", "act", PASSWORD)
    assert PASSWORD not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o644)
    with pytest.raises(UsersError, match="others may read it"):
        Users(path).find("ada")
    for content in (
        "ada = 1",
        "[ada]\nrole = 'all'\npassword = 'a$b$c'",
        "[",
        '[ada]\nrole="act"\npassword="x"',
        '[ada]\nrole=["act"]\npassword="a$b$c"',
        '[ada]\nrole="act"\npassword=5',
        '[ada]\nrole="act"\npassword="scrypt$a$AAAA"',
        '[ada]\nrole="act"\npassword="scrypt$AAAA$é"',
    ):
        path.write_text(content)
        path.chmod(0o600)
        with pytest.raises(UsersError):
            Users(path).find("ada")
    with pytest.raises(UsersError, match="cannot be read"):
        Users(tmp_path / "none").find("ada")
    with pytest.raises(RequestError, match="is no name"):
        add(path, 'a"]', "act", PASSWORD)
    with pytest.raises(RequestError, match="at least"):
        add(tmp_path / "new", "ada", "act", "short")


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"host": "10.0.0.1"}, "--users"),
        ({"host": "::", "users": Path("u")}, "in the clear"),
        ({"host": "10.0.0.1", "users": Path("u"), "is_behind_proxy": True}, "--name"),
        ({"host": "console.local"}, "--users"),
        ({"names": ("console.example.com",)}, "--users"),
        ({"is_behind_proxy": True}, "--users"),
        ({"certificate": (Path("c"), Path("k")), "is_behind_proxy": True}, "Either"),
    ],
    ids=str,
)  # fmt: skip
def test_what_others_can_reach_is_not_opened_without_knowing_them(
    asked: dict[str, object], sentence: str
) -> None:
    with pytest.raises(RequestError, match=sentence):
        Listening(port=18088, **asked)  # type: ignore[arg-type]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_this_machine_alone_is_asked_nothing(host: str) -> None:
    assert Listening(host=host, port=18088).users is None
