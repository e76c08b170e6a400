# SPDX-License-Identifier: BSD-3-Clause
"""What stands in the middle of the link: a queueing discipline of the kernel, or dripd."""
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "lib"))
from daemon import Daemon
from veth_link import SHAPER_CPU, TRAFFIC_CPU

FIRST_PORT = 10000  # drip-link's flow 0.
MAJOR = 1 << 16  # Of class ids "1:...".


class Kernel:
    """From left to right by the shortest way that the kernel has: a redirect at the ingress of left
    to the egress of right, where the queueing discipline is. By default all of it happens on the
    CPU that sends. With RPS (receive packet steering) the shaper's part of it is on the shaper's
    CPU, and the receiver's on the receiver's."""

    def __init__(self, link):
        self.link = link

    def __enter__(self):
        self.tc(
            "qdisc add dev left clsact",
            "filter add dev left ingress protocol all u32 match u32 0 0 "
            "action mirred egress redirect dev right",
        )
        try:
            self.set_up()
        except BaseException:
            self.__exit__()
            raise
        return self

    def set_up(self):
        pass

    def __exit__(self, *_):
        subprocess.run(
            [
                "ip",
                "netns",
                "exec",
                self.link.middle,
                "tc",
                "qdisc",
                "delete",
                "dev",
                "right",
                "root",
            ],
            capture_output=True,
        )
        self.tc("qdisc delete dev left clsact")
        self.steer(False)

    def tc(self, *lines):
        done = subprocess.run(
            ["ip", "netns", "exec", self.link.middle, "tc", "-batch", "-"],
            input="\n".join(lines) + "\n",
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            raise SystemExit(f"kernel.sh: tc: {done.stderr.strip()[:500]}")

    def steer(self, to_shaper_cpu):
        for namespace, interface, cpu in (
            (self.link.middle, "left", SHAPER_CPU),
            (self.link.right.name, "eth0", TRAFFIC_CPU),
        ):
            self.link.write(
                namespace,
                f"{interface}/queues/rx-0/rps_cpus",
                f"{1 << cpu:x}" if to_shaper_cpu else "0",
            )


class Htb(Kernel):
    """A class for each flow, found by a classic BPF program of four instructions: no lookup is
    cheaper, and none depends less on how many classes there are."""

    def __init__(self, link, classes, rate, burst):
        super().__init__(link)
        self.classes, self.rate, self.burst = classes, rate, burst

    def set_up(self):
        self.tc(
            "qdisc add dev right root handle 1: htb",
            *[
                f"class add dev right parent 1: classid 1:{i + 1:x} htb rate {self.rate} "
                f"burst {self.burst} cburst {self.burst} quantum 1514"
                for i in range(self.classes)
            ],
            # ldh [36]; sub #FIRST_PORT - 1; or #MAJOR; ret a
            "filter add dev right parent 1: bpf bytecode "
            f'"4,40 0 0 36,20 0 0 {FIRST_PORT - 1},68 0 0 {MAJOR},22 0 0 0"',
        )


class Tbf(Kernel):
    def __init__(self, link, rate, burst):
        super().__init__(link)
        self.rate, self.burst = rate, burst

    def set_up(self):
        self.tc(f"qdisc add dev right root tbf rate {self.rate} burst {self.burst} limit 1514000")


class Dripd(Daemon):
    """dripd with a bucket and a rule for each flow, polling on the shaper's CPU."""

    MBUFS = 65535

    def __init__(self, build, link, kind, buckets, rate):
        super().__init__(build, link, link.scratch / "dripd.log")
        config = link.scratch / "dripd.toml"
        capacity = 1000 if buckets <= 16 else 32
        lines = []
        for i in range(buckets):
            lines.append(
                f'[[buckets]]\nbucket_id = "b{i}"\nleak_rate_bps = "{rate}"\n'
                f"capacity = {capacity}"
            )
        for i in range(buckets):
            port = FIRST_PORT + i
            lines.append(
                f'[[rules]]\nrule_id = "r{i}"\nbucket_id = "b{i}"\n'
                f"match = {{ dst_port = {{ first = {port}, last = {port} }} }}"
            )
        config.write_text("\n".join(lines) + "\n")
        overcommit = max(1, 2 * buckets * capacity / self.MBUFS)
        device = lambda i, side: f"{side}=net_{kind}{i},iface={side}"
        link.device_arguments = [
            "--config",
            str(config),
            "--port",
            device(0, "left"),
            "--port",
            device(1, "right"),
            "--pair",
            "left:right",
            "--cpus",
            str(SHAPER_CPU),
            "--mbufs",
            str(self.MBUFS),
            "--overcommit",
            f"{overcommit:.2f}",
        ]

    def __enter__(self):
        return self.start_or_fail()

    def defer(self, on):
        """NAPI of left runs by a timer of 200 us while packets come, not by an interrupt each."""
        for name, value in (("napi_defer_hard_irqs", 2), ("gro_flush_timeout", 200000)):
            self.link.write(self.link.middle, f"left/{name}", value if on else 0)

    def __exit__(self, *arguments):
        self.defer(False)
        super().__exit__(*(arguments or (None, None, None)))

    def lcore(self):
        return {
            name: int(value)
            for name, value in self.ctl("lcore", "list")["lcores"][0].items()
            if isinstance(value, (int, str)) and str(value).isdigit()
        }
