# SPDX-License-Identifier: BSD-3-Clause
"""Builds frames as bytes: Ethernet with tags, IPv4 and IPv6, UDP, fragments."""
import ipaddress
import struct

LEFT_MAC, RIGHT_MAC = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")
IPV4, IPV6, VLAN, QINQ = 0x0800, 0x86DD, 0x8100, 0x88A8
UDP = 17
MORE_FRAGMENTS = 0x2000


def ethernet(ether_type, payload, tags=()):
    """`tags`: (ether type, id) from the outer one in."""
    head = RIGHT_MAC + LEFT_MAC
    for tag_type, vlan_id in tags:
        head += struct.pack("!HH", tag_type, vlan_id)
    return head + struct.pack("!H", ether_type) + payload


def pattern(size):
    return bytes((7 * i + size) % 256 for i in range(size))


def udp(port, payload, source_port=40000):
    return struct.pack("!HHHH", source_port, port, 8 + len(payload), 0) + payload


def checksum(head):
    total = sum(struct.unpack(f"!{len(head) // 2}H", head))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ipv4(source, destination, payload, fragment=0, protocol=UDP, ds_field=0):
    """`fragment`: flags and offset as in the header. `ds_field`: DSCP and ECN."""
    head = struct.pack(
        "!BBHHHBBH4s4s",
        0x45,
        ds_field,
        20 + len(payload),
        77,
        fragment,
        64,
        protocol,
        0,
        ipaddress.ip_address(source).packed,
        ipaddress.ip_address(destination).packed,
    )
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def ipv6(source, destination, payload, next_header=UDP):
    return (
        struct.pack(
            "!IHBB16s16s",
            6 << 28,
            len(payload),
            next_header,
            64,
            ipaddress.ip_address(source).packed,
            ipaddress.ip_address(destination).packed,
        )
        + payload
    )


def ipv6_fragment(source, destination, payload, offset, more):
    """One fragment, `offset` in bytes, of a UDP datagram."""
    head = struct.pack("!BBHI", UDP, 0, offset | int(more), 77)
    return ipv6(source, destination, head + payload, next_header=44)
