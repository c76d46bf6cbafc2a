"""Messages that nobody can digest amid good ones: they are put aside, and hold up only what is behind them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg

from infra.services import OWNER
from schemas.codec import HEADER, MAGIC
from tests.produce import NewRecord
from tests.stack import RunningStack
from tests.workers.chance import tell
from tests.workers.ledger import Kind, Trouble, troubles
from tests.workers.trial import Trial, open_trial

GOOD = 300
UNKNOWN_ID = 2**31 - 1
BLOCKED_S = 30.0
REASONS = {
    "corrupt": ("undecodable", "UndecodableError: not a datum of payments.PaymentCompleted"),
    "magic": ("undecodable", "UndecodableError: the first byte is 7"),
    "schema": ("undecodable", f"UndecodableError: schema id {UNKNOWN_ID} is unknown"),
    "nameless": ("malformed", "MalformedRecordError: the record at"),
    "handler": ("failed", "ZeroDivisionError: the handler fails"),
}
"""What is wrong with a message, and what is noted about it."""


def test_poison_is_parked_and_blocks_nobody_else(stack: RunningStack, tmp_path: Path) -> None:
    with open_trial(stack, tmp_path, keys=30) as trial:
        good = trial.load.new(GOOD)
        poison = {name: trial.load.make.payment(f"poison-{name}") for name in REASONS}
        value = poison["corrupt"].value or b""
        poison |= {
            "corrupt": replace(poison["corrupt"], value=value[:-3]),
            "magic": replace(poison["magic"], value=b"\x07" + value[1:]),
            "schema": replace(poison["schema"], value=HEADER.pack(MAGIC, UNKNOWN_ID) + value[5:]),
            "nameless": replace(poison["nameless"], headers={}),
        }
        behind = {name: trial.load.make.payment(f"poison-{name}") for name in REASONS}
        recovers, recovers_later = (trial.load.make.payment("recovers") for _ in range(2))
        trial.fleet.start(
            **always_fails(poison["handler"], once=recovers), TAILRACE_LEDGER_PAUSE_S="0.5"
        )
        third = GOOD // 3
        batch = [*good[:third], recovers, *poison.values()]
        batch += [*good[third : 2 * third], recovers_later, *behind.values(), *good[2 * third :]]
        places = dict(zip(map(id, batch), trial.load.send(batch), strict=True))

        done = {record.message_id for record in (*good, recovers, recovers_later)}
        seconds = trial.wait_effects(len(good), timeout_s=BLOCKED_S)
        tell(f"{len(good)} good messages took effect within {seconds:.1f} s")
        trial.fleet.wait_until(
            "the retries have not come to an end",
            lambda: (
                trial.effects() == len(done) and all(p["status"] == "dead" for p in trial.parked())
            ),
        )

        by_key: dict[str, list[dict[str, Any]]] = {}
        for parked in trial.parked():
            by_key.setdefault(bytes(parked["key"]).decode(), []).append(parked)
        assert len(by_key) == len(REASONS)
        for name, (reason, error) in REASONS.items():
            first, second = by_key[f"poison-{name}"]
            assert (first["reason"], second["reason"]) == (reason, "behind")
            assert error in f"{first['error_class']}: {first['error_text']}"
            for row, record in ((first, poison[name]), (second, behind[name])):
                assert (row["topic"], row["partition"]) == (trial.topic, 0)
                assert row["offset"] == places[id(record)].offset
                assert bytes(row["value"]) == record.value
                assert dict(zip(row["header_names"], row["header_values"], strict=True)) == {
                    header: text.encode() for header, text in record.headers.items()
                }
        entries = trial.entries()
        assert [entry.message_id for entry in entries if entry.key == "recovers"] == [
            recovers.message_id,
            recovers_later.message_id,
        ]
        assert {entry.message_id for entry in entries} == done
        assert len(entries) == len(done)
        assert dead_letters(trial) == len(REASONS)


def always_fails(record: NewRecord, *, once: NewRecord) -> dict[str, str]:
    """Return the variable that makes the handler fail at one message always, and at another one once."""
    return troubles({record.message_id: Trouble(Kind.FAIL), once.message_id: Trouble(Kind.FAIL, 1)})


def dead_letters(trial: Trial) -> int:
    """Return how many messages were told of as dead letters."""
    with psycopg.connect(trial.stack.database_url(OWNER)) as connection:
        row = connection.execute(
            "select count(*) from analytics.outbox where type = 'consumers.MessageDeadLettered'"
            " and aggregate_id like %s",
            [f"{trial.consumer}/%"],
        ).fetchone()
    return int(row[0]) if row else 0
