#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What dripd sets of a kernel interface while it runs, and puts back at the end; where it does not
start."""
import ctypes
import json
import os
import pathlib
import re
import socket
import subprocess
import tempfile
import types

import stage  # Finds scripts/lib.
import namespace_link
from daemon import Daemon
from frames import ethernet, ipv4, udp
from inside import inside
from namespace_link import run
from packet_socket import PacketSocket
from stage import check, wait_until

FLOWS = 200
BPF_PROG_TYPE_XDP = 6
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
            if kind == "af_xdp":
                a_program_of_another_stays(build, link)
            else:
                a_kernel_that_forwards_is_refused(build, link)
            before = {side: link.settings(side) for side in ("left", "right")}
            print(f"before: {before['left']}")
            with Daemon(pathlib.Path(build), link, scratch / "dripd.log") as daemon:
                for side in before:
                    are_set(kind, link.settings(side), before[side])
                doctor_finds_the_offloads_off(daemon, link)
                doctor_finds_queues_that_nobody_polls(daemon, scratch)
                all_flows_arrive(link)
                if kind == "af_xdp":
                    a_program_that_runs_stays(daemon, link)
                else:
                    a_kernel_that_begins_to_forward_is_said(daemon, link)
                what_others_change_is_set_again(kind, daemon, link)
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


def refusal(build, link):
    """What a dripd says that must not start."""
    command = [*link.prefix, str((pathlib.Path(build) / "src/daemon/dripd").resolve())]
    command += ["--listen", f"unix:{link.scratch}/refused.sock", *link.dripd_arguments()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    check(done.returncode == 1, f"dripd started, or died: {done.returncode}: {done.stderr}")
    return done.stderr


def attach_program(link, side):
    """A program that passes all to the kernel, as a firewall's would; its id."""
    libbpf = ctypes.CDLL("libbpf.so.1", use_errno=True)
    # r0 = XDP_PASS; exit (struct bpf_insn).
    instructions = ctypes.create_string_buffer(bytes.fromhex("b700000002000000 9500000000000000"))
    program = libbpf.bpf_prog_load(BPF_PROG_TYPE_XDP, b"firewall", b"BSD", instructions, 2, None)
    check(program >= 0, f"no program can be loaded: {program}")
    with inside(types.SimpleNamespace(name=link.names[2])):
        error = libbpf.bpf_xdp_attach(socket.if_nametoindex(side), program, 0, None)
    os.close(program)
    check(error == 0, f"the program cannot be attached: {error}")
    return attached_program(link, side)


def attached_program(link, side):
    text = run("ip", "-netns", link.names[2], "-details", "link", "show", side).stdout
    found = re.search(r"prog/xdp id (\d+)", text)
    return found and int(found.group(1))


def a_program_of_another_stays(build, link):
    """On either port: the one that is opened first, and the one after it."""
    for side in ("left", "right"):
        program = attach_program(link, side)
        check(program, f"no program is attached: {program}")
        before = {side: link.settings(side) for side in ("left", "right")}
        said = refusal(build, link)
        check(
            f"an XDP program of another (firewall) is attached to {side}" in said,
            f"it does not say why: {said}",
        )
        check(attached_program(link, side) == program, "the program of another is gone")
        check(
            {side: link.settings(side) for side in before} == before, "what others set was changed"
        )
        run("ip", "-netns", link.names[2], "link", "set", side, "xdp", "off")


def set_forwarding(link, setting):
    run(*link.prefix, "sysctl", "-qw", setting)


def a_kernel_that_forwards_is_refused(build, link):
    cure = "net.ipv4.conf.left.forwarding="
    set_forwarding(link, cure + "1")
    said = refusal(build, link)
    check("the kernel forwards what comes in by left" in said, f"it does not say why: {said}")
    check(f"sysctl -w {cure}0" in said, f"it does not say what cures it: {said}")
    set_forwarding(link, cure + "0")


