#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Every kind of frame goes through as it is, by the right bucket; what keeps a line alive when that
is full."""
import struct

import stage
from frames import (
    IPV4,
    IPV6,
    MORE_FRAGMENTS,
    QINQ,
    VLAN,
    ethernet,
    ipv4,
    ipv6,
    ipv6_fragment,
    pattern,
    udp,
)
from namespace_link import run
from packet_socket import PacketSocket
from stage import check, wait_until

# Addresses that no host has, so that none answers.
FROM4, TO4, FROM6, TO6 = "198.51.100.1", "198.51.100.2", "2001:db8::1", "2001:db8::2"
LEFT6, RIGHT6 = "fd00:99::1", "fd00:99::2"

# bucket (and rule): the flags of its rule, from the highest priority down.
RULES = {
    "qinq": ["--vlan", "200", "--inner-vlan", "7"],
    "vlan": ["--vlan", "100"],
    "port": ["--proto", "udp", "--dport", "5201"],
    "net4": ["--dst", f"{TO4}/32"],
    "net6": ["--dst", "2001:db8::/64"],
    "echo4": ["--proto", "1"],
    "echo6": ["--proto", "58"],
}


def frames(kind):
    """(bucket, frame) of each kind that the devices can carry."""
    datagram = udp(5201, pattern(1000))
    for size in (60, 61, 64, 999, 1513, 1514):
        yield "rest", ethernet(0x88B5, pattern(size - 14))
    for size in (18, 19, 1472):
        yield "port", ethernet(IPV4, ipv4(FROM4, TO4, udp(5201, pattern(size))))
    yield "net4", ethernet(IPV4, ipv4(FROM4, TO4, udp(99, pattern(100))))
    yield "port", ethernet(IPV6, ipv6(FROM6, TO6, udp(5201, pattern(1452))))
    yield "net6", ethernet(IPV6, ipv6(FROM6, TO6, udp(99, pattern(1))))
    yield "vlan", ethernet(IPV4, ipv4(FROM4, TO4, datagram), [(VLAN, 100)])
    yield "vlan", ethernet(IPV6, ipv6(FROM6, TO6, datagram), [(VLAN, 100 | 5 << 13)])
    yield "port", ethernet(IPV4, ipv4(FROM4, TO4, datagram), [(VLAN, 101)])
    yield "vlan", ethernet(0x88B5, pattern(1500), [(VLAN, 100)])
    # All fragments go the same way, the first one too, though it has the ports.
    yield "net6", ethernet(IPV6, ipv6_fragment(FROM6, TO6, datagram[:504], 0, more=True))
    yield "net6", ethernet(IPV6, ipv6_fragment(FROM6, TO6, datagram[504:], 504, more=False))
    if kind == "af_packet":
        return  # It puts fragments of IPv4 together, and makes another tag of 0x88a8.
    yield "net4", ethernet(IPV4, ipv4(FROM4, TO4, datagram[:504], MORE_FRAGMENTS))
    yield "net4", ethernet(IPV4, ipv4(FROM4, TO4, datagram[504:], 504 // 8))
    yield "qinq", ethernet(IPV4, ipv4(FROM4, TO4, datagram), [(QINQ, 200), (VLAN, 7)])
    yield "qinq", ethernet(IPV4, ipv4(FROM4, TO4, datagram), [(VLAN, 200), (VLAN, 7)])


def set_up(link, daemon):
    for host, address in ((link.left, LEFT6), (link.right, RIGHT6)):
        host.ip("address", "add", f"{address}/64", "dev", "eth0", "nodad")
    for name in [*RULES, "rest"]:
        daemon.ctl("bucket", "set", name, "--rate", "100mbit", "--capacity", "100")
    for i, (name, flags) in enumerate(RULES.items()):
        daemon.ctl("rule", "add", name, *flags, "--priority", str(100 - i), "--bucket", name)
    daemon.ctl("rule", "default", "rest")


def processed(daemon, bucket):
    return int(daemon.bucket(bucket)["processed_requests"])


def ping(link, address, *flags):
    return run(
        "ip",
        "netns",
        "exec",
        link.left.name,
        "ping",
        "-q",
        "-i",
        "0.2",
        "-W",
        "2",
        *flags,
        address,
        check=False,
    )


def byte_by_byte(link, daemon, kind):
    with PacketSocket(link.left) as left, PacketSocket(link.right) as right:
        for number, (bucket, frame) in enumerate(frames(kind)):
            before = processed(daemon, bucket)
            left.send(frame)
            check(
                right.receives(frame),
                f"frame {number} ({len(frame)} bytes, for {bucket}) came "
                f"not, or not as it was sent: {frame[:64].hex()}",
            )
            wait_until(lambda: processed(daemon, bucket) > before, f"frame {number} in {bucket}")
    print(f"{kind}: {number + 1} frames went through as they were")


def pings(link, daemon, kind):
    # Two fragments or more each way.
    size = "56" if kind == "af_packet" else "4000"
    frames_each = 1 if kind == "af_packet" else 3
    for bucket, address in (("echo4", link.right.address), ("echo6", RIGHT6)):
        before = processed(daemon, bucket)
        done = ping(link, address, "-c", "5", "-s", size)
        check(done.returncode == 0 and " 0% packet loss" in done.stdout, f"ping: {done.stdout}")
        count = processed(daemon, bucket) - before
        check(count == 2 * 5 * frames_each, f"{count} packets of ping -s {size} went by {bucket}")
    print(f"{kind}: ping -s {size} by IPv4 and IPv6")


def icmp(icmp_type, code):
    return struct.pack("!BBHI", icmp_type, code, 0, 1280) + pattern(40)


def ppp(protocol):
    """In a PPPoE session."""
    return ethernet(0x8864, struct.pack("!BBHHH", 0x11, 0, 1, 42, protocol) + pattern(40))


def over_ipv4(protocol, payload):
    return ethernet(IPV4, ipv4(FROM4, TO4, payload, protocol=protocol))


def over_ipv6(next_header, payload):
    return ethernet(IPV6, ipv6(FROM6, TO6, payload, next_header=next_header))


BGP = struct.pack("!HHIIBBHHH", 40000, 179, 0, 0, 0x50, 0x10, 999, 0, 0) + pattern(30)
PROTECTED = {
    "too big": over_ipv4(1, icmp(3, 4)),
    "too big by IPv6": over_ipv6(58, icmp(2, 0)),
    "DHCP, request": over_ipv4(17, udp(67, pattern(240), source_port=68)),
    "DHCP, reply": over_ipv4(17, udp(68, pattern(240), source_port=67)),
    "DHCPv6": over_ipv6(17, udp(547, pattern(60), source_port=546)),
    "PPPoE discovery": ethernet(0x8863, bytes.fromhex("11090000000a") + pattern(40)),
    "LCP": ppp(0xC021),
    "IPCP": ppp(0x8021),
    "CFM": ethernet(0x8902, pattern(60)),
    "Babel": over_ipv6(17, udp(6696, pattern(40), source_port=6696)),
    "BGP": over_ipv4(6, BGP),
    "LLDP": ethernet(0x88CC, pattern(60)),
    "OSPF": over_ipv4(89, pattern(44)),
}
DATA = {
    "an unreachable port": over_ipv4(1, icmp(3, 3)),
    "an echo": over_ipv6(58, icmp(128, 0)),
    "UDP": over_ipv4(17, udp(69, pattern(240))),
    "IP by PPP": ppp(0x0021),
}


def protected_frames_when_full(link, daemon):
    """As they were sent, past the full bucket; their neighbours not."""
    with PacketSocket(link.left) as left, PacketSocket(link.right) as right:
        for name, frame in PROTECTED.items():

            def passes(frame=frame):
                left.send(frame)
                return right.receives(frame, 1)

            wait_until(passes, f"{name} passes a full bucket as it was sent", 60)
        rejected = int(daemon.bucket("shut")["rejected_full"])
        for frame in DATA.values():
            left.send(frame)
        wait_until(
            lambda: int(daemon.bucket("shut")["rejected_full"]) >= rejected + len(DATA),
            "the full bucket rejects data",
        )
        came = [name for name, frame in DATA.items() if right.receives(frame, 0.2)]
        check(not came, f"{came} passed a full bucket")
    print(f"{len(PROTECTED)} kinds of control traffic passed a full bucket")


def control_traffic_when_full(link, daemon):
    """Neighbours are found though the only bucket takes nothing."""
    daemon.ctl("bucket", "set", "shut", "--rate", "1/h", "--capacity", "1")
    for name in RULES:
        daemon.ctl("rule", "delete", name)
    daemon.ctl("rule", "default", "shut")
    daemon.ctl("request", "allow", "shut")
    for host in (link.left, link.right):
        host.ip("neighbor", "flush", "dev", "eth0")
    for address in (link.right.address, RIGHT6):
        check(ping(link, address, "-c", "2").returncode != 0, "an echo went by a full bucket")
        neighbor = run("ip", "-netns", link.left.name, "neighbor", "show", address).stdout
        check("lladdr" in neighbor, f"{address} was not found: {neighbor}")
    check(int(daemon.bucket("shut")["rejected_full"]) >= 4, "the full bucket rejected nothing")
    check(processed(daemon, "shut") == 0, "the full bucket sent something")
    check(int(daemon.ctl("rule", "list")["protected_packets"]) >= 4, "ARP and ND were not counted")
    print("ARP and ND passed a full bucket")
    protected_frames_when_full(link, daemon)
    daemon.ctl("rule", "default", "pass")
    daemon.ctl("bucket", "delete", "shut", "--drop")


def test(build, kind):
    with stage.raised(build, kind) as (link, daemon):
        set_up(link, daemon)
        byte_by_byte(link, daemon, kind)
        pings(link, daemon, kind)
        control_traffic_when_full(link, daemon)


if __name__ == "__main__":
    stage.run(test)
