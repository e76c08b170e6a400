#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The web page of a dripd with 10,000 buckets and no ports, in a real browser; what becomes of it
when dripd goes; and what axe-core says of it. BUILD [DIRECTORY]: for screenshots."""
import contextlib
import http.client
import json
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "scripts/lib"))
import browser
import stage
from browser import Keys, soon
from stage import check
from stopping import unwind_when_stopped

AREAS, CUSTOMERS = 100, 100
NODE_ID = "</script><svg onload=document.title='taken'>"


def configuration():
    """10,101 buckets in one tree, and one beside it."""
    yield '[[buckets]]\nbucket_id = "core"\ninner = true\nleak_rate = 50000\n'
    for area in range(AREAS):
        yield f'[[buckets]]\nbucket_id = "area-{area:02}"\ninner = true\nparent_id = "core"\n'
        for number in range(CUSTOMERS):
            yield f'[[buckets]]\nbucket_id = "cust-{area:02}{number:02}"\ncapacity = 100\n'
            yield f'parent_id = "area-{area:02}"\nleak_rate = {10 + number}\n'
    yield '[[buckets]]\nbucket_id = "jobs"\ncapacity = 100\nleak_rate = 0.5\n'


class Dripd:
    def __init__(self, build, scratch, port=0):
        self.build, self.scratch = build, scratch
        self.server = f"unix:{scratch / 'sock'}"
        self.start(port)

    def start(self, port):
        log_path = self.scratch / "log"
        with open(log_path, "w") as log:
            self.process = subprocess.Popen(
                [self.build / "src/daemon/dripd", "--listen", self.server, "--node-id", NODE_ID]
                + ["--config", self.scratch / "dripd.toml", "--web", str(port)],
                stdout=log,
                stderr=log,
            )
        lines = lambda: [line for line in log_path.read_text().splitlines() if "page at" in line]
        soon(lambda: lines() or self.process.poll() is not None, "dripd's page")
        check(lines(), f"dripd did not start: {log_path.read_text()}")
        self.url = lines()[0].split("page at ")[1].rstrip("/")
        self.port = int(self.url.rsplit(":", 1)[1])

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)

    def ctl(self, *arguments):
        command = [self.build / "src/cli/dripctl", "--server", self.server, *arguments]
        done = subprocess.run(command, capture_output=True, text=True)
        check(done.returncode == 0, f"dripctl {' '.join(arguments)}: {done.stderr}")

    def ask(self, path, method="GET", **headers):
        """The status and the body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        with contextlib.closing(connection):
            connection.request(
                method, path, headers={k.replace("_", "-"): v for k, v in headers.items()}
            )
            response = connection.getresponse()
            return response, response.read()

    def data(self, name, **parameters):
        response, body = self.ask(f"/api/{name}?{urllib.parse.urlencode(parameters)}")
        check(response.status == 200, f"{name}: {response.status} {body}")
        return json.loads(body)


def only_reading_and_only_from_here(dripd):
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"):
        response, _ = dripd.ask("/api/node", method)
        check(response.status in (400, 405), f"{method}: {response.status}")
    for path in ("/../dripd.toml", "/%2e%2e/dripd.toml", "/etc/passwd", "/api/node/../../x"):
        response, _ = dripd.ask(path)
        check(response.status == 404, f"{path}: {response.status}")
    for host in ("evil.example", f"evil.example:{dripd.port}"):
        response, body = dripd.ask("/api/node", Host=host)
        check(response.status == 421 and b"jobs" not in body, f"{host}: {response.status}")
    response, _ = dripd.ask("/", Origin="http://evil.example")
    check(response.getheader("Access-Control-Allow-Origin") is None, "another site may read")
    policy = response.getheader("Content-Security-Policy")
    check("default-src 'none'" in policy and "unsafe" not in policy, policy)


