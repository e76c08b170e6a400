# SPDX-License-Identifier: BSD-3-Clause
"""UDP frames as bytes, and capture files of them."""
import struct

FCS = 4  # Bytes that names of frame sizes count, and that neither a frame here nor a mbuf has.


def checksum(header):
    """RFC 1071."""
    total = sum(struct.unpack(f"!{len(header) // 2}H", header))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def udp_frame(size, source, destination, source_port, destination_port):
    """A frame of `size` bytes without FCS. Addresses are 4 bytes each; there is no UDP checksum."""
    ip_length = size - 14
    ip = lambda check: (
        struct.pack("!BBHHHBBH", 0x45, 0, ip_length, 0, 0, 64, 17, check) + source + destination
    )
    udp = struct.pack("!HHHH", source_port, destination_port, ip_length - 20, 0)
    ethernet = bytes.fromhex("020000000002 020000000001 0800")
    return ethernet + ip(checksum(ip(0))) + udp + bytes(ip_length - 28)


def write_pcap(path, frames):
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for i, frame in enumerate(frames):
            file.write(struct.pack("<IIII", 0, i, len(frame), len(frame)) + frame)
