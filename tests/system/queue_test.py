#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Queues inside a bucket, on real packets: a flood beside a modest flow; congestion marks; tins,
washing and remarks; changes while traffic flows; every drop under its reason."""
import threading
import time

import stage
from frames import IPV4, checksum, ethernet, ipv4, pattern, udp
from packet_socket import PacketSocket
from stage import check, wait_until

RATE = 8_000_000
PAYLOAD = 958  # A frame of 1000 bytes.
FRAME = 1000
FLOOD, MODEST = 7001, 7002  # UDP ports.
CAPACITY = 200
ECT0, CE = 2, 3
EF = 46


def frame(port, ds_field=0):
    payload = udp(port, pattern(PAYLOAD), 40000)
    return ethernet(IPV4, ipv4("198.51.100.1", "203.0.113.9", payload, ds_field=ds_field))


class Load:
    """A flood of three times the bucket's rate and, at a steady 50 packets a second, a modest flow.
    Sends in the order flood, modest, so that a number tells where a packet was."""

    MODEST_RATE = 50

    def __init__(self, link, flood=0, modest=0):
        self.left, self.fields = link.left, (flood, modest)
        self.sent = {FLOOD: 0, MODEST: 0}
        self.running = True
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.running = False
        self.thread.join()

    def run(self):
        flood, modest = (frame(port, ds) for port, ds in zip((FLOOD, MODEST), self.fields))
        with PacketSocket(self.left) as left:
            begin = time.monotonic()
            while self.running:
                for port, each, rate in (
                    (FLOOD, flood, 3 * RATE / 8 / FRAME),
                    (MODEST, modest, self.MODEST_RATE),
                ):
                    while self.running and self.sent[port] < (time.monotonic() - begin) * rate:
                        left.send(each)
                        self.sent[port] += 1
                time.sleep(0.002)


def port_of(got):
    return int.from_bytes(got[36:38], "big") if len(got) == FRAME else 0


def missed(daemon):
    """What never came to Drip: a machine that does other things loses frames before."""
    ports = daemon.ctl("port", "list")["ports"]
    return sum(int(port.get("rx_missed", 0)) for port in ports)


class Ran:
    """What came of a load, by port; returns when all has left."""

    def __init__(self, link, daemon, seconds, **fields):
        before = missed(daemon)
        self.got, self.sent = run_load(link, daemon, seconds, **fields)
        self.missed = missed(daemon) - before
        print(f"{self.missed} missed")

    def lost(self, port):
        return self.sent[port] - len(self.got[port])

    def expect_all_of(self, port, what):
        check(self.lost(port) <= self.missed, f"{what}: {self.lost(port)} packets were lost")


def run_load(link, daemon, seconds, **fields):
    with PacketSocket(link.right) as right:
        with Load(link, **fields) as load:
            time.sleep(seconds)
        wait_until(lambda: not int(bucket(daemon)["queue_size"]), "the bucket is empty", 30)
        time.sleep(0.3)
        frames = [got for got, _ in right.arrived()]
    got = {port: [each for each in frames if port_of(each) == port] for port in (FLOOD, MODEST)}
    print({port: f"{len(each)} of {load.sent[port]}" for port, each in got.items()})
    return got, load.sent


def bucket(daemon):
    return daemon.bucket("b")


def drops(daemon):
    """By reason, over all polling threads."""
    reasons = {}
    for lcore in daemon.ctl("lcore", "list")["lcores"]:
        for drop in lcore.get("drops", []):
            reasons[drop["reason"]] = reasons.get(drop["reason"], 0) + int(drop["packets"])
    return reasons


def expect_whole(got):
    for each in got:
        check(checksum(each[14:34]) == 0, "the checksum of the IPv4 header is wrong")


def count(status, field):
    return int(status.get("queue", {}).get(field, 0))


def test(build, kind):
    with stage.raised(build, kind) as (link, daemon):
        daemon.ctl("bucket", "set", "b", "--rate", f"{RATE}bit", "--capacity", str(CAPACITY))
        daemon.ctl("rule", "add", "udp", "--port", "left", "--proto", "udp", "--bucket", "b")

        ran = Ran(link, daemon, 1.5)
        check(ran.lost(MODEST) > ran.sent[MODEST] / 3, "FIFO does not keep the modest flow out")

        daemon.ctl("bucket", "set", "b", "--queue", "fair")
        ran = Ran(link, daemon, 1.5)
        ran.expect_all_of(MODEST, "the modest flow in a fair queue")
        status, reasons = bucket(daemon), drops(daemon)
        lost = ran.lost(FLOOD) + ran.lost(MODEST) - ran.missed
        dropped = count(status, "overflow_drops")
        check(abs(dropped - lost) <= 0.002 * lost, f"{lost} lost, {status['queue']}")
        check(reasons.get("queue_overflow") == dropped, f"{dropped} dropped, drops: {reasons}")
        check(count(status, "marks") == 0, "marks without an AQM")

        daemon.ctl("bucket", "set", "b", "--aqm", "codel", "--isolate", "hosts")
        got = Ran(link, daemon, 2.5, flood=ECT0).got
        marked = [each for each in got[FLOOD] if each[15] & 3 == CE]
        expect_whole(got[FLOOD])
        marks = count(bucket(daemon), "marks")
        check(len(marked) == marks > 0, f"{len(marked)} frames are marked, and {marks} counted")
        check(all(each[15] & 3 == 0 for each in got[MODEST]), "a packet without ECN is marked")

        daemon.ctl("bucket", "set", "b", "--tins", "diffserv4", "--wash", "--aqm", "none")
        ran = Ran(link, daemon, 1.5, modest=EF << 2 | ECT0)
        ran.expect_all_of(MODEST, "the voice tin")
        fields = {each[15] for each in ran.got[MODEST]}
        check(fields == {ECT0}, f"washed packets keep their ECN bits and no DSCP: {fields}")
        expect_whole(ran.got[MODEST])

        # A remark comes before the tins; without washing it is seen behind.
        daemon.ctl("bucket", "set", "b", "--no-wash")
        daemon.ctl("rule", "delete", "udp")
        daemon.ctl(
            *("rule", "add", "udp", "--port", "left", "--proto", "udp", "--bucket", "b"),
            *("--set-dscp", "cs1"),
        )
        got = Ran(link, daemon, 0.7).got
        fields = {each[15] >> 2 for each in got[MODEST] + got[FLOOD]}
        check(fields == {8}, f"DSCP of remarked packets: {fields}")
        expect_whole(got[MODEST])

        # What waits too long is dropped, when its turn comes.
        daemon.ctl("bucket", "set", "b", "--tins", "none", "--max-wait", "50ms")
        before = drops(daemon)
        Ran(link, daemon, 1.0)
        too_late = drops(daemon).get("max_wait", 0) - before.get("max_wait", 0)
        check(too_late > 0, f"nothing was dropped for its wait: {drops(daemon)}")
        check(count(bucket(daemon), "max_wait_drops") == too_late, f"{bucket(daemon)['queue']}")

        # DualPI2, and plain again, while packets come.
        with Load(link, modest=1):
            time.sleep(0.3)
            for change in (
                ("--queue", "fifo", "--aqm", "dualpi2", "--max-wait", "0s"),
                ("--queue", "fair", "--aqm", "codel"),
                ("--queue", "fifo", "--aqm", "none"),
            ):
                wait_until(
                    lambda: daemon.run_ctl("bucket", "set", "b", *change).returncode == 0,
                    f"bucket set {change} is accepted",
                    5,
                )
                time.sleep(0.3)
        wait_until(lambda: not int(bucket(daemon)["queue_size"]), "the bucket is empty", 30)

        daemon.ctl("bucket", "set", "b", "--queue", "fair")
        refused = daemon.run_ctl("request", "allow", "b", "--bytes", "100")
        check("fair queue" in refused.stderr, f"a request got into a fair queue: {refused.stderr}")
        refused = daemon.run_ctl("bucket", "set", "b", "--aqm", "dualpi2")
        check("queue.aqm" in refused.stderr, f"DualPI2 in a fair queue: {refused.stderr}")


if __name__ == "__main__":
    stage.run(test)
