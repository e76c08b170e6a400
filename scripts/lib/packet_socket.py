# SPDX-License-Identifier: BSD-3-Clause
"""Whole Ethernet frames in and out of an interface, tags included."""
import socket
import struct
import time

import arrival_time
from inside import inside

ETH_P_ALL = 3
SO_RCVBUFFORCE = 33
SOL_PACKET, PACKET_AUXDATA = 263, 8
AUXDATA = struct.Struct("=IIIHHHH")  # struct tpacket_auxdata.
VLAN_VALID, VLAN_TPID_VALID = 0x10, 0x40


class PacketSocket:
    def __init__(self, host, interface="eth0"):
        with inside(host):
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
            self.socket.bind((interface, ETH_P_ALL))
        self.socket.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)
        arrival_time.ask_for(self.socket)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, frame):
        self.socket.send(frame)

    def receive(self):
        """The next frame that came in, as it was on the wire, and the kernel's time of it in s."""
        while True:
            frame, control, _, address = self.socket.recvmsg(65536, 256)
            if address[2] != socket.PACKET_OUTGOING:
                return with_tag(frame, control), arrival_time.of(control)

    def arrived(self):
        """What has come since it was last asked: (frame, time) in the order of their arrival."""
        self.socket.settimeout(0)
        frames = []
        try:
            while True:
                frames.append(self.receive())
        except BlockingIOError:
            return frames

    def receives(self, frame, seconds=5):
        """Whether this very frame comes, among whatever else does."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                if self.receive()[0] == frame:
                    return True
            except TimeoutError:
                break
        return False


def with_tag(frame, control):
    """The kernel takes the outer tag out of the frame and puts it beside."""
    for level, kind, data in control:
        if (level, kind) != (SOL_PACKET, PACKET_AUXDATA):
            continue
        status, _, _, _, _, tag, ether_type = AUXDATA.unpack(data[: AUXDATA.size])
        if status & VLAN_VALID:
            ether_type = ether_type if status & VLAN_TPID_VALID else 0x8100
            return frame[:12] + struct.pack("!HH", ether_type, tag) + frame[12:]
    return frame
