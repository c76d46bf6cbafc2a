"""Schema ids that messages name, held against the local registry, and put back into it."""

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import httpx2

from infra.deployment import Deployment
from infra.drift.difference import Difference
from infra.errors import TailraceError
from schemas.catalogue import catalogue
from schemas.ids_in_use import known_ids, name_in, strange_ids
from schemas.proxies import heeded
from schemas.publications import PublicationLog
from schemas.registry_settings import RegistrySettings
from schemas.registry_subjects import Subjects

RESTORE = "run `tailrace schema restore`"
TAKEN = (
    "no command helps while the registry holds another schema under this id: delete that one from the registry, or "
    "bring back the registry's database from a backup, then run `tailrace schema restore`"
)
TIMEOUT_S = 30.0
VERSION = "3.3"  # of the registry whose format of imports this is


class RestoreError(TailraceError):
    """The registry does not take ids back."""


@dataclass(frozen=True, slots=True)
class Lost:
    """A schema that is to be put back under its id."""

    schema_id: int
    subject: str
    version: int
    text: str


def id_differences(deployment: Deployment) -> list[Difference]:
    """Return which ids that messages name mean nothing, or something else, to the registry."""
    known = known_ids(deployment.registry, deployment.schema_cache)
    return [
        Difference(
            thing=f"schema id {schema_id}",
            declared=_name(known[schema_id]),
            actual="unknown to the registry" if held is None else f"{_name(held)} in another form",
            remedy=RESTORE if held is None else TAKEN,
        )
        for schema_id, held in strange_ids(deployment.registry, known).items()
    ]


def rule_differences(deployment: Deployment) -> list[Difference]:
    """Return which subjects promise something else than the catalogue does; publishing brings them back."""
    with Subjects.open(deployment.registry) as subjects:
        rules = {
            name: (catalogue().compatibility_of(name), subjects.rule(name))
            for name in catalogue().messages
        }
    return [
        Difference(
            thing=f"subject {name}: compatibility rule",
            declared=declared,
            actual=actual or "none",
            remedy="run `tailrace schema publish`",
        )
        for name, (declared, actual) in rules.items()
        if declared != actual
    ]


def restore_ids(deployment: Deployment) -> list[str]:
    """Put the ids back that the registry does not know; return a line for each."""
    known = known_ids(deployment.registry, deployment.schema_cache)
    unknown = {
        schema_id: known[schema_id]
        for schema_id, held in strange_ids(deployment.registry, known).items()
        if held is None
    }
    if not unknown:
        return []
    if deployment.registry_import is None:
        raise RestoreError(
            f"Ids are put back into the local registry only: import the schemas of {deployment.schema_cache} into "
            f"{deployment.registry.url} by its own means, such as its mode IMPORT."
        )
    lost = list(_placed(deployment, unknown))
    _import(deployment.registry_import, _bundle(lost))
    return [
        f"schema id {each.schema_id} restored as {each.subject} {each.version}" for each in lost
    ]


def _placed(deployment: Deployment, unknown: Mapping[int, str]) -> Iterator[Lost]:
    """Yield each schema with the subject and version that it had, or a place beside them if that is taken."""
    log = PublicationLog(deployment.kafka_bootstrap)
    with Subjects.open(deployment.registry) as subjects:
        for schema_id, text in unknown.items():
            name = _name(text)
            published = {each.schema_id: each.version for each in log.read(name)}
            taken = {each.version for each in subjects.versions(name)}
            version = published.get(schema_id)
            if version is None or version in taken or subjects.find(name, text):
                # the registry keeps a text under one id only, hence the line break
                yield Lost(schema_id, f"{name}.restored", schema_id, f"{text}\n")
            else:
                yield Lost(schema_id, name, version, text)


def _import(registry: RegistrySettings, bundle: bytes) -> None:
    """Hand the registry what it would export itself, the one way by which it takes ids."""
    user, _, password = registry.client_configuration()["basic.auth.user.info"].partition(":")
    answer = httpx2.post(
        registry.url,
        params={"requireEmptyRegistry": "false"},
        content=bundle,
        headers={
            "Content-Type": "application/zip",
            "X-Registry-Preserve-ContentId": "true",
            "X-Registry-Preserve-GlobalId": "false",
        },
        auth=(user, password),
        timeout=TIMEOUT_S,
        trust_env=heeded(registry.url),
    )
    if answer.is_error:
        raise RestoreError(
            f"The registry refuses to take ids back ({answer.status_code} {answer.reason_phrase}): "
            "see `make logs SERVICE=registry`."
        )


def _bundle(lost: list[Lost]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        manifest = {"systemVersion": VERSION, "exportVersion": "3.0", "systemName": "Tailrace"}
        file.writestr("manifest.Manifest.json", json.dumps(manifest))
        for each in lost:
            for name, content in _entries(each):
                file.writestr(name, content)
        for subject in dict.fromkeys(each.subject for each in lost):
            versions = [str(each.version) for each in lost if each.subject == subject]
            place = f"groups/default/artifacts/{subject}"
            artifact = {"groupId": None, "artifactId": subject, "artifactType": "AVRO"}
            file.writestr(f"{place}/MetaData.Artifact.json", json.dumps(artifact))
            branch = {
                "groupId": None,
                "artifactId": subject,
                "branchId": "latest",
                "systemDefined": True,
                "versions": versions,
            }
            file.writestr(f"{place}/branches/latest.Branch.json", json.dumps(branch))
    return buffer.getvalue()


def _entries(lost: Lost) -> Iterator[tuple[str, str]]:
    digest = hashlib.sha256(lost.text.encode()).hexdigest()
    content = {
        "contentId": lost.schema_id,
        "canonicalHash": digest,
        "contentHash": digest,
        "contentType": "application/json",
    }
    version = {
        "globalId": lost.schema_id,
        "groupId": None,
        "artifactId": lost.subject,
        "version": str(lost.version),
        "versionOrder": lost.version,
        "state": "ENABLED",
        "contentId": lost.schema_id,
    }
    yield f"content/{digest}.Content.json", json.dumps(content)
    yield f"content/{digest}.Content.data", lost.text
    place = f"groups/default/artifacts/{lost.subject}/versions/{lost.version}"
    yield f"{place}.ArtifactVersion.json", json.dumps(version)


def _name(text: str) -> str:
    return name_in(text) or "a schema of no message"
