"""The AsyncAPI 3 document of the system, made from the catalogue and the Avro schemas."""

from typing import Any

from cdc.envelope import HEADERS
from schemas.catalogue import Catalogue, Topic, answering_group
from schemas.contracts import avsc

AVRO = "application/vnd.apache.avro;version=1.9.0"
HOUR_MS = 3_600_000
FOR_GOOD = -1


def document(catalogue: Catalogue, version: str) -> dict[str, Any]:
    topics = list(catalogue.topics.values())
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Tailrace",
            "version": version,
            "description": "What the services tell each other, by topic.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/avro",
        "channels": {topic.name: _channel(topic) for topic in topics},
        "operations": {
            name: operation for topic in topics for name, operation in _operations(topic).items()
        },
        "components": {
            "messages": {name: _message(name, catalogue) for name in catalogue.messages},
            "messageTraits": {"outbox": {"headers": _headers()}},
        },
    }


def _channel(topic: Topic) -> dict[str, Any]:
    messages = {name: {"$ref": f"#/components/messages/{name}"} for name in topic.messages}
    return {
        "address": topic.name,
        "description": _keyed(topic),
        "messages": messages,
        "bindings": {
            "kafka": {
                "partitions": topic.partitions,
                "topicConfiguration": {
                    "cleanup.policy": ["delete"],
                    "retention.ms": max(topic.retention_hours * HOUR_MS, FOR_GOOD),
                },
            }
        },
    }


def _group(topic: Topic, consumer: str) -> dict[str, Any]:
    if topic.kind == "replies" and consumer == topic.owner:
        return {}  # waited for by who has asked, in no group
    group = answering_group(consumer) if topic.kind == "requests" else consumer
    return {"groupId": {"type": "string", "const": group}}


def _keyed(topic: Topic) -> str:
    if topic.kind == "requests":
        return (
            f"Keyed by the id of the {topic.aggregate}, under which the reply comes; in no order."
        )
    return f"Keyed by the id of the {topic.aggregate}, so that one {topic.aggregate}'s messages keep their order."


def _operations(topic: Topic) -> dict[str, Any]:
    """One for the service that feeds the topic, where one alone does, and one for each consumer group that reads it."""
    channel = {"$ref": f"#/channels/{_pointer(topic.name)}"}
    receives = {
        f"{consumer}.receives.{topic.name}": {
            "action": "receive",
            "channel": channel,
            "summary": f"{consumer} {'answers' if topic.kind == 'requests' else 'reacts'}",
            "messages": [
                {"$ref": f"#/channels/{_pointer(topic.name)}/messages/{name}"} for name in handled
            ],
            "bindings": {"kafka": _group(topic, consumer)},
        }
        for consumer, handled in topic.consumers.items()
    }
    if topic.kind != "events":
        return receives
    sends = {"action": "send", "channel": channel, "summary": f"{topic.owner} tells"}
    return {f"{topic.owner}.sends.{topic.name}": sends} | receives


def _message(name: str, catalogue: Catalogue) -> dict[str, Any]:
    schema = avsc(name)
    return {
        "name": name,
        "title": schema["name"],
        "summary": schema.get("doc", ""),
        "contentType": "application/avro",
        "traits": [{"$ref": "#/components/messageTraits/outbox"}],
        "payload": {"schemaFormat": AVRO, "schema": schema},
        "bindings": {
            "kafka": {
                "key": {"type": "string"},
                "schemaIdLocation": "payload",
                "schemaIdPayloadEncoding": "confluent",
                "schemaLookupStrategy": "RecordNameStrategy",
            }
        },
        "x-compatibility": catalogue.compatibility_of(name),
    }


def _headers() -> dict[str, Any]:
    return {
        "type": "object",
        "required": [header.name for header in HEADERS if header.is_required],
        "properties": {
            header.name: {"type": "string", "description": header.text} for header in HEADERS
        },
    }


def _pointer(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
