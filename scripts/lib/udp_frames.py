# SPDX-License-Identifier: BSD-3-Clause
"""UDP frames as bytes, and capture files of them."""
import struct

from frames import IPV4, ethernet, ipv4, udp

FCS = 4  # Bytes that names of frame sizes count, and that neither a frame here nor a mbuf has.


def udp_frame(size, source, destination, source_port, destination_port):
    """A frame of `size` bytes without FCS. Addresses are 4 bytes each; there is no UDP checksum."""
    datagram = udp(destination_port, bytes(size - 42), source_port)
    return ethernet(IPV4, ipv4(source, destination, datagram))


def write_pcap(path, frames):
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for i, frame in enumerate(frames):
            file.write(struct.pack("<IIII", 0, i, len(frame), len(frame)) + frame)
