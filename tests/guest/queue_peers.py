#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""In the guest, whose kernel has them: Drip's queues beside HTB + fq_codel and CAKE, on one path of
two namespaces, with round-trip times by netem. Prints a table.

queue_peers.py BUILD [--rate MBIT] [--rtt MS...] [--seconds S]"""
import argparse
import json
import pathlib
import sys
import tempfile
import traceback

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts/lib"), str(ROOT / "tests/system")]

import namespace_link
from daemon import Daemon
from namespace_link import run
from queue_load import flood, pinged_tcp
from stage import Failure, check

Daemon.START_SECONDS = 90  # All is emulated.


def kernel(*command):
    run("ip", "netns", "exec", *command)


class Drip:
    """dripd between the hosts, with one bucket for all."""

    def __init__(self, build, link, scratch, rate_bps):
        self.daemon = Daemon(build, link, scratch / "dripd.log")
        self.rate = rate_bps

    def __enter__(self):
        self.daemon.__enter__()
        self.daemon.ctl(
            "bucket", "set", "all", "--rate", f"{self.rate:.0f}bit", "--capacity", "1000"
        )
        self.daemon.ctl("rule", "default", "all")
        return self

    def __exit__(self, *error):
        self.daemon.__exit__(*error)

    def use(self, *queue):
        self.daemon.ctl("bucket", "set", "all", *queue)


class Kernel:
    """A bridge between the hosts, with a queueing discipline of the kernel."""

    def __init__(self, link):
        self.link, self.mid = link, link.names[2]

    def __enter__(self):
        kernel(self.mid, "ip", "link", "add", "name", "br0", "type", "bridge")
        for side in ("left", "right"):
            kernel(self.mid, "ip", "link", "set", side, "master", "br0")
        kernel(self.mid, "ip", "link", "set", "br0", "up")
        return self

    def __exit__(self, *_):
        kernel(self.mid, "ip", "link", "delete", "br0")

    def use(self, *lines):
        namespace_link.run(
            *("ip", "netns", "exec", self.mid, "tc", "qdisc", "del", "dev", "right", "root"),
            check=False,
        )
        for line in lines:
            kernel(self.mid, "tc", *line.split())


def delay(link, ms):
    namespace_link.run(
        *("ip", "netns", "exec", link.right.name, "tc", "qdisc", "del", "dev", "eth0", "root"),
        check=False,
    )
    if ms:
        kernel(
            link.right.name, *f"tc qdisc add dev eth0 root netem delay {ms}ms limit 10000".split()
        )


def measure(link, name, rate_bps, rtts, seconds):
    rows = []
    for ms in rtts:
        delay(link, ms)
        row = {"name": name, "rtt": ms, "flood": flood(link, rate_bps, seconds)}
        for label, flows, congestion in (("1", 1, "cubic"), ("8", 8, "cubic"), ("8 bbr", 8, "bbr")):
            row[label] = pinged_tcp(link, flows, congestion, seconds)
        rows.append(row)
        print("@ row", json.dumps(row), flush=True)
    delay(link, 0)
    return rows


def table(rows, rate_bps):
    print(
        "| queue | RTT | modest flows: came | delay p50, p99 | 1 TCP: goodput, ping p50, p99 "
        "| 8 TCP: goodput, Jain, p50, p99 | 8 bbr: goodput, Jain, p50, p99 |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for row in sorted(rows, key=lambda row: row["rtt"]):
        cells = [row["name"], f"{row['rtt']} ms", f"{100 * row['flood']['came']:.0f} %"]
        cells.append(f"{row['flood']['p50']:.1f}, {row['flood']['p99']:.1f} ms")
        for label in ("1", "8", "8 bbr"):
            got = row[label]
            jain = f"{got['jain']:.3f}, " if label != "1" else ""
            cells.append(
                f"{100 * got['goodput'] / rate_bps:.0f} %, {jain}{got['p50']:.1f}, "
                f"{got['p99']:.1f} ms"
            )
        print("| " + " | ".join(cells) + " |")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--rate", type=float, default=20)
    parser.add_argument("--rtt", type=int, nargs="+", default=[0, 20, 80])
    parser.add_argument("--seconds", type=int, default=6)
    arguments = parser.parse_args()
    rate = 1e6 * arguments.rate
    rtts = arguments.rtt
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        with namespace_link.Link(scratch, rate, ["af_packet"]) as link:
            run_one = lambda name: rows.extend(measure(link, name, rate, rtts, arguments.seconds))
            with Kernel(link) as peer:
                kbit = f"{rate / 1e3:.0f}kbit"
                peer.use(
                    "qdisc add dev right root handle 1: htb default 1",
                    f"class add dev right parent 1: classid 1:1 htb rate {kbit}",
                    "qdisc add dev right parent 1:1 fq_codel",
                )
                run_one("HTB + fq_codel")
                peer.use(f"qdisc add dev right root cake bandwidth {kbit} besteffort flows")
                run_one("CAKE")
            with Drip(arguments.build, link, scratch, rate) as drip:
                drip.use("--queue", "fifo")
                run_one("Drip fifo")
                drip.use("--queue", "fair")
                run_one("Drip fair")
                drip.use("--queue", "fair", "--aqm", "codel")
                run_one("Drip fair, codel")
                balance = drip.daemon.balance()
                print(f"balance: {balance.text}")
                check(balance.holds, "the balance does not hold")
    table(rows, rate)
    for row in rows:
        if row["name"] != "Drip fair, codel":
            continue
        check(row["flood"]["came"] > 0.95, f"modest flows: {row['flood']}")
        peers = [
            other for other in rows if other["rtt"] == row["rtt"] and "Drip" not in other["name"]
        ]
        slowest = max(other["flood"]["p99"] for other in peers)
        check(row["flood"]["p99"] < 1.5 * slowest, f"delay of modest flows: {row['flood']}")


if __name__ == "__main__":
    code = 0
    try:
        main()
    except Failure as failure:
        print(f"FAILED: {failure}")
        code = 1
    except BaseException:  # Whatever it is: the guest must end.
        traceback.print_exc()
        code = 1
    print(f"@ exit {code}", flush=True)
