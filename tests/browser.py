"""A real Chromium, from Debian's package, steered by the DevTools protocol through a pipe."""

import base64
import fcntl
import json
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from infra.local.probe import wait_until
from tests import debian

NAME = "chromium-headless-shell"
FOLDERS = ("usr/lib/chromium", *debian.PROGRAM_FOLDERS)
PATIENCE_S = 60.0
"""How long an answer may take, on a machine that does much else."""
LAUNCH = (
    sys.executable,
    "-c",
    "import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4); os.execv(sys.argv[3], sys.argv[3:])",
)
"""Begins a program with two descriptors under the numbers at which the browser reads and writes."""
FONTS = """<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>/usr/share/fonts</dir><dir>{unpacked}</dir><cachedir>{cache}</cachedir>
<alias><family>sans</family><prefer><family>DejaVu Sans</family></prefer></alias>
<alias><family>sans-serif</family><prefer><family>DejaVu Sans</family></prefer></alias>
<alias><family>monospace</family><prefer><family>DejaVu Sans Mono</family></prefer></alias></fontconfig>
"""


class BrowserError(AssertionError):
    """The browser does not do what it is asked."""


class Browser:
    """A browser without a screen; a context manager, which ends it."""

    def __init__(self, directory: Path) -> None:
        program = debian.program(NAME, package=NAME, folders=FOLDERS)
        fonts = directory / "fonts.conf"
        unpacked = program.path.parents[2] / "share" / "fonts"
        fonts.write_text(FONTS.format(unpacked=unpacked, cache=directory / "fonts"))
        theirs_in, self._ours_out = map(_high, os.pipe())
        self._ours_in, theirs_out = map(_high, os.pipe())
        arguments = (
            "--remote-debugging-pipe",
            "--no-sandbox",  # which root does not get
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-extensions",
            "--hide-scrollbars",
            "--lang=en-GB",
            f"--user-data-dir={directory / 'profile'}",
        )
        self._process = subprocess.Popen(
            [*LAUNCH, str(theirs_in), str(theirs_out), str(program.path), *arguments],
            env={**program.env, "FONTCONFIG_FILE": str(fonts), "HOME": str(directory)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(theirs_in, theirs_out),
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self._number = 0
        self._unread = b""
        self._events: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._ours_in)
        os.close(self._ours_out)

    @contextmanager
    def page(self, width: int = 1280, height: int = 900) -> Iterator["Page"]:
        """Open a page, and fail in the end if it has complained, as of what its policy forbids."""
        target = self.call("Target.createTarget", {"url": "about:blank"})["targetId"]
        session = self.call("Target.attachToTarget", {"targetId": target, "flatten": True})
        page = Page(self, session["sessionId"])
        for domain in ("Page", "Runtime", "Log"):
            page.call(f"{domain}.enable")
        page.resize(width, height)
        yield page
        assert page.complaints() == []
        self.call("Target.closeTarget", {"targetId": target})

    def call(
        self, method: str, parameters: dict[str, Any] | None = None, session: str | None = None
    ) -> dict[str, Any]:
        self._number += 1
        number = self._number
        message = {"id": number, "method": method, "params": parameters or {}}
        if session:
            message["sessionId"] = session
        os.write(self._ours_out, json.dumps(message).encode() + b"\0")
        while (answer := self._read()).get("id") != number:
            self._events.append(answer)
        if "error" in answer:
            raise BrowserError(f"{method}: {answer['error']['message']}")
        result: dict[str, Any] = answer["result"]
        return result

    def events(self, session: str, *methods: str) -> list[dict[str, Any]]:
        return [
            each["params"]
            for each in self._events
            if each.get("sessionId") == session and each["method"] in methods
        ]

    def _read(self) -> dict[str, Any]:
        with selectors.DefaultSelector() as selector:
            selector.register(self._ours_in, selectors.EVENT_READ)
            given_up_at = time.monotonic() + PATIENCE_S
            while b"\0" not in self._unread:
                if not selector.select(max(0.0, given_up_at - time.monotonic())):
                    raise BrowserError(f"{NAME} has not answered for {PATIENCE_S:g} s")
                if not (read := os.read(self._ours_in, 2**16)):
                    raise BrowserError(
                        f"{NAME} has ended by itself, with {self._process.wait()}: start it by hand to see why"
                    )
                self._unread += read
        line, _, self._unread = self._unread.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        return message


class Page:
    """A page of a browser."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser = browser
        self._session = session

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self._browser.call(method, parameters, self._session)

    def resize(self, width: int, height: int) -> None:
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def prefer(self, scheme: str) -> None:
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", features=features)

    def go(self, url: str) -> None:
        """Go to an address and wait until what it holds can be used."""
        self.evaluate("window.isBefore = true")
        self.call("Page.navigate", url=url)
        self._loaded()

    def evaluate(self, expression: str) -> Any:
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in answer:
            raise BrowserError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def wait_for(self, expression: str, timeout_s: float = 30.0) -> float:
        """Wait until an expression is true; return the seconds that took."""
        return wait_until(
            f"the page does not come to {expression}: {self.text('body')[:2000]}",
            lambda: bool(self._evaluated(expression)),
            timeout_s=timeout_s,
        )

    def text(self, selector: str) -> str:
        return str(
            self.evaluate(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''")
        )

    def shows(self, selector: str, text: str, timeout_s: float = 30.0) -> float:
        """Wait until something of the page holds a text."""
        found = f"document.querySelector({json.dumps(selector)})?.textContent ?? ''"
        return self.wait_for(f"({found}).includes({json.dumps(text)})", timeout_s)

    def fill(self, selector: str, text: str) -> None:
        self.evaluate(f"document.querySelector({json.dumps(selector)}).select()")
        self.call("Input.insertText", text=text)

    def press(self, key: str) -> None:
        texts = {"Enter": "\r"}
        for kind in ("keyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                code=key,
                windowsVirtualKeyCode={"Enter": 13, "Tab": 9}[key],
                **({"text": texts[key]} if kind == "keyDown" and key in texts else {}),
            )

    def follow(self, selector: str) -> None:
        """Click on what leads to another page, and wait for that."""
        self.evaluate("window.isBefore = true")
        self.evaluate(f"document.querySelector({json.dumps(selector)}).click()")
        self._loaded()

    def submit(self, key: str = "Enter") -> None:
        """Send a form by the keyboard, and wait for the next page."""
        self.evaluate("window.isBefore = true")
        self.press(key)
        self._loaded()

    def screenshot(self, path: Path) -> None:
        data = self.call("Page.captureScreenshot", format="png", optimizeForSpeed=False)["data"]
        path.write_bytes(base64.b64decode(data))

    def complaints(self) -> list[str]:
        """Return what scripts have failed at, and what the policy of the page has forbidden."""
        thrown = self._browser.events(self._session, "Runtime.exceptionThrown")
        logged = self._browser.events(self._session, "Log.entryAdded")
        return [str(each["exceptionDetails"]) for each in thrown] + [
            each["entry"]["text"]
            for each in logged
            if each["entry"]["level"] == "error" and each["entry"]["source"] != "network"
        ]

    def _loaded(self) -> None:
        wait_until(
            "the page is not loaded",
            lambda: bool(self._evaluated("document.readyState === 'complete' && !window.isBefore")),
            timeout_s=PATIENCE_S,
        )

    def _evaluated(self, expression: str) -> Any:
        try:
            return self.evaluate(expression)
        except BrowserError:
            return None  # between two pages there is nothing to ask


def _high(descriptor: int) -> int:
    """Return another number for a descriptor, which is out of the way of those that the browser reads."""
    high = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 10)
    os.close(descriptor)
    return high
