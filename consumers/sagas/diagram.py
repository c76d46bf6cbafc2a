"""A saga as a Mermaid diagram, out of the shape that is kept of it."""

from collections.abc import Mapping
from typing import Any

STYLES = {
    "done": "fill:#d7f0d7,stroke:#2e7d32",
    "undone": "fill:#eeeeee,stroke:#757575,stroke-dasharray:4",
    "refused": "fill:#f8d7da,stroke:#c62828",
    "given_up": "fill:#f8d7da,stroke:#c62828,stroke-width:3px",
    "out": "fill:#fff3cd,stroke:#f9a825",
    "waiting": "fill:#fff3cd,stroke:#f9a825,stroke-dasharray:4",
    "skipped": "fill:#ffffff,stroke:#bdbdbd,stroke-dasharray:2",
}


def mermaid(shape: Mapping[str, Any], statuses: Mapping[str, str] | None = None) -> str:
    """Return a flowchart: steps in their order, the pivot as a hexagon, undos along the edges that lead back.

    Args:
        shape: What `Saga.shape` returns.
        statuses: Statuses of the steps of one saga, whose path is shown by colours.
    """
    lines = ["flowchart LR"]
    before = ["begin"]
    for number, stage in enumerate(shape["stages"]):
        names = [_node(step["name"]) for step in stage]
        for step, node in zip(stage, names, strict=True):
            asked = step["do"]["command"] if step["do"] else ""
            label = "<br/>".join(filter(None, (step["name"], asked)))
            opened, closed = ("{{", "}}") if number == shape["pivot"] else ("[", "]")
            lines.append(f'    {node}{opened}"{label}"{closed}')
            lines += [f"    {each} --> {node}" for each in before]
            if step["undo"]:
                lines.append(f'    {node} -. "{step["undo"]["command"]}" .-> undone')
        before = names
    lines += [f"    {each} --> completed" for each in before]
    for name, status in (statuses or {}).items():
        lines.append(f"    style {_node(name)} {STYLES[status]}")
    return "\n".join(lines)


def _node(name: str) -> str:
    """Return a name that Mermaid takes as an id, which no step of another name has."""
    return "step_" + "".join(each if each.isalnum() else f"_{ord(each)}_" for each in name)
