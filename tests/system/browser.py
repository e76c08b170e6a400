# SPDX-License-Identifier: BSD-3-Clause
"""Headless Chromium, driven by Selenium, in the network namespace of the thread that starts it."""
import base64
import contextlib
import pathlib
import shutil
import subprocess
import tempfile

import stage

try:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
except ImportError:
    webdriver = By = Keys = None

AXE = "axe-core@4.10.3"  # https://www.npmjs.com/package/axe-core
# What the page is allowed to ask for while it is cut off.
NETWORK_ERRORS = ("net::ERR_CONNECTION_REFUSED", "net::ERR_CONNECTION_RESET", "net::ERR_FAILED")


def soon(holds, what):
    """Waits; with a browser beside it a machine may stand still for many seconds."""
    stage.wait_until(holds, what, 60)


def cannot():
    """Why there can be no browser; empty if there can."""
    missing = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
    if webdriver is None:
        missing.append("python3-selenium")
    return f"not installed: {', '.join(missing)}" if missing else ""


def axe_source(cache):
    """axe-core's text, from npm's registry, and a reason if there is none."""
    found = pathlib.Path(cache) / "node_modules/axe-core/axe.min.js"
    if not found.exists():
        if shutil.which("npm") is None:
            return None, "npm is not installed"
        found.parent.mkdir(parents=True, exist_ok=True)
        command = ["npm", "install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund"]
        try:
            done = subprocess.run(
                [*command, "--prefix", str(cache), AXE], capture_output=True, text=True, timeout=60
            )
        except subprocess.TimeoutExpired:
            return None, f"npm did not get {AXE} within 60 s"
        if done.returncode != 0 or not found.exists():
            return None, f"npm did not get {AXE}: {done.stderr.strip()[-200:]}"
    return found.read_text(), ""


class Browser:
    """A window that shows one page."""

    def __init__(self, driver):
        self.driver = driver

    def size(self, width, height, phone=False):
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {
                "width": width,
                "height": height,
                "deviceScaleFactor": 2 if phone else 1,
                "mobile": phone,
            },
        )

    def colours(self, scheme):
        """What the system prefers: dark or light."""
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})

    def open(self, url):
        self.driver.get("about:blank")  # Only another hash would not load anything.
        self.driver.get(url)

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def text(self, selector):
        """Of the first such element; empty if there is none."""
        return self.run(
            "return document.querySelector(arguments[0])?.innerText ?? ''", selector
        ).strip()

    def texts(self, selector):
        script = (
            "return [...document.querySelectorAll(arguments[0])].map((e) => e.innerText.trim())"
        )
        return self.run(script, selector)

    def count(self, selector):
        return self.run("return document.querySelectorAll(arguments[0]).length", selector)

    def find(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def click(self, selector):
        self.find(selector).click()

    def keys(self, *keys):
        """To whatever has the focus."""
        self.driver.switch_to.active_element.send_keys(*keys)

    def first_paint_ms(self):
        """The elements may be there before the browser has painted them, or said so."""
        entries = "performance.getEntriesByName('first-contentful-paint')"
        soon(lambda: self.run(f"return {entries}.length") > 0, "a paint")
        return self.run(f"return {entries}[0].startTime")

    def scrolls_sideways(self):
        return self.run(
            "return document.documentElement.scrollWidth > document.documentElement.clientWidth"
        )

    def complaints(self):
        """What the console has got since the last call, but for requests that nobody answered."""
        return [
            entry["message"]
            for entry in self.driver.get_log("browser")
            if not entry["message"].startswith("chrome://")  # The browser's own first page.
            and not any(error in entry["message"] for error in NETWORK_ERRORS)
        ]

    def violations(self, axe):
        """What axe finds serious or critical: rule and elements."""
        # The page's own policy allows no script but its own; this comes by another way.
        self.driver.execute_cdp_cmd("Runtime.evaluate", {"expression": axe})
        result = self.driver.execute_async_script(
            "const done = arguments[arguments.length - 1];"
            "axe.run({resultTypes: ['violations']}).then((r) => done(r.violations), "
            "(e) => done([{impact: 'critical', id: String(e), nodes: []}]));"
        )
        return [
            f"{one['id']} ({one['impact']}): "
            + ", ".join(" ".join(map(str, node["target"])) for node in one["nodes"][:5])
            for one in result
            if one["impact"] in ("serious", "critical")
        ]

    def shot(self, path):
        """A picture of the window, in the format of the path's ending: png or webp."""
        how = {"format": pathlib.Path(path).suffix[1:], "quality": 90}
        if how["format"] == "png":
            del how["quality"]
        data = self.driver.execute_cdp_cmd("Page.captureScreenshot", how)
        pathlib.Path(path).write_bytes(base64.b64decode(data["data"]))


@contextlib.contextmanager
def started():
    with tempfile.TemporaryDirectory(prefix="drip-browser-") as scratch:
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium")
        for flag in (
            "--headless=new",
            "--no-sandbox",  # Tests run as root.
            "--disable-dev-shm-usage",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=1440,900",
            f"--user-data-dir={scratch}/profile",
        ):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        service = Service(shutil.which("chromedriver"), log_path=f"{scratch}/log")
        driver = webdriver.Chrome(service=service, options=options)
        try:
            driver.set_page_load_timeout(60)
            driver.set_script_timeout(60)
            yield Browser(driver)
        finally:
            driver.quit()
