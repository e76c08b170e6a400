#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Boots Debian's kernel in QEMU, without KVM, with an emulated IOMMU and four NICs, and runs a
program of this machine in it:

    boot.py [--nic MODEL] [--queues N] [--seconds N] PROGRAM [ARGUMENT]...

Two virtio NICs are for the guest's kernel; each is joined to one of MODEL (e1000e, vmxnet3,
virtio-net-pci) that is left for VFIO: by a hub of QEMU, which has one queue, or by TAPs of several
queues on a bridge, in a network namespace of their own. The files of this machine are the guest's,
read only; /run is its own, and where TMPDIR is. A line of the program "@ set_link NAME on|off" pulls
or puts in the cable of NIC NAME (left, right). The exit code is the program's, which ends with a
line "@ exit CODE"."""
import argparse
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import threading

HERE = pathlib.Path(__file__).parent
SKIPPED = 77
# What the kernel of Debian has as modules and the guest needs before it has the host's files, and
# what its tests use.
MODULES = """9p 9pnet 9pnet_virtio netfs fscache virtio virtio_ring virtio_pci virtio_pci_modern_dev
virtio_pci_legacy_dev virtio_net net_failover failover vfio vfio-pci vfio-pci-core vfio_iommu_type1
vfio_virqfd irqbypass veth llc stp bridge sch_htb sch_fq_codel sch_cake sch_netem tcp_bbr""".split()
MEMORY_MB = 3072
SIDES = ("left", "right")


def cannot():
    """Why no guest can be booted here; empty if one can."""
    for program in ("qemu-system-x86_64", "busybox", "cpio"):
        if shutil.which(program) is None:
            return f"{program} is not installed (scripts/install_packages.sh guest)"
    if not kernels():
        return "no kernel of Debian in /boot (scripts/install_packages.sh guest)"
    return ""


def kernels():
    return sorted(
        path
        for path in pathlib.Path("/boot").glob("vmlinuz-*-amd64")
        if pathlib.Path("/lib/modules", path.name.removeprefix("vmlinuz-")).is_dir()
    )


def make_initrd(scratch, version):
    root = scratch / "initrd"
    for name in ("bin", "proc", "sys", "dev", "modules"):
        (root / name).mkdir(parents=True)
    shutil.copy(shutil.which("busybox"), root / "bin/busybox")
    shutil.copy(HERE / "init", root / "init")
    (root / "init").chmod(0o755)
    wanted = {name.replace("-", "_") for name in MODULES}
    for path in pathlib.Path("/lib/modules", version).rglob("*.ko*"):
        if path.name.split(".ko")[0].replace("-", "_") in wanted:
            shutil.copy(path, root / "modules")
    for path in (root / "modules").glob("*.ko.xz"):
        subprocess.run(["xz", "-d", path], check=True)
    image = scratch / "initrd.cpio"
    names = "\n".join(str(path.relative_to(root)) for path in [root, *root.rglob("*")])
    with open(image, "wb") as out:
        subprocess.run(
            ["cpio", "-o", "-H", "newc", "--quiet"],
            cwd=root,
            input=names.encode(),
            stdout=out,
            check=True,
        )
    return image


class Hubs:
    """Joins two NICs within QEMU. One queue."""

    prefix = ()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def netdev(self, name, side, _queues):
        return f"hubport,id=net-{name},hubid={1 + SIDES.index(side)}"


class Bridges:
    """Joins two NICs by TAPs on a bridge."""

    def __init__(self):
        self.namespace = f"drip-guest-{os.getpid()}"
        self.prefix = ("ip", "netns", "exec", self.namespace)
        self.taps = 0

    def __enter__(self):
        run("ip", "netns", "add", self.namespace)
        for side in SIDES:
            # Frames of link-local protocols as well; no frame of its own.
            self.ip("link", "add", f"br-{side}", "type", "bridge", "mcast_snooping", "0")
            run(*self.prefix, "sysctl", "-qw", f"net.ipv6.conf.br-{side}.disable_ipv6=1")
            self.ip("link", "set", f"br-{side}", "up")
        return self

    def __exit__(self, *_):
        run("ip", "netns", "delete", self.namespace)

    def ip(self, *arguments):
        run("ip", "-netns", self.namespace, *arguments)

    def netdev(self, name, side, queues):
        many = ("multi_queue",) if queues > 1 else ()
        self.ip("tuntap", "add", "dev", name, "mode", "tap", *many)
        run(*self.prefix, "sysctl", "-qw", f"net.ipv6.conf.{name}.disable_ipv6=1")
        self.ip("link", "set", name, "master", f"br-{side}", "up")
        more = f",queues={queues}" if queues > 1 else ""
        return f"tap,id=net-{name},ifname={name},script=no,downscript=no{more}"


def run(*command):
    subprocess.run(command, check=True)


def arguments(scratch, nic, queues, wires, program):
    kernel = kernels()[-1]
    initrd = make_initrd(scratch, kernel.name.removeprefix("vmlinuz-"))
    append = "console=ttyS0 intel_iommu=on iommu=pt quiet panic=-1"
    if nic == "virtio-net-pci":
        # Behind the IOMMU as hardware is, and without the interface of old guests.
        nic += ",disable-legacy=on,iommu_platform=on,ats=on"
        if queues > 1:
            nic += f",mq=on,rss=on,vectors={2 * queues + 2}"
    result = [*wires.prefix, "qemu-system-x86_64", "-nodefaults", "-no-reboot", "-display", "none"]
    result += ["-accel", "tcg,thread=multi", "-cpu", "max", "-M", "q35,kernel-irqchip=split"]
    result += [
        "-smp",
        str(queues + 1),
        "-m",
        str(MEMORY_MB),
        "-kernel",
        str(kernel),
        "-initrd",
        str(initrd),
    ]
    result += ["-append", f"{append} run={','.join(program)} end", "-serial", "stdio"]
    result += ["-qmp", f"unix:{scratch}/qmp,server,nowait"]
    result += ["-device", "intel-iommu,intremap=on,caching-mode=on,device-iotlb=on"]
    result += ["-fsdev", "local,id=files,path=/,security_model=none,readonly=on"]
    result += ["-device", "virtio-9p-pci,fsdev=files,mount_tag=host"]
    for number, side in enumerate(SIDES):
        for name, model, mac, count in (
            (f"{side}-host", "virtio-net-pci", "01", 1),
            (side, nic, "11", queues),
        ):
            result += ["-netdev", wires.netdev(name, side, count)]
            device = f"{model},netdev=net-{name},id={name},mac=52:54:00:00:{mac}:0{number + 1}"
            result += ["-device", device]
    return result


class Monitor:
    """QEMU's monitor."""

    def __init__(self, path):
        self.path, self.stream = path, None

    def command(self, execute, /, **how):
        if self.stream is None:
            connection = socket.socket(socket.AF_UNIX)
            connection.connect(str(self.path))
            self.stream = connection.makefile("rw")
            self.stream.readline()
            self.command("qmp_capabilities")
        self.stream.write(json.dumps({"execute": execute, "arguments": how}) + "\n")
        self.stream.flush()
        while "event" in (reply := json.loads(self.stream.readline())):
            pass
        if "error" in reply:
            print(f"QEMU refuses {execute} {how}: {reply['error']['desc']}", flush=True)