def dripctl(daemon, *words):
    """As a user runs it, with tables instead of JSON; its exit status is not looked at."""
    command = [str(daemon.dripctl), "--server", daemon.server, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def doctor_finds_the_offloads_off(daemon, link):
    """It looks by ethtool, in its own network namespace."""
    with inside(types.SimpleNamespace(name=link.names[2])):
        done = dripctl(daemon, "doctor", "--json")
    findings = {one["check"]: one for one in json.loads(done.stdout)["findings"]}
    for side in ("left", "right"):
        finding = findings[f"offloads of {side}"]
        check(finding["verdict"] == "good", f"dripctl doctor, while dripd runs: {finding}")


def doctor_finds_queues_that_nobody_polls(daemon, scratch):
    """Of an interface as it was captured: dripd itself reduces the queues of a real one."""

    def found(queues):
        root = scratch / f"{queues}-queues"
        (root / "proc").mkdir(parents=True)
        for name in [f"rx-{queue}" for queue in range(queues)] + ["tx-0", "tx-1", "tx-2"]:
            (root / "sys/class/net/left/queues" / name).mkdir(parents=True)
        done = dripctl(daemon, "doctor", "--json", "--root", str(root))
        findings = {one["check"]: one for one in json.loads(done.stdout)["findings"]}
        return done.returncode, findings["receive queues of left"]

    code, finding = found(1)
    check(finding["verdict"] == "good" and finding["found"] == "1, all polled", f"{finding}")
    code, finding = found(4)
    check(code == 1 and finding["verdict"] == "bad", f"exit code {code}: {finding}")
    check(finding["found"] == "4, of which 1 are polled", f"{finding}")
    check(finding["mend"] == "sudo ethtool -L left combined 1", f"{finding}")


def logs(daemon, text):
    wait_until(lambda: text in daemon.log_path.read_text(), f"the log has '{text}'", 2)


def a_kernel_that_begins_to_forward_is_said(daemon, link):
    """As a container engine makes it, for all interfaces at once."""

    def warned_of(side):
        text = f"port {side}: the kernel forwards what comes in by {side}"
        return any(warning.startswith(text) for warning in daemon.ctl("node").get("warnings", []))

    def listed(side):
        done = dripctl(daemon, "port", "list")
        return f"\nwarning: port {side}: the kernel forwards what comes in" in done.stdout

    # A new namespace has it from the machine's own, and what does not change changes no interface.
    set_forwarding(link, "net.ipv4.ip_forward=0")
    check(not warned_of("left"), "a kernel that does not forward is warned of")
    check(not listed("left"), "a kernel that does not forward is warned of with the ports")
    set_forwarding(link, "net.ipv4.ip_forward=1")
    for side in ("left", "right"):
        logs(daemon, f"port {side}: the kernel forwards what comes in by {side}")
        wait_until(lambda: warned_of(side), f"node show warns of {side}", 60)
        check(listed(side), f"port list does not warn of {side}")
    set_forwarding(link, "net.ipv4.ip_forward=0")
    wait_until(lambda: not warned_of("left") and not warned_of("right"), "no warning stays", 60)


def what_others_change_is_set_again(kind, daemon, link):
    run(*link.prefix, "ethtool", "-K", "left", "gro", "on", "tso", "on")
    wait_until(
        lambda: all(link.settings("left")[name] == "off" for name in OFFLOADS),
        "offloads are off again",
        2,
    )
    for name in ("gro", "tso"):
        logs(daemon, f"port left: somebody turned on {name} at left")
    if kind == "af_xdp":
        queues = link.settings("left").get("queues")
        done = run(*link.prefix, "ethtool", "-L", "left", "rx", "2", check=False)
        if queues and done.returncode == 0:
            wait_until(lambda: link.settings("left")["queues"] == queues, "one queue again", 2)
    all_flows_arrive(link)


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
