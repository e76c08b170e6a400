# SPDX-License-Identifier: BSD-3-Clause
"""What a soak did and what it found: counts, findings, and the resources of the processes."""
import collections
import pathlib
import re
import threading
import time

# A process may keep so much more than at its first look, for what the allocator holds back.
SPARE_BYTES, SPARE_PART = 32 << 20, 0.1
SPARE_THREADS, SPARE_FILES = 4, 16
LONGEST_FINDING = 1500  # Characters.


class Journal:
    """Thread safe."""

    def __init__(self):
        self.begin = time.monotonic()
        self.lock = threading.Lock()
        self.counts = {name: collections.Counter() for name in ("changes", "faults", "checks")}
        self.totals = collections.Counter()  # Packets, requests.
        self.findings = []
        self.resources = []  # (seconds, episode, resident bytes, threads, files) at rest.
        self.skipped = {}  # What was not possible here, and why.

    def seconds(self):
        return time.monotonic() - self.begin

    def say(self, text):
        minutes, seconds = divmod(int(self.seconds()), 60)
        print(f"{minutes:3}:{seconds:02} {text}", flush=True)

    def count(self, kind, what, by=1):
        with self.lock:
            self.counts[kind][what] += by

    def add(self, what, by):
        with self.lock:
            self.totals[what] += by

    def skip(self, what, why):
        with self.lock:
            self.skipped.setdefault(what, why)

    def check(self, holds, what, detail=""):
        """Counts a check of `what`; one that does not hold is a finding."""
        self.count("checks", what)
        if not holds:
            self.find(f"{what}: {detail}")
        return holds

    def find(self, text):
        with self.lock:
            self.findings.append((self.seconds(), text[:LONGEST_FINDING]))
        self.say(f"FOUND: {text[:LONGEST_FINDING]}")


def resources(process):
    """Resident bytes, threads and open files of a process."""
    root = pathlib.Path(f"/proc/{process.pid}")
    status = (root / "status").read_text()
    field = lambda name: int(re.search(rf"^{name}:\s+(\d+)", status, re.M).group(1))
    return field("VmRSS") * 1024, field("Threads"), len(list((root / "fd").iterdir()))


class Growth:
    """Whether a process stays as large as it was: looks at it whenever it is at rest."""

    def __init__(self, journal, episode, warm_up=2):
        self.journal, self.episode, self.warm_up = journal, episode, warm_up
        self.process, self.first, self.looks = None, None, 0

    def look(self, process):
        if process is not self.process:  # Another one, after it was killed.
            self.process, self.first, self.looks = process, None, 0
        now = resources(process)
        self.looks += 1
        self.journal.resources.append((self.journal.seconds(), self.episode, *now))
        if self.looks <= self.warm_up or self.first is None:
            self.first = tuple(map(max, now, self.first or now))
            return
        spare = (SPARE_BYTES + SPARE_PART * self.first[0], SPARE_THREADS, SPARE_FILES)
        for name, first, value, more in zip(("memory", "threads", "files"), self.first, now, spare):
            self.journal.check(value <= first + more, f"{name} flat", f"{first}, now {value}")
