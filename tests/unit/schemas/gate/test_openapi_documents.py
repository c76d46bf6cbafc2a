"""OpenAPI documents as a whole: references, recursion, paths, shared parameters, and the ones that FastAPI makes."""

import copy
import json
from typing import Annotated, Any, Literal

import pytest
from fastapi import FastAPI
from pydantic import BaseModel, Field

from schemas.gate import openapi
from schemas.gate.openapi.document import canonical
from tests.unit.schemas.gate.openapi_documents import (
    REF,
    TODAY,
    check,
    document,
    with_request,
    with_response,
)

TEXT = {"type": "string"}
NUMBER = {"type": "integer"}


def _said(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    return [str(finding) for finding in check(old, new)]


class Line(BaseModel):
    """One line of an order."""

    quantity: Annotated[int, Field(ge=1, le=1_000_000)]


class Order(BaseModel):
    """An order."""

    lines: list[Line]


class Old(BaseModel):
    """A model as it was."""

    name: Annotated[str, Field(max_length=10)]
    kind: Literal["a", "b"] = "a"
    parent: "Old | None" = None
    amount: Annotated[float, Field(gt=0)] | None = None


class New(BaseModel):
    """The same model, wider."""

    name: Annotated[str, Field(max_length=20)] | None
    kind: Literal["a", "b", "c"] = "a"
    parent: "New | None" = None
    amount: Annotated[float, Field(ge=0)] | Literal["all"] | None = None
    more: dict[str, int] | None = None


def _app(model: type[BaseModel]) -> dict[str, Any]:
    app = FastAPI()

    async def take(body: Any, limit: int | None = None) -> Any:
        return body

    take.__annotations__["body"] = model
    app.post("/v1/things", response_model=model)(take)
    return app.openapi()


def test_the_sentence_reads_as_one() -> None:
    old = _app(Order)
    new = copy.deepcopy(old)
    new["components"]["schemas"]["Line"]["properties"]["quantity"]["maximum"] = 1000
    assert _said(old, new) == [
        (
            "storefront POST /v1/things request /lines/items/quantity: maximum went from 1000000 to 1000; a "
            "request that was accepted is refused now. Keep the old maximum, or publish /v2"
        )
    ]


def test_models_that_widen_suit_requests_and_not_responses() -> None:
    findings = check(_app(Old), _app(New))
    assert {
        (finding.path.removeprefix("POST /v1/things "), finding.rule) for finding in findings
    } == {
        ("response 200 /name", "response-type-widened"),
        ("response 200 /name", "response-constraint-loosened"),
        ("response 200 /kind", "response-value-added"),
        ("response 200 /amount", "response-type-widened"),
        ("response 200 /amount", "response-constraint-loosened"),
    }


def test_models_that_narrow_suit_responses_and_not_requests() -> None:
    findings = check(_app(New), _app(Old))
    assert {
        (finding.path.removeprefix("POST /v1/things "), finding.rule) for finding in findings
    } == {
        ("request /name", "request-type-narrowed"),
        ("request /name", "request-constraint-tightened"),
        ("request /kind", "request-value-removed"),
        ("request /amount", "request-type-narrowed"),
        ("request /amount", "request-constraint-tightened"),
        ("request /more", "request-property-removed"),
        ("response 200 /more", "response-property-removed"),
    }


def test_a_recursive_schema_is_compared_once() -> None:
    def tree(value: Any) -> dict[str, Any]:
        kids = {"type": "array", "items": {"$ref": f"{REF}Tree"}}
        return {"type": "object", "properties": {"kids": kids, "value": value}}

    reference = {"$ref": f"{REF}Tree"}
    old, new = with_request(reference, Tree=tree(TEXT)), with_request(reference, Tree=tree(NUMBER))
    assert _said(old, old | {"info": {}}) == []
    assert [finding.path for finding in check(old, new)] == ["POST /v1/orders request /value"]


def test_schemas_that_refer_to_each_other_are_named_at_the_nearest_place() -> None:
    def models(value: Any) -> dict[str, Any]:
        links = {"next": {"$ref": f"{REF}B"}, "other": {"$ref": f"{REF}A"}}
        return {
            "A": {"type": "object", "properties": links},
            "B": {"type": "object", "properties": links | {"value": value}},
        }

    root = {"type": "array", "items": {"$ref": f"{REF}A"}}
    findings = check(with_request(root, **models(TEXT)), with_request(root, **models(NUMBER)))
    assert [finding.path for finding in findings] == ["POST /v1/orders request /items/next/value"]


def test_recursion_through_allof_comes_to_an_end() -> None:
    a, b = {"$ref": f"{REF}A"}, {"$ref": f"{REF}B"}
    models = {
        "A": {"allOf": [b, {"properties": {"x": a, "y": TEXT}}]},
        "B": {"type": "object", "properties": {"x": {"allOf": [a, b]}, "y": b}},
    }
    assert _said(with_request(a, **models), with_request({"allOf": [a]}, **models)) == []
    assert _said(with_response(b, **models), with_response(a, **models)) == []


@pytest.mark.parametrize("schema", [{"$ref": f"{REF}A"}, {"anyOf": [{"$ref": f"{REF}A"}, TEXT]}])
def test_a_schema_that_is_only_itself_adds_nothing(schema: dict[str, Any]) -> None:
    assert _said(with_request(schema, A=schema), with_request({"allOf": [schema]}, A=schema)) == []


def test_a_chain_of_alternatives_does_not_take_for_ever() -> None:
    names = [f"M{index}" for index in range(12)]
    every = {"anyOf": [{"$ref": REF + name} for name in names]}
    models = {
        name: {"type": "object", "properties": {"kind": {"const": name}, "next": every}}
        for name in names
    }
    changed = models | {"M7": {"type": "object", "properties": {"kind": {"const": "M7"}}}}
    findings = check(with_request(every, **models), with_request(every, **changed))
    assert [(finding.path, finding.rule) for finding in findings] == [
        ("POST /v1/orders request /next", "request-property-removed")
    ]


def test_a_renamed_path_parameter_is_the_same_path() -> None:
    def get(name: str, schema: Any) -> dict[str, Any]:
        parameter = {"name": name, "in": "path", "required": True, "schema": schema}
        operation = {"parameters": [parameter], "responses": {}}
        return document(operation, path=f"/v1/orders/{{{name}}}")

    assert _said(get("order_id", TEXT), get("id", TEXT)) == []
    assert [finding.path for finding in check(get("order_id", TEXT), get("id", NUMBER))] == [
        "POST /v1/orders/{order_id} request path parameter order_id"
    ]


def test_parameters_of_the_whole_path_and_references_count() -> None:
    limit = {"name": "limit", "in": "query", "schema": NUMBER}
    old = document({"parameters": [limit], "responses": {}})
    new = document({"responses": {}})
    new["paths"]["/v1/orders"]["parameters"] = [{"$ref": "#/components/parameters/Limit"}]
    new["components"]["parameters"] = {"Limit": limit}
    assert _said(old, new) == []


def test_a_path_without_a_version_is_to_be_published_elsewhere() -> None:
    old = document({"responses": {"200": {}}}, path="/health")
    new = document({"responses": {}}, path="/health")
    assert _said(old, new) == [
        (
            "storefront POST /health response 200: status 200 was removed; a client that waits for it does "
            "not see it any more. Keep answering 200, or publish it under another path"
        )
    ]


def test_versions_live_side_by_side() -> None:
    old = with_response({"type": "object", "properties": {"total": TEXT}})
    new = copy.deepcopy(old)
    new["paths"]["/v2/orders"] = with_response(NUMBER)["paths"]["/v1/orders"]
    assert _said(old, new) == []


def test_security_of_the_document_holds_for_operations_that_say_nothing() -> None:
    old = document({"responses": {}})
    new = old | {"security": [{"bearer": []}]}
    opted_out = document({"responses": {}, "security": []}) | {"security": [{"bearer": []}]}
    assert [finding.rule for finding in check(old, new)] == ["request-security-added"]
    assert _said(old, opted_out) == []


def test_another_kind_of_credentials_under_the_same_name_is_noticed() -> None:
    def secured(place: str) -> dict[str, Any]:
        made = document({"responses": {}, "security": [{"key": []}]})
        scheme = {"type": "apiKey", "in": place, "name": "X-Key"}
        made["components"]["securitySchemes"] = {"key": scheme}
        return made

    assert _said(secured("header"), secured("header") | {"info": {}}) == []
    assert len(check(secured("header"), secured("query"))) == 1


def _oauth(name: str, url: str) -> dict[str, Any]:
    made = document({"responses": {}, "security": [{name: ["write"]}]})
    flows = {"clientCredentials": {"tokenUrl": url, "scopes": {"write": ""}}}
    made["components"]["securitySchemes"] = {name: {"type": "oauth2", "flows": flows}}
    return made


def test_a_renamed_scheme_lets_the_same_clients_in() -> None:
    assert _said(_oauth("oauth", "https://a.example"), _oauth("login", "https://a.example")) == []


def test_a_token_that_is_got_elsewhere_is_noticed() -> None:
    before, after = _oauth("oauth", "https://a.example"), _oauth("oauth", "https://b.example")
    assert [each.rule for each in check(before, after)] == ["security-url-changed"]
    flows = after["components"]["securitySchemes"]["oauth"]["flows"]
    flows["password"] = flows.pop("clientCredentials")
    assert [each.rule for each in check(before, after)] == ["security-url-changed"]


@pytest.mark.parametrize(
    ("mapping", "path"),
    [
        ({"card": "Card", "coins": "Cash"}, "request /t"),
        ({"card": "Cash", "cash": "Card"}, "request /no"),
    ],
)
def test_what_stands_for_an_alternative_counts(mapping: dict[str, str], path: str) -> None:
    def pay(names: dict[str, str]) -> dict[str, Any]:
        options = [{"$ref": f"{REF}Card"}, {"$ref": f"{REF}Cash"}]
        known = {key: f"{REF}{name}" for key, name in names.items()}
        tag = {"propertyName": "t", "mapping": known}
        card = {"type": "object", "required": ["t", "no"], "properties": {"t": TEXT, "no": TEXT}}
        cash = {"type": "object", "required": ["t"], "properties": {"t": TEXT}}
        return with_request({"oneOf": options, "discriminator": tag}, Card=card, Cash=cash)

    before = pay({"card": "Card", "cash": "Cash"})
    assert _said(before, before | {"info": {}}) == []
    assert path in {
        each.path.removeprefix("POST /v1/orders ") for each in check(before, pay(mapping))
    }


@pytest.mark.parametrize("size", [4, 6])
def test_too_many_combinations_of_alternatives_are_refused_when_they_change(size: int) -> None:
    def combined(kind: str) -> dict[str, Any]:
        def option(name: str) -> dict[str, Any]:
            value = {"type": kind if name == "p1_1" else "string"}
            return {"type": "object", "properties": {name: value}, "required": [name]}

        unions = [{"anyOf": [option(f"p{i}_{j}") for j in range(4)]} for i in range(size)]
        return with_request({"allOf": unions})

    assert _said(combined("string"), combined("string") | {"info": {}}) == []
    findings = check(combined("string"), combined("integer"))
    assert [each.rule for each in findings] == ["request-not-comparable"]


@pytest.mark.parametrize("version", ["3.0.3", "2.0", None])
def test_another_version_of_openapi_is_refused(version: str | None) -> None:
    made = document({"responses": {}})
    (finding,) = check(made, made | {"openapi": version})
    assert finding.rule == "openapi-version-unknown"


@pytest.mark.parametrize(
    "reference", [f"{REF}Gone", "other.json#/A", "#/paths/0/x", "#/info/title/x"]
)
def test_a_reference_to_nowhere_is_a_finding(reference: str) -> None:
    findings = check(with_request(TEXT), with_request({"$ref": reference}))
    assert [finding.rule for finding in findings] == ["reference-unknown"]
    assert reference in str(findings[0])


def test_a_reference_may_lead_anywhere_in_the_document() -> None:
    old = with_request({"$ref": "#/paths/~1v1~1text/post/x-bodies/1"})
    old["paths"]["/v1/text"] = {"post": {"responses": {}, "x-bodies": [NUMBER, TEXT]}}
    new = copy.deepcopy(old)
    new["paths"]["/v1/text"]["post"]["x-bodies"][1] = NUMBER
    assert [finding.rule for finding in check(old, new)] == ["request-type-narrowed"]


def test_a_finding_names_the_file_that_was_given() -> None:
    old, new = document({"responses": {}}), document(None)
    (finding,) = openapi.check("orders", old, new, today=TODAY, file="schemas/openapi/orders.json")
    assert finding.file == "schemas/openapi/orders.json"


class TestCanonical:
    def test_the_order_of_keys_does_not_matter(self) -> None:
        made = with_request(TEXT)
        backwards = dict(reversed(made.items()))
        assert canonical(made) == canonical(backwards)
        assert json.loads(canonical(made)) == made

    def test_doing_it_again_changes_nothing(self) -> None:
        text = canonical(_app(Old))
        assert canonical(json.loads(text)) == text

    def test_embedded_definitions_become_components(self) -> None:
        inner = {"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}}
        schema = {"$defs": {"A": TEXT, "B": inner}, "$ref": "#/$defs/B"}
        lifted = json.loads(canonical(with_request(schema)))
        assert lifted["components"]["schemas"] == {
            "A": TEXT,
            "B": {"type": "object", "properties": {"a": {"$ref": f"{REF}A"}}},
        }
        body = lifted["paths"]["/v1/orders"]["post"]["requestBody"]["content"]["application/json"]
        assert body["schema"] == {"$ref": f"{REF}B"}

    def test_a_definition_whose_name_is_taken_gets_another(self) -> None:
        schema = {"$defs": {"A": TEXT}, "$ref": "#/$defs/A"}
        lifted = json.loads(canonical(with_request(schema, A=NUMBER)))
        assert lifted["components"]["schemas"] == {"A": NUMBER, "A_2": TEXT}
        assert _said(with_request(TEXT), with_request(schema, A=NUMBER)) == []
