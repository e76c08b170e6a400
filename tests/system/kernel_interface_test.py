#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What dripd sets of a kernel interface while it runs, and puts back at the end."""
import pathlib
import re
import subprocess
import tempfile

import stage  # Finds scripts/lib.
import namespace_link
from daemon import Daemon
from frames import ethernet, ipv4, udp
from namespace_link import run
from packet_socket import PacketSocket
from stage import check, wait_until

FLOWS = 200
OFFLOADS = ("generic-receive-offload", "tx-tcp-segmentation")


class Link(namespace_link.Link):
    """Interfaces with what Drip has to change. af_xdp is asked for by the interface's name alone."""

    def build(self):
        super().build()
        for side in ("left", "right"):
            run("ip", "-netns", self.names[2], "link", "set", side, "promisc", "off")
            run(*self.prefix, "ethtool", "-K", side, "gro", "on", "tso", "on")
            run(*self.prefix, "ethtool", "-L", side, "rx", "2", check=False)

    def dripd_arguments(self):
        arguments = super().dripd_arguments()
        if self.kinds[0] != "af_xdp":
            return arguments
        return [re.sub(r"^(\w+)=net_af_xdp\d,iface=", r"\1=", one) for one in arguments]

    def settings(self, side):
        """Those that dripd may change, as the kernel tells them."""
        features = run(*self.prefix, "ethtool", "-k", side).stdout
        now = {name: re.search(rf"^\s*{name}: (\w+)", features, re.M).group(1) for name in OFFLOADS}
        queues = run(*self.prefix, "ethtool", "-l", side, check=False).stdout.split("Current")
        if found := re.search(r"^RX:\s+(\d+)", queues[-1], re.M):
            now["queues"] = found.group(1)
        text = run("ip", "-netns", self.names[2], "-details", "link", "show", side).stdout
        now["promiscuity"] = re.search(r"promiscuity (\d+)", text).group(1)
        now["program"] = "xdp" in text
        return now


def test(build, kind):
    with tempfile.TemporaryDirectory(prefix="drip-") as scratch:
        scratch = pathlib.Path(scratch)
        with Link(scratch, 100e6, [kind]) as link:
            before = {side: link.settings(side) for side in ("left", "right")}
            print(f"before: {before['left']}")
            with Daemon(pathlib.Path(build), link, scratch / "dripd.log") as daemon:
                for side in before:
                    are_set(kind, link.settings(side), before[side])
                all_flows_arrive(link)
                if kind == "af_xdp":
                    a_program_that_runs_stays(daemon, link)
                check(daemon.balance().holds, "the balance does not hold")
            after = {side: link.settings(side) for side in ("left", "right")}
            check(after == before, f"not put back: {after}, before {before}")


def are_set(kind, now, before):
    for name in OFFLOADS:
        check(before[name] == "on", f"{name} cannot be turned on here")
        check(now[name] == "off", f"{name} is {now[name]} while dripd runs")
    check(now["promiscuity"] != "0", "the interface is not promiscuous")
    if kind == "af_xdp":
        check(now["program"], "af_xdp is not what was taken")
        check(
            now.get("queues", "1") == "1", f"{now['queues']} receive queues, of which one is polled"
        )


def a_program_that_runs_stays(daemon, link):
    """A second node is refused the interface, and the first one's program goes on."""
    before = {side: link.settings(side) for side in ("left", "right")}
    command = [*link.prefix, str(daemon.dripd.resolve()), "--listen", daemon.server + ".second"]
    second = subprocess.run(
        [*command, *link.dripd_arguments()], capture_output=True, text=True, timeout=30
    )
    check(second.returncode != 0, "two nodes have one interface")
    check(
        "another program receives from left by AF_XDP" in second.stderr,
        f"it does not say why: {second.stderr}",
    )
    check({side: link.settings(side) for side in before} == before, "what others set was changed")
    all_flows_arrive(link)


def all_flows_arrive(link):
    source, destination = link.left.address, link.right.address
    frames = [
        ethernet(0x0800, ipv4(source, destination, udp(9, bytes(50), 1000 + flow)))
        for flow in range(FLOWS)
    ]
    with PacketSocket(link.left) as left, PacketSocket(link.right) as right:
        for frame in frames:
            left.send(frame)
        missing = set(frames)

        def come():
            missing.difference_update(frame for frame, _ in right.arrived())
            return not missing

        wait_until(come, "frames of all flows arrive")


if __name__ == "__main__":
    stage.run(test)
