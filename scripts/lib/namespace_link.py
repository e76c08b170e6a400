# SPDX-License-Identifier: BSD-3-Clause
"""Two network namespaces whose only link is dripd, in a third one between them."""
import contextlib
import os
import pathlib
import re
import shutil
import subprocess
import time

import hugepages
from backlog import backlog

HUGEPAGES = 96  # For 16384 packet buffers.
UDP_PAYLOAD = 1448
UDP_FRAME = UDP_PAYLOAD + 8 + 20 + 14


def run(*command, check=True):
    done = subprocess.run(command, capture_output=True, text=True)
    if check and done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}: {done.stderr.strip()}")
    return done


def cannot():
    """The reason why namespaces cannot be used here; empty if they can."""
    if os.geteuid() != 0:
        return "not root"
    for program in ("ip", "iperf3", "ethtool", "ping"):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    probe = f"drip-probe-{os.getpid()}"
    try:
        for command in (("add", probe), ("exec", probe, "true")):
            if (done := run("ip", "netns", *command, check=False)).returncode != 0:
                return f"no network namespaces can be used ({done.stderr.strip()})"
    finally:
        run("ip", "netns", "delete", probe, check=False)
    return ""


def no_hugepages():
    """The reason why dripd cannot have hugepages; empty if it can."""
    try:
        with hugepages.reserved(HUGEPAGES) as got:
            pass
    except OSError as error:
        return f"no hugepages can be reserved ({error})"
    return "" if got >= HUGEPAGES else f"of {HUGEPAGES} hugepages only {got} can be reserved"


class Flow:
    """One iperf3 from left to right."""

    def __init__(self, link, label, bucket, port, extra, must_be_exact):
        self.link, self.label, self.bucket, self.port = link, label, bucket, port
        self.extra, self.must_be_exact = extra, must_be_exact

    LONGEST_SECONDS = 60

    def start(self):
        right, left = self.link.right, self.link.left
        self.server = right.spawn("iperf3", "--server", "--one-off", "--port", str(self.port))
        time.sleep(0.3)
        self.client = left.spawn(
            "iperf3",
            "--client",
            right.address,
            "--port",
            str(self.port),
            "--time",
            str(self.LONGEST_SECONDS),
            *self.extra,
        )

    def received_bytes(self):
        return (
            self.link.right.udp_bytes("In")
            if self.bucket == "udp"
            else self.link.right.interface_bytes()
        )

    def offered_bytes(self):
        return self.link.left.udp_bytes("Out") if self.bucket == "udp" else None

    def finish(self):
        self.client.terminate()
        for process in (self.client, self.server):
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


class Host:
    """A namespace with eth0, and a process in it through whose /proc its counters are read."""

    def __init__(self, name, address, cpus):
        self.name, self.address, self.cpus = name, address, cpus
        self.processes = []

    def make(self):
        run("ip", "netns", "add", self.name)
        self.holder = self.spawn("sleep", "600")

    def spawn(self, *command, stdout=subprocess.DEVNULL):
        """Starts a program in a process group of its own, so that an interrupt from the terminal
        does not end it before this program does."""
        process = subprocess.Popen(
            ["ip", "netns", "exec", self.name, *command],
            stdout=stdout,
            text=True,
            stderr=subprocess.DEVNULL,
            process_group=0,
            preexec_fn=lambda: os.sched_setaffinity(0, self.cpus),
        )
        self.processes.append(process)
        return process

    def configure(self):
        self.ip("link", "set", "lo", "up")
        # dripd forwards frames unchanged, so the sender must compute checksums and segment itself.
        run("ip", "netns", "exec", self.name, "ethtool", "-K", "eth0", "tx", "off")
        self.ip("address", "add", f"{self.address}/24", "dev", "eth0")
        self.ip("link", "set", "eth0", "up")

    def ip(self, *arguments):
        run("ip", "-netns", self.name, *arguments)

    def proc(self, name):
        return pathlib.Path(f"/proc/{self.holder.pid}/net/{name}").read_text()

    def udp_bytes(self, direction):
        """Wire bytes of all datagrams received or sent, including those dropped at a full
        socket."""
        names, values = [
            line.split()[1:] for line in self.proc("snmp").splitlines() if line.startswith("Udp:")
        ]
        counts = dict(zip(names, map(int, values)))
        datagrams = (
            counts["OutDatagrams"]
            if direction == "Out"
            else counts["InDatagrams"] + counts["InErrors"]
        )
        return datagrams * UDP_FRAME

    def interface_bytes(self):
        return int(re.search(r"eth0:\s*(\d+)", self.proc("dev")).group(1))

    def close(self):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()
        run("ip", "netns", "delete", self.name, check=False)


