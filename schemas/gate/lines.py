"""Finds the line of a schema file that a finding is about, for annotations in a pull request."""

from collections.abc import Iterable, Iterator
from functools import lru_cache

from schemas.gate.json_text import Node, line_in, nodes


def line_of(text: str, path: str) -> int:
    """Return the line, counted from 1, of the field that a finding's path names.

    Args:
        path: Path of a finding, such as `/fields/3/type/items/fields/1 lines.quantity`. What the file does not have,
            such as a field that was removed, is found as the record that it would stand in.
    """
    starts, names = _starts(text), path.partition(" ")[2]
    while names not in starts:
        names = names.rpartition(".")[0]
    return line_in(text, starts[names])


def line_at(text: str, pointer: Iterable[str | int]) -> int:
    """Return the line of what stands at the steps of a JSON pointer, or of the last of them that is there."""
    node = _root(text)
    for step in pointer:
        match node.value, step:
            case dict() as members, _ if step in members:
                node = members[step]
            case list() as items, int() if step < len(items):
                node = items[step]
            case _:
                break
    return line_in(text, node.start)


_root = lru_cache(maxsize=64)(nodes)


@lru_cache(maxsize=64)
def _starts(text: str) -> dict[str, int]:
    root = _root(text)
    found = {"": root.start}

    def note(node: Node, at: str) -> None:
        for field in _fields(node):
            name = f"{at}.{_name(field)}" if at else str(_name(field))
            if name not in found:
                found[name] = field.start
                note(field, name)

    note(root, "")
    return found


def _fields(node: Node) -> Iterator[Node]:
    match node.value:
        case {"fields": Node(list() as fields)}:
            yield from fields
        case dict() as members:
            for key in ("type", "items", "values"):
                if key in members:
                    yield from _fields(members[key])
        case list() as branches:
            for branch in branches:
                yield from _fields(branch)


def _name(field: Node) -> object:
    match field.value:
        case {"name": Node(name)}:
            return name
    return None
