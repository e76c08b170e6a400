#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Per-flow rules on real packets: a bucket for each flow as it appears, at its own rate; not more of
them than there may be; taken back when they are idle."""
import itertools
import time

import stage
from frames import (
    IPV4,
    IPV6,
    MORE_FRAGMENTS,
    VLAN,
    ethernet,
    ipv4,
    ipv6,
    ipv6_fragment,
    pattern,
    udp,
)
from packet_socket import PacketSocket
from stage import check, wait_until

PACKETS = 100  # Of each flow.
RATE = 100  # Of each flow, a second.
RATE_ERROR = 0.2  # Of one that is measured over a second on a machine that does other things, too.
CLOSED = "1/h"
BURST, BURST_SECONDS = 8, 0.002  # What a veth takes in even on a busy machine.


def packet(source, destination, port, number, source_port=40000, tags=()):
    """A frame that is not like another, for its number. `tags`: ids of VLANs, the outer one
    first."""
    datagram = udp(port, number.to_bytes(4, "big") + pattern(60), source_port)
    tags = [(VLAN, vlan_id) for vlan_id in tags]
    if ":" in source:
        return ethernet(IPV6, ipv6(source, destination, datagram), tags)
    return ethernet(IPV4, ipv4(source, destination, datagram), tags)


def numbered(*ends):
    """The packets of one flow, from end to end in turns; `ends`: the arguments of packet()."""
    turns = itertools.cycle(ends)
    return [packet(*end[:3], number, *end[3:]) for number, end in zip(range(PACKETS), turns)]


# name: (flags of the rule, {flow: its packets}). No host has these addresses, so that none answers.
A, B, C = "198.51.100.1", "198.51.100.2", "203.0.113.9"
A6, B6, C6 = "2001:db8:0:1::1", "2001:db8:0:1::2", "2001:db8:0:2::1"
TEMPLATES = {
    "five-tuple": (
        ["--per-flow", "five-tuple"],
        {
            f"{A}:40000>{B}:7000/udp": numbered((A, B, 7000)),
            f"{A}:40000>{B}:7001/udp": numbered((A, B, 7001)),
            f"{A}:40001>{B}:7000/udp": numbered((A, B, 7000, 40001)),
            f"{C}:40000>{B}:7000/udp": numbered((C, B, 7000)),
            f"[{A6}]:40000>[{C6}]:7000/udp": numbered((A6, C6, 7000)),
        },
    ),
    "source": (
        ["--per-flow", "source"],
        {
            f"{A}/32": numbered((A, B, 7000), (A, C, 7000), (A, B, 7001, 40001)),
            f"{B}/32": numbered((B, C, 7000)),
            f"{A6}/128": numbered((A6, C6, 7000), (A6, B6, 7001)),
            f"{B6}/128": numbered((B6, C6, 7000)),
        },
    ),
    # Customers who have the same private address, each behind tags of their own.
    "source in a VLAN": (
        ["--per-flow", "source", "--by", "vlan,inner-vlan"],
        {
            f"{A}/32,vlan=100,inner-vlan=none": numbered((A, B, 7000, 40000, (100,))),
            f"{A}/32,vlan=200,inner-vlan=none": numbered((A, B, 7000, 40000, (200,))),
            f"{A}/32,vlan=200,inner-vlan=7": numbered((A, B, 7000, 40000, (200, 7))),
            f"{A}/32,vlan=200,inner-vlan=8": numbered((A, B, 7000, 40000, (200, 8))),
            f"{A}/32,vlan=none,inner-vlan=none": numbered((A, B, 7000)),
        },
    ),
    "destination": (
        ["--per-flow", "destination"],
        {
            f"{A}/32": numbered((B, A, 7000), (C, A, 7000), (B, A, 7001, 40001)),
            f"{B}/32": numbered((C, B, 7000)),
            f"{A6}/128": numbered((C6, A6, 7000)),
        },
    ),
    "source network": (
        ["--per-flow", "source", "--prefix4", "24", "--prefix6", "64"],
        {
            "198.51.100.0/24": numbered((A, C, 7000), (B, C, 7001)),
            "203.0.113.0/24": numbered((C, A, 7000)),
            "2001:db8:0:1::/64": numbered((A6, C6, 7000), (B6, C6, 7000)),
            "2001:db8:0:2::/64": numbered((C6, A6, 7000)),
        },
    ),
    "destination network": (
        ["--per-flow", "destination", "--prefix4", "16", "--prefix6", "32"],
        {
            "198.51.0.0/16": numbered((C, A, 7000), (C, B, 7000)),
            "203.0.0.0/16": numbered((A, C, 7000)),
            "2001:db8::/32": numbered((A6, B6, 7000), (A6, C6, 7000)),
        },
    ),
}


def fragments(kind):
    """Of datagrams with other ports each; all fragments between two addresses are one flow."""

    def halves(port):
        datagram = udp(port, pattern(1000))
        return (datagram[:504], datagram[504:])

    by_flow = {
        f"{A6}>{B6}/udp": [
            ethernet(IPV6, ipv6_fragment(A6, B6, part, offset, more=offset == 0))
            for port in range(7000, 7000 + PACKETS // 2)
            for part, offset in zip(halves(port), (0, 504))
        ]
    }
    if kind != "af_packet":  # It puts fragments of IPv4 together.
        by_flow[f"{A}>{B}/udp"] = [
            ethernet(IPV4, ipv4(A, B, part, fragment))
            for port in range(7000, 7000 + PACKETS // 2)
            for part, fragment in zip(halves(port), (MORE_FRAGMENTS, 504 // 8))
        ]
    return by_flow


class PerFlowRule:
    """The only rule, for all UDP."""

    def __init__(self, daemon, flags, max_flows=64):
        self.daemon = daemon
        self.flags = [
            *flags,
            "--proto",
            "udp",
            "--max-flows",
            str(max_flows),
            "--capacity",
            str(PACKETS),
            "--max-catchup",
            "1s",
            "--idle-timeout",
            "100ms",
        ]
        self.set_rate(CLOSED)

    def set_rate(self, rate):
        self.daemon.ctl("rule", "add", "flows", *self.flags, "--rate", rate)

    def count(self, field):
        return int(self.daemon.ctl("rule", "list")["rules"][0].get(field, 0))

    def queued(self):
        """Packets that wait, by flow."""
        return {
            bucket["flow"]: int(bucket["queue_size"])
            for bucket in self.buckets()
            if bucket["flow"] != "overflow"
        }

    def overflow(self):
        """The bucket that flows beyond the bound share."""
        return next(bucket for bucket in self.buckets() if bucket["flow"] == "overflow")

    def buckets(self):
        buckets = self.daemon.ctl("bucket", "list", "--flows").get("buckets", [])
        return [bucket for bucket in buckets if bucket.get("flow")]

    def let_all_go(self):
        self.set_rate(f"{RATE}/s")
        wait_until(lambda: self.count("flows") == 0, "all flows were taken back", 30)
        check(self.queued() == {}, "a flow that was taken back is still listed")

    def delete(self):
        self.daemon.ctl("rule", "delete", "flows")


def send(left, by_flow):
    """One of each flow after another."""
    frames = [frame for turn in zip(*by_flow.values()) for frame in turn]
    for begin in range(0, len(frames), BURST):
        for frame in frames[begin : begin + BURST]:
            left.send(frame)
        time.sleep(BURST_SECONDS)
    return len(frames)


def check_arrivals(name, by_flow, arrived):
    """All of each flow, in order, at the rate."""
    flow_of = {frame: flow for flow, frames in by_flow.items() for frame in frames}
    came = {flow: [] for flow in by_flow}
    for frame, at in arrived:
        if frame in flow_of:
            came[flow_of[frame]].append((frame, at))
    for flow, frames in by_flow.items():
        check(
            [frame for frame, _ in came[flow]] == frames,
            f"{name}: of {flow} {len(came[flow])} of {len(frames)} came, or not in order",
        )
        rate = (len(frames) - 1) / (came[flow][-1][1] - came[flow][0][1])
        check(abs(rate / RATE - 1) < RATE_ERROR, f"{name}: {flow} left at {rate:.1f}/s")
        print(f"{name}: {flow}: {len(frames)} at {rate:.2f}/s")


def template(daemon, name, flags, by_flow, left, sink):
    sink.arrived()
    rule = PerFlowRule(daemon, flags)
    sent = send(left, by_flow)
    wait_until(lambda: rule.count("packets") >= sent, f"{name}: {sent} packets came to the rule")
    check(
        rule.queued() == {flow: len(frames) for flow, frames in by_flow.items()},
        f"{name}: not a bucket for each flow: {rule.queued()}",
    )
    flows_in_top(daemon, by_flow, 1 / 3600)
    # A change of the template reaches flows that are there already.
    rule.let_all_go()
    check_arrivals(name, by_flow, sink.arrived())
    check(rule.count("packets") == sent, f"{name}: more came than was sent")
    check(rule.count("flows_created") == len(by_flow), f"{name}: more flows than there are")
    check(rule.count("flows_refused") == 0, f"{name}: there was no room for a flow")
    rule.delete()


def flows_in_top(daemon, by_flow, rate):
    """What waits in each, as `dripctl top` has it."""
    top = daemon.ctl("top", "--once", "--interval", "100ms", "--filter", "flows/")
    seen = {row["bucket_id"]: int(row["backlog"]) for row in top["buckets"]}
    there = {f"flows/{flow}": len(frames) for flow, frames in by_flow.items()}
    check(seen == {**there, "flows/overflow": 0}, f"top has {seen}")
    rates = {round(row["ceiling_per_second"], 9) for row in top["buckets"]}
    check(rates == {round(rate, 9)}, f"top has the rates {rates}")


def by_port(daemon, left, right):
    """Customers who have the same address, each behind a port of their own."""
    ends = {f"{A}/32,port=left": (left, right), f"{A}/32,port=right": (right, left)}
    frames = numbered((A, B, 7000))
    for _, sink in ends.values():
        sink.arrived()
    rule = PerFlowRule(daemon, ["--per-flow", "source", "--by", "port"])
    for source, _ in ends.values():
        send(source, {A: frames})
    wait_until(lambda: rule.count("packets") >= 2 * PACKETS, "the packets of both came to the rule")
    check(
        rule.queued() == {flow: PACKETS for flow in ends},
        f"by port: not a bucket for each: {rule.queued()}",
    )
    rule.let_all_go()
    for flow, (_, sink) in ends.items():
        check_arrivals("by port", {flow: frames}, sink.arrived())
    rule.delete()


def shared(daemon, left, sink):
    """Flows beyond the bound share one bucket, which has the rate of one flow."""
    flows = {
        f"198.51.100.{host}/32": numbered((f"198.51.100.{host}", C, 7000)) for host in range(1, 5)
    }
    early, late = (dict(itertools.islice(flows.items(), *part)) for part in ((2,), (2, 4)))
    rule = PerFlowRule(daemon, ["--per-flow", "source"], max_flows=len(early))
    sent = send(left, flows)
    wait_until(lambda: rule.count("packets") >= sent, f"{sent} packets came to the rule")
    bucket = rule.overflow()
    check(int(bucket["queue_size"]) == PACKETS, f"shared: {bucket['queue_size']} wait")
    check(int(bucket["rejected_full"]) == PACKETS, f"shared: {bucket['rejected_full']} rejected")
    warnings = daemon.ctl("node").get("warnings", [])
    check(
        any("flows beyond max_flows 2 share one bucket" in warning for warning in warnings),
        f"shared: no warning in {warnings}",
    )
    sink.arrived()
    rule.set_rate(f"{RATE}/s")
    wait_until(lambda: int(rule.overflow()["queue_size"]) == 0, "the shared bucket is empty", 30)
    rule.let_all_go()
    refused = {frame for frames in late.values() for frame in frames}
    times = [at for frame, at in sink.arrived() if frame in refused]
    check(len(times) == PACKETS, f"shared: {len(times)} came")
    rate = (len(times) - 1) / (times[-1] - times[0])
    check(abs(rate / RATE - 1) < RATE_ERROR, f"shared: they left at {rate:.1f}/s together")
    rule.delete()


def bound(daemon, left, sink):
    """Flows beyond the bound go to the default if asked, and have room when others are gone."""
    daemon.ctl("bucket", "set", "rest", "--rate", CLOSED, "--capacity", str(2 * PACKETS))
    daemon.ctl("rule", "default", "rest")
    flows = {
        f"198.51.100.{host}/32": numbered((f"198.51.100.{host}", C, 7000)) for host in range(1, 7)
    }
    early, late = (dict(itertools.islice(flows.items(), *part)) for part in ((4,), (4, 6)))
    flags = ["--per-flow", "source", "--overflow", "default"]
    rule = PerFlowRule(daemon, flags, max_flows=len(early))
    sent = send(left, flows)
    wait_until(lambda: rule.count("packets") >= sent, f"{sent} packets came to the rule")
    check(rule.queued() == {flow: PACKETS for flow in early}, f"bound: {rule.queued()}")
    check(rule.count("flows_refused") == 2 * PACKETS, "bound: not all packets were refused a flow")
    rest = daemon.bucket("rest")
    check(int(rest["queue_size"]) == 2 * PACKETS, f"bound: the default got {rest['queue_size']}")
    sink.arrived()
    rule.let_all_go()
    check_arrivals("bound", early, sink.arrived())

    rule.set_rate(CLOSED)
    send(left, late)
    wait_until(lambda: rule.queued() == {flow: PACKETS for flow in late}, "all of the late flows")
    rule.let_all_go()
    check_arrivals("after others", late, sink.arrived())
    check(rule.count("flows_created") == len(flows), "bound: more flows than there are")
    rule.delete()
    daemon.ctl("rule", "default", "pass")
    daemon.ctl("bucket", "delete", "rest", "--drop")


def test(build, kind):
    with stage.raised(build, kind) as (link, daemon):
        with PacketSocket(link.left) as left, PacketSocket(link.right) as right:
            for name, (flags, by_flow) in TEMPLATES.items():
                template(daemon, name, flags, by_flow, left, right)
            flags, _ = TEMPLATES["five-tuple"]
            template(daemon, "fragments", flags, fragments(kind), left, right)
            by_port(daemon, left, right)
            bound(daemon, left, right)
            shared(daemon, left, right)
    hairpins = ("--hairpin", "left", "--hairpin", "right")
    with stage.raised(build, kind, ways=hairpins) as (link, daemon):
        with PacketSocket(link.left) as left, PacketSocket(link.right) as right:
            flags, by_flow = TEMPLATES["source"]
            template(daemon, "hairpin", flags, by_flow, left, left)
            sent = {frame for frames in by_flow.values() for frame in frames}
            came = {frame for frame, _ in right.arrived()}
            check(not sent & came, "hairpin: packets came out on the other side")


if __name__ == "__main__":
    stage.run(test)
