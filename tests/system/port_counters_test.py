#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What a port says of its link and its packets, beside what the other ends sent and received."""
import errno
import os
import signal
import threading
import time
import types

import stage
from frames import ethernet, pattern
from namespace_link import run
from packet_socket import PacketSocket
from stage import check, wait_until

EXPERIMENTAL = 0x88B5
MTU = 1500


def test(build, kind):
    with stage.raised(build, kind) as (link, daemon):
        daemon.ctl("bucket", "set", "all", "--rate", "8mbit", "--capacity", "2000")
        daemon.ctl("rule", "default", "all")
        with PacketSocket(link.left) as left, PacketSocket(link.right) as right:
            time.sleep(1.5)  # Until what hosts send when a link comes up is over.
            sent_before = port(daemon, "right")["tx_packets"]
            right.arrived()
            loss_before_drip_is_counted(link, daemon, left, right)
            loss_under_overload_is_counted(link, daemon, left, right)
            a_link_that_is_down_is_given_nothing(link, daemon, left, right)
            long_frames_are_dropped_and_counted(link, daemon, left, right)
            tx_is_what_was_received(daemon, right, sent_before)
            if kind == "af_packet":  # AF_XDP refuses such an MTU.
                cut_frames_are_dropped_and_counted(link, daemon, left, right)
            the_hosts_own_frames_go_nowhere_else(link, daemon, left, right)
            what_an_interface_took_to_its_end_is_an_error(link, daemon, left)
        an_interface_that_comes_back_is_taken_again(link, daemon)
        a_killed_node_starts_again(link, daemon)


def port(daemon, name):
    return next(one for one in daemon.ctl("port", "list")["ports"] if one["name"] == name)


def counted(daemon, reason):
    drops = [drop for one in daemon.ctl("lcore", "list")["lcores"] for drop in one["drops"]]
    return sum(drop["packets"] for drop in drops if drop["reason"] == reason)


received = 0  # Frames that the right end has got.
kinds = {}  # How many of each EtherType.


def take(right):
    global received
    try:
        arrived = right.arrived()
    except OSError as error:
        check(error.errno == errno.ENETDOWN, f"the right end: {error}")
        arrived = right.arrived()  # Its socket had to tell that its link was down once.
    for frame, _ in arrived:
        kinds[frame[12:14].hex()] = kinds.get(frame[12:14].hex(), 0) + 1
    received += len(arrived)  # What the left host sends by itself as well.
    return [frame for frame, _ in arrived if frame[12:14] == b"\x88\xb5"]


def send(left, count, payload=200):
    for _ in range(count):
        left.send(ethernet(EXPERIMENTAL, pattern(payload)))


def bucket_is_empty(daemon):
    return daemon.bucket("all")["queue_size"] == 0


def loss_before_drip_is_counted(link, daemon, left, right):
    def sent():
        text = link.left.proc("dev")
        return int(text.split("eth0:")[1].split()[9])

    before, was = sent(), port(daemon, "left")
    os.kill(daemon.process.pid, signal.SIGSTOP)
    try:
        send(left, 5000)
    finally:
        os.kill(daemon.process.pid, signal.SIGCONT)

    def missing():
        now = port(daemon, "left")
        got = sum(now[name] - was[name] for name in ("rx_packets", "rx_missed", "rx_errors"))
        return abs(sent() - before - got)

    wait_until(lambda: missing() <= 5, "what was sent is accounted for")
    wait_until(lambda: bucket_is_empty(daemon), "the bucket drains")
    check(missing() <= 5, f"{missing()} of {sent() - before} are not accounted for")
    now = port(daemon, "left")
    check(now["rx_missed"] > was["rx_missed"], "nothing was missed in a stall")
    check("rx_no_mbuf" in now["unknown_counters"], "a counter that nobody keeps is known")
    take(right)


