#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""dripd under full load, alone and looked at: observed.sh runs this."""
import contextlib
import os
import pathlib
import re
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "lib"))
import machine
import measuring
import quantile
from daemon import Daemon
from frames import IPV4, ethernet, ipv4
from measuring import say
from observed_report import markdown
from stopping import unwind_when_stopped
from udp_frames import write_pcap

TCP = 6
POLLING_CPU = 1
SHAPED = 64  # Buckets that hold packets back; all others let theirs through at once.
FLOWS = 1024
FRAME = 124  # Without FCS.
SHAPED_RATE = "1mbit"
OBSERVED = ("--metrics", "0", "--web", "0", "--traffic-samples", "20000")

CONFIGURATION = (
    'default_bucket_id = "rest"\n'
    '[[buckets]]\nbucket_id = "rest"\nleak_rate_bps = "100gbit"\ncapacity = 1024\n'
) + "".join(
    f'[[buckets]]\nbucket_id = "shaped-{i:02}"\nleak_rate_bps = "{SHAPED_RATE}"\ncapacity = 256\n'
    f'[[rules]]\nrule_id = "r{i}"\nbucket_id = "shaped-{i:02}"\n'
    f'match = {{ src_prefix = "10.9.0.{i}/32" }}\n'
    for i in range(SHAPED)
)


def tcp_frame(number):
    """A segment of connection `number`, with time stamps."""
    options = struct.pack("!BBBBII", 1, 1, 8, 10, number, number)
    tcp = struct.pack("!HHIIBBHHH", 20000 + number, 443, number, number, 0x80, 0x10, 512, 0, 0)
    host = f"10.9.{number // 256}.{number % 256}"
    data = bytes(FRAME - 14 - 20 - len(tcp) - len(options))
    return ethernet(IPV4, ipv4(host, "203.0.113.9", tcp + options + data, protocol=TCP))


class Replay:
    """What Daemon wants to know of the ports: one replays, the other counts."""

    never_rests = True
    prefix = ()

    def __init__(self, scratch):
        self.scratch, self.kinds = scratch, ["pcap"]
        write_pcap(scratch / "traffic.pcap", [tcp_frame(i) for i in range(FLOWS)])
        (scratch / "dripd.toml").write_text(CONFIGURATION)

    def next_kind(self):
        return False

    def dripd_arguments(self):
        replay = f"left=net_pcap0,rx_pcap={self.scratch / 'traffic.pcap'},infinite_rx=1"
        count = f"right=net_null0,size={FRAME},no-rx=1"
        ports = [
            "--port",
            replay,
            "--port",
            count,
            "--pair",
            "left:right",
            "--cpus",
            str(POLLING_CPU),
        ]
        config = ["--config", str(self.scratch / "dripd.toml")]
        return ports + config + ["--mbufs", "65535", "--hugepages", "never"]


class Observers:
    """All that looks at a dripd, until the end of the block."""

    def __init__(self, daemon, log):
        self.daemon, self.looks, self.errors = daemon, {}, []
        text = log.read_text()
        self.metrics = re.search(r"metrics at (http://\S+)", text).group(1)
        self.web = re.search(r"page at (http://\S+)", text).group(1).rstrip("/")

    def __enter__(self):
        self.stopping = threading.Event()
        fetch = lambda url: urllib.request.urlopen(url, timeout=30).read()
        control = lambda *words: self.daemon.ctl(*words)
        flow = "10.9.0.7:20007>203.0.113.9:443/tcp"
        capture = str(self.daemon.link.scratch / "x.pcap")
        self.threads = [
            self.start("metrics", 1, lambda: fetch(self.metrics)),
            self.start("page", 2, lambda: [fetch(f"{self.web}/api/{what}") for what in PAGE]),
            self.start("explain", 0.5, lambda: control("explain", flow)),
            self.start("traffic", 1, lambda: control("bucket", "traffic", "rest")),
            self.start(
                "capture",
                1,
                lambda: control(
                    "capture", "--bucket", "shaped-07", "-o", capture, "--for", "500ms"
                ),
            ),
        ]
        self.top = subprocess.Popen(
            [self.daemon.dripctl, "--server", self.daemon.server, "top", "--count", "1000"],
            stdout=subprocess.DEVNULL,
        )
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join()
        self.top.terminate()
        self.top.wait()

    def start(self, name, period, look):
        def run():
            while not self.stopping.wait(period):
                try:
                    look()
                    self.looks[name] = self.looks.get(name, 0) + 1
                except (OSError, SystemExit) as error:
                    self.errors.append(f"{name}: {error}")

        thread = threading.Thread(target=run)
        thread.start()
        return thread


