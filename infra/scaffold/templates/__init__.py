"""Texts that files of a new context begin with, and how they are filled in."""

import re
from collections.abc import Mapping, Sequence
from importlib import resources
from string import Template


def filled(template: str, names: Mapping[str, str]) -> str:
    """Return the text of a template, such as `rest/v1.py`, with names in it."""
    text = resources.files(__package__).joinpath(f"{template}.txt").read_text()
    return Template(text).substitute(names)


def exists(template: str) -> bool:
    return resources.files(__package__).joinpath(f"{template}.txt").is_file()


def uses(kind: str, word: str) -> bool:
    templates = resources.files(__package__).joinpath(kind).iterdir()
    return any(re.search(rf"\b{word}\b", template.read_text()) for template in templates)


def imports(messages: Sequence[str]) -> str:
    lines = []
    for context in sorted({name.partition(".")[0] for name in messages}):
        classes = {class_name(name) for name in messages if name.startswith(f"{context}.")}
        lines.append(f"from schemas.messages.{context} import {', '.join(sorted(classes))}\n")
    return "".join(lines)


def class_name(message: str) -> str:
    return message.partition(".")[2]
