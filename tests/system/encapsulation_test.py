#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A customer's frames behind other headers, plain and doubled: all of them go through the customer's
bucket as they are; those of others do not, and are counted by kind."""
import time

import stage
from frames import IPV4, IPV6, QINQ, VLAN, ethernet, ipv4, ipv6, pattern, udp
from packet_socket import PacketSocket
from stage import check, skip, wait_until

try:
    from scapy.contrib.gtp import GTP_U_Header
    from scapy.contrib.mpls import MPLS
    from scapy.layers.inet import IP, UDP
    from scapy.layers.l2 import GRE, Dot1AD, Dot1Q, Ether
    from scapy.layers.ppp import PPP, PPPoE
    from scapy.layers.vxlan import VXLAN
    from scapy.packet import Raw
except ImportError as error:
    skip(f"scapy is not installed ({error})")

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


# The headers are scapy's, whose lengths and checksums are not computed by this project.
def framed(*layers):
    frame = Ether(dst="02:00:00:00:00:02", src="02:00:00:00:00:01")
    for layer in layers:
        frame = frame / layer
    return bytes(frame)


def tagged(*tags):
    def tag(frame):
        layers = [
            (Dot1AD if tag_type == QINQ else Dot1Q)(vlan=vlan_id) for tag_type, vlan_id in tags
        ]
        layers[-1].type = type_of(frame)
        return framed(*layers, Raw(carried(frame)))

    return tag


def pppoe(*tags):
    def session(frame):
        protocol = 0x0021 if type_of(frame) == IPV4 else 0x0057
        layers = [PPPoE(sessionid=17), PPP(proto=protocol), Raw(carried(frame))]
        tag = [(Dot1AD if tag_type == QINQ else Dot1Q)(vlan=vlan_id) for tag_type, vlan_id in tags]
        return framed(*tag, *layers)

    return session


def mpls(labels):
    def label(frame):
        stack = [MPLS(label=16 + i, s=int(i == labels - 1), ttl=64) for i in range(labels)]
        return framed(*stack, Raw(carried(frame)))

    return label


def between_ends(*layers, **fields):
    return framed(IP(src=TUNNEL_ENDS[0], dst=TUNNEL_ENDS[1], **fields), *layers)


def ip_in_ip(frame):  # 6in4 for IPv6.
    return between_ends(Raw(carried(frame)), proto=4 if type_of(frame) == IPV4 else 41)


def gre(**fields):
    return lambda frame: between_ends(GRE(proto=type_of(frame), **fields), Raw(carried(frame)))


def vxlan(frame):
    return between_ends(UDP(sport=40000, dport=4789), VXLAN(vni=42), Raw(frame))


def gtp(frame):
    header = GTP_U_Header(teid=1, gtp_type=255)
    return between_ends(UDP(sport=2152, dport=2152), header, Raw(carried(frame)))


# name: (what makes it, whether it takes nothing but IP)
WAYS = {
    "plain": (lambda frame: frame, False),
    "tagged": (tagged((VLAN, 100)), False),
    "three tags": (tagged((QINQ, 100), (VLAN, 7), (VLAN, 9)), False),
    "PPPoE": (pppoe(), True),
    "VLAN and PPPoE": (pppoe((VLAN, 100)), True),
    "QinQ and PPPoE": (pppoe((QINQ, 100), (VLAN, 7)), True),
    "MPLS": (mpls(1), True),
    "MPLS with two labels": (mpls(2), True),
    "MPLS with three labels": (mpls(3), True),
    "IP in IP": (ip_in_ip, True),
    "GRE": (gre(), False),
    "GRE with a key": (gre(key_present=1, key=99), False),
    "VXLAN": (vxlan, False),
    "GTP-U": (gtp, True),
}
# Whose tag of 0x88a8 af_packet makes another one.
QINQ_WAYS = ("three tags", "QinQ and PPPoE")


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


def without_qinq(frames):
    return [each for each in frames if not any(way in each[0] for way in QINQ_WAYS)]


def check_arrivals(sink, sent):
    """All came, byte by byte."""
    came = {frame for frame, _ in sink.arrived()}
    missing = [name for name, frame in sent if frame not in came]
    check(not missing, f"{len(missing)} of {len(sent)} did not come as they were: {missing[:5]}")


def send(left, frames):
    for start in range(0, len(frames), 8):
        for _, frame in frames[start : start + 8]:
            left.send(frame)
        time.sleep(0.002)


def test(build, kind):
    with stage.raised(build, kind) as (link, daemon):
        with PacketSocket(link.left) as left, PacketSocket(link.right) as right:
            customer = list(frames_from(CUSTOMER4, CUSTOMER6))
            strangers = list(frames_from(STRANGER4, STRANGER6))
            if kind == "af_packet":  # It makes another tag of 0x88a8.
                customer, strangers = without_qinq(customer), without_qinq(strangers)
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
