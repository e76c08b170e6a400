# SPDX-License-Identifier: BSD-3-Clause
"""A dripd between two network namespaces, with a state directory on a disk of its own; it can be
killed and started again."""
import pathlib
import signal

import namespace_link
from daemon import Daemon
from frames import LEFT_MAC, RIGHT_MAC
from namespace_link import run
from tracked_stream import CATCHUP_SECONDS

TRACKED_PORT, TRACKED_BPS = 5998, 4e6
LEAF_PORT, LEAF_BPS = 5999, 3e6
TURNS_A_SECOND = 20
DISK = "16m"
FUSED, BOTH_FUSED = ["--cpus", "1"], ["--cpus", "0,1"]
SPLIT = ["--worker-cpus", "1", "--transmitter-cpus", "0"]
WITH_CONTROL = ["--control-process", "separate"]
TWO_THREADS = [BOTH_FUSED]  # That receive.
MACS = {"left": LEFT_MAC.hex(":"), "right": RIGHT_MAC.hex(":")}
# The longest frame of af_xdp is bounded by its chunks.
LONGEST = {"af_packet": 9014, "af_xdp": 1514}


class Disk:
    """A file system of its own in memory, which can be filled. REQUIRES: a mount namespace of this
    program's own."""

    def __init__(self, path):
        self.path, self.filler = path, path / "filler"

    def __enter__(self):
        self.path.mkdir()
        run("mount", "-t", "tmpfs", "-o", f"size={DISK}", "none", str(self.path))
        return self

    def __exit__(self, *_):
        run("umount", "--lazy", str(self.path), check=False)

    def fill(self):
        with open(self.filler, "wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass

    def free(self):
        self.filler.unlink(missing_ok=True)


class Link(namespace_link.Link):
    """With as many queues at each port as threads poll it."""

    queues = 1
    hugepages = 320

    def dripd_arguments(self):
        arguments = super().dripd_arguments()
        if self.queues == 1 or self.kinds[0] != "af_packet":
            return arguments
        arguments[arguments.index("--mbufs") + 1] = "49152"
        is_port = lambda word: "=net_af_packet" in word
        return [f"{one},qpairs={self.queues}" if is_port(one) else one for one in arguments]


class ShapedNode:
    """`placement`: dripd's flags for the CPUs."""

    def __init__(self, build, scratch, kind, placement, disk, clock_library):
        self.scratch, self.kind, self.disk = scratch, kind, disk
        self.link = Link(scratch, TRACKED_BPS, [kind])
        self.link.queues = 2 if placement in TWO_THREADS else 1
        self.has_control_process = WITH_CONTROL[0] in placement
        self.link.never_rests = True  # What waits in slow buckets may wait.
        self.clock_offset = scratch / "clock-offset"
        self.clock_offset.write_text("0")
        # dripd's wall clock is set by a library in it, and nobody else's.
        self.clock = [
            "env",
            f"LD_PRELOAD={clock_library}",
            f"DRIP_CLOCK_OFFSET={self.clock_offset}",
        ]
        flags = [*placement, "--state", str(disk.path / "state"), "--overcommit", "4"]
        flags += ["--traffic-samples", "1000", "--metrics", "0", "--web", "0"]
        flags += ["--audit-log", str(scratch / "audit.json"), "--max-buckets", "4096"]
        self.daemon = Daemon(build, self.link, scratch / "dripd.log", flags)
        self.daemon.START_SECONDS = 60
        self.logs = []  # Of those that were killed.

    def __enter__(self):
        self.link.__enter__()
        try:
            self.begin()
        except BaseException:
            self.__exit__()
            raise
        return self

    def begin(self):
        self.link.prefix += self.clock
        for host, side in zip(self.link.hosts, ("left", "right")):
            self.set_up(host, side)
        self.start()

    def __exit__(self, *_):
        if hasattr(self.daemon, "process"):
            self.daemon.__exit__()
        self.link.__exit__()

    def set_up(self, host, side):
        mtu = str(LONGEST[self.kind] - 14)
        run("ip", "-netns", self.link.names[2], "link", "set", side, "mtu", mtu)
        host.ip("link", "set", "eth0", "mtu", mtu, "address", MACS[side])

    def make_again(self, host, side):
        """An interface that was deleted, and its peer, as they were."""
        self.link.make_pair(host, side)
        self.set_up(host, side)

    def start(self):
        self.daemon.start_or_fail()

    def configure(self):
        ctl = self.daemon.ctl
        ctl("bucket", "set", "rest", "--rate", "2gbit", "--capacity", "1000")
        ctl("rule", "default", "rest")
        catchup = ["--max-catchup", f"{1000 * CATCHUP_SECONDS:.0f}ms"]
        tracked = ["--rate", f"{TRACKED_BPS:.0f}bit", "--capacity", "50"]
        ctl("bucket", "set", "tracked", *tracked, *catchup)
        ctl("bucket", "set", "trunk", "--inner", "--rate", "1gbit")
        leaf = ["bucket", "set", "tracked-leaf", "--parent", "trunk", "--capacity", "50", *catchup]
        ctl(*leaf, "--rate", f"{LEAF_BPS:.0f}bit")
        for bucket, port in (("tracked", TRACKED_PORT), ("tracked-leaf", LEAF_PORT)):
            match = ["--proto", "udp", "--dport", str(port), "--dst", self.link.right.address]
            ctl("rule", "add", bucket, "--priority", "100", *match, "--bucket", bucket)
        turns = ["--rate", f"{TURNS_A_SECOND}/s", "--capacity", "10", "--departure", "end"]
        ctl("bucket", "set", "turns", *turns)

    def kill(self):
        self.daemon.process.send_signal(signal.SIGKILL)
        self.daemon.process.wait()
        self.daemon.log.close()
        self.logs.append(self.log())

    def log(self):
        return pathlib.Path(self.daemon.log_path).read_text()

    def alive(self):
        return self.daemon.process.poll() is None
