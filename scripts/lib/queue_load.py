# SPDX-License-Identifier: BSD-3-Clause
"""What queues are judged by, on a link of two namespaces (namespace_link): UDP flows whose packets
say when they were sent, beside a flood or beside TCP; both from left to right."""
import dataclasses
import json
import re
import socket
import struct
import subprocess
import threading
import time

import arrival_time
from inside import inside
from quantile import of_sorted

PAYLOAD = 1200
HEADERS = 8 + 20 + 14
FRAME = PAYLOAD + HEADERS
MODEST_FLOWS = 4
FLOOD_PORT, STAMPED_PORT, TCP_PORT = 5201, 6001, 5210
OMITTED_SECONDS = 3  # Of TCP: until it has found its rate.
STAMP = struct.Struct("!Hd")  # Flow and the time at which it was sent.


class StampedFlows:
    """`count` UDP flows of a packet every `interval` seconds each; what came of each, and how long
    each packet took, in ms, from the call that sent it to the receiving interface."""

    def __init__(self, link, count, interval, payload=PAYLOAD):
        self.link, self.interval, self.payload = link, interval, payload
        self.sent = 0  # Of each flow.
        self.delays = [[] for _ in range(count)]
        with inside(link.left):
            self.out = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in self.delays]
        with inside(link.right):
            self.into = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            arrival_time.ask_for(self.into)
            self.into.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            self.into.bind((link.right.address, STAMPED_PORT))
        self.into.settimeout(0.2)
        self.running = True
        self.threads = [threading.Thread(target=self.send), threading.Thread(target=self.receive)]

    @classmethod
    def modest(cls, link, rate_bps):
        """A tenth of the rate each, so less than a fair share."""
        return cls(link, MODEST_FLOWS, FRAME * 8 / (rate_bps / 10))

    @classmethod
    def sparse(cls, link):
        """As a call is: 100 short packets a second."""
        return cls(link, 1, 0.01, 160)

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
        rest = bytes(self.payload - STAMP.size)
        to = (self.link.right.address, STAMPED_PORT)
        begin = time.monotonic()
        while self.running:
            while self.running and self.sent < (time.monotonic() - begin) / self.interval:
                for flow, each in enumerate(self.out):
                    each.sendto(STAMP.pack(flow, time.time()) + rest, to)
                self.sent += 1
            time.sleep(self.interval / 4)

    def receive(self):
        while self.running:
            try:
                data, control, _, _ = self.into.recvmsg(2048, 256)
            except TimeoutError:
                continue
            flow, sent = STAMP.unpack_from(data)
            self.delays[flow].append(1e3 * (arrival_time.of(control) - sent))

    def result(self):
        """Of the flow that got least, which part of it came; and the delays of all."""
        delays = sorted(delay for flow in self.delays for delay in flow)
        came = min(len(flow) for flow in self.delays) / max(1, self.sent)
        return {"came": came, "p50": of_sorted(delays, 0.5), "p99": of_sorted(delays, 0.99)}


def iperf(host, *arguments, stdout=subprocess.DEVNULL):
    return host.spawn("iperf3", *arguments, stdout=stdout)


def flood(link, rate_bps, seconds):
    """Modest flows beside a flood of three times the rate: StampedFlows.result()."""
    server = iperf(link.right, "--server", "--one-off", "--port", str(FLOOD_PORT))
    time.sleep(0.5)
    client = iperf(
        link.left,
        *("--client", link.right.address, "--port", str(FLOOD_PORT), "--udp"),
        *("--bitrate", f"{3 * rate_bps:.0f}", "--length", str(PAYLOAD)),
        *("--time", str(seconds + 20)),
    )
    time.sleep(1.5)
    with StampedFlows.modest(link, rate_bps) as modest:
        time.sleep(seconds)
    client.terminate()
    for process in (client, server):
        process.wait(30)
    return modest.result()


@dataclasses.dataclass
class Senders:
    """TCP flows from one address of the left host."""

    flows: int
    address: str


class Tcp:
    """TCP flows of one or more Senders at the same time, for so many seconds and OMITTED_SECONDS
    before, which do not count. `both_ways`: and as many from the right host to them."""

    def __init__(self, link, senders, congestion, seconds, both_ways=False):
        self.seconds, self.clients = seconds, []
        right = link.right
        ports = [str(TCP_PORT + i) for i in range(len(senders))]
        self.servers = [iperf(right, "--server", "--one-off", "--port", port) for port in ports]
        time.sleep(0.5)
        for port, each in zip(ports, senders):
            self.clients.append(
                iperf(
                    link.left,
                    *("--client", right.address, "--port", port, "--json"),
                    *("--bind", each.address, "--parallel", str(each.flows)),
                    *("--congestion", congestion),
                    *("--time", str(seconds), "--omit", str(OMITTED_SECONDS)),
                    *(("--bidir",) if both_ways else ()),
                    stdout=subprocess.PIPE,
                )
            )
        time.sleep(OMITTED_SECONDS)

    def result(self):
        """Waits for the end. Goodput in bit/s, Jain's index of the flows from left to right, and by
        which part of the mean the flow that is farthest from it differs; `back`: the goodput of the
        others."""
        each, back = [], []
        for client in self.clients:
            report = json.loads(client.communicate(timeout=self.seconds + 60)[0])
            if "error" in report:
                raise SystemExit(f"iperf3: {report['error']}")
            for stream in report["end"]["streams"]:
                way = each if stream["sender"]["sender"] else back
                way.append(stream["receiver"]["bits_per_second"])
        for server in self.servers:
            server.wait(30)
        mean = sum(each) / len(each)
        return {
            "goodput": sum(each),
            "jain": sum(each) ** 2 / (len(each) * sum(bps * bps for bps in each)) if mean else 0,
            "farthest": max(abs(bps - mean) for bps in each) / mean if mean else 1,
            **({"back": sum(back)} if back else {}),
        }


def pinged_tcp(link, flows, congestion, seconds):
    """TCP with pings beside it: Tcp.result(), and quantiles of the pings in ms."""
    tcp = Tcp(link, [Senders(flows, link.left.address)], congestion, seconds)
    ping = link.left.spawn(
        *("ping", "-i", "0.05", "-w", str(seconds), link.right.address), stdout=subprocess.PIPE
    )
    result = tcp.result()
    times = sorted(map(float, re.findall(r"time=([\d.]+) ms", ping.communicate(timeout=30)[0])))
    return {**result, "p50": of_sorted(times, 0.5), "p99": of_sorted(times, 0.99)}


def sparse_beside_tcp(link, senders, congestion, seconds, both_ways=False):
    """TCP with a sparse flow beside it: both results."""
    tcp = Tcp(link, senders, congestion, seconds, both_ways)
    with StampedFlows.sparse(link) as sparse:
        time.sleep(max(1, seconds - 1))
    return {**sparse.result(), **tcp.result()}
