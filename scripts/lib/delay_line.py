# SPDX-License-Identifier: BSD-3-Clause
"""Round-trip times on a link of two namespaces where the kernel has no netem: what the right host
sends to addresses of the left one goes through `drip-link delay`, a TUN interface, and comes out of
eth0 later. What the left host sends is not touched, so delays one way are those of the shaper."""
import json
import signal
import subprocess

from namespace_link import run

TUN = "delay0"


class DelayLine:
    """`delays`: ms by address of the left host, which must have it. As a context; result() tells
    afterwards what passed."""

    STOP_SECONDS = 30

    def __init__(self, build, link, delays):
        self.program = str((build / "src/bench/link/drip-link").resolve())
        self.link, self.delays, self.result = link, delays, {}

    def __enter__(self):
        left, right = self.link.left, self.link.right
        shown = json.loads(run("ip", "-json", "-netns", left.name, "link", "show", "eth0").stdout)
        mac = shown[0]["address"]
        for name in ("all", "eth0"):
            # What comes in by eth0 is answered by another interface.
            self.inside("sysctl", "-qw", f"net.ipv4.conf.{name}.rp_filter=0")
        self.process = subprocess.Popen(
            [
                *("ip", "netns", "exec", right.name, self.program, "delay"),
                *("--tun", TUN, "--interface", "eth0", "--to-mac", mac),
                *(part for at, ms in self.delays.items() for part in ("--delay", f"{at}={ms}")),
            ],
            stdout=subprocess.PIPE,
            text=True,
            process_group=0,
        )
        try:
            if self.process.stdout.readline().strip() != "ready":
                raise SystemExit(f"drip-link delay did not start ({self.process.wait()})")
            right.ip("link", "set", TUN, "txqueuelen", "10000", "up")
            for address in self.delays:
                right.ip("route", "add", f"{address}/32", "dev", TUN, "src", right.address)
        except BaseException:
            self.process.kill()
            self.process.wait()
            raise
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            output = self.process.communicate(timeout=self.STOP_SECONDS)[0]
        except subprocess.TimeoutExpired:
            self.process.kill()
            output = self.process.communicate()[0]
        lines = output.splitlines()
        self.result = json.loads(lines[-1]) if lines else {}

    def inside(self, *command):
        run("ip", "netns", "exec", self.link.right.name, *command)
