"""The compose file, from what is declared: `make generate` writes it."""

from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from infra.compose import servers, services
from infra.compose.parts import FILE, HANDED, HOME
from infra.errors import TailraceError

HEADER = """\
# The stack in containers. Written by `make generate` from what services declare; changes made here are lost.
# Run it with `make up STACK=containers`, which makes the passwords that it hands to containers.
"""


class _Plain(yaml.SafeDumper):  # type: ignore[misc]  # PyYAML carries no types
    def ignore_aliases(self, data: object) -> bool:
        """Write everything out where it stands."""
        return True


def document() -> dict[str, Any]:
    containers = named_once(
        ("postgres", servers.postgres()),
        ("kafka", servers.kafka()),
        ("registry", servers.registry()),
        ("connect", servers.connect()),
        *services.preparing().items(),
        *services.services(),
        ("retention", services.retention()),
    )
    named = {secret for each in containers.values() for secret in each.get("secrets", ())}
    return {
        "services": containers,
        "secrets": {name: {"file": _file(name)} for name in sorted(named)},
        "networks": {"data": {}, "services": {}},
        "volumes": {"postgres": {}, "kafka": {}, "state": {}},
    }


def named_once(*containers: tuple[str, Any]) -> dict[str, Any]:
    """Return containers by their names; of two that have one name, compose would run the second alone."""
    names = Counter(name for name, _ in containers)
    if twice := [name for name, times in names.items() if times > 1]:
        raise TailraceError(
            f"two containers would be called {', '.join(twice)}: give the service in `service.py` another name"
        )
    return dict(containers)


def _file(secret: str) -> str:
    return f"{HOME}/{'handed' if secret in HANDED else 'secrets'}/{secret}"


def render() -> dict[Path, str]:
    text = yaml.dump(document(), Dumper=_Plain, sort_keys=False, width=120)
    return {FILE: HEADER + text}
