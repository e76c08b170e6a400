#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What `bucket traffic` says of a real TCP connection, beside what the kernel that sends knows of it:
round-trip time, retransmissions, and which flow it is."""
import statistics
import time

import stage
from download import Download, tcp_info
from stage import check, wait_until

PORT = 5300
RATE = "10mbit"
CAPACITY = 50  # Packets: some 60 ms.
SECONDS = 13  # More than a window of ten seconds and the one before it.


def traffic(daemon, bucket):
    return daemon.ctl("bucket", "traffic", bucket)


def test(build, kind):
    flags = ("--traffic-samples", "20000")
    with stage.raised(build, kind, flags=flags) as (link, daemon):
        daemon.ctl("bucket", "set", "down", "--rate", RATE, "--capacity", str(CAPACITY))
        daemon.ctl("bucket", "set", "up", "--rate", "1gbit", "--capacity", "1000")
        for bucket, port in (("down", "left"), ("up", "right")):
            rule = ("--port", port, "--proto", "tcp", "--bucket", bucket)
            daemon.ctl("rule", "add", f"tcp-{port}", *rule)
        # Without traffic, all of the next one is looked at.
        wait_until(
            lambda: traffic(daemon, "down")["connections_one_in"] == 1, "all connections", 60
        )
        download = Download(link, PORT)
        kernel_rtt = []
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            time.sleep(0.1)
            kernel_rtt.append(tcp_info(download.out).rtt_us)
        down, up = traffic(daemon, "down"), traffic(daemon, "up")
        info = download.finish()
        wait_until(lambda: not int(daemon.bucket("down")["queue_size"]), "down is empty")
        after = traffic(daemon, "down")

        seen_ms = int(down["to_destination"]["recent_p50_ns"]) / 1e6
        kernel_ms = statistics.median(kernel_rtt[len(kernel_rtt) // 2 :]) / 1e3
        print(f"{kind}: round trip {seen_ms:.1f} ms, by the sender's kernel {kernel_ms:.1f} ms")
        check(down["to_destination"]["recent_count"] == 64, f"{down}")
        check(0.7 * kernel_ms < seen_ms < 1.3 * kernel_ms, f"round trips: {down}")
        # The same connection from the other side; and the sender answers faster than a queue drains.
        check(int(up["to_source"]["recent_p50_ns"]) > 0.7e6 * kernel_ms, f"of the answers: {up}")

        again = int(after["retransmitted_segments"])
        print(
            f"{again} of {after['segments']} segments were sent again; by the sender's kernel"
            f" {info.retransmissions} of {info.segments}"
        )
        check(info.retransmissions > 0, "the bucket's queue has never been full")
        check(
            abs(again - info.retransmissions) <= 2 + info.retransmissions / 10,
            f"sent again: {after}",
        )

        flows = down["flows"]
        check(flows and flows[0]["flow"] == download.flow, f"not {download.flow}: {flows}")
        check(int(flows[0]["bps"]) > 0.95 * int(down["bps"]), f"its share: {flows}")
        check(8e6 < int(down["bps"]) < 12e6, f"what came in: {down['bps']} bit/s")
        check(int(down["measured_over_ns"]) > 9e9, f"{down['measured_over_ns']}")


if __name__ == "__main__":
    stage.run(test)