def boot(nic, queues, seconds, program):
    wires = Bridges() if queues > 1 else Hubs()
    with tempfile.TemporaryDirectory(prefix="drip-guest-") as scratch, wires:
        scratch = pathlib.Path(scratch)
        guest = subprocess.Popen(
            arguments(scratch, nic, queues, wires, program),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        # A guest that hangs prints nothing, so that a loop over its lines would not see it.
        watchdog = threading.Timer(seconds, guest.kill)
        watchdog.start()
        try:
            code = follow(guest, Monitor(scratch / "qmp"))
            guest.wait()
        finally:
            watchdog.cancel()
            guest.kill()
            guest.wait()
        if code is None:
            print(f"the guest ended without a result, within {seconds} s")
            return 1
        return code


def follow(guest, monitor):
    """Prints what the guest prints and does what it asks for; returns its exit code."""
    code = None
    for line in guest.stdout:
        match line.split():
            case ["@", "set_link", name, state]:
                monitor.command("set_link", name=name, up=state == "on")
            case ["@", "exit", number]:
                code = int(number)
            case _:
                print(line, end="", flush=True)
    return code


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--nic", default="e1000e", metavar="MODEL")
    parser.add_argument("--queues", type=int, default=1, help="of each NIC of MODEL, 1 to 8")
    parser.add_argument("--seconds", type=float, default=300, help="the guest is ended then")
    parser.add_argument("program", nargs=argparse.REMAINDER)
    given = parser.parse_args()
    if reason := cannot():
        print(reason)
        sys.exit(SKIPPED)
    program = [os.path.realpath(given.program[0]), *given.program[1:]]
    if any("," in part or " " in part for part in program):
        sys.exit("boot.py: neither the program nor an argument may have a comma or a space")
    sys.exit(boot(given.nic, given.queues, given.seconds, program))


if __name__ == "__main__":
    main()
