# SPDX-License-Identifier: BSD-3-Clause
"""Faults of a shaped node, each of some seconds, after which all is as it was."""
import contextlib
import os
import pathlib
import signal
import socket
import time

from control_processes import control_processes
from namespace_link import run
from stopped_thread import stopped, threads_named

POLLING_THREADS = "drip-lcore"
HOUR = 3600
CONNECTIONS = 10_000
SPARE_MEMORY = 48 << 20
FLOOD, FLOOD_PORT = "flood", 5990
CGROUPS = pathlib.Path("/sys/fs/cgroup")


@contextlib.contextmanager
def flood(link):
    """Small datagrams from the left host to the right one, as many as it can send."""
    code = (
        "import socket, time\n"
        "out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        f"out.connect(({link.right.address!r}, {FLOOD_PORT}))\n"
        "end = time.monotonic() + 30\n"
        "while time.monotonic() < end:\n"
        "    try:\n"
        "        out.send(b'flood')\n"
        "    except OSError:\n"
        "        time.sleep(0.001)\n"
    )
    process = link.left.spawn("python3", "-c", code)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def draw_and_run(owner, faults, soak):
    """One of `faults`, methods of `owner`, of those that the user wants: each once before any comes
    again."""
    wanted = [one for one in faults if soak.wanted_fault in one.__name__.replace("_", " ")]
    left = soak.faults_left.setdefault(type(owner), [])
    if not set(left) & set(wanted):
        left += wanted
        soak.random.shuffle(left)
    if possible := [one for one in left if one in wanted]:
        fault = possible.pop()
        left.remove(fault)
        name = fault.__name__.replace("_", " ")
        soak.journal.say(f"  fault: {name}")
        fault(owner)
        soak.journal.count("faults", name)


