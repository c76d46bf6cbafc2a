"""Pages of the console on which somebody works: a message edited, a change judged, records found, a replay read."""

import json
import re
from collections.abc import Iterator
from html import unescape
from urllib.parse import quote

import psycopg
import pytest

from cdc.ids import new_id
from infra.local.probe import wait_until
from infra.operations.replay.jobs import job
from infra.services import OWNER
from tests.console import EVIL, ConsolePages
from tests.orders import place_digital, wait_until_decided
from tests.produce import Maker, create_topic, produce
from tests.replays import query
from tests.stack import RunningStack
from tests.workers.picky import BROKEN, HOPELESS
from tests.workers.scene import Scene, open_scene

TEXT = re.compile(r"<textarea[^>]* name=\"text\"[^>]*>\n?(.*?)</textarea>", re.DOTALL)
BASED_ON = re.compile(r'name="based_on" value="([0-9a-f]+)"')
MANY = 10_000


@pytest.fixture
def pages(stack: RunningStack) -> Iterator[ConsolePages]:
    with ConsolePages(stack) as pages:
        yield pages


@pytest.fixture(scope="module")
def scene(stack: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with open_scene(stack, tmp_path_factory.mktemp("mended")) as opened:
        opened.start()
        yield opened


def text_in(page: str) -> str:
    [text] = TEXT.findall(page)
    return unescape(text)


def test_a_dead_letter_is_edited_against_its_schema_and_takes_effect(
    scene: Scene, pages: ConsolePages
) -> None:
    key = f"{EVIL}{new_id()}"
    [place_] = scene.send_payments(key, HOPELESS)
    about = {"place": place_, "consumer": scene.name}
    path = f"/parked/edit?place={place_}&consumer={scene.name}"
    page = pages.get(path)
    assert "<script>alert" not in page
    text, [based_on] = text_in(page), BASED_ON.findall(page)
    assert f'"currency": "{HOPELESS}"' in text
    about["based_on"] = based_on

    wrong = text.replace('"12.5000"', '"much"')
    refused = pages.post("/parked/edit", page, text=wrong, **about)
    assert refused.status_code == 400
    assert "amount should be a decimal" in refused.text
    [line] = [n for n, each in enumerate(wrong.splitlines(), 1) if "much" in each]
    assert f'data-line="{line}"' in refused.text
    assert text_in(refused.text) == wrong  # no work is lost over a slip
    broken = pages.post("/parked/edit", page, text=f'{text.rstrip()}"', **about)
    assert "this is no JSON" in broken.text

    better = text.replace(HOPELESS, "EUR")
    done = pages.post("/parked/edit", page, text=better, retry="yes", **about)
    assert "1 message tried again: 1 took effect, 0 failed again" in done.text
    assert scene.effects(key) == [(key, "EUR")]
    [edit, retry] = scene.actions(place_)
    assert [(each["action"], each["actor"], each["why"]) for each in (edit, retry)] == [
        ("edit", "ada", "a trial"),
        ("retry", "ada", "a trial"),
    ]
    late = pages.post("/parked/edit", page, text=text, **about)
    assert late.status_code == 409
    assert "not parked" in late.text


def test_what_somebody_else_has_changed_meanwhile_is_not_overwritten(
    scene: Scene, pages: ConsolePages
) -> None:
    [place_] = scene.send_payments(f"k-{new_id()}", BROKEN)
    page = pages.get(f"/parked/edit?place={place_}&consumer={scene.name}")
    scene.cli("parked", "edit", place_, "--set", "currency=USD", "--why", "quicker")
    about = {"place": place_, "consumer": scene.name, "based_on": BASED_ON.findall(page)[0]}
    refused = pages.post("/parked/edit", page, text=text_in(page), **about)
    assert refused.status_code == 400
    assert "somebody else has changed" in refused.text
    shown = pages.get(f"/parked/message?place={place_}&consumer={scene.name}")
    assert "Changed since it was delivered" in shown
    scene.clear()


def test_the_dead_letters_of_a_key_are_listed_and_retried(
    scene: Scene, pages: ConsolePages
) -> None:
    key = f"k-{new_id()}"
    scene.send_payments(key, HOPELESS)
    page = pages.get(f"/parked?consumer={scene.name}&key={key}")
    assert "Retry 1 dead letter" in page
    tried = pages.post("/parked/retry", page, consumer=scene.name, key=key, rate="10")
    assert "1 message tried again: 0 took effect, 1 failed again" in tried.text
    assert "hexadecimal" in pages.get("/parked?key=%5Cxzz", status=400)
    scene.clear()


def test_ten_thousand_dead_letters_are_counted_and_some_are_shown(
    stack: RunningStack, scene: Scene, pages: ConsolePages
) -> None:
    [place_] = scene.send_payments(f"k-{new_id()}", HOPELESS)
    multiply(stack, scene.name, MANY)
    page = pages.get(f"/parked?consumer={scene.name}")
    assert f"Only the oldest 200 of {MANY + 1:,} are shown" in page
    assert len(page) < 400_000
    assert place_ in page
    pages.until("/parked", f"{MANY + 1}</td>")
    scene.clear()


def multiply(stack: RunningStack, consumer: str, number: int) -> None:
    """Have a parked message of a consumer there so many times more, each under a key of its own."""
    with psycopg.connect(stack.database_url("analytics")) as connection:
        connection.execute(
            "with one as (select * from parked_message where consumer = %(consumer)s limit 1), "
            "sequence as ("
            "insert into parked_sequence (consumer, topic, key, status, attempts) "
            "select consumer, topic, n::text::bytea, 'dead', 1 from one, generate_series(1, %(number)s) as n "
            "returning sequence_id) "
            'insert into parked_message (sequence_id, consumer, topic, partition, "offset", recorded_at, type, '
            "header_names, header_values, value, reason, error_class, error_text) "
            "select s.sequence_id, consumer, topic, partition, 1000000 + s.sequence_id, recorded_at, type, "
            "header_names, header_values, value, reason, error_class, error_text from one, sequence as s",
            {"consumer": consumer, "number": number},
        )


def test_schemas_are_listed_with_their_readers_and_versions(pages: ConsolePages) -> None:
    assert "analytics-worker" in pages.get("/schemas")
    page = pages.get("/schema?name=orders.OrderCreated")
    for wanted in ("Version 1", "It is the first one.", "reads the fields that it pins"):
        assert wanted in page
    assert "The catalogue has no message" in pages.get("/schema?name=%3Cb%3E", status=400)


@pytest.mark.parametrize(
    ("was", "becomes", "told"),
    [
        ('"currency"', '"money"', ">refused<"),
        ('"fields": [', '"fields": [{"name": "note", "type": ["null", "string"], "default": null}, ',
         ">compatible<"),
        ("{", "<script>", "malformed"),
    ],
)  # fmt: skip
def test_a_change_that_is_pasted_is_judged_and_nothing_is_published(
    pages: ConsolePages, was: str, becomes: str, told: str
) -> None:
    page = pages.get("/schema?name=orders.OrderCreated")
    text = text_in(page)
    assert was in text
    judged = pages.post(
        "/schema", page, name="orders.OrderCreated", text=text.replace(was, becomes, 1)
    )
    assert judged.status_code == 200
    assert told in judged.text
    assert "<script>alert" not in judged.text
    assert "Nothing was published" in judged.text
    assert pages.get("/schema?name=orders.OrderCreated").count("<h3>Version ") == page.count(
        "<h3>Version "
    )


def test_what_a_change_means_to_each_reader_is_told(pages: ConsolePages) -> None:
    page = pages.get("/schema?name=orders.OrderCreated")
    text = text_in(page).replace('"currency"', '"money"', 1)
    judged = pages.post("/schema", page, name="orders.OrderCreated", text=text).text
    for wanted in ("payments-worker", "cannot fill it", "inventory-worker", "notices nothing"):
        assert wanted in judged


def test_records_are_found_by_key_message_header_and_what_they_say(
    stack: RunningStack, pages: ConsolePages
) -> None:
    name = f"ada-{new_id()} {EVIL[:-5]}"
    orders = [place_digital(stack, customer_id=name)["order_id"] for _ in range(3)]
    wait_until_decided(stack, orders)
    plain = name.partition(" ")[0]
    page = pages.get("/topic?name=order.events&type=orders.OrderCreated&limit=200")
    assert plain in page
    assert "<script>alert" not in page
    for condition, number in (
        (f"key={orders[0]}&type=orders.OrderCreated", 1),
        (f"type=orders.OrderCreated&where=customer_id%3D{quote(name)}", 3),
        (f"key={orders[0]}&header=ce_type%3Dorders.OrderCreated", 1),
        (f"key={orders[0]}&where=currency%3DUSD", 0),
    ):
        found = pages.get(f"/topic?name=order.events&{condition}")
        assert found.count('<details class="record"') == number, condition
    assert "could not be held against" in pages.get(
        "/topic?name=order.events&where=total%3E%22a%22"
    )


def test_a_search_goes_on_where_it_ended_until_there_is_nothing_left(
    stack: RunningStack, pages: ConsolePages
) -> None:
    make, topic = Maker(stack), create_topic(stack, partitions=2)
    places = produce(stack, topic, [make.canary() for _ in range(7)])
    seen: list[str] = []
    path = f"/topic?name={topic}&limit=3"
    while path:
        page = pages.get(path)
        seen += re.findall(r'class="record" id="([^"]+)"', page)
        more = re.search(r'href="(/topic[^"]+)">Go on', page)
        path = unescape(more[1]) if more else ""
    assert sorted(seen) == sorted(f"r-{each.partition}-{each.offset}" for each in places)


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ("name=order.events&partition=77", "has no partition 77"),
        ("name=order.events&partition=x", "should be a number"),
        ("name=order.events&limit=0", "1 to 200 records"),
        ("name=order.events&where=nonsense", "no condition"),
        ("name=order.events&header=nonsense", "no name=value"),
        ("name=order.events&until=someday", "someday"),
        ("name=order.events&type=payments.PaymentFailed", "carries no"),
        ("name=order.events&key=%5Cxz", "hexadecimal"),
        ("name=order.events" + "&where=a%3Db" * 40, "too much to look for"),
    ],
)
def test_what_cannot_be_looked_for_is_said(pages: ConsolePages, asked: str, sentence: str) -> None:
    assert sentence in unescape(pages.get(f"/topic?{asked}", status=400))


