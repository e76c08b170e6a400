#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What Linux' selftests ask of ETS, TBF and RED, asked of Drip: their settings, orders of changes and
verdicts (tools/testing/selftests/net/forwarding/sch_ets_tests.sh, sch_tbf_core.sh and sch_red.sh), at
lower rates. A strict band is a priority, a quantum a weight; RED's marks with certainty beyond a
backlog are those of an L4S queue beyond the wait that such a backlog means, and its drops those of a
bucket that holds no more bytes. That ECN-capable packets pass while others are dropped beyond the same
backlog has no counterpart: no AQM here drops by a length."""
import time

import stage
from frames import IPV4, ethernet, ipv4, pattern, udp
from packet_socket import PacketSocket
from stage import check, wait_until
from udp_load import UdpLoad, shares

RATE = 5_000_000  # 1 Gbit/s there.
PORTS = (7000, 7001, 7002)
SECONDS = 2.0
STRICT = 0

RED_RATE = 500_000  # 10 Mbit/s there.
RED_LIMIT = 30_000  # Bytes of backlog.
RED_FRAME = 1400
RED_PORT = 7100
NOT_ECT, ECT1, CE = 0, 1, 3


def ets(link, daemon, right, bands, streams):
    """Bands that are STRICT come first, in their order; the others share by their quantum."""
    for band, quantum in enumerate(bands):
        share = ("--priority", str(7 - band)) if quantum == STRICT else ("--priority", "0")
        daemon.ctl("bucket", "set", f"band{band}", *share, "--weight", str(max(quantum // 10, 1)))
    with UdpLoad(link, [PORTS[stream] for stream in streams], len(streams) * 1.5 * RATE):
        time.sleep(0.5)
        got = shares(right, [PORTS[stream] for stream in streams], SECONDS)
    rates = [got[PORTS[stream]] for stream in streams]
    text = ", ".join(f"{stream}: {rate / 1e6:.3f}" for stream, rate in zip(streams, rates))
    print(f"bands {bands}, streams {text} Mbit/s")
    first = streams[0]
    if bands[first] == STRICT:
        # More than 95 % for the first strict band, less than 5 % for those behind it.
        check(rates[0] > 0.95 * sum(rates), f"band {first} got {rates[0]}")
        for rate in rates[1:]:
            check(rate < 0.05 * sum(rates), f"a band behind it got {rate}")
        return
    for stream, rate in zip(streams[1:], rates[1:]):
        # multipath_eval() of lib.sh: the ratio within 15 %.
        wanted, measured = bands[stream] / bands[first], rate / rates[0]
        check(
            abs(measured - wanted) <= 0.15 * wanted, f"{first}:{stream}: {measured}, not {wanted}"
        )


def test_ets(link, daemon, right):
    daemon.ctl("bucket", "set", "ets", "--inner", "--rate", f"{RATE}bit")
    for band, port in enumerate(PORTS):
        name = f"band{band}"
        daemon.ctl(
            *("bucket", "set", name, "--parent", "ets", "--rate", f"{RATE}bit"),
            *("--capacity", "50"),
        )
        daemon.ctl("rule", "add", name, "--proto", "udp", "--dport", str(port), "--bucket", name)
    run = lambda bands, *streams: ets(link, daemon, right, bands, streams)
    strict = (STRICT, STRICT, STRICT)
    run(strict, 0, 1)
    run(strict, 1, 2)
    mixed = (STRICT, 5000, 2500)
    run(mixed, 0, 1)
    run(mixed, 1, 2)
    run((3300, 3300, 3300), 0, 1, 2)
    run((5000, 3500, 1500), 0, 1, 2)
    run((5000, 8000, 1500), 0, 1, 2)
    run((5000, 2500, 1500), 0, 1)
    for band in range(len(PORTS)):
        daemon.ctl("rule", "delete", f"band{band}")
    daemon.ctl("bucket", "delete", "ets", "--recursive", "--drop")


def test_tbf(link, daemon, right):
    for mbit, port in ((4, PORTS[0]), (3, PORTS[1])):
        daemon.ctl("bucket", "set", "tbf", "--rate", f"{mbit}mbit", "--capacity", "50")
        daemon.ctl("rule", "default", "tbf")
        with UdpLoad(link, [port], 2 * RATE):
            time.sleep(0.5)
            (rate,) = shares(right, [port], SECONDS).values()
        print(f"tbf {mbit} Mbit/s: {rate / 1e6:.3f} Mbit/s")
        check(abs(rate / (1e6 * mbit) - 1) <= 0.05, f"{rate} bit/s instead of {mbit} Mbit/s")


class Backlog:
    """A backlog of so many bytes out of nothing, by a burst; what became of its packets."""

    def __init__(self, link, daemon, right, size, ecn):
        payload = udp(RED_PORT, pattern(RED_FRAME - 42), 40000)
        frame = ethernet(IPV4, ipv4("198.51.100.1", "203.0.113.9", payload, ds_field=ecn))
        before = daemon.bucket("red")
        self.sent = -(-size // RED_FRAME)
        right.arrived()
        with PacketSocket(link.left) as left:
            for _ in range(self.sent):
                left.send(frame)
        total = int(before["total_requests"]) + self.sent
        come = lambda: int(daemon.bucket("red")["total_requests"]) == total
        wait_until(come, "the burst has come to the bucket", 60)
        wait_until(lambda: not int(daemon.bucket("red")["queue_size"]), "it has departed", 60)
        after = daemon.bucket("red")
        self.rejected = int(after["rejected_requests"]) - int(before["rejected_requests"])
        self.dropped = int(after["dropped_requests"]) - int(before["dropped_requests"])
        frames = []
        wanted = self.sent - self.rejected - self.dropped

        def arrived():
            frames.extend(got for got, _ in right.arrived() if len(got) == RED_FRAME)
            return len(frames) == wanted

        wait_until(arrived, "what departed has arrived", 60)
        self.marked = [got[15] & 3 == CE for got in frames]  # In their order.
        print(
            f"red: {size} of {RED_LIMIT} bytes, ECN {ecn}: {self.sent} sent, {self.rejected} "
            f"rejected, {self.dropped} dropped, {sum(self.marked)} marked"
        )


def test_red(link, daemon, right):
    daemon.ctl("bucket", "set", "red", "--rate", f"{RED_RATE}bit", "--capacity", "1000")
    daemon.ctl(
        *("rule", "add", "red", "--proto", "udp", "--dport", str(RED_PORT), "--bucket", "red")
    )
    build = lambda size, ecn: Backlog(link, daemon, right, int(size), ecn)
    wait = lambda size: 8e3 * size / RED_RATE  # In ms.

    # ecn_nodrop_test. The controller of the classic queue has a target that it never sees.
    daemon.ctl(
        *("bucket", "set", "red", "--aqm", "dualpi2", "--target", "10s"),
        *("--l4s-threshold", f"{wait(RED_LIMIT):.0f}ms"),
    )
    below = build(2 * RED_LIMIT / 3, NOT_ECT)
    check(below.rejected + below.dropped == 0, "a backlog below the limit was not built")
    below = build(2 * RED_LIMIT / 3, ECT1)
    check(not any(below.marked), "marks below the limit")
    above = build(3 * RED_LIMIT / 2, ECT1)
    check(above.rejected + above.dropped == 0, "a backlog above the limit was not built")
    # At least 95 % of those with the limit before them, and a tenth for a machine that does other
    # things while the burst is sent; of the first half none. The last one is alone then, which is
    # no queue.
    beyond = above.marked[int(1.1 * RED_LIMIT / RED_FRAME) + 1 : -1]
    check(sum(beyond) >= 0.95 * len(beyond), f"marks beyond the limit: {above.marked}")
    check(not any(above.marked[: RED_LIMIT // RED_FRAME // 2]), f"marked early: {above.marked}")
    counted = int(daemon.bucket("red")["queue"]["marks"])
    check(counted == sum(above.marked), f"{counted} marks are counted: {above.marked}")
    above = build(2 * RED_LIMIT, NOT_ECT)
    check(above.rejected + above.dropped == 0, "others were dropped for their number")
    check(not any(above.marked), "a packet without ECN is marked")

    # red_test: nothing is marked, though it could be, and what is beyond the limit is dropped.
    daemon.ctl("bucket", "set", "red", "--aqm", "none", "--capacity-bytes", str(RED_LIMIT))
    below = build(2 * RED_LIMIT / 3, ECT1)
    check(below.rejected + below.dropped == 0, "a backlog below the limit was not built")
    above = build(3 * RED_LIMIT / 2, ECT1)
    check(above.rejected > 0, "a backlog above the limit was built")
    check(not any(below.marked + above.marked), "marks without an AQM")

    # The same of a queue with an AQM: it has room for as many packets, and drops the oldest.
    daemon.ctl(
        *("bucket", "set", "red", "--queue", "fair", "--aqm", "codel", "--target", "10s"),
        *(
            "--interval",
            "20s",
            "--capacity-bytes",
            "0",
            "--capacity",
            "20",
            "--l4s-threshold",
            "0s",
        ),
    )
    above = build(40 * RED_FRAME, ECT1)
    check(above.dropped > 0 and above.rejected == 0, "40 packets found room for 20")
    check(not any(above.marked), "marks of a full queue, which is no congestion signal of CoDel")


def test(build, kind):
    with stage.raised(build, kind) as (link, daemon):
        with PacketSocket(link.right) as right:
            test_ets(link, daemon, right)
            test_tbf(link, daemon, right)
            test_red(link, daemon, right)


if __name__ == "__main__":
    stage.run(test)