class Faults:
    """The methods in ALL are drawn. `hosts_are_comparable` is False once a fault has had hosts and
    kernel lose frames that the node cannot count; `port_held` is True once packets that had departed
    may have waited in a driver, and have left together."""

    def __init__(self, soak, node, changer):
        self.soak, self.node, self.changer = soak, node, changer
        self.random, self.journal = soak.random, soak.journal
        self.hosts_are_comparable, self.was_killed, self.port_held = True, False, False

    def one(self):
        own = [type(self).control_process_is_killed] * (not self.node.has_control_process)
        draw_and_run(self, [one for one in self.ALL if one not in own], self.soak)

    def link_flaps_each_second(self):
        self.hosts_are_comparable, self.port_held = False, True
        link = self.node.link
        for _ in range(3):
            names = [(link.names[2], "left"), (link.names[2], "right")]
            names += [(host.name, "eth0") for host in link.hosts]
            namespace, interface = self.random.choice(names)
            link.set_link(namespace, interface, "down")
            time.sleep(0.5)
            link.set_link(namespace, interface, "up")
            time.sleep(0.5)

    def port_takes_nothing_for_5_s(self):
        """Drip does not learn that the link is down, because the thread that asks stands still."""
        self.hosts_are_comparable, self.port_held = False, True
        link = self.node.link
        with stopped(threads_named(self.node.daemon.process.pid, "drip-links")[0]):
            link.set_link(link.names[2], "right", "down")
            time.sleep(5)
            link.set_link(link.names[2], "right", "up")

    def interface_is_deleted(self):
        """And made again, with its peer in the host's namespace."""
        self.hosts_are_comparable, self.port_held = False, True
        link, side = self.node.link, self.random.choice([0, 1])
        host, name = link.hosts[side], ("left", "right")[side]
        run("ip", "-netns", link.names[2], "link", "delete", name)
        time.sleep(self.random.uniform(0.1, 1.5))
        self.node.make_again(host, name)
        self.soak.wait_until(
            lambda: self.port(name)["link_state"] == "up", f"port {name} is up again"
        )

    def polling_thread_stands_for_100_ms(self):
        threads = threads_named(self.node.daemon.process.pid, POLLING_THREADS)
        for _ in range(5):
            with stopped(self.random.choice(threads)):
                time.sleep(0.1)
            time.sleep(0.2)

    def killed_and_started_again(self):
        """Everything that was acknowledged is there again."""
        self.hosts_are_comparable, self.was_killed = False, True
        changes = self.changer.changes
        self.changer.pause()
        before = changes.listing()
        # Half of the time in the middle of changes: then each that was answered must be there,
        # which system/state_test.py looks at; here that dripd starts.
        in_the_middle = self.random.random() < 0.5
        changes.away = True
        if in_the_middle:
            self.changer.resume()
            time.sleep(self.random.uniform(0, 0.3))
        self.node.kill()
        if in_the_middle:
            self.changer.pause()
        self.node.start()
        changes.away = False
        after = changes.listing()
        if not in_the_middle:
            self.journal.check(
                before == after, "a restart changes no setting", difference(before, after)
            )
        self.changer.resume()

    def disk_is_full(self):
        self.node.disk.fill()
        time.sleep(3)
        self.node.disk.free()
        self.soak.wait_until(
            lambda: self.node.daemon.try_ctl(
                "bucket", "set", "after-full", "--rate", "1mbit", "--capacity", "5"
            ),
            "changes are taken again when there is room",
        )

    def wall_clock_is_set_by_an_hour(self):
        self.node.clock_offset.write_text(str(self.random.choice([-HOUR, HOUR])))
        time.sleep(3)
        self.node.clock_offset.write_text("0")

    def connections(self):
        """10,000 that say nothing, or as many as this process may open."""
        opened = []
        path = self.node.daemon.server.removeprefix("unix:")
        self.changer.changes.away = True  # They are all of one client, and so is dripctl.
        with contextlib.ExitStack() as stack:
            for _ in range(CONNECTIONS):
                one = stack.enter_context(socket.socket(socket.AF_UNIX))
                one.setblocking(False)
                try:
                    one.connect(path)
                except OSError:  # Its backlog is full, or it accepts no more of this client.
                    continue
                opened.append(one)
            self.journal.add("connections that say nothing", len(opened))
            time.sleep(1)
        self.soak.wait_until(lambda: self.node.daemon.try_ctl("node", "show"), "the node answers")
        self.changer.changes.away = False

    def memory_is_short(self):
        """A control group leaves dripd little more than it has."""
        group = CGROUPS / f"memory/drip-soak-{os.getpid()}"
        try:
            group.mkdir()
        except OSError as error:
            self.journal.skip("memory is short", f"no control group can be made ({error})")
            return
        try:
            pid = self.node.daemon.process.pid
            (group / "cgroup.procs").write_text(str(pid))
            # Memory is charged to the group that first touched it, so what dripd has is not.
            (group / "memory.limit_in_bytes").write_text(str(SPARE_MEMORY))
            time.sleep(4)
            (CGROUPS / "memory/cgroup.procs").write_text(str(pid))
        finally:
            group.rmdir()

    def packet_buffers_run_out(self):
        """More packets wait in one bucket than there are packet buffers."""
        ctl, link = self.node.daemon.ctl, self.node.link
        buffers = int(ctl("node", "show")["memory"]["mbufs"])
        bucket = ["--rate", "8kbit", "--capacity", str(buffers)]
        match = ["--proto", "udp", "--dport", str(FLOOD_PORT), "--dst", link.right.address]
        with self.changer.paused():
            ctl("bucket", "set", FLOOD, *bucket)
            rule = ("rule", "add", FLOOD, "--priority", "99", *match, "--bucket", FLOOD)
            if not self.node.daemon.try_ctl(*rule):  # Too many are promised to other buckets.
                ctl("bucket", "delete", FLOOD)
                self.journal.skip("packet buffers run out", "all of them are promised to others")
                return
        with flood(link):
            # But for those in the caches of threads, which others cannot have.
            self.soak.wait_until(
                lambda: int(ctl("node", "show")["memory"].get("mbufs_free", 0)) < buffers / 8,
                "all packet buffers are in use",
            )
            time.sleep(2)
        with self.changer.paused():
            ctl("rule", "delete", FLOOD)
            ctl("bucket", "delete", FLOOD, "--drop")
        self.soak.wait_until(
            lambda: int(ctl("node", "show")["memory"].get("mbufs_free", 0)) > buffers / 10,
            "there are packet buffers again",
        )

    def rings_are_full(self):
        """A polling thread stands still while more comes than a ring has room for: the port's, or
        that of another thread which hands over to it."""
        thread = self.random.choice(threads_named(self.node.daemon.process.pid, POLLING_THREADS))
        with flood(self.node.link):
            time.sleep(0.2)
            with stopped(thread):
                time.sleep(1)
            time.sleep(0.2)

    def control_process_is_killed(self):
        """Another one serves, and nothing else is known of it: time after time."""
        process = self.node.daemon.process.pid
        for _ in range(3):
            before = control_processes(process)
            for pid in before:
                os.kill(pid, signal.SIGKILL)
            self.changer.changes.away = True
            self.soak.wait_until(
                lambda: control_processes(process) - before
                and self.node.daemon.try_ctl("node", "show"),
                "another control process serves",
                10,
            )
            self.changer.changes.away = False
            time.sleep(0.5)

    ALL = [
        link_flaps_each_second,
        port_takes_nothing_for_5_s,
        interface_is_deleted,
        polling_thread_stands_for_100_ms,
        killed_and_started_again,
        disk_is_full,
        wall_clock_is_set_by_an_hour,
        connections,
        memory_is_short,
        packet_buffers_run_out,
        rings_are_full,
        control_process_is_killed,
    ]

    def port(self, name):
        ports = self.node.daemon.ctl("port", "list")["ports"]
        return next(one for one in ports if one["name"] == name)


def difference(before, after):
    """Which parts of two listings differ, in short."""
    if before is None or after is None:
        return "one of them could not be had"
    parts = []
    for part in before:
        if before[part] != after[part]:
            if part == "buckets":
                names = set(before[part]) | set(after[part])
                one = lambda side, name: side[part].get(name)
                parts += [
                    f"{name}: {one(before, name)} -> {one(after, name)}"
                    for name in sorted(names)
                    if one(before, name) != one(after, name)
                ]
            else:
                parts.append(f"{part}: {before[part]} -> {after[part]}")
    return "; ".join(parts)[:600]
