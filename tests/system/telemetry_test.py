#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""DPDK's telemetry socket of a dripd that forwards: /drip/... says what dripctl says."""
import json
import pathlib
import socket
import stat
import time

import stage
from stage import check
from udp_stream import UdpStream


class Telemetry:
    """A client, as DPDK's own dpdk-telemetry.py is one."""

    def __init__(self, pid):
        self.path = pathlib.Path(f"/var/run/dpdk/drip-{pid}/dpdk_telemetry.v2")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(10)
        self.socket.connect(str(self.path))
        self.ask_for_greeting()

    def ask_for_greeting(self):
        check("version" in json.loads(self.socket.recv(1024)), "no greeting")

    def ask(self, command):
        self.socket.send(command.encode())
        answer = json.loads(self.socket.recv(16384).decode())
        return answer[command.split(",")[0]]


def test(build, kind):
    ways = ("--pair", "left:right", "--dpdk-telemetry")
    with stage.raised(build, kind, ways=ways) as (link, daemon):
        names = [f"b{number:03}" for number in range(150)]
        for name in ("udp", *names):
            daemon.ctl("bucket", "set", name, "--rate", "12mbit", "--capacity", "50")
        daemon.ctl("rule", "add", "udp", "--proto", "udp", "--bucket", "udp")
        with UdpStream(link, 2000) as stream:
            time.sleep(2)
            stream.stop_sending()
            daemon.balance()
            time.sleep(0.3)
        telemetry = Telemetry(daemon.process.pid)
        mode = telemetry.path.parent.stat().st_mode
        check(not mode & (stat.S_IRWXG | stat.S_IRWXO), "others reach the socket")
        listed = telemetry.ask("/")
        check(
            {"/drip/buckets", "/drip/bucket", "/drip/lcores", "/drip/ports"} <= set(listed), listed
        )
        buckets_are_listed_page_by_page(telemetry, [*names, "udp"])
        a_bucket_is_that_of_dripctl(telemetry, daemon, len(stream.received))
        lcores_and_ports(telemetry, daemon)
        for wrong in ("/drip/bucket,nobody", "/drip/bucket", "/drip/lcores,99", "/drip/ports,x"):
            check(telemetry.ask(wrong) is None, f"{wrong} is answered")


def buckets_are_listed_page_by_page(telemetry, names):
    first = telemetry.ask("/drip/buckets")
    check(first == names[:100], f"the first buckets are {first}")
    second = telemetry.ask(f"/drip/buckets,{first[-1]}")
    check(second == names[100:], f"the others are {second}")


def a_bucket_is_that_of_dripctl(telemetry, daemon, received):
    told, bucket = telemetry.ask("/drip/bucket,udp"), daemon.bucket("udp")
    for name, field in (
        ("sent_packets", "processed_requests"),
        ("sent_bytes", "processed_bytes"),
        ("admitted_packets", "allowed_requests"),
        ("rejected_packets", "rejected_requests"),
        ("rejected_bytes", "rejected_bytes"),
        ("backlog_packets", "queue_size"),
        ("capacity", "capacity"),
    ):
        check(told[name] == int(bucket[field]), f"{name}: {told[name]}, not {bucket[field]}")
    check(told["sent_packets"] == received > 0, f"{received} arrived: {told}")
    check(told["sojourn_sum_ns"] == int(bucket["sojourn"]["sum_ns"]), f"sojourn: {told}")
    check(told["rate_bps"] == 12_000_000, f"rate: {told}")


def lcores_and_ports(telemetry, daemon):
    lcores = daemon.ctl("lcore", "list")["lcores"]
    check(telemetry.ask("/drip/lcores") == [str(i) for i in range(len(lcores))], "lcores")
    rejected = int(daemon.bucket("udp")["rejected_requests"])
    check(telemetry.ask("/drip/lcores,0")["dropped_bucket_full"] == rejected, "drops")
    ports = daemon.ctl("port", "list")["ports"]
    check(telemetry.ask("/drip/ports") == [port["name"] for port in ports], "ports")
    for port in ports:
        told = telemetry.ask(f"/drip/ports,{port['name']}")
        check(told["link"] == "up" and told["peer"] == port["peer"], f"port: {told}")
        check(abs(told["tx_packets"] - int(port["tx_packets"])) <= 3, f"port: {told}")
        for unknown in port["unknown_counters"]:
            check(unknown not in told, f"{unknown} is told though nobody knows it")


if __name__ == "__main__":
    stage.run(test)
