"""The console in a real Chromium: what flows is seen, what breaks is named, and what waits is acted on."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from cdc.ids import new_id
from infra.local.probe import wait_until
from infra.services import OWNER
from tests.browser import Browser, Page
from tests.console import CONSUMER, EVIL, park
from tests.orders import place, place_digital, place_lines, wait_until_decided
from tests.replays import query
from tests.stack import RunningStack
from tests.workers.picky import HOPELESS
from tests.workers.scene import open_scene

NAMED_WITHIN_S = 5.0
"""Within so many seconds, as a machine that has nothing else to do counts them, a page names what was killed."""
PHONE, DESK = (390, 844), (1280, 900)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("browser")) as browser:
        yield browser


@contextmanager
def orders_flowing(stack: RunningStack) -> Iterator[list[str]]:
    """Have orders placed one after the other while the block runs; what is given are their ids."""
    placed: list[str] = []
    stop = threading.Event()

    def go_on() -> None:
        while not stop.is_set():
            placed.append(place(stack)["order_id"])

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield placed
    finally:
        stop.set()
        thread.join()


def home(stack: RunningStack, page: Page) -> None:
    page.go(stack.settings.console_url)
    page.shows("#health", "all is well", timeout_s=60)


def fits(page: Page) -> None:
    """See that a page is no wider than a telephone: what is, such as a picture, is scrolled inside of it."""
    page.resize(*PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]


def test_what_flows_is_seen_and_an_order_is_found(stack: RunningStack, browser: Browser) -> None:
    with browser.page(*DESK) as page:
        home(stack, page)
        with orders_flowing(stack) as placed:
            page.wait_for("document.querySelectorAll('#picture .arrow.busy').length > 5", 60)
            wait_until("no order is placed", lambda: len(placed) > 2, timeout_s=30)
        wait_until_decided(stack, placed)
        page.fill("#find", placed[0])
        page.submit()
        page.shows("main", "it is through")
        assert page.evaluate("document.querySelectorAll('.lanes .bar.handler').length") >= 3
        assert "in outboxes" in page.text("main")
        page.follow(".tree a")
        page.shows("#message", '"customer_id": "ada"')
        fits(page)


def test_what_is_killed_is_named_at_once_and_recovers(
    stack: RunningStack, browser: Browser
) -> None:
    with browser.page(*DESK) as page:
        home(stack, page)
        stack.kill("connect")
        page.shows("#wrong", "connect", NAMED_WITHIN_S)
        page.shows("#health", "wrong", NAMED_WITHIN_S)
        page.shows("#health", "all is well", timeout_s=120)
        assert "all is well" in page.text("#wrong")


def test_a_page_says_when_the_console_is_silent_and_goes_on_when_it_answers(
    stack: RunningStack, browser: Browser
) -> None:
    with browser.page(*DESK) as page:
        home(stack, page)
        with stack.frozen("console"):
            page.wait_for("!document.getElementById('connection').hidden", 30)
            assert "The console is silent" in page.text("#connection")
        # what stood still may be ended by its client of Kafka when it goes on (librdkafka's issue 4605)
        page.wait_for("document.getElementById('connection')?.hidden", 60)
        page.shows("#health", "all is well", timeout_s=60)


def test_a_page_says_when_the_console_is_gone_and_is_that_of_the_next_one(
    stack: RunningStack, browser: Browser
) -> None:
    with browser.page(*DESK) as page:
        home(stack, page)
        page.evaluate("window.isBefore = true")
        stack.kill("console", signal.SIGKILL)
        page.wait_for("!document.getElementById('connection')?.hidden || !window.isBefore", 30)
        # the page knows nothing of this process, and gets itself anew
        page.wait_for("!window.isBefore", 60)
        page.shows("#health", "all is well", timeout_s=60)


def test_a_dead_letter_is_skipped_for_a_reason(stack: RunningStack, browser: Browser) -> None:
    place_, _ = park(stack)
    with browser.page(*PHONE) as page:
        page.prefer("dark")
        page.go(f"{stack.settings.console_url}/parked")
        page.shows("#parked", CONSUMER)
        page.shows("#parked", EVIL.partition("\x1b")[0])
        page.follow("#parked a")
        page.follow("section a[href*='place=']")
        assert place_ in page.text("h1")
        fits(page)
        page.fill("form.act [name=actor]", "ada")
        page.fill("form.act [name=why]", "a trial in a browser")
        page.follow("button.grave")
        page.shows("main", "is not parked any more")
        assert "skip by ada: a trial in a browser" in page.text("#history")
        page.go(f"{stack.settings.console_url}/parked")
        page.shows("#parked", "Nothing is parked")


REPLACED = (
    "(t => { t.value = t.value.replace('%s', '%s'); })(document.querySelector('[name=text]'))"
)
"""Types over a part of a text."""


def say_why(page: Page, why: str) -> None:
    page.fill("form.act [name=actor]", "ada")
    page.fill("form.act [name=why]", why)


def test_a_poisoned_message_is_found_edited_and_takes_effect(
    stack: RunningStack, browser: Browser, tmp_path: Path
) -> None:
    with open_scene(stack, tmp_path) as scene, browser.page(*PHONE) as page:
        scene.start()
        key = f"k-{new_id()}"
        [place_] = scene.send_payments(key, HOPELESS)
        page.go(f"{stack.settings.console_url}/parked")
        page.shows("#parked", scene.name)
        page.follow(f"#parked a[href*='{scene.name}']")
        page.follow("section a[href*='place=']")
        page.follow("a.button[href*='/parked/edit']")
        assert place_ in page.text("h1")
        fits(page)
        page.evaluate(REPLACED % (HOPELESS, "EUR"))
        page.evaluate(REPLACED % ('"12.5000"', "true"))
        say_why(page, "a typing error")
        page.follow("button[name=retry]")
        page.shows("#problem", "amount should be")
        # the line that is the reason is chosen, to be typed over
        page.call("Input.insertText", text='  "amount": "7.0000",')
        say_why(page, "a typing error")
        page.follow("button[name=retry]")
        page.shows("#outcome", "1 took effect")
        assert scene.effects(key) == [(key, "EUR")]
        page.follow("#outcome a")
        assert "edit by ada: a typing error" in page.text("#history")


def test_a_saga_that_waits_is_asked_again_for_a_reason_and_goes_on(
    stack: RunningStack, browser: Browser
) -> None:
    with browser.page(*DESK) as page:
        with no_stock_looked_at(stack):
            order = place_lines(stack, {"sku": "book"}, fulfilment="orchestration")
            url = f"{stack.settings.console_url}/saga?id={order['order_id']}"
            come_to(page, url, ".parts", "out items")
            page.evaluate("document.getElementById('verb').value = 'retry'")
            say_why(page, "inventory is slow")
            page.submit()
            page.shows("#actions", "retry, inventory is slow \N{EN DASH} done")
        come_to(page, url, "main", "completed")
        assert "Run it once more" in page.text("main")  # from a step on, as it has ended
        fits(page)


def test_a_saga_that_is_paused_is_resumed_and_goes_on_to_its_end(
    stack: RunningStack, browser: Browser
) -> None:
    with browser.page(*DESK) as page:
        with no_stock_looked_at(stack):
            order_id = place_lines(stack, {"sku": "book"}, fulfilment="orchestration")["order_id"]
            url = f"{stack.settings.console_url}/saga?id={order_id}"
            come_to(page, url, ".parts", "out items")
            mislaid = str(new_id())
            mislay_payment(stack, order_id, mislaid)
        # what is confirmed can no more be undone, and no payment is found to be taken: somebody has to see to it
        come_to(page, url, "main", "paused")
        assert "payments.PaymentDeclined" in page.text("main")
        mislay_payment(stack, mislaid, order_id)
        page.go(f"{stack.settings.console_url}/sagas?status=paused")
        page.follow(f"main a[href*='{order_id}']")
        page.evaluate("document.getElementById('verb').value = 'resume'")
        say_why(page, "the payment is found again")
        page.submit()
        page.shows("#actions", "resume, the payment is found again \N{EN DASH} done")
        come_to(page, url, "main", "completed")
        assert "payments.PaymentCaptured" in page.text("main")


def mislay_payment(stack: RunningStack, order_id: str, another: str) -> None:
    """Have a payment be that of another order."""
    with psycopg.connect(stack.database_url(OWNER)) as connection:
        statement = "update payments.payment set order_id = %s where order_id = %s"
        assert connection.execute(statement, [another, order_id]).rowcount == 1


@contextmanager
def no_stock_looked_at(stack: RunningStack) -> Iterator[None]:
    """Have inventory answer nobody while the block runs, as its table is locked."""
    with psycopg.connect(stack.database_url(OWNER)) as connection:
        connection.execute("lock table inventory.reservation in access exclusive mode")
        yield


def come_to(page: Page, url: str, selector: str, text: str) -> None:
    """Look at a page that is not kept up to date until it holds a text."""

    def holds() -> bool:
        page.go(url)
        return text in " ".join(page.text(selector).split())

    wait_until(f"{url} does not say {text!r}", holds, timeout_s=60)


def test_a_replay_is_begun_watched_and_its_differences_read(
    stack: RunningStack, browser: Browser
) -> None:
    order = place_digital(stack)["order_id"]
    wait_until_decided(stack, [order])
    change = "update payments.payment set amount = amount + %s where order_id = %s"
    query(stack, OWNER, change, 1, order)
    try:
        with browser.page(*DESK) as page:
            page.go(f"{stack.settings.console_url}/replays")
            page.evaluate("document.querySelector('[name=consumer]').value = 'payments-worker'")
            page.fill("[name=key]", order)
            say_why(page, "somebody has meddled with it")
            page.submit()  # which counts first
            page.shows("#verdict", "would be replayed", timeout_s=60)
            page.go(f"{stack.settings.console_url}/replays?consumer=payments-worker&key={order}")
            say_why(page, "somebody has meddled with it")
            page.follow(".buttons button:last-child")
            page.shows("#verdict", "running")
            # by itself, when it has ended
            page.shows("#verdict", "differs", timeout_s=60)
            page.shows("table.diff", "amount")
            assert page.text("td.made") != page.text("td.live")
            fits(page)
    finally:
        query(stack, OWNER, change, -1, order)


def test_a_change_is_pasted_and_refused_with_the_reason(
    stack: RunningStack, browser: Browser
) -> None:
    with browser.page(*DESK) as page:
        page.go(f"{stack.settings.console_url}/schemas")
        page.follow("a[href='/schema?name=orders.OrderCreated']")
        page.evaluate(REPLACED % ('"currency"', '"money"'))
        page.follow("form.act button")
        page.shows("#verdict", "refused")
        for wanted in ("currency", "cannot fill it", "payments-worker", "Nothing was published"):
            assert wanted in page.text("#verdict")
        fits(page)


def test_a_topic_is_followed_in_a_page(stack: RunningStack, browser: Browser) -> None:
    with browser.page(*PHONE) as page:
        page.go(f"{stack.settings.console_url}/topic?name=order.events")
        fits(page)
        page.evaluate("document.getElementById('follow').click()")
        page.shows("#followed", "What comes is put on top.")
        order = place_digital(stack)["order_id"]
        page.shows("#records", order)
        page.evaluate("document.getElementById('follow').click()")
        assert page.evaluate("document.getElementById('follow').textContent") == "Follow"
        page.evaluate("document.querySelector('.record').open = true")
        assert '"order_id"' in page.text(".record")
        fits(page)


@pytest.mark.parametrize(
    "path", ["/topics", "/schemas", "/replays", "/outboxes", "/parked", "/sagas", "/flow"]
)
def test_every_page_fits_a_telephone_and_names_what_is_filled_in(
    stack: RunningStack, browser: Browser, path: str
) -> None:
    with browser.page(*PHONE) as page:
        page.go(f"{stack.settings.console_url}{path}")
        fits(page)
        unnamed = page.evaluate(
            "[...document.querySelectorAll('input:not([type=hidden]), select, textarea, meter, progress')]"
            ".filter(each => !each.labels?.length && !each.ariaLabel).map(each => each.outerHTML)"
        )
        assert unnamed == []
        assert page.evaluate("document.querySelectorAll('h1').length") == 1