def loss_under_overload_is_counted(link, daemon, left, right):
    """More comes than dripd takes: it has a tenth of the time, 5 ms in 50."""

    def sent():
        return int(link.left.proc("dev").split("eth0:")[1].split()[9])

    before, was = sent(), port(daemon, "left")
    over = threading.Event()

    def hold_back():
        while not over.is_set():
            os.kill(daemon.process.pid, signal.SIGSTOP)
            over.wait(0.045)
            os.kill(daemon.process.pid, signal.SIGCONT)
            time.sleep(0.005)

    holder = threading.Thread(target=hold_back)
    holder.start()
    try:
        until = time.monotonic() + 2
        while time.monotonic() < until:
            send(left, 1000)
    finally:
        over.set()
        holder.join()

    def counted():
        now = port(daemon, "left")
        return sum(now[name] - was[name] for name in ("rx_packets", "rx_missed", "rx_errors"))

    def missing():
        return abs(sent() - before - counted())

    # 0.1 % of what came.
    bound = max(5, (sent() - before) // 1000)
    wait_until(lambda: missing() <= bound, "what was sent is accounted for")
    wait_until(lambda: bucket_is_empty(daemon), "the bucket drains")
    check(missing() <= bound, f"{missing()} of {sent() - before} are not accounted for")
    now = port(daemon, "left")
    taken, missed = (now[name] - was[name] for name in ("rx_packets", "rx_missed"))
    print(f"  overload: of {sent() - before} frames {taken} taken, {missed} missed")
    check(taken > 0 and missed > 0, f"{taken} taken, {missed} missed: that is no overload")
    take(right)


def a_link_that_is_down_is_given_nothing(link, daemon, left, right):
    middle = link.names[2]
    for namespace, interface in ((middle, "right"), (link.right.name, "eth0")):
        changes = port(daemon, "right")["link_changes"]
        link.set_link(namespace, interface, "down")
        wait_until(lambda: port(daemon, "right")["link_state"] == "down", "LINK is down", 1.5)
        check(not port(daemon, "right")["link_up"], "a link that is down is up")
        send(left, 500)
        queued = lambda: daemon.bucket("all")["queue_size"]
        wait_until(lambda: queued() >= 450, "packets wait for a link that is down")
        check(queued() >= 450, "packets left for a link that is down")
        link.set_link(namespace, interface, "up")
        wait_until(lambda: port(daemon, "right")["link_state"] == "up", "LINK is up", 1.5)
        wait_until(lambda: bucket_is_empty(daemon), "the bucket drains")
        check(port(daemon, "right")["link_changes"] == changes + 2, "changes are miscounted")
        check(len(take(right)) >= 495, "packets that waited were lost")
    log = daemon.log_path.read_text()
    check("port right (right): link down" in log, "the log does not say that the link went down")
    check("port right (right): link up" in log, "the log does not say that the link came up")


def long_frames_are_dropped_and_counted(link, daemon, left, right):
    middle = link.names[2]
    charged = daemon.bucket("all")["total_requests"]
    # An egress of a smaller MTU.
    for namespace, interface in ((middle, "right"), (link.right.name, "eth0")):
        run("ip", "-netns", namespace, "link", "set", interface, "mtu", "1000")
    wait_until(lambda: port(daemon, "right")["mtu"] == 1000, "MTU of the egress", 2)
    send(left, 50, 1000)
    send(left, 50, 1001)
    wait_until(lambda: counted(daemon, "egress_mtu") == 50, "frames longer than the MTU allows")
    wait_until(lambda: bucket_is_empty(daemon), "the bucket drains")
    time.sleep(0.2)
    got = take(right)
    check(len(got) == 50, f"{len(got)} frames came, of 50 that fit")
    check(daemon.bucket("all")["total_requests"] == charged + 50, "a long frame was charged")
    for namespace, interface in ((middle, "right"), (link.right.name, "eth0")):
        run("ip", "-netns", namespace, "link", "set", interface, "mtu", str(MTU))
    wait_until(lambda: port(daemon, "right")["mtu"] == MTU, "MTU of the egress", 2)


def tx_is_what_was_received(daemon, right, sent_before):
    time.sleep(0.3)
    take(right)
    sent = port(daemon, "right")["tx_packets"] - sent_before
    check(
        abs(sent - received) <= max(3, received // 200),
        f"TX is {sent}, and {received} were received: {kinds}",
    )
    check(port(daemon, "right")["tx_errors"] <= 3, "TX ERRORS without an error")


def cut_frames_are_dropped_and_counted(link, daemon, left, right):
    """Frames longer than a slot of the driver's ring come cut, and are not sent on so."""
    ends = [(link.names[2], "left"), (link.names[2], "right")]
    ends += [(host.name, "eth0") for host in (link.left, link.right)]
    for namespace, interface in ends:
        run("ip", "-netns", namespace, "link", "set", interface, "mtu", "9000")
    wait_until(lambda: port(daemon, "right")["mtu"] == 9000, "MTU of the egress", 2)
    charged = daemon.bucket("all")["total_requests"]
    send(left, 20, 4000)
    wait_until(lambda: counted(daemon, "rx_truncated") == 20, "frames longer than a slot")
    take(right)
    send(left, 20, 1500)
    wait_until(lambda: daemon.bucket("all")["total_requests"] >= charged + 20, "frames that fit")
    wait_until(lambda: bucket_is_empty(daemon), "the bucket drains")
    time.sleep(0.2)
    got = take(right)
    check(len(got) == 20, f"{len(got)} frames came, of 20 that fit")
    check(counted(daemon, "rx_truncated") == 20, "a frame that fits was taken for a cut one")
    check(daemon.bucket("all")["total_requests"] == charged + 20, "a cut frame was charged")
    for namespace, interface in ends:
        run("ip", "-netns", namespace, "link", "set", interface, "mtu", str(MTU))
    wait_until(lambda: port(daemon, "right")["mtu"] == MTU, "MTU of the egress", 2)


def the_hosts_own_frames_go_nowhere_else(link, daemon, left, right):
    """What dripd's own host sends by an interface is nothing that came in by it."""
    left.arrived()
    charged = daemon.bucket("all")["total_requests"]
    was = port(daemon, "right")["rx_packets"]
    with PacketSocket(types.SimpleNamespace(name=link.names[2]), "right") as host:
        send(host, 200)
    time.sleep(0.3)
    check(len(take(right)) == 200, "the right end did not get the host's own frames")
    passed_on = [frame for frame, _ in left.arrived() if frame[12:14] == b"\x88\xb5"]
    check(not passed_on, f"{len(passed_on)} of the host's own frames left by the other port")
    check(daemon.bucket("all")["total_requests"] == charged, "the host's own frames were charged")
    # The right end sends for itself now and then.
    check(port(daemon, "right")["rx_packets"] < was + 100, "the host's own frames were received")


def what_an_interface_took_to_its_end_is_an_error(link, daemon, left):
    """Of what was given to an interface that is deleted, all has left or is an error."""
    daemon.ctl("rule", "default", "pass")
    os.kill(daemon.process.pid, signal.SIGSTOP)
    try:
        send(left, 500)
        run("ip", "-netns", link.names[2], "link", "delete", "right")
    finally:
        # The polling thread gives the driver what has come before it hears of the interface's end.
        os.kill(daemon.process.pid, signal.SIGCONT)
    wait_until(lambda: port(daemon, "right")["link_state"] == "gone", "LINK is gone", 1.5)

    def unaccounted():
        ports = daemon.ctl("port", "list")["ports"]
        lcores = daemon.ctl("lcore", "list")["lcores"]
        left_them = sum(one["tx_packets"] + one["tx_errors"] for one in ports)
        return sum(one["tx_packets"] for one in lcores) - left_them

    wait_until(lambda: unaccounted() == 0, "all that was given is TX or TX ERRORS", 2)
    print(f"{port(daemon, 'right')['tx_errors']} TX ERRORS")


def an_interface_that_comes_back_is_taken_again(link, daemon):
    middle = link.names[2]
    run(
        *f"ip link add right netns {middle} type veth peer name eth0".split(),
        "netns",
        link.right.name,
    )
    run(*link.prefix, "sysctl", "-qw", "net.ipv6.conf.right.disable_ipv6=1")
    link.right.configure()
    run("ip", "-netns", middle, "link", "set", "right", "up", "promisc", "on")
    wait_until(lambda: port(daemon, "right")["link_state"] == "up", "the port is taken again", 5)
    with PacketSocket(link.left) as left, PacketSocket(link.right) as right:
        frame = ethernet(EXPERIMENTAL, pattern(333))

        def comes():
            left.send(frame)
            return right.receives(frame, 0.5)

        wait_until(comes, f"a frame by the interface that is back: {daemon.ctl('port', 'list')}")
    check("is open again" in daemon.log_path.read_text(), "the log does not say that it is back")


def a_killed_node_starts_again(link, daemon):
    for _ in range(3):
        daemon.process.kill()
        daemon.process.wait()
        daemon.log.close()
        check(daemon.start(), f"no start after a kill: {daemon.log_path.read_text()}")
    with PacketSocket(link.left) as left, PacketSocket(link.right) as right:
        frame = ethernet(EXPERIMENTAL, pattern(444))
        left.send(frame)
        check(right.receives(frame), "nothing comes after a kill and a start")


if __name__ == "__main__":
    stage.run(test)
