# SPDX-License-Identifier: BSD-3-Clause
"""Numbered UDP datagrams from left to right at a steady rate, and which of them arrived."""
import os
import socket
import struct
import threading
import time

from inside import inside

PORT = 5201
PAYLOAD = 1448
FRAME = PAYLOAD + 8 + 20 + 14
BURST_SECONDS = 0.005
NUMBER = struct.Struct("!I")


class UdpStream:
    def __init__(self, link, packets_per_second):
        self.destination = (link.right.address, PORT)
        self.cpus = link.left.cpus
        self.rate = packets_per_second
        self.sent = self.refused = 0
        self.received = []  # Numbers in the order of their arrival.
        self.stopping = threading.Event()
        with inside(link.left):
            self.out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with inside(link.right):
            self.into = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.into.setsockopt(socket.SOL_SOCKET, 33, 16 << 20)  # SO_RCVBUFFORCE
            self.into.bind(self.destination)
        self.into.settimeout(0.2)
        self.threads = [threading.Thread(target=self.send), threading.Thread(target=self.receive)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop_sending()
        self.stopping.set()
        self.threads[1].join()
        self.out.close()
        self.into.close()

    def send(self):
        # One that changes its CPU may overtake itself in the kernel; and the polling CPU is busy.
        os.sched_setaffinity(0, self.cpus)
        rest = bytes(PAYLOAD - NUMBER.size)
        begin = time.monotonic()
        self.sending = True
        while self.sending:
            while self.sending and (
                self.sent + self.refused < (time.monotonic() - begin) * self.rate
            ):
                try:
                    self.out.sendto(NUMBER.pack(self.sent) + rest, self.destination)
                    self.sent += 1
                except OSError:  # No way there at this moment.
                    self.refused += 1
            time.sleep(BURST_SECONDS)

    def receive(self):
        while not self.stopping.is_set():
            try:
                self.received.append(NUMBER.unpack_from(self.into.recv(2048))[0])
            except TimeoutError:
                pass

    def stop_sending(self):
        self.sending = False
        self.threads[0].join()
