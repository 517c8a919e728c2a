"""Drives Debian's Chromium through the pipe of its DevTools protocol, with the standard library alone."""

import base64
import fcntl
import json
import os
import pathlib
import select
import shutil
import subprocess
import time

import harness

_FLAGS = ["--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
          "--no-first-run", "--disable-extensions", "--disable-background-networking", "--disable-sync",
          "--disable-component-update", "--disable-default-apps", "--no-default-browser-check", "--hide-scrollbars"]


def _high(fd: int) -> int:
    """The same file under a number that the child's 3 and 4 cannot overwrite."""
    return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 20)


class Browser:
    """One headless Chromium; ends with close()."""

    def __init__(self, profile: pathlib.Path):
        found = shutil.which("chromium")
        if not found:
            harness.skip("chromium is not installed")
        down_read, down_write = os.pipe()
        up_read, up_write = os.pipe()
        child_in, child_out = _high(down_read), _high(up_write)

        def wire():
            os.dup2(child_in, 3)
            os.dup2(child_out, 4)

        self._process = subprocess.Popen(
            [found, *_FLAGS, f"--user-data-dir={profile}", "about:blank"], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=wire, pass_fds=(3, 4),
            env={**os.environ, "HOME": str(profile)})
        for fd in (down_read, up_write, child_in, child_out):
            os.close(fd)
        self._to, self._from = down_write, up_read
        self._buffer = b""
        self._next_id = 1
        self.events: list[dict] = []

    def call(self, method: str, session: str | None = None, deadline_s: float = 60, **params):
        number = self._next_id
        self._next_id += 1
        message = {"id": number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._to, data):]
        end = time.monotonic() + deadline_s
        while True:
            reply = self._receive(end)
            if reply.get("id") == number:
                if "error" in reply:
                    raise AssertionError(f"{method}: {reply['error']}")
                return reply["result"]
            self.events.append(reply)

    def _receive(self, end: float) -> dict:
        while b"\0" not in self._buffer:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self._from], [], [], left)[0]:
                raise AssertionError("chromium did not answer")
            data = os.read(self._from, 1 << 16)
            if not data:
                raise AssertionError(f"chromium ended with {self._process.wait(5)}")
            self._buffer += data
        message, self._buffer = self._buffer.split(b"\0", 1)
        return json.loads(message)

    def open(self, url: str, width: int = 1280, height: int = 900, dark: bool = False) -> "Page":
        return Page(self, url, width, height, dark)

    def close(self):
        self._process.kill()
        self._process.wait()
        os.close(self._to)
        os.close(self._from)


class Page:
    def __init__(self, browser: Browser, url: str, width: int, height: int, dark: bool):
        self._browser = browser
        self._target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = browser.call("Target.attachToTarget", targetId=self._target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Page.navigate", url=url)

    def call(self, method: str, **params):
        return self._browser.call(method, session=self._session, **params)

    def close(self):
        self._browser.call("Target.closeTarget", targetId=self._target)

    def evaluate(self, expression: str):
        """The value of a JavaScript expression; a promise is waited for."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise AssertionError(f"{expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def wait_for(self, expression: str, deadline_s: float = harness.DEADLINE_S):
        return harness.wait_for(expression, lambda: self.evaluate(expression), deadline_s)

    def press(self, key: str, shift: bool = False):
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, modifiers=8 if shift else 0)

    def drag(self, start: tuple[float, float], end: tuple[float, float]):
        """The left button goes down at `start`, moves in steps, and comes up at `end`; both in pixels of the view."""
        def mouse(kind: str, share: float):
            x, y = (a + (b - a) * share for a, b in zip(start, end))
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=1, clickCount=1)
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=start[0], y=start[1])
        mouse("mousePressed", 0)
        for step in range(1, 9):
            mouse("mouseMoved", step / 8)
        mouse("mouseReleased", 1)

    def screenshot(self, path: pathlib.Path):
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    def complaints(self) -> list[str]:
        """What the page or the browser logged: errors, exceptions, refusals of the policy."""
        self.evaluate("0")  # What is on its way arrives before this answer.
        found = []
        for event in self._browser.events:
            params = event.get("params", {})
            if event.get("sessionId") != self._session:
                continue
            if event["method"] == "Runtime.exceptionThrown":
                found.append(str(params["exceptionDetails"]))
            elif event["method"] == "Log.entryAdded" and params["entry"]["level"] in ("warning", "error"):
                found.append(params["entry"]["text"] + " " + params["entry"].get("url", ""))
            elif event["method"] == "Runtime.consoleAPICalled" and params["type"] in ("warning", "error"):
                found.append(str([argument.get("value") for argument in params["args"]]))
        return found

    def requested(self) -> list[str]:
        """Every address that the page asked for."""
        return [event["params"]["request"]["url"] for event in self._browser.events
                if event.get("sessionId") == self._session and event["method"] == "Network.requestWillBeSent"]
