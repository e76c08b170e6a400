#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A spread root from the file and from --state: with two polling threads it is spread again, and the
web page's data, metrics and dripctl say what each thread holds of its rate."""
import contextlib
import json
import os
import pathlib
import re
import sys
import tempfile
import urllib.error
import urllib.request

from stage import check, skip  # Finds scripts/lib.
from daemon import Daemon
from state_test import NoPorts, kill, log_of, wait_for

FILE = """
[[buckets]]
bucket_id = "filed"
inner = true
spread = true
leak_rate_bps = "8gbit"

[[buckets]]
bucket_id = "filed-leaf"
parent_id = "filed"
leak_rate_bps = "1gbit"
capacity = 100
"""


@contextlib.contextmanager
def running(build, scratch):
    """A dripd that is killed in the end, whatever happens."""
    cpus = ",".join(str(cpu) for cpu in sorted(os.sched_getaffinity(0))[-2:])
    file = scratch / "dripd.toml"
    file.write_text(FILE)
    flags = ["--cpus", cpus, "--idle", "sleep", "--state", str(scratch / "state")]
    flags += ["--config", str(file), "--web", "127.0.0.1:0", "--metrics", "127.0.0.1:0"]
    daemon = Daemon(build, NoPorts(scratch), scratch / "dripd.log", flags).start_or_fail()
    try:
        yield daemon
    finally:
        kill(daemon)


def web_of(daemon):
    found = re.findall(r"info page at http://([^/\s]+)", log_of(daemon))
    check(found, f"the log does not say where the page is: {log_of(daemon)}")
    return found[-1]


def metrics_of(daemon):
    found = re.findall(r"metrics at http://([^/\s]+)", log_of(daemon))
    check(found, f"the log does not say where metrics are: {log_of(daemon)}")
    return found[-1]


def get(where, path):
    with urllib.request.urlopen(f"http://{where}{path}", timeout=60) as answer:
        return answer.read().decode()


def is_spread(daemon, name, rate):
    shares = daemon.bucket(name).get("core_shares", [])
    check(len(shares) == 2, f"{name} has the parts {shares}")
    check([share.get("transmitter", 0) for share in shares] == [0, 1], f"{shares}")
    # Read while they change, they may be of two moments.
    wait_for(
        lambda: abs(sum(s["share_rate_bps"] for s in daemon.bucket(name)["core_shares"]) - rate)
        <= rate / 1000,
        f"the shares of {name} do not add up to {rate}: {shares}",
    )
    settings = daemon.bucket(name)["config"]
    check(settings.get("spread") is True, f"{settings}")


def all_show_it(daemon, name):
    web = web_of(daemon)
    details = {}

    def shown():
        nonlocal details
        try:
            details = json.loads(get(web, f"/api/bucket?id={name}"))
        except urllib.error.HTTPError:  # It has not been recorded yet.
            return False
        return len(details.get("core_shares", [])) == 2

    wait_for(shown, f"the web page's data has no shares: {details}")
    for share in details["core_shares"]:
        check(share["share_bps"] > 0 and share["sent"] == 0, f"{share}")
    text = get(metrics_of(daemon), "/metrics")
    for family in ("rate_bytes_per_second", "sent_packets_total", "sent_bytes_total"):
        for transmitter in (0, 1):
            series = f'drip_bucket_core_{family}{{bucket="{name}",transmitter="{transmitter}"}}'
            check(series in text, f"no {series} in {text}")
    nodes = {node["bucket_id"]: node for node in daemon.ctl("tree", name)["nodes"]}
    check(len(nodes[name]["core_shares"]) == 2, f"{nodes[name]}")


def test(build):
    with tempfile.TemporaryDirectory(prefix="drip-spread-") as directory:
        scratch = pathlib.Path(directory)
        with running(build, scratch) as daemon:
            is_spread(daemon, "filed", 8e9)
            daemon.ctl("bucket", "set", "kept", "--inner", "--spread", "--rate", "2gbit")
            daemon.ctl(
                *("bucket", "set", "kept-leaf", "--parent", "kept", "--rate", "1gbit"),
                *("--capacity", "9", "--weight", "4"),
            )
            is_spread(daemon, "kept", 2e9)
            all_show_it(daemon, "kept")
        with running(build, scratch) as daemon:
            is_spread(daemon, "filed", 8e9)
            is_spread(daemon, "kept", 2e9)
            leaf = daemon.bucket("kept-leaf")["config"]
            check(leaf["parent_id"] == "kept" and leaf["weight"] == 4, f"{leaf}")
            # It is one as before: its rate changes at all parts, and it goes as one.
            daemon.ctl("bucket", "set", "kept", "--rate", "3gbit")
            is_spread(daemon, "kept", 3e9)
            daemon.ctl("bucket", "delete", "kept", "--recursive", "--drop")
            names = [node["bucket_id"] for node in daemon.ctl("tree")["nodes"]]
            check(names == ["filed", "filed-leaf"], f"{names}")
    print("spread roots come back from the file and from --state, and all show their parts")


if __name__ == "__main__":
    if len(os.sched_getaffinity(0)) < 2:
        skip("two polling threads need two CPUs")
    test(pathlib.Path(sys.argv[1]))
