# SPDX-License-Identifier: BSD-3-Clause
"""The one link over which all shapers are measured, and drip-link's commands on it."""
import json
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "lib"))
import namespace_link
from namespace_link import run

TRAFFIC_CPU, SHAPER_CPU = 0, 1


class VethLink(namespace_link.Link):
    """A namespace that sends, one that shapes, one that receives: eth0 <-> left, right <-> eth0.
    The sender and the receiver are on CPU 0; CPU 1 is the shaper's."""

    hugepages = 136  # For 65535 packet buffers.

    def __init__(self, scratch, build):
        super().__init__(scratch, 0)
        self.program = str((build / "src/bench/link/drip-link").resolve())
        self.device_arguments = []

    def build(self):
        super().build()
        for host in self.hosts:
            # What the kernels would say to each other by themselves is not to be counted.
            self.inside(host.name, "sysctl", "-qw", "net.ipv6.conf.eth0.disable_ipv6=1")

    @staticmethod
    def inside(namespace, *command):
        return run("ip", "netns", "exec", namespace, *command)

    @property
    def middle(self):
        return self.names[2]

    def write(self, namespace, path, value):
        self.inside(namespace, "sh", "-c", f"echo {value} > /sys/class/net/{path}")

    def dripd_arguments(self):
        return self.device_arguments

    def received(self):
        line = next(l for l in self.right.proc("dev").splitlines() if l.strip().startswith("eth0:"))
        return int(line.split(":")[1].split()[1])

    def command(self, namespace, *arguments):
        return subprocess.Popen(
            ["ip", "netns", "exec", namespace, self.program, *map(str, arguments)],
            stdout=subprocess.PIPE,
            text=True,
        )

    @staticmethod
    def result(process):
        output = process.communicate()[0]
        if process.returncode != 0:
            raise SystemExit(f"kernel.sh: drip-link failed ({process.returncode})")
        return json.loads(output.strip().splitlines()[-1])

    def send(self, *arguments):
        """As the sender does, on the CPU of traffic."""
        return self.command(
            self.left.name, "send", "--interface", "eth0", "--cpu", TRAFFIC_CPU, *arguments
        )

    def pace(self, *arguments):
        """A sender that spins, in the shaper's place."""
        return self.command(
            self.middle, "send", "--interface", "right", "--cpu", SHAPER_CPU, "--spin", *arguments
        )

    def receive(self, *arguments):
        """Returns once the receiver listens."""
        process = self.command(
            self.right.name, "receive", "--interface", "eth0", "--cpu", TRAFFIC_CPU, *arguments
        )
        if process.stdout.readline().strip() != "ready":
            raise SystemExit("kernel.sh: the receiver did not start")
        return process

    def soak(self, cpu, seconds):
        return self.command(self.left.name, "soak", "--cpu", cpu, "--seconds", seconds)
