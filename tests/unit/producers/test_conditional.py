"""Conditional requests: what has a tag, when that is another one, and what clients make of it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import httpx2
import pytest
from fastapi import APIRouter
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers
from starlette.responses import Response, StreamingResponse

from producers.rest.app import build_app
from producers.rest.body import JsonRoute
from producers.rest.conditional import ShownAt, WantedVersions, has_it, wanted_tags
from producers.rest.problems import ProblemError
from tests.answers import assert_problem

router = APIRouter(route_class=JsonRoute)
SENT: list[bytes] = []


@router.get("/thing")
async def thing(response: Response) -> dict[str, str]:
    response.headers["content-language"] = "en"
    response.headers["vary"] = "Accept-Language"
    return {"text": "ä"}


@router.get("/counted/{version}")
async def counted(version: int, shown: ShownAt) -> dict[str, str]:
    shown.at(version)
    return {"text": "the same each time"}


@router.get("/as/{media_type}")
async def as_media_type(media_type: str) -> Response:
    return Response(b"{}", media_type=f"application/{media_type}")


@router.get("/stream")
async def stream() -> Response:
    async def pieces() -> AsyncIterator[bytes]:
        for piece in (b"one", b"two"):
            SENT.append(piece)
            yield piece

    return StreamingResponse(pieces())


@router.get("/stream-with-tag")
async def stream_with_tag() -> Response:
    response = await stream()
    response.headers["etag"] = '"mine"'
    response.headers["cache-control"] = "max-age=60"
    return response


@router.get("/empty", status_code=204)
async def empty() -> None:
    return


@router.post("/change")
async def change(wanted: WantedVersions) -> list[int] | None:
    return None if wanted is None else sorted(wanted)


def ask(path: str, method: str = "GET", **headers: str) -> httpx2.Response:
    named = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return asyncio.run(_ask(method, path, named))


async def _ask(method: str, path: str, headers: list[tuple[str, str]]) -> httpx2.Response:
    @asynccontextmanager
    async def lifespan(_: object) -> AsyncIterator[None]:
        yield

    app = build_app(title="test", description="test", routers=[router], lifespan=lifespan)
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://service") as client:
        return await client.request(method, path, headers=headers)


def test_what_has_not_changed_is_not_sent_again() -> None:
    first = ask("/thing")
    assert first.json() == {"text": "ä"}
    assert first.headers["cache-control"] == "private, no-cache"
    etag = first.headers["etag"]
    for said in (etag, f"W/{etag}", f'"other", {etag}', f'W/"a,b",{etag}', "*", " * "):
        again = ask("/thing", if_none_match=said)
        assert (again.status_code, again.content) == (304, b""), said
        assert "content-length" not in again.headers
        assert "content-type" not in again.headers
        for name in ("etag", "cache-control", "vary"):
            assert again.headers[name] == first.headers[name]
        assert again.headers["x-correlation-id"]


@pytest.mark.parametrize("said", ['"other"', "nonsense", '"', "", 'W/"*"', '"*"'])
def test_what_somebody_has_not_is_sent(said: str) -> None:
    assert ask("/thing", if_none_match=said).status_code == 200


def test_head_is_answered_as_get_is() -> None:
    get, head = ask("/thing"), ask("/thing", "HEAD")
    assert head.content == b""
    same = ("etag", "content-length", "content-type", "cache-control")
    assert [head.headers[name] for name in same] == [get.headers[name] for name in same]
    assert ask("/thing", "HEAD", if_none_match=get.headers["etag"]).status_code == 304


def test_a_tag_stands_for_bytes_media_type_and_version() -> None:
    paths = ("/thing", "/as/json", "/as/other+json", "/counted/1", "/counted/2")
    tags = [ask(path).headers["etag"] for path in paths]
    assert len(set(tags)) == len(paths)
    assert tags == [ask(path).headers["etag"] for path in paths]
    assert tags[4].startswith('"2-')


def test_a_stream_goes_out_as_it_comes() -> None:
    plain = ask("/stream")
    assert (plain.content, "etag" in plain.headers) == (b"onetwo", False)
    assert ask("/stream-with-tag").content == b"onetwo"
    has = ask("/stream-with-tag", if_none_match='"mine"')
    assert (has.status_code, has.content) == (304, b"")
    assert has.headers["cache-control"] == "max-age=60"


def test_answers_without_a_body_and_problems_have_no_tag() -> None:
    assert "etag" not in ask("/empty", if_none_match="*").headers
    missing = ask("/nowhere", if_none_match="*")
    assert_problem(missing, 404)
    assert "etag" not in missing.headers
    assert missing.headers["cache-control"] == "no-store"


def test_a_get_can_be_meant_for_what_is_known() -> None:
    etag = ask("/thing").headers["etag"]
    assert ask("/thing", if_match=f'"other", {etag}').status_code == 200
    assert ask("/thing", if_match="*").status_code == 200
    for said in ('"other"', f"W/{etag}"):  # a weak tag is never enough for that
        problem = assert_problem(ask("/thing", if_match=said, if_none_match=etag), 412)
        assert problem["type"] == "urn:tailrace:problem:changed-meanwhile"


def test_a_change_knows_for_which_versions_it_is_meant() -> None:
    etag = ask("/counted/7").headers["etag"]
    assert ask("/change", "POST").json() is None
    assert ask("/change", "POST", if_match="*").json() is None
    assert ask("/change", "POST", if_match=f'{etag}, "9-ab"').json() == [7, 9]
    for said in ('"other"', f"W/{etag}", '"7"', '"-1-ab"', f'"{"9" * 30}-ab"'):
        assert ask("/change", "POST", if_match=said).json() == [], said


@pytest.mark.parametrize("said", ["7", "", '"a" "b"', '"a', "*, *", 'w/"a"'])
def test_a_condition_that_is_none_is_refused(said: str) -> None:
    for path, method in (("/change", "POST"), ("/thing", "GET")):
        problem = assert_problem(ask(path, method, if_match=said), 400)
        assert problem["type"] == "urn:tailrace:problem:malformed-header"


@given(st.text(st.characters(max_codepoint=255)))
def test_whatever_a_header_says_is_read_or_refused(said: str) -> None:
    has_it(headers({"if-none-match": said}), '"tag"')
    with contextlib.suppress(ProblemError):
        assert wanted_tags(headers({"if-match": said})) != frozenset()


def headers(said: Mapping[str, str]) -> Headers:
    return Headers(raw=[(k.encode(), v.encode("latin-1")) for k, v in said.items()])
