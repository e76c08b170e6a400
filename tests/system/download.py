# SPDX-License-Identifier: BSD-3-Clause
"""A TCP download through dripd, and what the kernel that sends knows of it."""
import collections
import os
import socket
import struct
import threading

from inside import inside

Info = collections.namedtuple("Info", "rtt_us retransmissions segments")


def tcp_info(connection):
    """Of struct tcp_info in linux/tcp.h."""
    data = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 192)
    word = lambda offset: struct.unpack_from("=I", data, offset)[0]
    return Info(rtt_us=word(68), retransmissions=word(100), segments=word(136))


class Download:
    """One connection from left to right, to `port`, that always has more to send."""

    def __init__(self, link, port):
        self.cpus = link.left.cpus
        with inside(link.right):
            listener = socket.create_server((link.right.address, port))
        with inside(link.left):
            self.out = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.out.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"cubic")
        self.out.settimeout(30)
        self.out.connect((link.right.address, port))
        self.into, _ = listener.accept()
        listener.close()
        self.flow = (
            f"{link.left.address}:{self.out.getsockname()[1]}>{link.right.address}:{port}/tcp"
        )
        self.running = True
        self.threads = [threading.Thread(target=self.send), threading.Thread(target=self.receive)]
        for thread in self.threads:
            thread.start()

    def send(self):
        os.sched_setaffinity(0, self.cpus)
        try:
            while self.running:
                self.out.send(bytes(65536))
        finally:
            self.out.shutdown(socket.SHUT_WR)

    def receive(self):
        os.sched_setaffinity(0, self.cpus)
        while self.into.recv(1 << 20):
            pass

    def finish(self):
        self.running = False
        for thread in self.threads:
            thread.join()
        info = tcp_info(self.out)
        self.out.close()
        self.into.close()
        return info
