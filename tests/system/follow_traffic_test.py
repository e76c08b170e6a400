#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Two polling threads: a bucket whose packets come in at the other thread moves
there while they flow, and none is lost, overtaken, or late by more than its rate says."""
import contextlib
import os
import pathlib
import sys
import tempfile
import time

import stage
from stage import check, wait_until
from udp_stream import FRAME, UdpStream

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "scripts/lib"))
import namespace_link
from daemon import Daemon

PACKETS_A_SECOND = 3000
OFFERED_BPS = PACKETS_A_SECOND * FRAME * 8
BUCKETS = ("first", "second")
LOOKS_SECONDS = 4  # In which dripd looks several times.


class TwoQueues(namespace_link.Link):
    """The kernel decides by the flow which of a port's two queues, and so which thread, gets it."""

    def dripd_arguments(self):
        changed = {"16384": "65535"}  # Packet buffers.
        return [
            argument + ",qpairs=2" if "iface=" in argument else changed.get(argument, argument)
            for argument in super().dripd_arguments()
        ]


@contextlib.contextmanager
def two_threads(build, kind, follow):
    cpus = ",".join(str(cpu) for cpu in sorted(os.sched_getaffinity(0))[-2:])
    flags = ["--cpus", cpus, "--idle", "sleep", "--follow-traffic", follow]
    with tempfile.TemporaryDirectory(prefix="drip-") as scratch:
        with TwoQueues(pathlib.Path(scratch), 1e9, [kind]) as link:
            log = pathlib.Path(scratch) / "dripd.log"
            with Daemon(pathlib.Path(build), link, log, flags) as daemon:
                # Datagrams that wait for ARP would be overtaken, or lost, at the sender.
                ping = ["ping", "-q", "-c", "1", "-W", "10", link.right.address]
                link.left.spawn(*ping).wait()
                try:
                    yield link, daemon
                    balance = daemon.balance()
                    check(balance.holds, f"the balance does not hold: {balance.text}")
                except stage.Failure:
                    print(f"dripd's log:\n{log.read_text()}")
                    raise


def set_rate(daemon, name, of_offered, *flags):
    """So much of the rate that is offered."""
    daemon.ctl("bucket", "set", name, "--rate", f"{OFFERED_BPS * of_offered:.0f}bit", *flags)


def make_buckets(daemon, flags=(), in_trees=False):
    """One on each thread, in which nothing waits as yet."""
    for thread, name in enumerate(BUCKETS):
        place = ("--parent", f"{name}-site") if in_trees else ()
        if in_trees:
            daemon.ctl("bucket", "set", f"{name}-site", "--inner", "--rate", "1gbit")
        set_rate(daemon, name, 2, "--capacity", "2000", *flags, *place)
        check(daemon.bucket(name)["transmitter"] == thread, f"{name} is not on thread {thread}")


def send_into(daemon, name):
    daemon.ctl("rule", "default", name)


def wait_for_move(daemon, of_offered=2.0):
    """Of one of the buckets, whichever is at the wrong thread. Returns its name."""
    for name in BUCKETS:
        send_into(daemon, name)
        set_rate(daemon, name, of_offered)
        deadline = time.monotonic() + LOOKS_SECONDS
        while time.monotonic() < deadline:
            if daemon.bucket(name)["moves"] > 0:
                return name
            time.sleep(0.1)
        # What waits here leaves before what comes to the next one.
        set_rate(daemon, name, 20)
        wait_until(lambda: daemon.bucket(name)["queue_size"] == 0, "an empty bucket")
    raise stage.Failure("no bucket has moved")


def test_on(build, kind, of_offered, flags, in_trees=False):
    with two_threads(build, kind, "on") as (link, daemon):
        make_buckets(daemon, flags, in_trees)
        send_into(daemon, BUCKETS[0])
        with UdpStream(link, PACKETS_A_SECOND) as stream:
            wait_until(lambda: len(stream.received) > 100, "traffic")
            name = wait_for_move(daemon, of_offered)
            time.sleep(2)
            # It grows from the first packet on, and a bucket moves after 1024 of them.
            backlog = daemon.bucket(name)["queue_size"]
            check(of_offered > 1 or backlog > 100, f"{backlog} wait")
            stream.stop_sending()
            wait_until(lambda: daemon.bucket(name)["queue_size"] == 0, "an empty bucket")
            time.sleep(0.5)
        moved, stayed = daemon.bucket(name), daemon.bucket(BUCKETS[1 - BUCKETS.index(name)])
        check([moved["moves"], stayed["moves"]] == [1, 0], f"moves: {moved}, {stayed}")
        check(moved["transmitter"] == stayed["transmitter"], "they are on two threads")
        # Not the first ones: those that waited for ARP may come after those that did not.
        steady = stream.received[200:]
        check(steady == sorted(steady), "order was lost")
        check(len(set(steady)) == len(steady), "a packet came twice")
        check(moved["queue_size"] == 0, f"{moved}")
        lost = stream.sent - steady[0] - len(steady)
        missed = sum(port.get("rx_missed", 0) for port in daemon.ctl("port", "list")["ports"])
        dropped = sum(
            bucket.get(what, 0)
            for bucket in (moved, stayed)
            for what in ("rejected_requests", "dropped_requests")
        )
        check(lost <= missed + dropped, f"{lost} are lost, {missed} missed, {dropped} dropped")
        check(("queue" in moved) == bool(flags), f"{moved}")
        if in_trees:
            site = daemon.bucket(f"{name}-site")
            check(site["transmitter"] == moved["transmitter"], f"the tree is torn: {site}")
            check(site["moves"] == 1, f"{site}")
            sent = [int(one.get("processed_requests", 0)) for one in (site, moved)]
            check(sent[0] == sent[1], f"{sent} of the root and of its only leaf")
        print(
            f"{kind} {' '.join(flags)}{' in a tree' * in_trees}: moved under {PACKETS_A_SECOND} packets a second with"
            f" {backlog} waiting soon after, {stream.sent} sent"
        )


def test_off(build, kind):
    with two_threads(build, kind, "off") as (link, daemon):
        make_buckets(daemon)
        send_into(daemon, BUCKETS[0])
        with UdpStream(link, PACKETS_A_SECOND) as stream:
            wait_until(lambda: len(stream.received) > 100, "traffic")
            try:
                check(False, f"{wait_for_move(daemon)} has moved")
            except stage.Failure as failure:
                check("no bucket has moved" in str(failure), str(failure))
            stream.stop_sending()


def test(build, kind):
    if len(os.sched_getaffinity(0)) < 2:
        stage.skip("two polling threads need two CPUs")
    test_on(build, kind, 2.0, ())
    # What waits in a queue moves as well.
    test_on(build, kind, 0.7, ("--queue", "fair"))
    # A tree moves as a whole.
    test_on(build, kind, 0.7, ("--queue", "fair"), in_trees=True)
    test_off(build, kind)


if __name__ == "__main__":
    stage.run(test)
