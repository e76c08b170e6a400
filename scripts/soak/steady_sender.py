# SPDX-License-Identifier: BSD-3-Clause
"""Frames out of the left host's interface at a steady rate, whatever becomes of the interface."""
import contextlib
import os
import threading
import time

from packet_socket import PacketSocket

BURST_SECONDS = 0.005


class SteadySender:
    """`frame(number)` makes the next frame; one that could not be sent has no number. Sends until
    the end of the block. It does not make up for more than a second that it missed."""

    def __init__(self, link, a_second, frame):
        self.link, self.rate, self.frame = link, a_second, frame
        self.sent, self.over = 0, threading.Event()
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()

    def run(self):
        # One that changes its CPU may overtake itself in the kernel.
        os.sched_setaffinity(0, {min(self.link.left.cpus)})
        begin, self.tried = time.monotonic(), 0
        while not self.over.is_set():
            # Anew after an error: the interface may be another one, of the same name.
            with contextlib.suppress(OSError), PacketSocket(self.link.left) as out:
                self.send_by(out, begin)
            self.over.wait(BURST_SECONDS)

    def send_by(self, out, begin):
        while not self.over.wait(BURST_SECONDS):
            due = (time.monotonic() - begin) * self.rate
            self.tried = max(self.tried, int(due - self.rate))
            while self.tried < due:
                self.tried += 1
                out.send(self.frame(self.sent))
                self.sent += 1
