"""Alerts have runbooks, dashboards are as Grafana reads them, and what is handed out is for the exporter at hand."""

import re
from pathlib import Path
from string import ascii_uppercase
from typing import Any

import pytest

from infra.observability import files, write
from infra.observability.alerts import DECLARED_CHECKS, RUNBOOK, Thresholds, alerts, rules
from infra.observability.dashboards import BOARDS, HEIGHT, WIDTH, dashboards
from infra.observability.jvms import TOLD, Told, agent_rules
from infra.settings import REPOSITORY

HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
NAME = re.compile(r"\btailrace_[a-z0-9_]+")
OF_A_JVM = re.compile(r"\b(?:kafka|connect|debezium)_[a-z0-9_]+")
UNITS = frozenset(
    {"s", "bytes", "short", "reqps", "percentunit", "bool_on_off", "none", "cps", "Bps"}
)
ALERTS = alerts(Thresholds())


def test_each_alert_leads_to_a_runbook_and_each_runbook_is_of_an_alert() -> None:
    headings = HEADING.findall((REPOSITORY / RUNBOOK).read_text())
    anchors = {heading.lower().replace(" ", "-") for heading in headings}
    told = [rule for group in rules(Thresholds())["groups"] for rule in group["rules"]]
    links = [rule["annotations"]["runbook"].partition("#") for rule in told]
    assert {page for page, _, _ in links} == {RUNBOOK}
    assert {anchor for _, _, anchor in links} == {
        anchor for anchor in anchors if anchor.startswith("tailrace")
    }


def test_names_are_told_once_and_follow_the_convention() -> None:
    names = [alert.name for alert in ALERTS]
    assert len(set(names)) == len(names)
    for alert in ALERTS:
        for name in NAME.findall(alert.expression):
            assert not name.endswith(("_ms", "_kb", "_mb", "_milliseconds"))


def test_the_checks_that_an_alert_names_are_checks_of_the_doctor() -> None:
    from infra.operations.doctor import lasting_checks
    from infra.settings import load_settings

    deployment = load_settings().deployment()
    checks = {check.name for check in lasting_checks(deployment, "cdc")}
    assert set(DECLARED_CHECKS) <= checks
    assert "pipeline" not in checks  # which sends something


@pytest.mark.parametrize("board", dashboards().values(), ids=lambda board: board["uid"])
def test_a_dashboard_is_as_grafana_reads_it(board: dict[str, Any]) -> None:
    [variable] = board["templating"]["list"]
    assert (variable["type"], variable["query"]) == ("datasource", "prometheus")
    assert isinstance(board["schemaVersion"], int)
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        assert place["h"] == HEIGHT
        assert 0 <= place["x"] <= WIDTH - place["w"]
        cells = {(x, place["y"]) for x in range(place["x"], place["x"] + place["w"])}
        assert not cells & taken
        taken |= cells
        assert panel["type"] in {"timeseries", "stat"}
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
        assert panel["title"]
        assert panel["description"]
        refs = [target["refId"] for target in panel["targets"]]
        assert refs
        assert refs == list(ascii_uppercase[: len(refs)])
        for asked in (panel, *panel["targets"]):
            assert asked["datasource"]["uid"] == f"${{{variable['name']}}}"


def test_dashboards_have_addresses_of_their_own() -> None:
    boards = dashboards().values()
    assert len({board["uid"] for board in boards}) == len(boards)
    assert all(len(board["uid"]) <= 40 for board in boards)


def test_what_is_handed_out_asks_the_exporter_at_hand(tmp_path: Path) -> None:
    written = list(write(tmp_path, 7))
    assert written == [tmp_path / path for path in files()]
    assert len(written) > len(dashboards())
    text = (tmp_path / "prometheus.yml").read_text()
    assert text.count("127.0.0.1:7") == 2
    assert "18089" not in text


def test_what_is_asked_of_a_jvm_is_what_its_agent_tells_and_all_of_it() -> None:
    queries = [query for board in BOARDS for panel in board.panels for query in panel.queries]
    asked = {
        name
        for text in (*queries, *(alert.expression for alert in ALERTS))
        for name in OF_A_JVM.findall(text)
    }
    assert asked == {each.name for each in TOLD}


@pytest.mark.parametrize("told", TOLD, ids=lambda told: f"{told.name} {told.attribute}")
def test_what_only_grows_is_called_a_total_and_nothing_else_is(told: Told) -> None:
    assert (told.kind == "COUNTER") == told.name.endswith("_total")


def test_each_attribute_is_told_by_one_rule() -> None:
    """As the agent does it: the first one that is found in the name of an attribute."""
    rules = agent_rules()["rules"]
    for told, rule in zip(TOLD, rules, strict=True):
        domain, _, properties = re.sub(r"\{\w+\}", "some-name", told.bean).partition(":")
        value = "running" if told.text_as else "1.0"
        text = f"{domain}<{', '.join(properties.split(','))}><>{told.attribute}: {value}"
        assert [each for each in rules if re.search(each["pattern"], text)] == [rule]
        longer = text.replace(told.attribute, f"{told.attribute}-avg")
        assert not [each for each in rules if re.search(each["pattern"], longer)]