def test_a_topic_that_is_not_there_is_not_found(pages: ConsolePages) -> None:
    for name in ("nope", "%3Cb%3E", ""):
        assert " no topic" in pages.get(f"/topic?name={name}", status=404)


def test_a_topic_is_followed(stack: RunningStack, pages: ConsolePages) -> None:
    with pages.following("/topic/follow?name=order.events&where=customer_id%3Dcleo") as events:
        assert next(events) == ("here", "")
        assert next(events)[0] == "follows"
        place_digital(stack, customer_id="ada")
        order = place_digital(stack, customer_id="cleo")["order_id"]
        told = next(told for name, told in events if name == "record")
        assert order in told
        assert "&#34;cleo&#34;" in told


def test_a_replay_is_counted_started_watched_and_its_differences_read(
    stack: RunningStack, pages: ConsolePages
) -> None:
    order = place_digital(stack)["order_id"]
    wait_until_decided(stack, [order])
    change = "update payments.payment set amount = amount + %s where order_id = %s"
    query(stack, OWNER, change, 1, order)
    try:
        page = pages.get("/replays")
        asked = {"consumer": "payments-worker", "key": order, "start": "1h"}
        counted = pages.post("/replays", page, dry_run="yes", **asked)
        assert counted.status_code == 303
        pages.until(counted.headers["location"], "would be replayed")
        begun = pages.post("/replays", page, **asked)
        found = pages.until(begun.headers["location"], "The sandbox is not what is live")
    finally:
        query(stack, OWNER, change, -1, order)
    for wanted in ("1 different", ">amount<", "a trial", "by ada", "Would have sent 1"):
        assert wanted in found
    assert begun.headers["location"].partition("=")[2] in pages.until("/replays", ">differs<")
    told = stack.cli("replay", "jobs").stdout
    assert "differs" in told


