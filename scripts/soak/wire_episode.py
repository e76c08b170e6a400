# SPDX-License-Identifier: BSD-3-Clause
"""Real frames of two hosts through a dripd on kernel interfaces, while everything is changed and
faults come; at the end of each round all is at rest, and the invariants are looked at."""
import contextlib
import time

from changes import Changer, Changes
from faults import Faults
from invariants import Invariants
from journal import Growth
from load import odd_frames, Programs
from request_load import RequestLoad
from shaped_node import (
    LEAF_BPS,
    LEAF_PORT,
    LONGEST,
    TRACKED_BPS,
    TRACKED_PORT,
    TURNS_A_SECOND,
    Disk,
    ShapedNode,
)
from tracked_stream import TrackedStream, ahead_of_rate, allowed_ahead, out_of_order

ODD_FRAMES_A_SECOND = 3000
ROUND_SECONDS = 12


def run(soak, seconds, kind, placement):
    """`placement`: dripd's flags for its CPUs."""
    directory = soak.new_directory()
    with contextlib.ExitStack() as stack:
        disk = stack.enter_context(Disk(directory / "disk"))
        node = ShapedNode(soak.build, directory, kind, placement, disk, soak.clock_library)
        stack.enter_context(soak.keep_logs_on_findings(node))
        stack.enter_context(node)
        node.configure()
        Episode(soak, node, f"{kind} {' '.join(placement)}").run(time.monotonic() + seconds)


class Episode:
    def __init__(self, soak, node, name):
        self.soak, self.journal, self.node, self.name = soak, soak.journal, node, name
        self.invariants = Invariants(node, soak.journal)
        self.growth = Growth(soak.journal, name)

    def run(self, end):
        changes = Changes(self.node.daemon.run_ctl, self.soak.random, self.journal)
        with Changer(changes) as changer:
            self.invariants.hold(False)
            number = 0
            while time.monotonic() < end or number == 0:
                number += 1
                self.journal.say(f" round {number}")
                self.round(changer)

    def round(self, changer):
        soak, link = self.soak, self.node.link
        faults = Faults(soak, self.node, changer)
        changer.resume()
        with contextlib.ExitStack() as stack:
            tracked = [
                stack.enter_context(TrackedStream(link, port, rate))
                for port, rate in ((TRACKED_PORT, TRACKED_BPS), (LEAF_PORT, LEAF_BPS))
            ]
            requests = RequestLoad(
                soak.api, [self.node.daemon.server], "turns", soak.random, self.journal
            )
            with contextlib.ExitStack() as load:
                longest = LONGEST[self.node.kind]
                load.enter_context(odd_frames(link, ODD_FRAMES_A_SECOND, longest))
                load.enter_context(Programs(link, ROUND_SECONDS))
                load.enter_context(requests)
                end = time.monotonic() + ROUND_SECONDS
                time.sleep(2)
                faults.one()
                time.sleep(max(0, end - time.monotonic()))
            turns, span = requests.take()
            self.journal.check(
                turns <= TURNS_A_SECOND * span + 1,
                "turns within their rate",
                f"{turns} in {span:.1f} s at {TURNS_A_SECOND}/s",
            )
        changer.pause()
        for stream in tracked:
            self.look_at(stream, faults.port_held)
        if faults.was_killed:
            self.invariants.begin_of_life()
        self.invariants.hold(faults.hosts_are_comparable)
        if self.node.alive():
            self.growth.look(self.node.daemon.process)

    def look_at(self, stream, port_held):
        received = stream.take()
        self.journal.add("numbered packets received", len(received))
        # Where a queue is full, the kernel gives a flow's packets to another one (fanout with
        # rollover, which the driver asks for): with several queues they have no order.
        if self.node.link.queues == 1:
            what = out_of_order(received)
            self.journal.check(not what, "packets of a bucket in order", what)
        if not port_held:
            ahead = ahead_of_rate(received, stream.rate)
            self.journal.check(
                ahead <= allowed_ahead(stream.rate),
                "never more than the rate allows",
                f"{ahead:.0f} bits ahead of {stream.rate:.0f} bit/s",
            )
        self.journal.check(len(received) > 0, "numbered packets arrive", "none")
