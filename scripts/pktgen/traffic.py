# SPDX-License-Identifier: BSD-3-Clause
"""Frames to be replayed: one size, IMIX, many flows."""
import pathlib
import struct
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "lib"))
from in_process_link import write_pcap

FCS = 4
# The simple IMIX: 7 frames of 64 bytes, 4 of 594, 1 of 1518 (RFC 6985 would call it "aaaaaaacccce").
IMIX = [64] * 7 + [594] * 4 + [1518]


def checksum(header):
    """RFC 1071."""
    total = sum(struct.unpack(f"!{len(header) // 2}H", header))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def udp_frame(wire_bytes, flow):
    """`wire_bytes` counts the FCS, as names of frame sizes do; the frame itself has none. Its flow is
    in its source address (198.18.0.0/15, RFC 2544)."""
    length = wire_bytes - FCS - 14
    address = struct.pack("!I", (198 << 24 | 18 << 16) + 1 + flow)
    ip = lambda check: struct.pack(
        "!BBHHHBBH4s4s", 0x45, 0, length, 0, 0, 64, 17, check, address, bytes((198, 19, 0, 1))
    )
    payload = bytes(length - 28)
    return (
        bytes.fromhex("020000000002 020000000001 0800")
        + ip(checksum(ip(0)))
        + struct.pack("!HHHH", 1024, 9, 8 + len(payload), 0)
        + payload
    )


def write_traffic(path, sizes, flows):
    """At least 64 frames, so that a burst is not one frame over and over; sizes in an even mix."""
    order = sorted(range(len(sizes)), key=lambda i: (i * 5 % len(sizes), i))
    count = max(flows, 64, len(sizes))
    count += -count % len(sizes)
    write_pcap(path, [udp_frame(sizes[order[i % len(sizes)]], i % flows) for i in range(count)])
    return sum(sizes) / len(sizes) - FCS