def test_a_replay_that_cannot_be_done_says_why(stack: RunningStack, pages: ConsolePages) -> None:
    page = pages.get("/replays")
    for fields, sentence in (
        ({"consumer": "nobody"}, "No consumer is called nobody"),
        ({"consumer": "payments-worker", "start": "someday"}, "From: "),
        ({"consumer": "payments-worker", "where": "x"}, "no condition"),
        ({"consumer": "payments-worker", "rows": "-1"}, "rows should be"),
        ({"consumer": "payments-worker", "id": "7"}, "Nothing was begun"),
    ):
        refused = pages.post("/replays", page, **fields)
        assert refused.status_code == 400, fields
        assert sentence in unescape(refused.text)
    assert "There is no replay" in pages.get("/replay?id=../../x", status=404)
    begun = pages.post("/replays", page, consumer="payments-worker", key=f"nobody-{new_id()}")
    failed = pages.until(begun.headers["location"], "It did not come to its end")
    assert "matches the filters" in failed


def test_a_replay_in_the_background_is_stopped_by_a_page_and_goes_on_by_a_command(
    stack: RunningStack, pages: ConsolePages
) -> None:
    order = place_digital(stack)["order_id"]
    wait_until_decided(stack, [order])
    chosen = ("--consumer=payments", f"--key={order}", "--from=1h")
    begun = json.loads(stack.cli("replay", *chosen, "--rate=0.2", "--background", "--json").stdout)
    wait_until(
        "it does not come to replay",
        lambda: job(stack.deployment, begun["job_id"]).doing == "replayed",
        timeout_s=60,
    )
    path = f"/replay?id={begun['job_id']}"
    page = pages.until(path, ">running<")
    assert pages.post("/replay", page, id=begun["job_id"]).status_code == 303
    stopped = pages.until(path, "It did not come to its end")
    [run] = re.findall(r"tailrace replay --resume ([\w-]+)", stopped)
    told = json.loads(stack.cli("replay", f"--resume={run}", "--rate=100", "--json").stdout)
    assert (told["equal"], told["run_id"]) == (True, run)
