#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""In the guest, whose kernel has them: Drip's queues beside HTB + fq_codel and CAKE, on one path of
two namespaces, with round-trip times by netem. Prints a table.

queue_peers.py BUILD [--rate MBIT] [--rtt MS...] [--seconds S]"""
import argparse
import json
import pathlib
import re
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts/lib"), str(ROOT / "tests/system")]

import namespace_link
from daemon import Daemon
from inside import inside
from namespace_link import run
from packet_socket import SO_TIMESTAMPNS, time_of
from quantile import of_sorted
from stage import Failure, check

Daemon.START_SECONDS = 90  # All is emulated.
MODEST_FLOWS = 4
PAYLOAD = 1200
FRAME = PAYLOAD + 8 + 20 + 14
FLOOD_PORT, MODEST_PORT, TCP_PORT = 5201, 6001, 5202
STAMP = struct.Struct("!Hd")  # Flow and the time at which it was sent.


def kernel(*command):
    run("ip", "netns", "exec", *command)


class Modest:
    """Four UDP flows of a tenth of the rate each; what each got, and how long each packet took."""

    def __init__(self, link, rate_bps):
        self.link, self.interval = link, FRAME * 8 / (rate_bps / 10)
        self.sent = 0
        self.delays = [[] for _ in range(MODEST_FLOWS)]
        with inside(link.left):
            self.out = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in self.delays]
        with inside(link.right):
            self.into = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.into.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            self.into.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            self.into.bind((link.right.address, MODEST_PORT))
        self.into.settimeout(0.2)
        self.running = True
        self.threads = [threading.Thread(target=self.send), threading.Thread(target=self.receive)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.running = False
        for thread in self.threads:
            thread.join()
        for each in (*self.out, self.into):
            each.close()

    def send(self):
        rest = bytes(PAYLOAD - STAMP.size)
        begin = time.monotonic()
        while self.running:
            while self.running and self.sent < (time.monotonic() - begin) / self.interval:
                for flow, each in enumerate(self.out):
                    each.sendto(
                        STAMP.pack(flow, time.time()) + rest, (self.link.right.address, MODEST_PORT)
                    )
                self.sent += 1
            time.sleep(self.interval / 4)

    def receive(self):
        while self.running:
            try:
                data, control, _, _ = self.into.recvmsg(2048, 256)
            except TimeoutError:
                continue
            flow, sent = STAMP.unpack_from(data)
            self.delays[flow].append(1e3 * (time_of(control) - sent))


def iperf(host, *arguments, stdout=subprocess.DEVNULL):
    return host.spawn("iperf3", *arguments, stdout=stdout)


def flood(link, rate_bps, seconds):
    """Modest flows beside a flood of three times the rate: parts that came, and delays in ms."""
    server = iperf(link.right, "--server", "--one-off", "--port", str(FLOOD_PORT))
    time.sleep(0.5)
    client = iperf(
        link.left,
        *("--client", link.right.address, "--port", str(FLOOD_PORT), "--udp"),
        *("--bitrate", f"{3 * rate_bps:.0f}", "--length", str(PAYLOAD)),
        *("--time", str(seconds + 20)),
    )
    time.sleep(1.5)
    with Modest(link, rate_bps) as modest:
        time.sleep(seconds)
    client.terminate()
    for process in (client, server):
        process.wait(30)
    delays = sorted(delay for flow in modest.delays for delay in flow)
    came = [len(flow) / max(1, modest.sent) for flow in modest.delays]
    return {"came": min(came), "p50": of_sorted(delays, 0.5), "p99": of_sorted(delays, 0.99)}


def tcp(link, flows, congestion, seconds):
    """Goodput in bit/s, Jain's index of the flows, and what a ping took beside it."""
    server = iperf(link.right, "--server", "--one-off", "--port", str(TCP_PORT))
    time.sleep(0.5)
    client = iperf(
        link.left,
        *("--client", link.right.address, "--port", str(TCP_PORT), "--json"),
        *("--parallel", str(flows), "--congestion", congestion),
        *("--time", str(seconds), "--omit", "3"),
        stdout=subprocess.PIPE,
    )
    time.sleep(3)
    ping = link.left.spawn(
        *("ping", "-i", "0.05", "-w", str(seconds), link.right.address), stdout=subprocess.PIPE
    )
    report = json.loads(client.communicate(timeout=seconds + 60)[0])
    server.wait(30)
    times = sorted(map(float, re.findall(r"time=([\d.]+) ms", ping.communicate(timeout=30)[0])))
    check("error" not in report, f"iperf3: {report.get('error')}")
    each = [stream["receiver"]["bits_per_second"] for stream in report["end"]["streams"]]
    jain = sum(each) ** 2 / (len(each) * sum(bps * bps for bps in each)) if any(each) else 0
    return {
        "goodput": sum(each),
        "jain": jain,
        "p50": of_sorted(times, 0.5),
        "p99": of_sorted(times, 0.99),
    }


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
            row[label] = tcp(link, flows, congestion, seconds)
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
