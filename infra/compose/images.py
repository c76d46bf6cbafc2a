"""The images of others: the same versions as the embedded stack has."""

POSTGRES = "postgres:18.4-bookworm"
KAFKA = "apache/kafka:4.3.1"
CONNECT = "quay.io/debezium/connect:3.6.3.Final"
REGISTRY = "apicurio/apicurio-registry:3.3.3"
PYTHON = "python:3.11-slim-bookworm"
"""What our own image is built on, unless a build argument says otherwise."""
OFFICIAL = (POSTGRES, KAFKA, CONNECT, REGISTRY)
OURS = "${TAILRACE_IMAGE:-tailrace:local}"
