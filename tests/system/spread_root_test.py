#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Two polling threads below one spread root, on real packets: together they send no more than its
rate, what one does not use the other gets, and weights and guarantees hold over both."""
import os
import time

import stage
from follow_traffic_test import two_threads
from packet_socket import PacketSocket
from stage import check, wait_until
from tree_test import expect
from udp_load import UdpLoad, shares

UPLINK = 8_000_000  # That of tree_test.
SECONDS = 2.0
FLOWS = 16


def thread_of(daemon, name):
    return daemon.bucket(name).get("transmitter", 0)


def flows_of_a_rule(link, daemon):
    """Each has a leaf right below the root, on the thread that its key says."""
    ports = list(range(7101, 7101 + FLOWS))
    daemon.ctl(
        *("rule", "add", "subscribers", "--port", "left", "--proto", "udp"),
        *("--per-flow", "five-tuple", "--max-flows", str(FLOWS), "--parent", "uplink"),
        *("--rate", f"{UPLINK}bit", "--capacity", "200", "--max-catchup", "5s"),
    )
    with PacketSocket(link.right) as right, UdpLoad(link, ports, 3 * UPLINK):
        time.sleep(2)
        got = shares(right, ports, 2 * SECONDS)
        threads = {}
        for flow in daemon.ctl("bucket", "list", "--flows", "--prefix", "subscribers/")["buckets"]:
            if flow["bucket_id"] != "subscribers/overflow":
                thread = flow.get("transmitter", 0)
                threads[thread] = threads.get(thread, 0) + 1
        expect(got, {port: UPLINK / FLOWS for port in ports}, f"flows on both threads: {threads}")
        check(sum(got.values()) < 1.05 * UPLINK, f"together they send {sum(got.values())}")
        check(len(threads) == 2 and sum(threads.values()) == FLOWS, f"flows by thread: {threads}")
    daemon.ctl("rule", "delete", "subscribers")


def test(build, kind):
    if len(os.sched_getaffinity(0)) < 2:
        stage.skip("two polling threads need two CPUs")
    # Buckets stay where they are made, or both may come to be on one thread.
    with two_threads(build, kind, "off") as (link, daemon):
        # A machine that does other things, too, may stop a thread for longer than the default.
        patient = ("--max-catchup", "5s")
        daemon.ctl(
            *("bucket", "set", "uplink", "--inner", "--spread", "--rate", f"{UPLINK}bit", *patient)
        )
        ports = {"a": 7001, "b": 7002}
        for name, port in ports.items():
            daemon.ctl(
                *("bucket", "set", name, "--parent", "uplink", "--rate", f"{UPLINK}bit"),
                *("--capacity", "1000", *patient),
            )
            daemon.ctl(
                *("rule", "add", name, "--port", "left", "--proto", "udp"),
                *("--dport", str(port), "--bucket", name),
            )
        check(thread_of(daemon, "a") != thread_of(daemon, "b"), "both are on one thread")
        a, b = ports.values()
        with PacketSocket(link.right) as right:
            with UdpLoad(link, [a, b], 3 * UPLINK):
                time.sleep(1)
                expect(shares(right, (a, b), SECONDS), {a: 4e6, b: 4e6}, "equal weights")

                daemon.ctl("bucket", "set", "a", "--weight", "3")
                time.sleep(1)
                expect(shares(right, (a, b), SECONDS), {a: 6e6, b: 2e6}, "weights 3 and 1")

                daemon.ctl("bucket", "set", "b", "--guarantee", "5mbit")
                time.sleep(1)
                expect(shares(right, (a, b), SECONDS), {a: 3e6, b: 5e6}, "b is guaranteed 5 Mbit/s")

                daemon.ctl("bucket", "set", "b", "--guarantee", "1mbit")
                daemon.ctl("bucket", "set", "uplink", "--rate", "4mbit")
                time.sleep(1)
                expect(shares(right, (a, b), SECONDS), {a: 3e6, b: 1e6}, "half of the rate")
                daemon.ctl("bucket", "set", "uplink", "--rate", f"{UPLINK}bit")

                nodes = {node["bucket_id"]: node for node in daemon.ctl("tree")["nodes"]}
                parts = nodes["uplink"]["core_shares"]
                check(len(parts) == 2, f"parts: {parts}")
                sent = sum(int(part["processed_bytes"]) for part in parts)
                check(sent == int(nodes["uplink"]["processed_bytes"]), f"{nodes['uplink']}")
            wait_until(
                lambda: all(daemon.bucket(name).get("queue_size", 0) == 0 for name in ports),
                "what waits has left",
            )
            with UdpLoad(link, [b], 3 * UPLINK):
                time.sleep(1)
                expect(shares(right, (a, b), SECONDS), {a: 0, b: 8e6}, "b alone")
        refused = daemon.run_ctl("bucket", "set", "a", "--spread")
        check("spread: true is not allowed" in refused.stderr, f"{refused.stderr}")
        for name in ports:
            daemon.ctl("rule", "delete", name)
        wait_until(
            lambda: all(daemon.bucket(name).get("queue_size", 0) == 0 for name in ports),
            "what waits has left",
        )
        flows_of_a_rule(link, daemon)
        daemon.ctl("bucket", "delete", "uplink", "--recursive", "--drop")
        wait_until(lambda: not daemon.ctl("tree")["nodes"], "the tree is gone")


if __name__ == "__main__":
    stage.run(test)
