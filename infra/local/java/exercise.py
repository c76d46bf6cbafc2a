"""What each part is made to do in its training, so that its start-up cache holds the classes of real work."""

import json
from base64 import b64encode
from http.client import HTTPConnection

from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from infra.services import PUBLISHER
from infra.settings import HOST

TIMEOUT_S = 120.0

CONNECTOR = "io.debezium.connector.postgresql.PostgresConnector"
SCHEMA = '{"type": "record", "name": "Sample", "fields": [{"name": "id", "type": "string"}]}'


def broker(bootstrap: str) -> None:
    """Let the broker load what topics, producing, consuming and groups need."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.create_topics([NewTopic("sample", 2, 1)])["sample"].result()
    producer = Producer({"bootstrap.servers": bootstrap, "compression.type": "lz4"})
    for number in range(100):
        producer.produce("sample", key=str(number), value=b"value" * 20)
    producer.flush(30)
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": "sample", "auto.offset.reset": "earliest"}
    )
    consumer.subscribe(["sample"])
    received = len(consumer.consume(100, timeout=30))
    if received:
        consumer.commit(asynchronous=False)
    consumer.close()


def connect(port: int) -> None:
    """Let Connect load Debezium and its driver; the connector's database does not exist."""
    config = {
        "connector.class": CONNECTOR,
        "name": "sample",
        "topic.prefix": "sample",
        "database.hostname": HOST,
        "database.port": "1",
        "database.user": "sample",
        "database.password": "sample",
        "database.dbname": "sample",
        "plugin.name": "pgoutput",
        "transforms": "outbox",
        "transforms.outbox.type": "io.debezium.transforms.outbox.EventRouter",
        "value.converter": "io.debezium.converters.BinaryDataConverter",
    }
    _request(port, "PUT", f"/connector-plugins/{CONNECTOR}/config/validate", config)
    _request(port, "GET", "/connectors?expand=status", None)


def registry(port: int, publisher_password: str) -> None:
    """Let the registry load what registering, checking and reading a schema needs."""
    base, schema = "/apis/ccompat/v7", {"schema": SCHEMA}
    user = (PUBLISHER, publisher_password)
    _request(port, "PUT", f"{base}/config/sample-value", {"compatibility": "BACKWARD"}, user)
    _request(port, "POST", f"{base}/subjects/sample-value/versions", schema, user)
    _request(port, "PUT", f"{base}/config/sample-value", {"compatibility": "BACKWARD"}, user)
    _request(port, "POST", f"{base}/compatibility/subjects/sample-value/versions/latest", schema)
    _request(port, "POST", f"{base}/subjects/sample-value", schema)
    _request(port, "GET", f"{base}/subjects/sample-value/versions/latest", None)
    _request(port, "GET", f"{base}/schemas/ids/1", None)
    _request(port, "GET", f"{base}/subjects", None)


def _request(
    port: int,
    method: str,
    path: str,
    body: dict[str, str] | None,
    user: tuple[str, str] | None = None,
) -> None:
    """Send a request whose answer does not matter: what counts is the code it runs."""
    connection = HTTPConnection(HOST, port, timeout=TIMEOUT_S)
    payload = None if body is None else json.dumps(body)
    headers = {"Content-Type": "application/json"}
    if user:
        headers["Authorization"] = f"Basic {b64encode(':'.join(user).encode()).decode()}"
    connection.request(method, path, payload, headers)
    connection.getresponse().read()
    connection.close()
