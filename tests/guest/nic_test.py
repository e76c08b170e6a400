#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""In the guest: dripd between two PCI NICs under VFIO. nic_test.py BUILD [--queues N]"""
import argparse
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import traceback

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts/lib"), str(ROOT / "tests/system")]

from daemon import Daemon
from frames import IPV4, ethernet, ipv4, pattern, udp
from namespace_link import run
from packet_socket import PacketSocket
from pci_link import HUGEPAGES, PciLink, set_cable, set_hugepages
from stage import Failure, check, wait_until
from udp_stream import FRAME, UdpStream

Daemon.START_SECONDS = 90  # DPDK looks at each PCI device, and all is emulated.
RATE = 10_000_000
# Of a receiver whose clock, CPUs and interrupts are emulated, over two seconds.
RATE_ERROR = 0.005
EXPERIMENTAL = 0x88B5


def port(daemon, name):
    return next(one for one in daemon.ctl("port", "list")["ports"] if one["name"] == name)


def shape_all(daemon, rate=f"{RATE}bit", capacity="100", catchup="100ms"):
    flags = ("--rate", rate, "--capacity", capacity, "--max-catchup", catchup)
    daemon.ctl("bucket", "set", "all", *flags)
    daemon.ctl("rule", "default", "all")


def rate_of(arrivals):
    """Of the stream's frames, in bit/s, by the kernel's time of each."""
    times = [when for frame, when in arrivals if len(frame) == FRAME]
    # Not the first ones, of which some waited for ARP.
    times = times[200:]
    check(len(times) > 1500, f"only {len(times)} frames were timed")
    return (len(times) - 1) * FRAME * 8 / (times[-1] - times[0])


def balance_holds(daemon):
    balance = daemon.balance()
    print(f"balance: {balance.text}")
    check(balance.holds and balance.waiting == 0, f"the balance does not hold: {balance.text}")


def the_rate_holds(link, daemon):
    # Deep enough for the moments in which the guest does not run, and made up for afterwards.
    shape_all(daemon, capacity="1000", catchup="5s")
    ping = run("ip", "netns", "exec", "left", "ping", "-c", "5", "-i", "0.2", link.right.address)
    check(" 0% packet loss" in ping.stdout, ping.stdout)
    was = {name: port(daemon, name) for name in ("left", "right")}
    with PacketSocket(link.right) as right, UdpStream(link, 1500) as stream:
        time.sleep(4)
        stream.stop_sending()
        wait_until(lambda: daemon.bucket("all")["queue_size"] == 0, "the bucket drains", 20)
        time.sleep(0.5)
        got = rate_of(right.arrived())
    print(f"{got / 1e6:.3f} of {RATE / 1e6:.0f} Mbit/s at the receiver")
    check(abs(got / RATE - 1) < RATE_ERROR, f"{got} bit/s at the receiver, of {RATE}")
    check(stream.received == sorted(set(stream.received)), "order was lost, or one came twice")
    now = {name: port(daemon, name) for name in ("left", "right")}
    counts = {
        f"{name} {field}": now[name][field] - was[name][field]
        for name in ("left", "right")
        for field in ("rx_packets", "rx_missed", "rx_errors", "tx_packets", "tx_errors")
    }
    print(counts, f"sent {stream.sent}, arrived {len(stream.received)}")
    taken = sum(counts[f"left {field}"] for field in ("rx_packets", "rx_missed", "rx_errors"))
    # ARP and what a host sends by itself comes on top.
    check(0 <= taken - stream.sent <= 10, f"{stream.sent} were sent, and {taken} accounted for")
    sent = counts["right tx_packets"]
    check(0 <= sent - len(stream.received) <= 10, f"TX {sent}, {len(stream.received)} arrived")
    balance_holds(daemon)