class Link:
    never_rests = False
    hugepages = HUGEPAGES

    def __init__(
        self,
        scratch,
        rate_bps,
        kinds=("af_xdp", "af_packet"),
        ways=("--pair", "left:right"),
        label="",
    ):
        """`ways`: dripd's flags for where the packets of ports `left` and `right` leave; `label`
        tells several links of one process apart."""
        self.scratch, self.rate_bps, self.ways = scratch, rate_bps, ways
        tag = f"drip{os.getpid() % 100000}{label}"
        self.names = [f"{tag}-{side}" for side in ("left", "right", "mid")]
        self.prefix = ["ip", "netns", "exec", self.names[2]]
        self.kinds = list(kinds)
        self.hosts = []
        self.reservation = contextlib.ExitStack()
        self.ping_text = ""

    @property
    def description(self):
        return "left namespace <-veth-> dripd <-veth-> right namespace"

    def __enter__(self):
        try:
            self.build()
        except BaseException:
            self.__exit__()
            raise
        return self

    def build(self):
        try:
            self.reservation.enter_context(hugepages.reserved(self.hugepages))
        except OSError:
            pass  # dripd uses pages of the normal size then.
        cpus = sorted(os.sched_getaffinity(0))
        traffic_cpus = set(cpus[:-1] or cpus)
        run("ip", "netns", "add", self.names[2])
        # A namespace may begin with the machine's own setting, also for interfaces made later.
        run(*self.prefix, "sysctl", "-qw", "net.ipv4.ip_forward=0")
        for i, side in enumerate(("left", "right")):
            host = Host(self.names[i], f"10.99.0.{i + 1}", traffic_cpus)
            self.hosts.append(host)
            host.make()
            self.make_pair(host, side)
        self.left, self.right = self.hosts

    def make_pair(self, host, side):
        """The interfaces of dripd's port `side` and of the host behind it, both up."""
        mid = self.names[2]
        run(
            *f"ip link add {side} netns {mid} type veth".split(),
            *f"peer name eth0 netns {host.name}".split(),
        )
        # dripd's interfaces have no addresses, so that the kernel sends nothing on them.
        inside = ["ip", "netns", "exec", mid]
        run(*inside, "sysctl", "-qw", f"net.ipv6.conf.{side}.disable_ipv6=1")
        host.configure()
        run("ip", "-netns", mid, "link", "set", side, "up", "promisc", "on")

    def __exit__(self, *_):
        for host in self.hosts:
            host.close()
        run("ip", "netns", "delete", self.names[2], check=False)
        self.reservation.close()

    def dripd_arguments(self):
        kind = self.kinds[0]
        device = lambda i, side: f"{side}=net_{kind}{i},iface={side}"
        return [
            "--port",
            device(0, "left"),
            "--port",
            device(1, "right"),
            *self.ways,
            "--mbufs",
            "16384",
        ]

    def set_link(self, namespace, interface, state):
        run("ip", "-netns", namespace, "link", "set", interface, state)

    def next_kind(self):
        """Switches to the next kind of device, for kernels without AF_XDP; False if there is
        none."""
        self.kinds.pop(0)
        return bool(self.kinds)

    def attach(self, daemon):
        rate = f"{self.rate_bps:.0f}bit"
        capacity = str(backlog(self.rate_bps))
        tcp_capacity = str(max(60, int(self.rate_bps * 0.030 / 8 / 1514)))
        for name, size in (("udp", capacity), ("tcp", tcp_capacity), ("ping", "100")):
            daemon.ctl("bucket", "set", name, "--rate", rate, "--capacity", size)
        for name, protocol in (("udp", "udp"), ("tcp", "tcp"), ("ping", "icmp")):
            daemon.ctl("rule", "add", name, "--port", "left", "--proto", protocol, "--bucket", name)

    def flows(self):
        yield Flow(
            self,
            "UDP at 3 times the rate",
            "udp",
            5201,
            [
                "--udp",
                "--bitrate",
                f"{3 * self.rate_bps:.0f}",
                "--length",
                str(UDP_PAYLOAD),
                "--window",
                "2M",
            ],
            True,
        )
        ping = self.left.spawn(
            "ping", "-q", "-i", "0.2", "-c", "40", self.right.address, stdout=subprocess.PIPE
        )
        yield Flow(self, "TCP", "tcp", 5202, [], False)
        try:
            self.ping_text = ping.communicate(timeout=15)[0]
        except subprocess.TimeoutExpired:
            ping.kill()
            self.ping_text = ping.communicate()[0]

    def notes(self, daemon):
        found = re.search(r"= ([\d.]+)/([\d.]+)/([\d.]+)", self.ping_text)
        lost = re.search(r"([\d.]+)% packet loss", self.ping_text)
        text = (
            f"ping beside TCP: min/avg/max {'/'.join(found.groups())} ms, {lost.group(1)} % lost"
            if found and lost
            else "ping beside TCP: no answer"
        )
        ports = daemon.ctl("port", "list")["ports"]
        return [text, "ports: " + ", ".join(f"{p['name']} ({p['driver']})" for p in ports)]
