#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What becomes of traffic when dripd is killed, and while it starts again: with --on-failure pass a
bridge of the kernel passes it on, with drop nobody does. Prints the effective blocked time of each
step, as CSIT calls it: packets lost, over packets sent a second."""
import json
import os
import pathlib
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time

import stage  # Finds scripts/lib.
import namespace_link
from daemon import Daemon
from frames import IPV4, ethernet, ipv4, udp
from inside import inside
from namespace_link import run
from packet_socket import PacketSocket
from stage import check, wait_until

PORT = 5400
A_SECOND = 1000
NUMBER = struct.Struct("!I")
SHAPED = 300  # Packets a second, once the bucket is set.


class Link(namespace_link.Link):
    """Its interfaces may be in a bridge, which dripd leaves without a frame while it runs."""

    def build(self):
        super().build()
        for host, mac in zip(self.hosts, ("02:00:00:00:00:01", "02:00:00:00:00:02")):
            host.ip("link", "set", "eth0", "address", mac)

    def make_bridge(self):
        middle = ["ip", "-netns", self.names[2], "link"]
        run(*middle, "add", "br0", "type", "bridge")
        run(
            "ip",
            "netns",
            "exec",
            self.names[2],
            "sysctl",
            "-qw",
            "net.ipv6.conf.br0.disable_ipv6=1",
        )
        for side in ("left", "right"):
            run(*middle, "set", "dev", side, "master", "br0")
        run(*middle, "set", "br0", "up")


class Stream:
    """Numbered frames from left to right, and which of them came, until the end of the block."""

    def __init__(self, link):
        self.link, self.sent, self.came, self.over = link, 0, [], threading.Event()
        with inside(link.right):
            self.into = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.into.setsockopt(socket.SOL_SOCKET, 33, 16 << 20)  # SO_RCVBUFFORCE
            self.into.bind((link.right.address, PORT))
        self.into.settimeout(0.2)
        self.threads = [threading.Thread(target=self.send), threading.Thread(target=self.receive)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()
        self.into.close()

    def send(self):
        os.sched_setaffinity(0, self.link.left.cpus)
        left, right = self.link.left.address, self.link.right.address
        begin = time.monotonic()
        with PacketSocket(self.link.left) as out:
            while not self.over.wait(0.002):
                while self.sent < (time.monotonic() - begin) * A_SECOND:
                    data = NUMBER.pack(self.sent) + bytes(60)
                    out.send(ethernet(IPV4, ipv4(left, right, udp(PORT, data))))
                    self.sent += 1

    def receive(self):
        while not self.over.is_set():
            try:
                self.came.append(NUMBER.unpack_from(self.into.recv(2048))[0])
            except TimeoutError:
                pass

    def flows(self, count=200):
        """Waits until so many packets that are sent from now on have come."""
        first = self.sent
        come = lambda: sum(number >= first for number in self.came[-2 * count :]) >= count
        wait_until(come, "packets come", 60)

    def lost(self, begin, end):
        return (end - begin) - len({n for n in self.came if begin <= n < end})


class Steps:
    """What each step costs: from when all flowed before it until all flows after it."""

    def __init__(self, stream):
        self.stream, self.lines = stream, []

    def step(self, what, act, flows_after=True):
        self.stream.flows()
        begin = self.stream.sent
        act()
        if flows_after:
            self.stream.flows()
        else:
            time.sleep(1)
        time.sleep(0.3)  # What is on its way.
        end = self.stream.sent - A_SECOND // 4
        lost = self.stream.lost(begin, end)
        print(f"{what}: {lost} of {end - begin} packets lost, blocked for {lost / A_SECOND:.3f} s")
        return lost


def kill(daemon):
    daemon.process.send_signal(signal.SIGKILL)
    daemon.process.wait()
    daemon.log.close()


def refusal(build, link, *flags):
    command = [*link.prefix, str((pathlib.Path(build) / "src/daemon/dripd").resolve())]
    command += ["--listen", f"unix:{link.scratch}/refused.sock", *link.dripd_arguments(), *flags]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    check(done.returncode in (1, 2), f"dripd started, or died: {done.returncode}: {done.stderr}")
    return done.stderr


def let_pass(daemon):
    """All through one bucket that lets it through at once."""
    daemon.ctl("bucket", "set", "all", "--rate", "1gbit", "--capacity", "1000")
    daemon.ctl("rule", "default", "all")


def fails_open(build, link, scratch):
    said = refusal(build, link, "--on-failure", "pass")
    check("on_failure is pass" in said and "master BRIDGE" in said, f"it does not say why: {said}")
    link.make_bridge()
    said = refusal(build, link, "--on-failure", "right=drop")
    check("(bridge br0): ip link set dev right nomaster" in said, f"it does not say why: {said}")
    state = ["--state", str(scratch / "state"), "--on-failure", "pass"]
    daemon = Daemon(pathlib.Path(build), link, scratch / "dripd.log", state)
    with Stream(link) as stream:
        steps = Steps(stream)
        steps.step("dripd takes over from the bridge", daemon.start_or_fail)
        let_pass(daemon)
        check("on_failure" not in daemon.log_path.read_text(), "a warning of what is wanted")
        stream.flows()
        check(len(set(stream.came)) == len(stream.came), "packets came twice: by both ways")
        steps.step("kill -9, and the bridge takes over", lambda: kill(daemon))
        restarted = lambda: (daemon.start_or_fail(), stream.flows(50))
        steps.step("dripd starts again", restarted)
        taken = lambda: int(daemon.bucket("all").get("processed_requests", 0))
        wait_until(lambda: taken() > 100, "dripd shapes again, by what --state has", 60)
        # Shaped, that is: nothing passes beside it.
        daemon.ctl("bucket", "set", "all", "--rate", f"{SHAPED}pps", "--capacity", "10")
        time.sleep(0.5)
        before, begin = len(stream.came), time.monotonic()
        time.sleep(2)
        came, span = len(stream.came) - before, time.monotonic() - begin
        check(came < 0.6 * A_SECOND * span, f"{came} packets in {span:.1f} s at {SHAPED}/s")
        new_packets_pass_while_old_ones_drain(daemon, stream)
        daemon.start_or_fail()
        daemon.ctl("bucket", "set", "all", "--rate", "1gbit", "--rate", "0", "--capacity", "1000")
        steps.step("SIGTERM, and the bridge takes over", daemon.__exit__)
        stream.flows()
        check(len(set(stream.came)) == len(stream.came), "packets came twice")


def new_packets_pass_while_old_ones_drain(daemon, stream):
    waiting = lambda: int(daemon.bucket("all").get("queue_size", 0))
    daemon.ctl("bucket", "set", "all", "--capacity", "1000")
    wait_until(lambda: waiting() > 950, "the bucket is full", 60)
    daemon.process.send_signal(signal.SIGTERM)
    wait_until(lambda: "draining" in daemon.log_path.read_text(), "dripd drains", 60)
    first = stream.sent + A_SECOND // 10  # It has said so before it does.
    come = lambda: any(number > first for number in stream.came[-500:])
    wait_until(lambda: come() or daemon.process.poll() is not None, "new packets come", 60)
    still = daemon.run_ctl("bucket", "show", "all")
    state = json.loads(still.stdout or "{}")
    waits = int(state.get("bucket", state).get("queue_size", 0))
    check(waits > 0, "nothing passed before all had drained")
    daemon.process.wait(60)
    check("0 units that still waited were dropped" in daemon.log_path.read_text(), "not all left")
    daemon.log.close()


def fails_closed(build, link, scratch):
    flags = ["--on-failure", "left=drop", "--on-failure", "right=drop"]
    daemon = Daemon(pathlib.Path(build), link, scratch / "dripd.log", flags)
    daemon.start_or_fail()
    let_pass(daemon)
    with Stream(link) as stream:
        steps = Steps(stream)
        lost = steps.step("kill -9, and nobody takes over", lambda: kill(daemon), flows_after=False)
        check(lost > A_SECOND / 4, f"only {lost} packets were lost: somebody passed the others on")
        daemon.start_or_fail()
        let_pass(daemon)
        steps.step("the same with a restart", lambda: (kill(daemon), daemon.start_or_fail()))
        daemon.__exit__()


def test(build, kind):
    with tempfile.TemporaryDirectory(prefix="drip-") as scratch:
        scratch = pathlib.Path(scratch)
        with Link(scratch, 1e9, [kind]) as link:
            if kind == "af_packet":
                said = refusal(build, link, "--on-failure", "pass")
                check("use af_xdp (--port NAME=left)" in said, f"it does not say why: {said}")
            fails_closed(build, link, scratch)
        if kind == "af_xdp":
            with Link(scratch, 1e9, [kind], label="b") as link:
                fails_open(build, link, scratch)


if __name__ == "__main__":
    stage.run(test)
