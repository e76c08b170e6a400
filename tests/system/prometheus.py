# SPDX-License-Identifier: BSD-3-Clause
"""A Prometheus server that scrapes one dripd, and the network namespace in which both are."""
import json
import shutil
import signal
import subprocess
import types
import urllib.parse
import urllib.request

from stage import check, wait_until  # Finds scripts/lib.

from inside import inside

METRICS_PORT = 9464
SERVER_PORT = 9090
INTERVAL_SECONDS = 1


def cannot():
    """Why there can be no Prometheus; empty if there can."""
    missing = [name for name in ("prometheus", "promtool") if shutil.which(name) is None]
    return f"not installed: {', '.join(missing)} (package prometheus)" if missing else ""


def fetch(namespace, url, headers=None):
    """The body at a URL of a namespace's own loopback interface."""
    with inside(types.SimpleNamespace(name=namespace)):
        request = urllib.request.Request(url, headers=headers or {})
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.read().decode()


def scrape(namespace, accept="text/plain"):
    return fetch(namespace, f"http://127.0.0.1:{METRICS_PORT}/metrics", {"Accept": accept})


class Prometheus:
    """Debian's own, with its data in `scratch`."""

    def __init__(self, scratch, namespace):
        self.directory = scratch / "prometheus"
        self.namespace = namespace

    def __enter__(self):
        self.directory.mkdir()
        config = self.directory / "prometheus.yml"
        config.write_text(
            f"global: {{scrape_interval: {INTERVAL_SECONDS}s}}\n"
            "scrape_configs:\n"
            "  - job_name: drip\n"
            f"    static_configs: [{{targets: ['127.0.0.1:{METRICS_PORT}']}}]\n"
        )
        self.log = open(self.directory / "log", "w")
        self.process = subprocess.Popen(
            [
                *("ip", "netns", "exec", self.namespace, "prometheus"),
                f"--config.file={config}",
                f"--storage.tsdb.path={self.directory / 'data'}",
                f"--web.listen-address=127.0.0.1:{SERVER_PORT}",
            ],
            stdout=self.log,
            stderr=self.log,
        )
        try:
            wait_until(self.is_up, "Prometheus scrapes dripd", 60)
        except BaseException:
            self.__exit__()
            print((self.directory / "log").read_text())
            raise
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()

    def ask(self, path, **parameters):
        query = urllib.parse.urlencode(parameters)
        url = f"http://127.0.0.1:{SERVER_PORT}/api/v1/{path}?{query}"
        answer = json.loads(fetch(self.namespace, url))
        check(answer["status"] == "success", f"Prometheus: {answer}")
        return answer["data"]

    def is_up(self):
        try:
            return self.value("up") == 1
        except OSError:  # It does not listen yet.
            return False

    def series(self, expression):
        """The labels and the value of each series of an instant query."""
        result = self.ask("query", query=expression)["result"]
        return [(one["metric"], float(one["value"][1])) for one in result]

    def value(self, expression):
        """Of the one series that the expression gives; none if there is no series."""
        series = self.series(expression)
        check(len(series) <= 1, f"{expression} has {len(series)} series")
        return series[0][1] if series else None
