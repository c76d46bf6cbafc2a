"""What the pipeline tells does not depend on more than it is read from."""

from pathlib import Path

import pytest

from cdc.connector import ConnectError
from infra.metrics import pipeline
from infra.metrics.pipeline import pipeline_sources
from tests.stack import own_settings


def test_slots_are_told_while_connect_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def does_not_answer(*_: object) -> None:
        raise ConnectError("Connect does not answer.")

    monkeypatch.setattr(pipeline, "publisher", lambda _deployment: "cdc")
    monkeypatch.setattr("infra.capture.slot", lambda _shard: None)
    monkeypatch.setattr("cdc.connector.status", does_not_answer)
    sources = {each.name: each for each in pipeline_sources(own_settings(tmp_path).deployment())}
    with sources["slot"].open() as look:
        [usable] = look()
    assert (usable.name, [sample.value for sample in usable.samples]) == (
        "tailrace_slot_usable",
        [0.0],
    )
    with sources["publisher"].open() as look, pytest.raises(ConnectError):
        look()
