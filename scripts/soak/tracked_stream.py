# SPDX-License-Identifier: BSD-3-Clause
"""Numbered datagrams through one bucket that no drawn change touches: their order, and its rate."""
import socket
import struct
import threading

import arrival_time
from frames import IPV4, ethernet, ipv4, udp
from inside import inside
from steady_sender import SteadySender

PAYLOAD = 958
FRAME = PAYLOAD + 42
NUMBER = struct.Struct("!Q")
SO_RCVBUFFORCE = 33
# Set for the bucket; and how far apart the kernel's time of arrival and the departure may be: a
# polling thread that the machine takes its CPU from between the two. Seconds of the rate.
CATCHUP_SECONDS = 0.01
SLACK_SECONDS = 0.02


class TrackedStream:
    """Sends `offered` times as much as `rate_bps`, which is what the bucket for `port` leaks."""

    def __init__(self, link, port, rate_bps, offered=1.5):
        self.rate, self.received = rate_bps, []  # Numbers and arrival times in s.
        self.over = threading.Event()
        left, right = link.left.address, link.right.address
        rest = bytes(PAYLOAD - NUMBER.size)

        # Whole frames: what waits for ARP at a sender is overtaken by what comes after the answer.
        def frame(number):
            return ethernet(IPV4, ipv4(left, right, udp(port, NUMBER.pack(number) + rest)))

        self.sender = SteadySender(link, offered * rate_bps / 8 / FRAME, frame)
        with inside(link.right):
            self.into = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.into.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)
            arrival_time.ask_for(self.into)
            self.into.bind((link.right.address, port))
        self.into.settimeout(0.2)
        self.receiver = threading.Thread(target=self.receive)

    def __enter__(self):
        self.receiver.start()
        self.sender.__enter__()
        return self

    def __exit__(self, *_):
        self.sender.__exit__()
        self.over.set()
        self.receiver.join()
        self.into.close()

    def receive(self):
        while not self.over.is_set():
            try:
                data, control, _, _ = self.into.recvmsg(2048, 256)
            except TimeoutError:
                continue
            self.received.append((NUMBER.unpack_from(data)[0], arrival_time.of(control)))

    def take(self):
        """What has come since the last call."""
        taken, self.received = self.received, []
        return taken


def out_of_order(received):
    """The first number that is not above the one before it, in words; empty if there is none."""
    seen, last = set(), -1
    for position, (number, _) in enumerate(received):
        if number <= last:
            again = "again" if number in seen else "late"
            around = [one for one, _ in received[max(0, position - 3) : position + 4]]
            return f"packet {number} came {again}, of {len(received)}; around it {around}"
        seen.add(number)
        last = number
    return ""


def ahead_of_rate(received, rate_bps):
    """By how many bits what came between any two arrivals is more than the rate allows: at most one
    frame and max_catchup of the rate, by the law."""
    most, least_before = 0, None
    for i, (_, when) in enumerate(received):
        level = 8 * FRAME * i - rate_bps * when
        if least_before is not None:
            most = max(most, level - least_before)
        least_before = level if least_before is None else min(least_before, level)
    return most


def allowed_ahead(rate_bps):
    return 8 * FRAME + rate_bps * (CATCHUP_SECONDS + SLACK_SECONDS)