def a_cable_is_pulled(link, daemon):
    shape_all(daemon)
    for side in ("right", "left"):
        changes = port(daemon, side)["link_changes"]
        set_cable(side, "off")
        wait_until(lambda: port(daemon, side)["link_state"] == "down", f"{side} is down", 5)
        with PacketSocket(link.left) as left, PacketSocket(link.right) as right:
            for number in range(50):
                left.send(ethernet(EXPERIMENTAL, number.to_bytes(4, "big") + pattern(100)))
            time.sleep(1)
            check(not ours(right), f"frames went through a port whose link is down ({side})")
            set_cable(side, "on")
            wait_until(lambda: port(daemon, side)["link_state"] == "up", f"{side} is up", 10)
            last = ethernet(EXPERIMENTAL, pattern(77))

            def comes():
                left.send(last)
                return right.receives(last, 0.3)

            wait_until(comes, f"a frame after the cable of {side} is back", 10)
        check(port(daemon, side)["link_changes"] >= changes + 2, "changes are not counted")
    log = pathlib.Path(daemon.log_path).read_text()
    check("link down" in log and "link up" in log, f"the log does not tell of the links:\n{log}")
    balance_holds(daemon)


def ours(right):
    return [frame for frame, _ in right.arrived() if frame[12:14] == b"\x88\xb5"]


def a_device_is_unbound_and_bound(link, daemon):
    shape_all(daemon)
    address = link.ports[1]
    driver = pathlib.Path("/sys/bus/pci/drivers/vfio-pci")
    # The kernel waits until dripd has let the device go.
    unbind = subprocess.Popen(["sh", "-c", f"echo {address} > {driver}/unbind"])
    try:
        unbind.wait(10)
    except subprocess.TimeoutExpired:
        raise Failure(f"dripd keeps {address}, which the kernel wants back") from None
    wait_until(lambda: port(daemon, "right")["link_state"] == "gone", "the port is gone", 5)
    with PacketSocket(link.left) as left, PacketSocket(link.right) as right:
        for number in range(60):
            left.send(ethernet(EXPERIMENTAL, number.to_bytes(4, "big") + pattern(100)))
        # Up to a burst of 32 had departed before.
        wait_until(lambda: daemon.bucket("all")["queue_size"] >= 28, "packets wait for the port")
        (driver / "bind").write_text(address)
        wait_until(lambda: port(daemon, "right")["link_state"] == "up", "the port is back", 20)
        got = []

        def all_came():
            got.extend(ours(right))
            return len(got) >= 60

        wait_until(all_came, "what waited leaves by the device that is back", 10)
        numbers = [int.from_bytes(frame[14:18], "big") for frame in got]
        check(numbers == list(range(60)), f"out of order, or not all: {numbers}")
    balance_holds(daemon)


