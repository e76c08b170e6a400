#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Links go down and up under traffic: it flows again, in order, and all is accounted for."""
import time

import stage
from stage import check, wait_until
from udp_stream import UdpStream

DOWN_SECONDS = 1.0


def test(build, kind):
    with stage.raised(build, kind) as (link, daemon):
        daemon.ctl("bucket", "set", "all", "--rate", "20mbit", "--capacity", "200")
        daemon.ctl("rule", "default", "all")
        middle = link.names[2]
        received, sent = eth0_received(link), port_sent(daemon)
        with UdpStream(link, 1000) as stream:
            flows(stream, "at the start")
            for namespace, interface in (
                (middle, "left"),
                (middle, "right"),
                (link.left.name, "eth0"),
                (link.right.name, "eth0"),
            ):
                for state in ("down", "up"):
                    link.set_link(namespace, interface, state)
                    if state == "down":
                        time.sleep(DOWN_SECONDS)
                flows(stream, f"after {interface} of {namespace} was down")
            stream.stop_sending()
            time.sleep(0.5)
        sent, received = port_sent(daemon) - sent, eth0_received(link) - received
        check(abs(sent - received) <= received / 1000, f"TX {sent}, and {received} were received")
        check(len(stream.received) == len(set(stream.received)), "a packet came twice")
        print(f"{kind}: {stream.sent} sent, {len(stream.received)} received")


def eth0_received(link):
    """Frames that the kernel behind the right port has got."""
    return int(link.right.proc("dev").split("eth0:")[1].split()[1])


def port_sent(daemon):
    return next(
        p["tx_packets"] for p in daemon.ctl("port", "list")["ports"] if p["name"] == "right"
    )


def flows(stream, when):
    before = len(stream.received)
    wait_until(lambda: len(stream.received) >= before + 300, f"traffic {when}")
    # Not the first ones: those that waited for ARP may come after those that did not.
    steady = stream.received[before + 100 : before + 300]
    check(steady == sorted(steady), f"order was lost {when}: {steady}")


if __name__ == "__main__":
    stage.run(test)
