#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A customer's frames behind other headers, plain and doubled: all of them go through the customer's
bucket as they are; those of others do not, and are counted by kind."""
import struct

import stage
from frames import IPV4, IPV6, QINQ, VLAN, ethernet, ipv4, ipv6, pattern, udp
from packet_socket import PacketSocket
from stage import check, wait_until

CUSTOMER4, CUSTOMER6 = "198.51.100.7", "2001:db8:7::1"
STRANGER4, STRANGER6 = "203.0.113.9", "2001:db8:9::1"
SERVER4, SERVER6 = "192.0.2.80", "2001:db8:ffff::80"
TUNNEL_ENDS = "192.0.2.1", "192.0.2.2"


def type_of(frame):
    return int.from_bytes(frame[12:14], "big")


def is_ip(frame):
    return type_of(frame) in (IPV4, IPV6)


def carried(frame):
    return frame[14:]


def tagged(*tags):
    return lambda frame: ethernet(type_of(frame), carried(frame), tags)


def pppoe(frame):
    protocol = 0x0021 if type_of(frame) == IPV4 else 0x0057
    packet = struct.pack("!H", protocol) + carried(frame)
    return ethernet(0x8864, struct.pack("!BBHH", 0x11, 0, 17, len(packet)) + packet)


def mpls(frame):
    labels = struct.pack("!II", 16 << 12 | 64, 17 << 12 | 0x100 | 64)
    return ethernet(0x8847, labels + carried(frame))


def ip_in_ip(frame):
    protocol = 4 if type_of(frame) == IPV4 else 41
    return ethernet(IPV4, ipv4(*TUNNEL_ENDS, carried(frame), protocol=protocol))


def gre(frame):
    header = struct.pack("!HHI", 0x2000, type_of(frame), 99)  # With a key.
    return ethernet(IPV4, ipv4(*TUNNEL_ENDS, header + carried(frame), protocol=47))


def vxlan(frame):
    header = struct.pack("!II", 0x08000000, 42 << 8)
    return ethernet(IPV4, ipv4(*TUNNEL_ENDS, udp(4789, header + frame)))


def gtp(frame):
    header = struct.pack("!BBHI", 0x30, 0xFF, len(frame) - 14, 1)
    return ethernet(IPV4, ipv4(*TUNNEL_ENDS, udp(2152, header + carried(frame))))


# name: (what makes it, whether it takes nothing but IP)
WAYS = {
    "plain": (lambda frame: frame, False),
    "tagged": (tagged((VLAN, 100)), False),
    "three tags": (tagged((QINQ, 100), (VLAN, 7), (VLAN, 9)), False),
    "PPPoE": (pppoe, True),
    "MPLS": (mpls, True),
    "IP in IP": (ip_in_ip, True),
    "GRE": (gre, False),
    "VXLAN": (vxlan, False),
    "GTP-U": (gtp, True),
}


def frames_from(address4, address6):
    """(name, frame) in every way, and in each of them in each other one; all frames differ."""
    number = 0
    for inner_name, (inner, _) in WAYS.items():
        for outer_name, (outer, takes_ip) in WAYS.items():
            for version, source, server in ((4, address4, SERVER4), (6, address6, SERVER6)):
                number += 1
                datagram = udp(443, number.to_bytes(4, "big") + source.encode() + pattern(60))
                packet = (ipv4 if version == 4 else ipv6)(source, server, datagram)
                frame = inner(ethernet(IPV4 if version == 4 else IPV6, packet))
                if takes_ip and not is_ip(frame):
                    continue
                yield f"IPv{version} in {inner_name} in {outer_name}", outer(frame)


def check_arrivals(sink, sent):
    """All came, byte by byte."""
    came = {frame for frame, _ in sink.arrived()}
    missing = [name for name, frame in sent if frame not in came]
    check(not missing, f"{len(missing)} of {len(sent)} did not come as they were: {missing[:5]}")


def send(left, frames):
    for start in range(0, len(frames), 8):
        for _, frame in frames[start : start + 8]:
            left.send(frame)
        stage.time.sleep(0.002)


def test(build, kind):
    with stage.raised(build, kind) as (link, daemon):
        with PacketSocket(link.left) as left, PacketSocket(link.right) as right:
            customer = list(frames_from(CUSTOMER4, CUSTOMER6))
            strangers = list(frames_from(STRANGER4, STRANGER6))
            if kind == "af_packet":  # It makes another tag of 0x88a8.
                customer = [each for each in customer if "three tags" not in each[0]]
                strangers = [each for each in strangers if "three tags" not in each[0]]
            daemon.ctl("bucket", "set", "seven", "--rate", "1gbit", "--capacity", "1000")
            daemon.ctl("list", "set", "seven", CUSTOMER4, "2001:db8:7::/48")
            daemon.ctl(
                "rule", "add", "seven", "--src-list", "seven", "--inner", "--bucket", "seven"
            )

            def processed():
                return int(daemon.bucket("seven")["processed_requests"])

            send(left, customer)
            wait_until(lambda: processed() >= len(customer), f"{len(customer)} frames have left")
            send(left, strangers)
            listed = lambda: daemon.ctl("rule", "list")  # noqa: E731
            wait_until(
                lambda: int(listed().get("default_packets", 0)) >= len(strangers),
                f"{len(strangers)} frames of others",
            )
            check(processed() == len(customer), f"the bucket got {processed()}, also of others")
            check_arrivals(right, customer + strangers)
            counts = {name: int(count) for name, count in listed()["default_counts"].items()}
            print(f"the default took {counts}")
            for name in ("mpls", "pppoe", "tunnels", "other"):
                check(counts.get(name, 0) > 0, f"no {name} among {counts}")
            check(sum(counts.values()) == int(listed()["default_packets"]), f"sum of {counts}")

            # The list alone is changed, and the customer is a stranger.
            daemon.ctl("list", "remove", "seven", CUSTOMER4, "2001:db8:7::/48")
            send(left, customer[:10])
            wait_until(
                lambda: int(listed()["default_packets"]) >= len(strangers) + 10, "the changed list"
            )
            check(processed() == len(customer), "a prefix that was removed still counts")
            daemon.ctl("rule", "delete", "seven")
            daemon.ctl("list", "delete", "seven")

            # One bucket for each customer address inside of whatever carries it.
            daemon.ctl(
                *("rule", "add", "each", "--per-flow", "source", "--inner-key", "--rate", "1gbit"),
                *("--capacity", "500", "--max-flows", "16", "--idle-timeout", "60s"),
            )
            send(left, customer)
            flows = {}

            def all_came():
                buckets = daemon.ctl("bucket", "list", "--flows").get("buckets", [])
                for bucket in buckets:
                    if bucket.get("flow"):
                        flows[bucket["flow"]] = int(bucket["processed_requests"])
                return sum(flows.values()) >= len(customer)

            wait_until(all_came, "the packets of each customer")
            came = {flow: count for flow, count in flows.items() if count > 0}
            check(set(came) == {f"{CUSTOMER4}/32", f"{CUSTOMER6}/128"}, f"flows: {came}")
            check(sum(came.values()) == len(customer), f"flows: {came} of {len(customer)}")


if __name__ == "__main__":
    stage.run(test)