def both_workers_get_their_flows(link, daemon):
    """Two receive queues, and RSS over them."""
    check(port(daemon, "left")["rx_queues"] == 2, f"{port(daemon, 'left')}")
    shape_all(daemon, "1gbit", "1000")
    flows, each = 64, 10
    datagrams = [
        ethernet(IPV4, ipv4("10.1.0.1", "10.2.0.2", udp(7000, bytes(60), 40000 + flow)))
        for flow in range(flows)
    ]
    with PacketSocket(link.left) as left, PacketSocket(link.right) as right:
        before = received_by_lcore(daemon)
        for _ in range(each):
            for datagram in datagrams:
                left.send(datagram)
            time.sleep(0.05)
        came = []

        def all_came():
            came.extend(frame for frame, _ in right.arrived() if frame in datagrams)
            return len(came) >= flows * each

        wait_until(all_came, f"{flows * each} datagrams", 15)
    by_lcore = [now - was for now, was in zip(received_by_lcore(daemon), before)]
    print(f"received by the two workers: {by_lcore}")
    check(min(by_lcore) >= flows * each // 5, f"RSS does not spread flows: {by_lcore}")
    balance_holds(daemon)


def received_by_lcore(daemon):
    return [int(lcore["rx_packets"]) for lcore in daemon.ctl("lcore", "list")["lcores"]]


def hugepages_are_short(build, scratch):
    print("== hugepages_are_short", flush=True)
    set_hugepages(8)
    with PciLink(scratch) as link:
        done = subprocess.run(
            [build / "src/daemon/dripd", "--listen", f"unix:{scratch}/s", *link.dripd_arguments()],
            capture_output=True,
            text=True,
            timeout=60,
        )
        said = done.stdout + done.stderr
        print(said)
        check(done.returncode == 1, f"exit code {done.returncode}")
        check("MiB are needed and 16 MiB are free" in said, "the error lacks the figures")
        check("/proc/sys/vm/nr_hugepages" in said, "the error does not say what cures it")
        needed = int(said.split("write ")[1].split()[0])
        set_hugepages(needed)
        with Daemon(build, link, scratch / "after.log") as daemon:
            print(f"with {needed} hugepages it starts: {daemon.ctl('node', 'show')['version']}")


def unit_of_systemd():
    """What dripd.service gives: (user id, prefix of a command)."""
    text = (ROOT / "scripts/packaging/dripd.service").read_text()
    value = lambda name: re.search(rf"^{name}=(.*)$", text, re.M)[1]
    names = value("AmbientCapabilities").lower().replace("cap_", "+").split()
    check(value("User") == "drip", "the unit runs dripd as an ordinary user")
    capabilities = ",".join(names)
    bounded = value("CapabilityBoundingSet").lower().replace("cap_", "+").replace(" ", ",")
    limit = {"infinity": "unlimited"}.get(value("LimitMEMLOCK"), value("LimitMEMLOCK"))
    user, group = 61184, 61184  # Any but root's.
    return group, [
        *("prlimit", f"--memlock={limit}:{limit}", "setpriv", "--reuid", str(user)),
        *("--regid", str(group), "--clear-groups", "--inh-caps", f"-all,{capabilities}"),
        *("--ambient-caps", f"-all,{capabilities}", "--bounding-set", f"-all,{bounded}"),
        "--no-new-privs",
    ]


def tests_with(build, scratch, tests, flags=("--cpus", "1"), wrap=(), group=None):
    with PciLink(scratch, group) as link:
        link.flags = flags
        link.prefix = wrap
        for test in tests:
            print(f"== {test.__name__}", flush=True)
            begin = time.monotonic()
            log = scratch / f"{test.__name__}.log"
            with Daemon(build, link, log) as daemon:
                try:
                    test(link, daemon)
                except BaseException:
                    print(daemon.run_ctl("port", "list").stdout, log.read_text(), sep="\n")
                    raise
            print(f"   {time.monotonic() - begin:.0f} s", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--queues", type=int, default=1)
    given = parser.parse_args()
    build = given.build
    with tempfile.TemporaryDirectory(prefix="drip-") as scratch:
        got = set_hugepages(HUGEPAGES)
        check(got == HUGEPAGES, f"{got} hugepages, {HUGEPAGES} wanted")
        scratch = pathlib.Path(scratch)
        scratch.chmod(0o777)
        if given.queues > 1:
            tests_with(build, scratch, [both_workers_get_their_flows], ["--cpus", "1,2"])
            return
        tests_with(
            build, scratch, [the_rate_holds, a_cable_is_pulled, a_device_is_unbound_and_bound]
        )
        hugepages_are_short(build, scratch)
        group, prefix = unit_of_systemd()
        # The unit has a /tmp of its own, which the guest has not.
        prefix = ["env", f"XDG_RUNTIME_DIR={scratch}", *prefix]
        tests_with(build, scratch, [the_rate_holds], wrap=prefix, group=group)


if __name__ == "__main__":
    try:
        main()
        code = 0
    except (Failure, SystemExit) as failure:
        print(f"FAILED: {failure}")
        code = 1
    except Exception:
        traceback.print_exc()
        code = 1
    print(f"@ exit {code}", flush=True)
