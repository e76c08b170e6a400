# SPDX-License-Identifier: BSD-3-Clause
"""Constant-rate UDP to several ports by an Ethernet socket, and what of each arrives."""
import threading
import time

from frames import IPV4, ethernet, ipv4, pattern, udp
from packet_socket import PacketSocket
from stage import check

FRAME = 1000
PAYLOAD = FRAME - 42


def frame(port):
    return ethernet(IPV4, ipv4("198.51.100.1", "203.0.113.9", udp(port, pattern(PAYLOAD), 40000)))


class UdpLoad:
    """Sends to each port in turns, together `bits_per_second`."""

    def __init__(self, link, ports, bits_per_second):
        self.link, self.ports, self.rate = link, ports, bits_per_second / 8 / FRAME
        self.running = True
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.running = False
        self.thread.join()

    def run(self):
        with PacketSocket(self.link.left) as left:
            sent, begin = 0, time.monotonic()
            while self.running:
                # A machine that cannot keep up never reaches the end of this loop by itself.
                while self.running and sent < (time.monotonic() - begin) * self.rate:
                    left.send(frame(self.ports[sent % len(self.ports)]))
                    sent += 1
                time.sleep(0.002)


def shares(right, ports, seconds):
    """What each port gets from now on, in bit/s, by the kernel's time of each frame."""
    right.arrived()
    time.sleep(seconds)
    times = {port: [] for port in ports}
    for got, when in right.arrived():
        for port in ports:
            if len(got) == FRAME and got[36:38] == port.to_bytes(2, "big"):
                times[port].append(when)
    all_times = [when for each in times.values() for when in each]
    check(len(all_times) > 100, f"only {len(all_times)} frames came")
    span = max(all_times) - min(all_times)
    return {port: 8 * FRAME * len(each) / span for port, each in times.items()}
