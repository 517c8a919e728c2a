"""The pages in a real browser: an invented hour with gaps, alerts and notices, in both themes, wide and at 360 px; signing in,
zooming, the cursor, keys, tables, silences, and what must be refused.

argv[1] is the program that serves it. With ATALAYA_SCREENSHOTS=DIRECTORY the screenshots are kept there.
"""

import os
import pathlib
import subprocess
import sys

import browser
import harness

SIZES = {"wide": (1280, 1000), "narrow": (360, 900)}
HOSTILE = "<img src=x onerror=alert(1)>"
HOST = "#/host/127.0.0.1%3A9100"
DRAWN = "document.querySelector('section.charts')?.dataset.drawn"
# What each page must show as text.
PAGES = {
    "overview": ("#/overview", ["1 alert is firing", "DiskSpaceLow", "/srv has 3 % left on tower", "tower", "6.",
                                "GiB of 16 GiB", "cloud_server", "1,204", "7 d 1 h", HOSTILE, "2 of 3"]),
    "host": (HOST, ["tower", "127.0.0.1:9100", "CPU in use", "Memory in use", "Disk traffic", "/srv", "host silent",
                    "watcher off", "7 d 1 h"]),
    "server": ("#/server/cloud_server", ["cloud_server", "packet server", "Publishes", "Connections", "server silent"]),
    "alerts": ("#/alerts", ["DiskSpaceLow", HOSTILE, "Nothing is silenced.", "Silence …"]),
    "notices": ("#/notices", ["night-watch@example.org", "connection refused", "attempt 3", HOSTILE, "no such mailbox"]),
    "rules": ("#/rules", ["DiskSpaceLow", "< 15", "failing", "many-to-many matching", "instance:load:max"]),
}


class Site:
    def __init__(self, bench, chromium):
        self.program = bench.start(pathlib.Path(sys.argv[1]).resolve(), bench.dir, stdin=subprocess.PIPE)
        said = self.program.ready()
        self.origin, self.token = f"http://{said['http']}", said["token"]
        self.chromium = chromium

    def open(self, address: str, size: str = "wide", dark: bool = False):
        """A page that has signed in, has shown `address` and has all it asks for."""
        page = self.chromium.open(f"{self.origin}/?token={self.token}{address}", *SIZES[size], dark)
        page.wait_for("Number(document.body?.dataset.updates ?? 0) >= 1")
        if "/host/" in address or "/server/" in address:
            page.wait_for(DRAWN)
        return page

    def close(self, page):
        """Ends it, as pages share few connections; it must not have complained, nor asked elsewhere."""
        outside = [url for url in page.requested() if not url.startswith(self.origin)]
        assert not outside, f"the page asked for {outside}"
        assert not page.complaints(), page.complaints()
        page.close()

    def request(self, method: str, path: str, **headers):
        return harness.http(self.origin + path, method, b"{}" if method == "POST" else None, headers)


def check_content(page, name: str, size: str):
    text = page.evaluate("document.body.innerText")
    for wanted in PAGES[name][1]:
        assert wanted in text, f"{name}: {wanted!r} is not on the page:\n{text}"
    assert page.evaluate("document.querySelectorAll('img').length") == 0, f"{name}: data became markup"
    assert page.evaluate("location.search") == "", "the token stayed in the address"
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= SIZES[size][0], f"{name}, {size}: the page is {wide} px wide"


def look_at_every_page(site):
    shots = os.environ.get("ATALAYA_SCREENSHOTS")
    for name, (address, _) in PAGES.items():
        for size in SIZES:
            for dark in (False, True):
                page = site.open(address, size, dark)
                check_content(page, name, size)
                if shots:
                    page.screenshot(pathlib.Path(shots) / f"{name}-{size}-{'dark' if dark else 'light'}.png")
                site.close(page)


def say_first_paint(site):
    page = site.open("#/overview")
    paint = page.wait_for("performance.getEntriesByName('first-contentful-paint')[0]?.startTime")
    print(f"first contentful paint {paint:.0f} ms after navigation began, the sign-in's redirect included")
    site.close(page)


def check_gaps(page):
    """The silent host and the watcher that was off are bands of two kinds, and gaps in the table."""
    bands = page.evaluate("document.querySelector('section.charts').dataset.bands").split()
    assert set(bands) == {"off", "silent"} and bands.count("off") == 1, bands
    page.evaluate("document.querySelector('figure summary').click()")
    page.wait_for("document.querySelectorAll('figure details tbody tr').length > 700")
    table = page.evaluate("document.querySelector('figure details tbody').innerText")
    assert "watcher off" in table and "silent" in table and " %" in table, table[:2000]


def times_shown(page) -> list[str]:
    return page.evaluate("[...document.querySelectorAll('.time')].map((node) => node.textContent)")


def check_cursor_and_keys(page):
    page.evaluate("document.querySelector('.plot').focus()")
    page.press("ArrowLeft")
    first = times_shown(page)
    assert first[0] and len(set(first)) == 1, f"the cursors are not in step: {first}"
    page.press("ArrowLeft")
    assert times_shown(page)[0] < first[0]
    for _ in range(20):
        page.press("ArrowLeft", shift=True)
    drawn = page.evaluate(DRAWN)
    page.press("Enter")
    page.wait_for(f"{DRAWN} !== '{drawn}'")
    assert "from=" in page.evaluate("location.hash")
    page.evaluate("document.querySelector('.plot').focus()")
    page.press("Escape")
    page.wait_for("!location.hash.includes('from=')")


