"""The page in a real browser: an invented hour with gaps, alerts and notices, in both themes, wide and at 360 px.

argv[1] is the program that serves it. With ATALAYA_SCREENSHOTS=DIRECTORY the screenshots are kept there.
"""

import os
import pathlib
import subprocess
import sys

import browser
import harness

SIZES = {"wide": (1280, 1100), "narrow": (360, 900)}
HOSTILE = "<img src=x onerror=alert(1)>"


def open_page(chromium, url: str, size: str, dark: bool):
    width, height = SIZES[size]
    page = chromium.open(url, width, height, dark)
    page.wait_for("Number(document.body?.dataset.updates ?? 0) >= 1")
    return page


def check_content(page):
    text = page.evaluate("document.body.innerText")
    for wanted in ("1 alert is firing", "DiskSpaceLow", "/srv has 3 % left on tower", "tower", "6.3 GiB of 16 GiB",
                   "cloud_server", "1,204", "7 d 1 h", "night-watch@example.org", "connection refused",
                   HOSTILE):
        assert wanted in text, f"{wanted!r} is not on the page:\n{text}"
    assert page.evaluate("document.querySelectorAll('img').length") == 0, "data became markup"
    assert page.evaluate("document.title") == "(1) Atalaya"


def check_gaps(page):
    """The silent host and the watcher that was off both interrupt the line; only the latter is a band."""
    for chart in (0, 1):
        path = page.evaluate(f"document.querySelectorAll('path.line')[{chart}].getAttribute('d')")
        pieces = path.count("M")
        assert pieces == 3, f"chart {chart}: {pieces} pieces of line, not 3: {path[:200]}"
        assert page.evaluate(f"document.querySelectorAll('figure')[{chart}].querySelectorAll('rect.off').length") == 1


def check_keyboard_and_table(page):
    page.evaluate("document.querySelector('.plot').focus()")
    last = page.evaluate("document.querySelector('.readout').textContent")
    page.press("ArrowLeft")
    one = page.evaluate("document.querySelector('.readout').textContent")
    assert ":" in one and one != last, f"the cursor reads {one!r}"
    page.evaluate("document.querySelector('summary').click()")
    page.wait_for("document.querySelectorAll('figure details tbody tr').length > 700")
    table = page.evaluate("document.querySelector('figure details tbody').innerText")
    assert "watcher off" in table and "not measured" in table


def check_no_overflow(page, size: str):
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= SIZES[size][0], f"{size}: the page is {wide} px wide"


def main():
    shots = os.environ.get("ATALAYA_SCREENSHOTS")
    with harness.Bench() as bench:
        program = bench.start(pathlib.Path(sys.argv[1]).resolve(), bench.dir, stdin=subprocess.PIPE)
        origin = "http://" + program.ready()["http"]
        chromium = browser.Browser(bench.dir / "profile")
        bench.callback(chromium.close)
        for size in SIZES:
            for dark in (False, True):
                page = open_page(chromium, origin + "/", size, dark)
                check_content(page)
                check_gaps(page)
                check_no_overflow(page, size)
                if shots:
                    page.screenshot(pathlib.Path(shots) / f"page-{size}-{'dark' if dark else 'light'}.png")
                outside = [url for url in page.requested() if not url.startswith(origin)]
                assert not outside, f"the page asked for {outside}"
                assert not page.complaints(), page.complaints()
        check_keyboard_and_table(page)
        page.wait_for("Number(document.body.dataset.updates) >= 2")  # It polls.
        program.kill()
        page.wait_for("document.body.innerText.includes('does not answer')", 60)


harness.run(main)
