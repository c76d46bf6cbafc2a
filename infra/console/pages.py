"""How pages are made: templates that escape all they are given, and files that go with them."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cached_property
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles

from cdc.text import printable
from infra.console.installation import Installation
from infra.console.visitor import present
from infra.text import age, counted, duration, local, one_line, size

STATIC = Path(__file__).with_name("static")
FOR_GOOD = "public, max-age=31536000, immutable"  # the address changes with the content


def screened(value: Any) -> Any:
    """Return what a template shows: whatever could hide or turn what stands there as an escape."""
    return value if isinstance(value, Markup) else printable(str(value))


def milliseconds(seconds: float | None) -> str:
    """Return a short time in the unit that suits it."""
    if seconds is None:
        return "not known"
    if abs(seconds) < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.2f} s" if abs(seconds) < 60 else duration(int(seconds))


def seconds(value: float | None) -> str:
    if value is None:
        return "not known"
    return f"{value:.1f} s" if value < 10 else duration(int(value))


def rate(value: float | None) -> str:
    """Return how many a second."""
    if value is None:
        return ""
    return f"{value:,.0f}/s" if value >= 10 or value == 0 else f"{value:.1f}/s"


def prose(text: str) -> Markup:
    """Return a sentence of ours, in which commands stand between backticks, with these as code."""
    parts = map(escape, printable(text).split("`"))
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if number % 2 else part
        for number, part in enumerate(parts)
    )


def json_lines(value: Any) -> list[str]:
    return json.dumps(value, indent=2, ensure_ascii=False, default=str).splitlines()


def schema_lines(text: str) -> list[str]:
    """Return a schema, which the registry keeps on one line, over several."""
    return json_lines(json.loads(text))


def link(path: str, **query: object) -> str:
    """Return the address of a page of ours."""
    given = {name: value for name, value in query.items() if value not in {None, ""}}
    return quote(path) + (f"?{urlencode(given)}" if given else "")


class Files(StaticFiles):
    """The files that pages need, kept by browsers for good."""

    def file_response(self, *arguments: Any, **named: Any) -> Response:
        response = super().file_response(*arguments, **named)
        response.headers["cache-control"] = FOR_GOOD
        return response


class Pages:
    """Makes pages of templates."""

    def __init__(self, installation: Installation, process: str) -> None:
        self._common = {"installation": installation, "process": process}

    def render(self, template: str, **values: Any) -> str:
        return self._environment.get_template(template).render(values, visitor=present())

    def page(self, template: str, status: int = HTTPStatus.OK, **values: Any) -> HTMLResponse:
        return HTMLResponse(self.render(template, **values), status)

    def warm_up(self) -> None:
        """Compile all templates."""
        for name in self._environment.list_templates():
            self._environment.get_template(name)

    @cached_property
    def _environment(self) -> Environment:
        environment = Environment(
            loader=PackageLoader("infra.console"),
            autoescape=True,
            undefined=StrictUndefined,
            finalize=screened,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        environment.globals |= self._common | {"link": link, "file": _address_of_files()}
        environment.filters |= {
            "age": age,
            "counted": counted,
            "duration": duration,
            "error": lambda pair: one_line(*pair),
            "json_lines": json_lines,
            "local": _local,
            "milliseconds": milliseconds,
            "prose": prose,
            "rate": rate,
            "schema_lines": schema_lines,
            "seconds": seconds,
            "size": size,
        }
        return environment


def _local(moment: datetime | None, otherwise: str = "") -> str:
    return local(moment, otherwise)


def _address_of_files() -> Mapping[str, str]:
    """Return the address of each file by its name."""

    def addresses() -> Iterator[tuple[str, str]]:
        for path in sorted(STATIC.iterdir()):
            digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
            yield path.name, f"/static/{path.name}?{digest}"

    return dict(addresses())
