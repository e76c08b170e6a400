# SPDX-License-Identifier: BSD-3-Clause
"""Frames to be replayed: one size, IMIX, many flows."""
import pathlib
import struct
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "lib"))
from udp_frames import FCS, udp_frame, write_pcap

# The simple IMIX: 7 frames of 64 bytes, 4 of 594, 1 of 1518 ("aaaaaaacccce" in terms of RFC 6985).
IMIX = [64] * 7 + [594] * 4 + [1518]


def frame_of(flow, wire_bytes):
    """`wire_bytes` includes the FCS, which the frame itself does not have. The flow is in the
    source address (198.18.0.0/15, RFC 2544)."""
    source = struct.pack("!I", (198 << 24 | 18 << 16) + 1 + flow)
    return udp_frame(wire_bytes - FCS, source, bytes((198, 19, 0, 1)), 1024, 9)


def write_traffic(path, sizes, flows):
    """Writes at least 64 frames, so that a burst does not repeat one frame; sizes are mixed evenly.
    Returns the mean size without FCS."""
    order = sorted(range(len(sizes)), key=lambda i: (i * 5 % len(sizes), i))
    count = max(flows, 64, len(sizes))
    count += -count % len(sizes)
    write_pcap(path, [frame_of(i % flows, sizes[order[i % len(sizes)]]) for i in range(count)])
    return sum(sizes) / len(sizes) - FCS