def many_buckets_are_usable(dripd, window):
    window.open(dripd.url)
    rows = lambda: window.count("#tree tbody tr[aria-level]")
    soon(lambda: rows() > 2, "the first rows")
    print(f"first contentful paint after {window.first_paint_ms():.0f} ms (wanted: below 1000)")
    check(window.first_paint_ms() < 60_000, "the first paint took too long")
    soon(lambda: rows() == 2 + AREAS, f"the areas: {rows()}")
    area = "#tree tr[data-key='bucket:area-42']"
    window.click(f"{area} .toggle")
    soon(lambda: rows() == 2 + AREAS + CUSTOMERS, f"the customers: {rows()}")
    check(window.run(f'return document.querySelector("{area}").ariaExpanded') == "true", "open")
    window.click(f"{area} .toggle")
    soon(lambda: rows() == 2 + AREAS, "closed again")
    # By keys: down to the first area, open it, into it, and back up.
    window.find("#tree tr[data-key='bucket:core']").send_keys(Keys.ARROW_DOWN)
    window.keys(Keys.ARROW_RIGHT)
    soon(lambda: rows() == 2 + AREAS + CUSTOMERS, "opened by a key")
    window.keys(Keys.ARROW_DOWN)
    focused = lambda: window.run("return document.activeElement.dataset.key")
    check(focused() == "bucket:cust-0000", f"the focus is on {focused()}")
    window.keys(Keys.ARROW_LEFT)
    check(focused() == "bucket:area-00", f"the focus is on {focused()}")
    window.keys(Keys.ARROW_LEFT)
    soon(lambda: rows() == 2 + AREAS, "closed by a key")
    # What the page asks for is small, however many buckets there are.
    for path in ("/api/node", "/api/tree?level=0,100,&level=0,100,core", "/api/top"):
        begin = time.monotonic()
        _, body = dripd.ask(path)
        print(f"{path}: {len(body)} bytes in {1000 * (time.monotonic() - begin):.1f} ms")
        check(len(body) < 200_000, f"{path} has {len(body)} bytes")
    node = dripd.data("node")
    check(node["buckets"] == 2 + AREAS + AREAS * CUSTOMERS, f"buckets: {node['buckets']}")
    print(
        f"a step of {node['buckets']} idle buckets took {node['step_cpu_us'] / 1000:.2f} ms of CPU"
    )


def a_long_level_has_pages(dripd, window):
    names = lambda: window.texts("#tree tbody .label a")
    parent = {"level": "0,100,area-07"}
    check(dripd.data("tree", **parent)["levels"][0]["total"] == CUSTOMERS, "the customers")
    rows = dripd.data("tree", level="95,100,area-07")["levels"][0]["rows"]
    check([row["id"] for row in rows] == [f"cust-07{i}" for i in range(95, 100)], f"rows: {rows}")
    for i in range(3):
        dripd.ctl("bucket", "set", f"zz-{i}", "--inner", "--parent", "core")
    all_children = lambda: dripd.data("tree", level="0,1,core")["levels"][0]["total"]
    soon(lambda: all_children() == AREAS + 3, "a step in which they are seen")
    window.open(dripd.url)
    soon(lambda: names() == ["core", "jobs"], "core, which is not opened by itself")
    window.click("#tree tr[data-key='bucket:core'] .toggle")
    pager = "#tree tr[data-key='pager:core']"
    soon(lambda: window.text(f"{pager} span") == "1 to 100 of 103", "the first page")
    window.click(f"{pager} button:last-child")
    soon(lambda: names() == ["core", "zz-0", "zz-1", "zz-2", "jobs"], f"page 2: {names()}")
    check(window.text(f"{pager} span") == "101 to 103 of 103", window.text(pager))
    window.click(f"{pager} button:first-child")
    soon(lambda: "area-00" in names(), "the first page again")


