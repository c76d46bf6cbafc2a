"""A saga as a picture, with the path that one of them has taken."""

from consumers.sagas.diagram import mermaid
from tests.sagas import trial


def test_steps_follow_one_another_and_undos_lead_back() -> None:
    drawn = mermaid(trial().shape(), {"authorise": "done", "reserve": "out"}).splitlines()
    assert drawn[0] == "flowchart LR"
    assert {line.strip() for line in drawn} >= {
        "begin --> step_item",
        'step_item["item"]',
        'step_authorise["authorise<br/>trial.Authorise"]',
        'step_authorise -. "trial.Void" .-> undone',
        "step_authorise --> step_reserve",
        "step_authorise --> step_check",
        "step_reserve --> step_capture",
        "step_check --> step_capture",
        'step_capture{{"capture<br/>trial.Capture"}}',
        "step_confirm --> completed",
    }
    styled = [line.split()[1] for line in drawn if line.strip().startswith("style")]
    assert styled == ["step_authorise", "step_reserve"]


def test_names_of_any_kind_stay_apart() -> None:
    shape = {
        "pivot": None,
        "stages": [[{"name": name, "do": None, "undo": None}] for name in ("a b", "a-b", "a_b")],
    }
    nodes = [line.split("[")[0].strip() for line in mermaid(shape).splitlines() if "[" in line]
    assert len(set(nodes)) == 3
