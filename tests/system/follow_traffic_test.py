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


def make_buckets(daemon):
    """One on each thread."""
    for thread, name in enumerate(BUCKETS):
        daemon.ctl("bucket", "set", name, "--rate", f"{OFFERED_BPS * 2:.0f}", "--capacity", "4000")
        check(daemon.bucket(name)["transmitter"] == thread, f"{name} is not on thread {thread}")


def send_into(daemon, name):
    daemon.ctl("rule", "default", name)


def moves(daemon, name):
    return daemon.bucket(name)["moves"]


def wait_for_move(daemon):
    """Of one of the buckets, whichever is at the wrong thread. Returns its name."""
    for name in BUCKETS:
        send_into(daemon, name)
        deadline = time.monotonic() + LOOKS_SECONDS
        while time.monotonic() < deadline:
            if moves(daemon, name) > 0:
                return name
            time.sleep(0.1)
    raise stage.Failure("no bucket has moved")


def test_on(build, kind):
    with two_threads(build, kind, "on") as (link, daemon):
        make_buckets(daemon)
        send_into(daemon, BUCKETS[0])
        with UdpStream(link, PACKETS_A_SECOND) as stream:
            wait_until(lambda: len(stream.received) > 100, "traffic")
            name = wait_for_move(daemon)
            time.sleep(2)
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
        dropped = sum(bucket.get("rejected_requests", 0) for bucket in (moved, stayed))
        check(lost <= missed + dropped, f"{lost} are lost, {missed} missed, {dropped} dropped")
        print(f"{kind}: moved under {PACKETS_A_SECOND} packets a second, {stream.sent} sent")


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
    test_on(build, kind)
    test_off(build, kind)


if __name__ == "__main__":
    stage.run(test)
