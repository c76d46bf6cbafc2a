"""The pages under `docs/catalogue/`: who talks to whom, and what each message holds, for people."""

from collections.abc import Iterable, Iterator
from typing import Any

from schemas.catalogue import Catalogue, Topic
from schemas.contracts import Reader, avsc, goldens

NOTICE = "<!-- Made by `make generate` from the catalogue and the schemas. Do not edit. -->"


def render(catalogue: Catalogue, readers: tuple[Reader, ...]) -> dict[str, str]:
    pages = {"README.md": "\n".join(_index(catalogue))}
    for topic in catalogue.topics.values():
        if topic.messages:
            pages[f"{topic.name}.md"] = "\n".join(_topic(topic, catalogue, readers))
    return {name: text + "\n" for name, text in pages.items()}


def _index(catalogue: Catalogue) -> Iterator[str]:
    yield f"{NOTICE}\n\n# Event catalogue\n"
    yield "Who talks to whom:\n\n```mermaid\nflowchart LR"
    yield from _arrows(catalogue)
    yield "```\n"
    yield "| topic | fed by | read by | messages | partitions | kept |\n|---|---|---|---|---|---|"
    for topic in catalogue.topics.values():
        name = f"[{topic.name}]({topic.name}.md)" if topic.messages else topic.name
        messages = ", ".join(message.partition(".")[2] for message in topic.messages) or "its own"
        consumers = ", ".join(topic.consumers) or "nobody"
        yield (
            f"| {name} | {_sender(topic)} | {consumers} | {messages} | {topic.partitions} "
            f"| {_kept(topic)} |"
        )
    yield "\nFor machines: [asyncapi.json](asyncapi.json)."


def _arrows(catalogue: Catalogue) -> Iterator[str]:
    for topic in catalogue.topics.values():
        if topic.messages:
            if topic.kind == "events":
                yield f"    {topic.owner}[{topic.owner}] --> {_id(topic.name)}{{{{{topic.name}}}}}"
            else:
                yield f"    {_id(topic.name)}{{{{{topic.name}}}}}"
            for consumer in topic.consumers:
                yield f"    {_id(topic.name)} --> {consumer}[{consumer}]"


def _sender(topic: Topic, mark: str = "") -> str:
    if topic.kind == "events":
        return f"{mark}{topic.owner}{mark}"
    return f"whoever sends {topic.kind} to {mark}{topic.owner}{mark}"


def _topic(topic: Topic, catalogue: Catalogue, readers: tuple[Reader, ...]) -> Iterator[str]:
    yield f"{NOTICE}\n\n# {topic.name}\n"
    yield f"Fed by {_sender(topic, '**')}, read by {_names(topic.consumers)}. Keyed by the {topic.aggregate}'s id;"
    yield f"Partitions: {topic.partitions}. Kafka keeps records {_kept(topic)}."
    for name in topic.messages:
        yield from _message(name, catalogue, readers)


def _message(name: str, catalogue: Catalogue, readers: tuple[Reader, ...]) -> Iterator[str]:
    schema = avsc(name)
    promise = f"Compatibility: {catalogue.compatibility_of(name)}."
    yield f"\n## {name}\n\n{f'{_doc(schema)} {promise}'.lstrip()}\n"
    yield "| field | type | meaning | read by |\n|---|---|---|---|"
    handlers = catalogue.consumers_of(name)
    pinned = {
        reader.consumer: [field["name"] for field in reader.schema["fields"]]
        for reader in readers
        if reader.message == name
    }
    for field in schema["fields"]:
        consumers = [c for c in handlers if field["name"] in pinned.get(c, [field["name"]])]
        yield (
            f"| `{field['name']}` | {_type(field['type'])} | {_doc(field)} | {_names(consumers)} |"
        )
    for nested in _nested(schema):
        yield from _nested_table(nested)
    yield from _versions(name)


def _versions(name: str) -> Iterator[str]:
    kept = [golden for golden in goldens() if golden.message == name]
    yield "\n| version | fields that came | fields that went |\n|---|---|---|"
    before: list[str] = []
    for golden in kept:
        fields = list(_paths(golden.schema))
        came = [f"`{field}`" for field in fields if field not in before]
        went = [f"`{field}`" for field in before if field not in fields]
        yield f"| {golden.version} | {', '.join(came)} | {', '.join(went)} |"
        before = fields


def _paths(schema: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for field in schema["fields"]:
        yield prefix + field["name"]
        for nested in _named(field["type"]):
            if nested["type"] != "enum":
                yield from _paths(nested, f"{prefix}{field['name']}.")


def _nested_table(schema: dict[str, Any]) -> Iterator[str]:
    doc = _doc(schema)
    yield f"\n`{schema['name']}`{': ' if doc else ''}{doc}\n"
    if schema["type"] == "enum":
        yield "| symbol |\n|---|"
        yield from (f"| `{symbol}` |" for symbol in schema["symbols"])
        return
    yield "| field | type | meaning |\n|---|---|---|"
    for field in schema["fields"]:
        yield f"| `{field['name']}` | {_type(field['type'])} | {_doc(field)} |"


def _nested(schema: Any) -> Iterator[dict[str, Any]]:
    match schema:
        case {"type": "record" | "error", "fields": fields}:
            for field in fields:
                yield from (t for t in _named(field["type"]))
        case _:
            return


def _named(schema: Any) -> Iterator[dict[str, Any]]:
    match schema:
        case {"type": "record" | "error" | "enum"}:
            yield schema
            yield from _nested(schema)
        case {"items": inner} | {"values": inner}:
            yield from _named(inner)
        case list():
            for branch in schema:
                yield from _named(branch)


def _type(schema: Any) -> str:  # noqa: PLR0911 - one return for each Avro type
    match schema:
        case {"logicalType": "decimal", "precision": precision, "scale": scale}:
            return f"decimal({precision}, {scale})"
        case {"logicalType": logical}:
            return str(logical)
        case {"type": "array", "items": items}:
            return f"array of {_type(items)}"
        case {"type": "map", "values": values}:
            return f"map to {_type(values)}"
        case {"type": "record" | "error" | "enum" | "fixed", "name": name}:
            return str(name)
        case ["null", other]:
            return f"{_type(other)}, optional"
        case list():
            return " or ".join(_type(branch) for branch in schema)
        case {"type": inner}:
            return _type(inner)
    return str(schema)


def _doc(schema: dict[str, Any]) -> str:
    return " ".join(schema.get("doc", "").split()).replace("|", "\\|")


def _names(names: Iterable[str]) -> str:
    return ", ".join(names) or "nobody"


def _kept(topic: Topic) -> str:
    if topic.retention_hours < 0:
        return "for good"
    days, hours = divmod(topic.retention_hours, 24)
    return f"{days} days" if days and not hours else f"{topic.retention_hours} h"


def _id(topic: str) -> str:
    return topic.replace(".", "_")
