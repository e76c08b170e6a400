# SPDX-License-Identifier: BSD-3-Clause
"""Samples of byte counters over time, and the rates between them."""
import json
import subprocess
import threading
import time


def now():
    """Seconds of CLOCK_MONOTONIC_RAW, which dripd uses for its time stamps."""
    return time.clock_gettime(time.CLOCK_MONOTONIC_RAW)


class Meter:
    """Samples byte counters, each as a list of (seconds, bytes). The bytes that the bucket sent
    come from `watch`, a streaming dripctl. dripd itself says when it read that counter, so a delay
    until the sample arrives here does not matter."""

    INTERVAL = 0.1

    def __init__(self, watch, received, offered):
        self.watch, self.read_received, self.read_offered = watch, received, offered
        self.sent, self.received, self.offered = [], [], []

    def __enter__(self):
        self.process = subprocess.Popen(
            self.watch, stdout=subprocess.PIPE, text=True, process_group=0
        )
        self.reader = threading.Thread(target=self.read_sent)
        self.reader.start()
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.reader.join()

    def read_sent(self):
        for line in self.process.stdout:
            states = json.loads(line)
            self.sent.append(
                (int(states["monotonic_ns"]) / 1e9, int(states["buckets"][0]["processed_bytes"]))
            )

    def sample_until(self, end):
        while (begun := now()) < end:
            self.take(self.received, self.read_received)
            self.take(self.offered, self.read_offered)
            time.sleep(max(0.0, begun + self.INTERVAL - now()))

    @staticmethod
    def take(samples, read):
        """A sample is dated to the middle of the time that reading it took."""
        before = now()
        value = read()
        if value is not None:
            samples.append(((before + now()) / 2, value))


def slope(samples, begin, end):
    """Bytes a second over [begin, end], by a least squares fit through all samples, because each is
    taken some milliseconds late on a busy machine."""
    inside = [(t, value) for t, value in samples if begin <= t <= end]
    if len(inside) < 3:
        raise SystemExit(f"only {len(inside)} samples between two changes of rate")
    mean_t = sum(t for t, _ in inside) / len(inside)
    mean_v = sum(value for _, value in inside) / len(inside)
    return sum((t - mean_t) * (value - mean_v) for t, value in inside) / sum(
        (t - mean_t) ** 2 for t, _ in inside
    )


def least_rate(samples, begin, end):
    """The lowest bytes a second between successive samples in [begin, end]; infinite without
    any."""
    inside = [(t, value) for t, value in samples if begin <= t <= end]
    return min(
        ((v1 - v0) / (t1 - t0) for (t0, v0), (t1, v1) in zip(inside, inside[1:]) if t1 > t0),
        default=float("inf"),
    )