def check_zoom(page):
    box = page.evaluate("(() => { const b = document.querySelector('.u-over').getBoundingClientRect();"
                        " return [b.left, b.top, b.width, b.height]; })()")
    left, top, width, height = box
    page.drag((left + width * 0.6, top + height / 2), (left + width * 0.8, top + height / 2))
    page.wait_for("location.hash.includes('from=')")
    page.wait_for("document.querySelector('.ranges button') !== null")
    page.wait_for("(() => { const [from, to] = document.querySelector('section.charts').dataset.drawn.split('-');"
                  " return to - from < 20 * 60000; })()")
    address = page.evaluate("location.hash")
    page.evaluate("history.back()")
    page.wait_for("!location.hash.includes('from=')")
    return address


def check_ranges(page):
    for name in ("6h", "2y"):
        before = page.evaluate(DRAWN)
        page.evaluate(f"[...document.querySelectorAll('.ranges a')].find((a) => a.textContent === '{name}').click()")
        page.wait_for(f"{DRAWN} !== '{before}'")
        assert f"range={name}" in page.evaluate("location.hash")


def check_host_page(site):
    page = site.open(HOST)
    page.wait_for("document.querySelectorAll('figure canvas').length === 8")
    check_gaps(page)
    check_cursor_and_keys(page)
    zoomed = check_zoom(page)
    check_ranges(page)
    again = site.open(zoomed)
    assert again.evaluate("document.querySelector('.ranges button').textContent") == "Zoom out"
    site.close(again)
    site.close(page)


def check_silence(site):
    page = site.open("#/alerts")
    page.evaluate("[...document.querySelectorAll('article button')][0].click()")
    page.wait_for("document.querySelector('dialog').open")
    page.evaluate("document.querySelector('dialog [name=author]').value = 'anna'")
    page.evaluate(f"document.querySelector('dialog [name=comment]').value = {HOSTILE!r}")
    page.evaluate("document.querySelector('dialog form').requestSubmit()")
    page.wait_for("!document.querySelector('dialog').open")
    page.wait_for("document.querySelector('.alert-head').innerText.includes('silenced')")
    assert HOSTILE in page.evaluate("document.body.innerText")
    page.evaluate("[...document.querySelectorAll('td button')][0].click()")
    page.wait_for("document.body.innerText.includes('Nothing is silenced.')")
    assert "silenced" not in page.evaluate("document.querySelector('.alert-head').innerText")
    page.evaluate("document.querySelector('article summary').click()")
    assert "node_filesystem_avail_bytes" in page.evaluate("document.querySelector('article').innerText")
    site.close(page)


def check_search(site):
    page = site.open("#/notices?state=failed")
    page.wait_for("document.querySelectorAll('tbody tr').length === 1")
    page.evaluate("location.hash = '#/notices'")
    page.wait_for("document.querySelectorAll('tbody tr').length === 5")
    page.evaluate("(() => { const field = document.querySelector('input[type=search]'); field.value = 'runs again';"
                  " field.dispatchEvent(new Event('input')); })()")
    page.wait_for("document.querySelectorAll('tbody tr').length === 1 && location.hash.includes('search=')")
    page.evaluate("location.hash = '#/rules?search=memory'")
    page.wait_for("document.querySelectorAll('.rules tbody tr').length === 1")
    site.close(page)


def check_access(site):
    """Without the token no data; with a stolen click from another origin no change."""
    assert site.request("GET", "/api/v1/alerts")[0] == 401
    assert site.request("GET", "/?token=wrong")[0] == 401
    page = site.open("#/overview")
    cookies = page.call("Network.getCookies", urls=[site.origin])["cookies"]
    cookie = next(each for each in cookies if each["name"].startswith("atalaya_"))
    assert cookie["httpOnly"] and cookie["sameSite"] == "Strict", cookie
    assert page.evaluate("document.cookie") == ""
    bring = {"Cookie": f"{cookie['name']}={cookie['value']}", "Content-Type": "application/json"}
    assert site.request("GET", "/api/v1/alerts", **bring)[0] == 200
    assert site.request("POST", "/api/v2/silences", **bring)[0] == 403
    own = {**bring, "X-Atalaya-Page": "1"}
    assert site.request("POST", "/api/v2/silences", **own, Origin="http://evil.example")[0] == 403
    assert site.request("POST", "/api/v2/silences", **own, Origin=site.origin)[0] == 400, "let in, and not a silence"
    _, _, metrics = site.request("GET", "/metrics")
    assert b'cloud_alertd_http_requests_refused_total{reason="forbidden"} 2' in metrics, metrics
    return page


def check_sign_out_and_in(site, page):
    page.evaluate("document.getElementById('sign-out').click()")
    page.wait_for("document.querySelector('.sign-in') !== null")
    assert "tower" not in page.evaluate("document.body.innerText")

    def enter(token: str):
        page.evaluate(f"document.querySelector('.sign-in input').value = '{token}'")
        page.evaluate("document.querySelector('.sign-in').requestSubmit()")

    enter(site.token)
    page.wait_for("document.body.innerText.includes('tower')")


def main():
    with harness.Bench() as bench:
        chromium = browser.Browser(bench.dir / "profile")
        bench.callback(chromium.close)
        site = Site(bench, chromium)
        say_first_paint(site)
        look_at_every_page(site)
        check_host_page(site)
        check_silence(site)
        check_search(site)
        last = check_access(site)
        check_sign_out_and_in(site, last)
        site.program.kill()
        last.wait_for("document.body.innerText.includes('does not answer')", 60)


harness.run(main)