PAGE = ("node", "top?by=rate&limit=10", "bucket?id=shaped-07", "history?id=shaped-07&from=0")


def read(daemon):
    lcore = daemon.ctl("lcore", "list")["lcores"][0]
    buckets = daemon.ctl("bucket", "list", "--prefix", "shaped-")["buckets"]
    port = next(p for p in daemon.ctl("port", "list")["ports"] if p["name"] == "left")
    drops = {drop["reason"]: int(drop["packets"]) for drop in lcore.get("drops", [])}
    return {
        "at": time.monotonic(),
        "sent": int(lcore["tx_packets"]),
        "missed": int(port["rx_missed"]) + int(port["rx_no_mbuf"]),
        "lost": sum(count for reason, count in drops.items() if reason != "bucket_full"),
        "lateness": [bucket["lateness"] for bucket in buckets],
    }


def interval(daemon, seconds):
    before = read(daemon)
    time.sleep(seconds)
    after = read(daemon)
    counts = None
    for earlier, later in zip(before["lateness"], after["lateness"]):
        gained = quantile.counts_between(earlier, later)
        counts = gained if counts is None else [a + b for a, b in zip(counts, gained)]
    span = after["at"] - before["at"]
    return {
        "pps": (after["sent"] - before["sent"]) / span,
        "lost": after["lost"] - before["lost"] + after["missed"] - before["missed"],
        "lateness_p50_ns": quantile.of_counts(counts, 0.5),
        "lateness_p99_ns": quantile.of_counts(counts, 0.99),
    }


def measure(build, scratch, observed, seconds):
    log = scratch / "dripd.log"
    with Daemon(build, Replay(scratch), log, OBSERVED if observed else ()) as daemon:
        with contextlib.ExitStack() as stack:
            # As who cares for latency would: whoever looks keeps off the polling CPU.
            before = os.sched_getaffinity(0)
            stack.callback(os.sched_setaffinity, 0, before)
            os.sched_setaffinity(0, before - {POLLING_CPU} or before)
            observers = stack.enter_context(Observers(daemon, log)) if observed else None
            time.sleep(1)
            result = interval(daemon, seconds)
    if observers:
        result |= {"looks": observers.looks, "errors": observers.errors}
    return result


def main():
    unwind_when_stopped()
    parser = measuring.parser(__doc__)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    rounds, seconds = (1, 4) if options.quick else (7, 6)
    runs = {"alone": [], "observed": []}
    for i in range(rounds):
        for name, results in runs.items():
            say(f"round {i + 1} of {rounds}, {name}")
            with tempfile.TemporaryDirectory(prefix="drip-") as scratch:
                build = pathlib.Path(options.build)
                results.append(measure(build, pathlib.Path(scratch), name == "observed", seconds))
    looks = [run["looks"] for run in runs["observed"]]
    checks = [
        {
            "what": "no packet is lost but those that full buckets reject",
            "holds": all(run["lost"] == 0 for results in runs.values() for run in results),
        },
        {
            "what": "each observer has looked in each run, without an error",
            "holds": all(len(look) == 5 for look in looks)
            and not any(run["errors"] for run in runs["observed"]),
        },
    ]
    for run in runs["observed"]:
        for error in run["errors"]:
            print(error, file=sys.stderr)
    result = machine.describe("scripts/bench/observed.sh") | {"runs": runs, "checks": checks}
    measuring.write(options.out, "observed", result, md=markdown(result))
    if not all(check["holds"] for check in checks):
        sys.exit(f"FAILED: {[check['what'] for check in checks if not check['holds']]}")


if __name__ == "__main__":
    main()
