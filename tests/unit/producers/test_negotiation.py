"""Which version an exchange is in, whatever clients write into `Accept` and `Content-Type`."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from producers.rest.negotiation import JSON, offers_of, preferred
from producers.rest.versions import announcement
from schemas.rest.orders import API, V1, V2
from schemas.rest.versions import Version

ONE, TWO = V1.media_type, V2.media_type


def chosen(accept: str | None) -> str | None:
    headers = Headers({} if accept is None else {"accept": accept})
    offer = preferred(headers, offers_of(API.versions))
    return None if offer is None else offer.media_type


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        (None, TWO),
        ("", TWO),
        ("*/*", TWO),
        ("application/*", TWO),
        ("application/json", JSON),
        (ONE, ONE),
        (TWO, TWO),
        (ONE.upper(), ONE),
        (f"{ONE}, application/json", ONE),
        (f"application/json, {ONE}", ONE),
        (f"{ONE};q=0.5, application/json", JSON),
        (f"{ONE}; q=0.9, {TWO}; q=0.8, */*; q=0.1", ONE),
        (f"{ONE}, */*;q=0.1", ONE),
        (f"*/*, {TWO};q=0", ONE),
        (f"{TWO};q=0, {ONE};q=0, application/json;q=0.001", JSON),
        ("text/html, application/xhtml+xml, */*;q=0.8", TWO),
        (f"{ONE};charset=utf-8;q=1.000", ONE),
        (f"text/html, , ;;, {ONE}", ONE),
        ("text/html", None),
        ("application/xml;q=0.9, text/*", None),
        ("application/vnd.tailrace.v3+json", None),
        (f"{ONE};q=0", None),
        ("*/*;q=0", None),
        ("nonsense", None),
    ],
)
def test_accept_chooses_the_form_of_the_answer(accept: str | None, media_type: str | None) -> None:
    assert chosen(accept) == media_type


@given(st.text(alphabet=st.characters(max_codepoint=255)))
def test_no_accept_whatever_breaks_the_choice(accept: str) -> None:
    assert chosen(accept) in {None, ONE, TWO, JSON}


def test_what_a_deprecated_version_announces() -> None:
    old = Version(1, deprecated_on=date(2026, 11, 23), sunset_on=date(2027, 11, 30))
    assert announcement(old, "/v1/orders/7", successor=V2) == {
        "vary": "Accept",
        "deprecation": "@1795392000",
        "sunset": "Tue, 30 Nov 2027 23:59:59 GMT",
        "link": '</v2/orders/7>; rel="successor-version"',
    }
    [link, same] = (
        announcement(old, at, successor=V2)["link"] for at in ("/orders/7", "/v1/orders/7")
    )
    assert link == same
    assert "link" not in announcement(old, "/v1/orders/7")
    assert announcement(V2, "/v2/orders/7") == {"vary": "Accept"}


def test_no_path_breaks_out_of_its_link() -> None:
    link = announcement(V1, '/v1/orders/>; rel="x"\r\nset-cookie: 1', successor=V2)["link"]
    assert (
        link
        == '</v2/orders/%3E%3B%20rel%3D%22x%22%0D%0Aset-cookie%3A%201>; rel="successor-version"'
    )
