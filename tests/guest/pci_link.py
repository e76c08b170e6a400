# SPDX-License-Identifier: BSD-3-Clause
"""In the guest: two namespaces with a kernel's NIC each, and between them the two that VFIO has."""
import os
import pathlib
import time

from namespace_link import Host, run

HUGEPAGES = 200
DEVICES = pathlib.Path("/sys/bus/pci/devices")


def pci_devices():
    """Addresses of network devices, in the order of their slots."""
    return sorted(
        path.name for path in DEVICES.iterdir() if (path / "class").read_text().startswith("0x0200")
    )


def bind_to_vfio(address):
    device = DEVICES / address
    if (device / "driver").exists():
        (device / "driver/unbind").write_text(address)
    (device / "driver_override").write_text("vfio-pci")
    pathlib.Path("/sys/bus/pci/drivers_probe").write_text(address)


def set_cable(side, state):
    """Asks the host, which has QEMU's monitor."""
    print(f"@ set_link {side} {state}", flush=True)


class PciLink:
    """What Daemon and the tests want of a link; namespace_link.Link is the one of veths."""

    never_rests = False
    prefix = ()
    kinds = ["vfio"]

    def __init__(self, scratch, group=None):
        """`group`: which is to have the devices, as by the udev rule of docs/deploy.md."""
        self.scratch, self.group = scratch, group
        self.left = Host("left", "10.77.0.1", {0})
        self.right = Host("right", "10.77.0.2", {0})
        self.flags = ()

    def __enter__(self):
        # The kernel's NICs come first in the slots, each before the one for VFIO that it is joined
        # to: left-host, left, right-host, right (boot.py).
        slots = pci_devices()
        self.ports = [slots[1], slots[3]]
        for address in self.ports:
            bind_to_vfio(address)
        if self.group is not None:
            give_vfio_to(self.group)
        deadline = time.monotonic() + 10
        while len(names := kernel_interfaces(slots)) < 2 and time.monotonic() < deadline:
            time.sleep(0.1)
        for host, slot in ((self.left, slots[0]), (self.right, slots[2])):
            host.make()
            run("ip", "link", "set", names[slot], "netns", host.name, "name", "eth0")
            host.configure()
            # The tests' frames are for no address that the NIC knows.
            host.ip("link", "set", "eth0", "promisc", "on")
            off = "gso off tso off gro off rx off".split()
            run("ip", "netns", "exec", host.name, "ethtool", "-K", "eth0", *off, check=False)
        return self

    def __exit__(self, *_):
        for host in (self.left, self.right):
            host.close()

    def next_kind(self):
        return False

    def dripd_arguments(self):
        left, right = self.ports
        result = ["--port", f"left={left}", "--port", f"right={right}", "--pair", "left:right"]
        result += [f"--eal=--allow={address}" for address in self.ports]
        return [*result, "--hugepages", "always", *self.flags]


def kernel_interfaces(slots):
    """{PCI address: interface} of those that the kernel drives."""
    found = {}
    for path in pathlib.Path("/sys/class/net").iterdir():
        if not (path / "device").exists():
            continue
        for part in (path / "device").resolve().parts:
            if part in slots:
                found[part] = path.name
    return found


def set_hugepages(count):
    path = pathlib.Path("/proc/sys/vm/nr_hugepages")
    path.write_text(str(count))
    return int(path.read_text())


def give_vfio_to(group):
    """What the udev rule of docs/deploy.md does."""
    for path in pathlib.Path("/dev/vfio").iterdir():
        os.chown(path, 0, group)
        path.chmod(0o660)
