"""The console in a real Chromium: what flows is seen, what breaks is named, and what waits is acted on."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from infra.local.probe import wait_until
from tests.browser import Browser, Page
from tests.console import CONSUMER, EVIL, park
from tests.orders import place, wait_until_decided
from tests.stack import RunningStack

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