def a_search_finds(dripd, window):
    window.open(dripd.url)
    soon(lambda: window.text("#live") == "Live", "a live page")
    window.find("body").send_keys("/")
    window.keys("t-9941")
    soon(lambda: window.texts(".option-name") == ["cust-9941"], "what is found")
    window.keys(Keys.ENTER)
    soon(lambda: window.text("#bucket-title") == "cust-9941", "the bucket that was found")
    check(window.texts(".path a") == ["core", "area-99"], "its path")
    window.find("#search").send_keys("cust-5")
    soon(lambda: window.text(".found .none") == "988 more", window.text(".found"))
    window.keys(Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ENTER)
    soon(lambda: window.text("#bucket-title") == "cust-5002", "the third one")
    window.find("#search").send_keys("<b>nobody")
    soon(lambda: "No bucket" in window.text(".found"), "nothing found")
    window.keys(Keys.ESCAPE)
    check(window.run("return document.querySelector('#found').hidden"), "the list is still there")
    # A bucket of requests, one every 2 s.
    for _ in range(30):
        dripd.ctl("request", "allow", "jobs")
    window.open(f"{dripd.url}/#/bucket/jobs")
    soon(lambda: window.text(".details .chip") == "Itself", "requests that wait")
    soon(lambda: "0.5/s" in window.text(".details .big-bar"), "their rate")


def nothing_is_run(window):
    check(window.text("#node-name") == NODE_ID, window.text("#node-name"))
    check(window.count("svg") == 0, "the node's name became an element")
    check(window.run("return document.title") != "taken", "the node's name was run")
    complaints = window.complaints()
    check(not complaints, f"the console: {complaints}")


def colours_can_be_chosen(dripd, window):
    window.colours("light")
    window.open(dripd.url)
    back = lambda: window.run("return getComputedStyle(document.body).backgroundColor")
    light = back()
    window.colours("dark")
    soon(lambda: back() != light, "the system's dark colours")
    window.click("#theme")
    soon(lambda: back() == light, "light ones by the button")
    window.open(dripd.url)
    check(back() == light, "the choice is forgotten")
    window.run("localStorage.clear()")
    window.colours("light")


def it_says_that_dripd_is_gone(dripd, window):
    window.open(dripd.url)
    soon(lambda: window.text("#live") == "Live", "a live page")
    check(window.run("return document.querySelector('#banner').hidden"), "a banner on a live page")
    dripd.stop()
    soon(lambda: window.text("#live") == "No answer", "no answer")
    soon(lambda: "does not answer" in window.text("#banner"), "the banner")
    check(window.count("#tree tbody tr[aria-level]") == 2, "what was known is no longer shown")
    dripd.start(dripd.port)
    soon(lambda: window.text("#live") == "Live", "a live page again")
    complaints = window.complaints()
    check(not complaints, f"the console: {complaints}")


def axe_is_content(dripd, window, build):
    """Why axe could not be run; empty if it could."""
    axe, reason = browser.axe_source(build / "tests/system/axe")
    if axe is None:
        return reason
    for scheme in ("light", "dark"):
        window.colours(scheme)
        for view in ("", "bucket/jobs", "node", "cluster"):
            window.open(f"{dripd.url}/#/{view}")
            soon(lambda: window.text("#live") == "Live", "a live page")
            time.sleep(0.3)
            found = window.violations(axe)
            check(not found, f"axe at '{view}', {scheme}: {found}")
    print("axe finds nothing serious or critical")
    return ""


def test(build):
    with tempfile.TemporaryDirectory(prefix="drip-") as scratch:
        scratch = pathlib.Path(scratch)
        (scratch / "dripd.toml").write_text("".join(configuration()))
        dripd = Dripd(build, scratch)
        try:
            only_reading_and_only_from_here(dripd)
            with browser.started() as window:
                window.size(1440, 1000)
                if len(sys.argv) > 2:
                    window.colours("dark")
                    window.open(dripd.url)
                    time.sleep(4)
                    window.shot(pathlib.Path(sys.argv[2]) / "web-many.png")
                many_buckets_are_usable(dripd, window)
                a_long_level_has_pages(dripd, window)
                a_search_finds(dripd, window)
                nothing_is_run(window)
                colours_can_be_chosen(dripd, window)
                it_says_that_dripd_is_gone(dripd, window)
                if reason := axe_is_content(dripd, window, build):
                    stage.skip(f"all but axe-core passed, which cannot be had: {reason}")
        finally:
            dripd.stop()


def main():
    unwind_when_stopped()
    if reason := browser.cannot():
        stage.skip(reason)
    try:
        test(pathlib.Path(sys.argv[1]).resolve())
    except stage.Failure as failure:
        sys.exit(f"FAILED: {failure}")
    print("passed")


if __name__ == "__main__":
    main()
