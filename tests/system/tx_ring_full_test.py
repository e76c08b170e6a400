#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The transmit ring of af_xdp is full for a while: the driver counts each frame that it has not
taken as an error, at each try, and no counter of Drip's does. TX is what the receiver got."""
import time

import stage
from frames import ethernet, pattern
from packet_socket import PacketSocket
from stage import check, wait_until
from stopped_thread import stopped, threads_named
from telemetry_test import Telemetry

EXPERIMENTAL = 0x88B5
FRAMES = 4000  # More than the ring and the burst before it take.
BURST = 50
RIGHT = 1  # The device's number in DPDK.


def port(daemon, name):
    return next(one for one in daemon.ctl("port", "list")["ports"] if one["name"] == name)


def eth0(host, field):
    return int(host.proc("dev").split("eth0:")[1].split()[field])


def send(left, count):
    for sent in range(count):
        left.send(ethernet(EXPERIMENTAL, pattern(200)))
        if sent % BURST == BURST - 1:
            time.sleep(0.002)


def test(build, kind):
    ways = ("--pair", "left:right", "--dpdk-telemetry")
    with stage.raised(build, kind, ways=ways) as (link, daemon):
        daemon.ctl("bucket", "set", "all", "--rate", "1gbit", "--capacity", str(2 * FRAMES))
        daemon.ctl("rule", "default", "all")
        telemetry = Telemetry(daemon.process.pid)
        errors_of_driver = lambda: telemetry.ask(f"/ethdev/stats,{RIGHT}")["oerrors"]
        sent_by_left = lambda: eth0(link.left, 9)
        received_by_right = lambda: eth0(link.right, 1)
        with PacketSocket(link.left) as left, PacketSocket(link.right) as right:
            time.sleep(1.5)  # Until what hosts send when a link comes up is over.
            before = {name: port(daemon, name) for name in ("left", "right")}
            sent, received = sent_by_left(), received_by_right()
            right.arrived()
            # So that Drip gives the port frames though its link is down.
            with stopped(threads_named(daemon.process.pid, "drip-links")[0]):
                link.set_link(link.names[2], "right", "down")
                send(left, FRAMES)
                wait_until(lambda: errors_of_driver() > 10 * FRAMES, "the ring is full", 60)
            wait_until(lambda: port(daemon, "right")["link_state"] == "down", "LINK is down", 60)
            told = errors_of_driver()
            taken = telemetry.ask(f"/ethdev/stats,{RIGHT}")["opackets"]
            now = port(daemon, "right")
            check(now["tx_errors"] == before["right"]["tx_errors"], f"TX ERRORS: {now}")
            gone = now["tx_packets"] - before["right"]["tx_packets"]
            check(gone <= 10, f"TX counts {gone} frames that are in a ring")
            link.set_link(link.names[2], "right", "up")
            wait_until(lambda: daemon.bucket("all")["queue_size"] == 0, "the bucket drains", 60)
            frames = []

            def all_have_come():
                frames.extend(one for one, _ in right.arrived() if one[12:14] == b"\x88\xb5")
                return len(frames) >= FRAMES

            wait_until(all_have_come, f"all {FRAMES} frames", 60)
            check(len(frames) == FRAMES, f"{len(frames)} came, of {FRAMES}")
            wait_until(lambda: daemon.balance().waiting == 0, "nothing waits", 60)
            now = {name: port(daemon, name) for name in ("left", "right")}
            rise = lambda name, field: now[name][field] - before[name][field]
            sent, received = sent_by_left() - sent, received_by_right() - received
            print(
                f"the driver took {taken} before its ring was full, and counts {told} errors; "
                f"{FRAMES} frames sent and received; TX {rise('right', 'tx_packets')}, TX ERRORS "
                f"{rise('right', 'tx_errors')}, the receiver's kernel has {received}"
            )
            taken_in = sum(rise("left", name) for name in ("rx_packets", "rx_missed", "rx_errors"))
            check(abs(sent - taken_in) <= max(3, sent // 1000), f"{sent} sent, {taken_in} taken in")
            sent_on = rise("right", "tx_packets")
            check(
                abs(sent_on - received) <= max(3, received // 1000),
                f"TX {sent_on}, and the receiver got {received}",
            )
            check(rise("right", "tx_errors") == 0, "TX ERRORS without a lost frame")


if __name__ == "__main__":
    stage.run(test)
