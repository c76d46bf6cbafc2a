"""`tailrace parked` as an operator uses it, on a consumer that fails on purpose."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from cdc.ids import new_id
from infra.local.probe import wait_until
from infra.services import OWNER, WORKERS
from schemas.catalogue import catalogue
from tests.doctor import findings
from tests.produce import NewRecord, produce
from tests.stack import RunningStack
from tests.workers.picky import BROKEN, HOPELESS
from tests.workers.scene import Scene, beside, open_scene, text


@pytest.fixture(scope="module")
def shared(stack: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """One worker for all tests, which differ in their keys."""
    with open_scene(stack, tmp_path_factory.mktemp("mended")) as opened:
        yield opened


@pytest.fixture
def scene(shared: Scene) -> Iterator[Scene]:
    """The worker at work, and nothing parked."""
    if shared.worker is None:
        shared.start()
    yield shared
    shared.clear()


@dataclass(frozen=True)
class Keys:
    """Keys that no other test uses."""

    a: str
    b: str
    c: str


@pytest.fixture
def keys() -> Keys:
    return Keys(*(f"{letter}-{new_id()}" for letter in "abc"))


def test_the_list_has_the_first_message_of_each_key_and_what_waits_behind_it(
    scene: Scene, keys: Keys
) -> None:
    [first, second, third] = scene.send_payments(keys.a, BROKEN, "EUR", "EUR")
    [dead] = scene.send_payments(keys.b, HOPELESS)
    scene.send_payments(keys.c, "EUR")
    listed = {message["place"]: message for message in scene.parked()}
    assert set(listed) == {first, dead}
    assert (
        listed[first].items()
        >= {
            "consumer": scene.name,
            "type": "payments.PaymentCompleted",
            "key": keys.a,
            "status": "retrying",
            "attempts": 1,
            "behind": 2,
            "reason": "failed",
            "error_text": f"{BROKEN} cannot be taken yet",
        }.items()
    )
    assert listed[first]["error_class"].endswith("CannotTakeError")
    assert listed[first]["next_attempt_at"] > listed[first]["parked_at"]
    assert (listed[dead]["status"], listed[dead]["next_attempt_at"]) == ("dead", None)
    waiting = scene.parked("--key", keys.a, "--waiting")
    assert [message["place"] for message in waiting] == [first, second, third]
    assert [message["status"] for message in waiting] == ["retrying", "waiting", "waiting"]
    output = scene.cli("parked", "list", "--consumer", scene.name).stdout
    assert "1 dead, 1 being retried; 2 messages behind them." in output
    assert f"CannotTakeError: {BROKEN} cannot be taken yet" in output
    assert "2 messages behind it" in output
    assert scene.effects(keys.a, keys.b, keys.c) == [(keys.c, "EUR")]


def test_every_filter_leaves_out_what_is_not_meant(scene: Scene, keys: Keys) -> None:
    [broken] = scene.send_payments(keys.a, BROKEN)
    [dead] = scene.send_payments(keys.b, HOPELESS)
    [strange] = scene.send(without_type(scene.payment(keys.c)))
    assert scene.places() == [broken, dead, strange]
    for arguments, wanted in {
        ("--status", "dead"): [dead, strange],
        ("--status", "retrying"): [broken],
        ("--error", "CANNOT be taken"): [broken],
        ("--error", "PoisonError"): [dead],
        ("--error", "Error: nobody can"): [dead],
        ("--reason", "malformed"): [strange],
        ("--type", "payments.PaymentCompleted"): [broken, dead],
        ("--key", keys.a): [broken],
        ("--key", "\\x" + keys.b.encode().hex()): [dead],
        ("--topic", "order.events"): [],
        ("--topic", scene.topic): [broken, dead, strange],
        ("--older-than", "1h"): [],
        ("--newer-than", "1h"): [broken, dead, strange],
        ("--message-id", str(new_id())): [],
        ("--limit", "2"): [broken, dead],
    }.items():
        assert scene.places(*arguments) == wanted, arguments
    limited = scene.cli("parked", "list", "--consumer", scene.name, "--limit", "2").stdout
    assert "The oldest 2 of 3 are shown" in limited


def test_nothing_parked_is_said_in_a_sentence(scene: Scene) -> None:
    consumer = ("--consumer", scene.name)
    assert "No parked message matches." in scene.cli("parked", "list", *consumer).stdout
    for arguments in (["retry"], ["skip"]):
        done = scene.cli("parked", *arguments, *consumer, "--why", "x")
        assert done.stdout == "No parked message matches; nothing was changed.\n"


def test_who_does_not_exist_is_named_with_those_who_do(scene: Scene) -> None:
    for command in (["parked", "list", "--consumer", "nobody"], ["lag", "nobody"]):
        refused = scene.cli(*command, check=False)
        assert refused.returncode == 2
        assert "No consumer is called nobody; there are analytics-worker, " in refused.stderr
        assert scene.name in refused.stderr
    [place, other] = [f"{scene.topic}/0/999999", "order.events/0/999999"]
    refused = scene.cli("parked", "show", place, check=False)
    assert (refused.returncode, refused.stderr) == (
        1,
        f"tailrace: {place} is not parked; `tailrace parked list` shows what is.\n",
    )
    assert scene.cli("parked", "retry", other, "--why", "x", check=False).returncode == 1


def test_show_tells_everything_about_a_message(scene: Scene, keys: Keys) -> None:
    record = scene.payment(keys.a, BROKEN)
    [place, behind] = scene.send(record, scene.payment(keys.a))
    shown = scene.show(place)
    assert shown["payload"]["currency"] == BROKEN
    assert shown["payload"]["amount"] == "12.5000"
    assert shown["headers"] == [[name, value] for name, value in record.headers.items()]
    assert 'raise CannotTakeError(f"{payment.currency} cannot be taken yet")' in shown["traceback"]
    assert shown["others_of_its_key"] == [{"place": behind, "type": "payments.PaymentCompleted"}]
    assert shown["history"] == []
    output = scene.cli("parked", "show", place).stdout
    for words in (keys.a, record.headers["ce_id"], '"currency": "BRK"', behind, "Traceback"):
        assert words in output


def test_show_tells_why_bytes_cannot_be_decoded(scene: Scene, keys: Keys) -> None:
    [place] = scene.send(replace(scene.payment(keys.a), value=b"no Avro"))
    shown = scene.show(place)
    assert shown["reason"] == "undecodable"
    assert shown["payload"] is None
    assert shown["problem"] == "the first byte is 110, not the magic byte 0"
    assert bytes.fromhex(shown["hex"]) == b"no Avro"
    output = scene.cli("parked", "show", place).stdout
    assert "cannot be decoded: the first byte is 110" in output
    assert "7 bytes: 6e 6f 20 41 76 72 6f" in output


def test_a_retry_after_the_cause_was_mended_takes_effect_in_the_order_of_the_key(
    scene: Scene, keys: Keys
) -> None:
    currencies = [BROKEN, "EUR", BROKEN, "USD"]
    [place, *_] = scene.send_payments(keys.a, *currencies)
    failed = scene.cli("parked", "retry", place, "--why", "impatience", check=False)
    assert failed.returncode == 1
    assert "1 message due: 0 took effect, 1 failed again, 0 still waiting." in failed.stdout
    assert f"CannotTakeError: {BROKEN} cannot be taken yet" in failed.stdout
    scene.mend(keys.a)
    done = scene.cli("parked", "retry", place, "--why", "it is mended", "--who", "ada")
    assert done.stdout == "1 message due: 1 took effect, 0 failed again, 0 still waiting.\n"
    assert scene.effects(keys.a) == [(keys.a, currency) for currency in currencies]
    assert scene.places() == []
    noted = [(row["action"], row["why"], row["value"]) for row in scene.actions(place)]
    assert noted == [("retry", "impatience", None), ("retry", "it is mended", None)]
    assert scene.actions(place)[1]["actor"] == "ada"


def test_a_retry_tells_of_a_message_behind_that_fails(scene: Scene, keys: Keys) -> None:
    [place, hopeless] = scene.send_payments(keys.a, BROKEN, HOPELESS)
    scene.mend(keys.a)
    done = scene.cli("parked", "retry", place, "--why", "it is mended", check=False)
    assert done.returncode == 1
    assert "1 took effect, 0 failed again, 0 still waiting; 1 message behind" in done.stdout
    assert f"{hopeless}  {scene.name}  PoisonError: nobody can take {HOPELESS}" in done.stdout
    assert scene.effects(keys.a) == [(keys.a, BROKEN)]


def test_a_message_that_waits_cannot_be_retried_before_the_first(scene: Scene, keys: Keys) -> None:
    [first, waiting] = scene.send_payments(keys.a, BROKEN, "EUR")
    refused = scene.cli("parked", "retry", waiting, "--why", "x", check=False)
    assert refused.returncode == 1
    assert f"{waiting} waits behind {first}" in refused.stderr


def test_more_than_one_message_needs_a_yes(scene: Scene, keys: Keys) -> None:
    for key in (keys.a, keys.b):
        scene.send_payments(key, HOPELESS)
    for command in ("retry", "skip"):
        refused = scene.cli("parked", command, "--consumer", scene.name, "--why", "x", check=False)
        assert refused.returncode == 2
        assert "2 messages" in refused.stderr
        assert "say --yes if you mean it" in refused.stderr
    assert len(scene.places()) == 2
    assert scene.query("select from parked_action where consumer = %s and why = 'x'") == []
    done = scene.cli("parked", "skip", "--key", keys.a, "--why", "one needs no yes", "--json")
    assert json.loads(done.stdout) == {"skipped": 1, "gone": 0, "busy": 0}


def test_a_rate_spreads_the_attempts(scene: Scene) -> None:
    names = [f"rate-{number}-{new_id()}" for number in range(7)]
    scene.send(*(scene.payment(name, BROKEN) for name in names))
    scene.mend(*names)
    done = scene.cli(
        *("parked", "retry", "--consumer", scene.name, "--error", "cannot be taken"),
        *("--rate", "3", "--yes", "--why", "gently"),
    )
    assert "7 messages due: 7 took effect" in done.stdout
    [row] = scene.query(
        "select extract(epoch from max(at) - min(at)) as s from picky_effect"
        " where consumer = %s and key like 'rate-%%'"
    )
    assert row["s"] > 1.4  # two seconds, less the half of one between two looks


def test_an_edited_message_takes_effect_as_edited_and_keeps_its_original(
    scene: Scene, keys: Keys
) -> None:
    record = scene.payment(keys.a, BROKEN)
    [place] = scene.send(record)
    for assignments in (["currency=USD"], ["currency=EUR", "amount=7"]):
        options = [part for each in assignments for part in ("--set", each)]
        done = scene.cli("parked", "edit", place, *options, "--why", "a typing error")
        assert "is changed" in done.stdout
    again = scene.cli("parked", "edit", place, "--set", "amount=7.00", "--why", "again")
    assert "says that already; nothing was changed" in again.stdout
    assert scene.parked()[0]["edited"]
    shown = scene.show(place)
    assert (shown["payload"]["currency"], shown["payload"]["amount"]) == ("EUR", "7.0000")
    assert shown["original"]["payload"]["currency"] == BROKEN
    [stored] = scene.query("select original_value from parked_message where consumer = %s")
    assert stored["original_value"] == record.value
    first, second = scene.actions(place)
    assert first["value"] == record.value
    assert first["new_value"] == second["value"]
    assert 'amount: "12.5000" -> "7.0000"' in scene.cli("parked", "show", place).stdout
    scene.cli("parked", "retry", place, "--why", "edited")
    assert scene.effects(keys.a) == [(keys.a, "EUR")]


@pytest.mark.parametrize(
    ("assignment", "sentence"),
    [
        ("curency=EUR", "curency is no field of payments.PaymentCompleted, which has payment_id, "),
        ("amount=much", "amount should be a decimal of at most 19 digits, 4 of them after the point"),
        ("currency=null", "currency should be text, not null"),
        ("order_id=7", "order_id should be a UUID, not 7"),
    ],
)  # fmt: skip
def test_an_edit_that_does_not_fit_changes_nothing(
    scene: Scene, keys: Keys, assignment: str, sentence: str
) -> None:
    record = scene.payment(keys.a, BROKEN)
    [place] = scene.send(record)
    refused = scene.cli("parked", "edit", place, "--set", assignment, "--why", "x", check=False)
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"tailrace: Nothing was changed: {sentence}")
    [stored] = scene.query("select value, edited from parked_message where consumer = %s")
    assert (stored["value"], stored["edited"]) == (record.value, False)
    assert scene.actions(place) == []


def test_bytes_that_cannot_be_decoded_are_replaced_as_a_whole(
    scene: Scene, keys: Keys, tmp_path: Path
) -> None:
    [place, other] = scene.send(
        replace(scene.payment(keys.a), value=b"no Avro"), scene.payment(keys.b, HOPELESS)
    )
    refused = scene.cli("parked", "edit", place, "--set", "currency=EUR", "--why", "x", check=False)
    assert "give it as a whole with --file" in refused.stderr
    whole = scene.show(other)["payload"] | {"currency": "CHF"}
    file = tmp_path / "new.json"
    file.write_text(json.dumps({**whole, "amount": None}))
    edit = ("parked", "edit", place, "--file", str(file), "--why", "as the sender says")
    refused = scene.cli(*edit, check=False)
    assert "Nothing was changed: amount should be a decimal" in refused.stderr
    file.write_text(json.dumps(whole))
    scene.cli(*edit)
    scene.cli("parked", "retry", place, "--why", "replaced")
    assert scene.effects(keys.a) == [(keys.a, "CHF")]
    assert "were replaced as a whole" in scene.cli("parked", "show", place).stdout


def test_a_skipped_message_is_kept_whole_and_the_next_of_its_key_goes_on(
    scene: Scene, keys: Keys
) -> None:
    hopeless, good = scene.payment(keys.a, HOPELESS), scene.payment(keys.a)
    [place, _] = scene.send(hopeless, good)
    done = scene.cli("parked", "skip", place, "--why", "settled by hand", "--who", "ada")
    assert done.stdout.startswith("Skipped 1 message;")
    wait_until(
        "the next does not go on", lambda: scene.effects(keys.a) == [(keys.a, "EUR")], timeout_s=10
    )
    [row] = scene.actions(place)
    assert (row["action"], row["actor"], row["why"]) == ("skip", "ada", "settled by hand")
    assert (row["value"], row["message_id"]) == (hopeless.value, hopeless.message_id)
    names = zip(row["header_names"], row["header_values"], strict=True)
    assert {name: value.decode() for name, value in names} == hopeless.headers
    shown = scene.show(place)
    assert (shown["status"], shown["payload"]["currency"]) == ("skipped", HOPELESS)
    assert "was skipped" in scene.cli("parked", "show", place).stdout
    for arguments in ([place], ["--key", keys.a], ["--consumer", scene.name, "--action", "skip"]):
        assert "by ada: settled by hand" in scene.cli("parked", "history", *arguments).stdout
    again = scene.cli("parked", "skip", place, "--why", "x", check=False)
    assert again.returncode == 1
    assert "is not parked any more" in again.stderr


def test_a_message_may_be_skipped_before_its_turn(scene: Scene, keys: Keys) -> None:
    [first, second, _] = scene.send_payments(keys.a, BROKEN, "USD", "EUR")
    scene.cli("parked", "skip", second, "--why", "only this one")
    assert scene.places("--waiting") == [first, scene.places("--waiting")[1]]
    assert scene.parked()[0]["behind"] == 1
    scene.mend(keys.a)
    scene.cli("parked", "retry", first, "--why", "it is mended")
    assert scene.effects(keys.a) == [(keys.a, BROKEN), (keys.a, "EUR")]


def test_a_whole_key_is_skipped_with_what_waits(scene: Scene, keys: Keys) -> None:
    scene.send_payments(keys.a, HOPELESS, "EUR", "EUR")
    scene.send_payments(keys.b, HOPELESS)
    skip = ("parked", "skip", "--key", keys.a, "--waiting", "--why", "the account is closed")
    assert "Skip 3 messages for good?" in scene.cli(*skip, check=False).stderr
    assert "Skipped 3 messages" in scene.cli(*skip, "--yes").stdout
    assert [message["key"] for message in scene.parked("--waiting")] == [keys.b]
    assert (
        scene.query("select from parked_sequence where consumer = %s and status = 'retrying'") == []
    )
    scene.send_payments(keys.a, "CHF")
    assert scene.effects(keys.a) == [(keys.a, "CHF")]


def test_commands_wait_for_a_worker_only_so_long(scene: Scene, keys: Keys) -> None:
    [place] = scene.send_payments(keys.a, HOPELESS)
    with scene.connect() as connection, connection.transaction():
        connection.execute(
            "select from parked_sequence where consumer = %s for update", [scene.name]
        )
        for arguments in (["retry"], ["skip"], ["edit", "--set", "currency=EUR"]):
            refused = scene.cli("parked", *arguments, place, "--why", "x", check=False)
            assert refused.returncode == 1
            assert "just now, for longer than 5 s; nothing was changed" in refused.stderr
    assert scene.actions(place) == []


def test_a_message_takes_effect_or_is_skipped_whoever_comes_first(scene: Scene) -> None:
    names = [f"race-{number}-{new_id()}" for number in range(150)]
    records = [scene.payment(name, BROKEN) for name in names for _ in range(2)]
    scene.send(*records)
    scene.mend(*names)
    chosen = ("--consumer", scene.name, "--yes", "--why", "a race", "--json")
    with beside(scene.stack, "parked", "retry", *chosen) as retry:
        skips = [
            json.loads(scene.cli("parked", "skip", "--waiting", *chosen).stdout) for _ in range(2)
        ]
        output, complaint = retry.communicate(timeout=120)
    assert retry.returncode == 0, complaint
    wait_until("something is parked", lambda: not scene.places("--waiting"), timeout_s=20)
    taken = scene.query(
        "select message_id from picky_effect where consumer = %s and key like 'race-%%'"
    )
    skipped = scene.query(
        "select message_id from parked_action where consumer = %s and action = 'skip' and why = 'a race'"
    )
    ids: list[UUID] = [row["message_id"] for row in (*taken, *skipped)]
    assert sorted(ids) == sorted(record.message_id for record in records)
    assert sum(each["skipped"] for each in skips) == len(skipped)
    assert json.loads(output)["waiting"] == 0


def test_the_doctor_counts_dead_letters_and_a_place_may_be_parked_by_several(
    stack: RunningStack, scene: Scene, keys: Keys
) -> None:
    assert dead_letters(stack) == ("ok", "none", None)
    record = replace(scene.payment(keys.a), headers={"ce_type": "orders.OrderCreated"})
    [place] = map(text, produce(stack, "order.events", [record]))
    handled = catalogue().topics["order.events"].consumers
    readers = sorted(name for name in handled if "orders.OrderCreated" in handled[name])
    assert len(readers) >= 2
    try:
        wait_until(
            "the workers do not park it",
            lambda: parked_by(stack, place) == readers,
            timeout_s=20,
        )
        state, detail, remedy = dead_letters(stack)
        assert (state, remedy) == ("wrong", "run `tailrace parked list --status dead`")
        assert detail.endswith(": " + ", ".join(f"{reader} 1" for reader in readers))
        refused = stack.cli("parked", "show", place, check=False)
        assert refused.returncode == 2
        assert f"{place} is parked by {' and '.join(readers)}: say whose" in refused.stderr
    finally:
        for reader in readers:
            stack.cli("parked", "skip", place, "--consumer", reader, "--why", "made by a test")
    assert dead_letters(stack) == ("ok", "none", None)
    refused = stack.cli("parked", "show", place, check=False)
    assert "say whose is meant with --consumer" in refused.stderr
    shown = json.loads(
        stack.cli("parked", "show", place, "--consumer", readers[0], "--json").stdout
    )
    assert shown["reason"] == "malformed"


def without_type(record: NewRecord) -> NewRecord:
    return replace(record, headers={k: v for k, v in record.headers.items() if k != "ce_type"})


def parked_by(stack: RunningStack, place: str) -> list[str]:
    topic, partition, offset = place.split("/")
    with psycopg.connect(stack.database_url(OWNER)) as connection:
        found = [
            row
            for schema in sorted({worker.role for worker in WORKERS if worker.role})
            for row in connection.execute(
                f"select consumer from {schema}.parked_message"
                ' where (topic, partition, "offset") = (%s, %s, %s)'.encode(),
                [topic, int(partition), int(offset)],
            )
        ]
    return sorted(name for (name,) in found)


def dead_letters(stack: RunningStack) -> tuple[str, str, str | None]:
    found = findings(stack)["dead letters"]
    return found["state"], found["detail"], found["remedy"]
