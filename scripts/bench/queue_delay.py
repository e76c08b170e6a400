#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What the queues of a bucket do to delay and fairness, at several round-trip times: queue_delay.sh
runs this."""
import contextlib
import dataclasses
import pathlib
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "lib"))
import machine
import measuring
import namespace_link
from daemon import Daemon
from delay_line import DelayLine
from measuring import say
from namespace_link import run
from priority import go_first
from queue_delay_report import markdown
from queue_load import Senders, StampedFlows, flood, sparse_beside_tcp
from stopping import unwind_when_stopped

FAR_ADDRESS = "10.99.0.3"  # Another one of the left host.
CAPACITY = 1000
QUEUES = {
    "fifo": ("--queue", "fifo", "--aqm", "none"),
    "fair": ("--queue", "fair", "--aqm", "none"),
    "fair + codel": ("--queue", "fair", "--aqm", "codel"),
}
FLOWS = 8
BOTH_WAYS = "4 + 4 cubic"
WITHIN_DRIP_SECONDS = 10  # For a changed queue to hold nothing from before.


@dataclasses.dataclass
class Size:
    """How much of each there is."""

    rtts: tuple = (0, 20, 80)  # ms
    unequal: tuple = (20, 80)  # Half of the flows each.
    queues: tuple = tuple(QUEUES)
    congestions: tuple = ("cubic", "bbr")
    flows: tuple = (1, 8)


QUICK = Size(rtts=(20,), unequal=(), queues=("fair + codel",), congestions=("cubic",), flows=(8,))


class Run:
    def __init__(self, link, daemon, build, rate_bps, seconds, quick, size):
        self.link, self.daemon, self.build = link, daemon, build
        self.rate, self.seconds, self.quick = rate_bps, seconds, quick
        self.flows = size.flows
        self.rows, self.checks, self.lines = [], [], []
        algorithms = pathlib.Path("/proc/sys/net/ipv4/tcp_available_congestion_control")
        self.congestions = [
            name for name in size.congestions if name in algorithms.read_text().split()
        ]

    def check(self, what, holds):
        self.checks.append({"what": what, "holds": holds})
        if not holds:
            print(f"FAILED: {what}", file=sys.stderr)

    def use(self, queue):
        """Waits until the bucket takes the change: a second one has to wait for the first."""
        deadline = time.monotonic() + WITHIN_DRIP_SECONDS
        while not self.daemon.try_ctl("bucket", "set", "all", *QUEUES[queue]):
            if time.monotonic() > deadline:
                raise SystemExit(f"the bucket does not take {QUEUES[queue]}")
            time.sleep(0.1)

    @contextlib.contextmanager
    def delayed(self, delays):
        if not any(delays.values()):
            yield
            return
        with DelayLine(self.build, self.link, delays) as line:
            yield
        self.lines.append(line.result)
        self.check(
            f"the delay line passed all: {line.result}",
            line.result.get("passed", 0) > 0 and line.result["dropped"] == 0,
        )

    def alone(self):
        """The modest flows with nothing beside them: what the path and this machine add."""
        with StampedFlows.modest(self.link, self.rate) as modest:
            time.sleep(self.seconds)
        return modest.result()

    def add(self, what, queue, rtt, figures):
        self.rows.append({"what": what, "queue": queue, "rtt": rtt, **figures})
        text = ", ".join(f"{name} {value:.6g}" for name, value in figures.items())
        print(f"{queue}, {rtt} ms, {what}: {text}", flush=True)

    def measure(self, queue, rtt):
        near = self.link.left.address
        with self.delayed({near: rtt}):
            self.add("alone", queue, rtt, self.alone())
            self.add("flood", queue, rtt, flood(self.link, self.rate, self.seconds))
            for congestion in self.congestions:
                for flows in self.flows:
                    figures = sparse_beside_tcp(
                        self.link, [Senders(flows, near)], congestion, self.seconds
                    )
                    self.add(f"{flows} {congestion}", queue, rtt, figures)
            if not self.quick:
                self.add(BOTH_WAYS, queue, rtt, self.both_ways(queue))

    def both_ways(self, queue):
        """As flent's rrul: four flows each way, each way through a bucket of its own."""
        ctl, rate = self.daemon.ctl, f"{self.rate:.0f}bit"
        ctl("bucket", "set", "back", "--rate", rate, "--capacity", str(CAPACITY), *QUEUES[queue])
        ctl("rule", "add", "back", "--port", "right", "--bucket", "back")
        senders = [Senders(FLOWS // 2, self.link.left.address)]
        figures = sparse_beside_tcp(self.link, senders, "cubic", self.seconds, both_ways=True)
        ctl("rule", "delete", "back")
        ctl("bucket", "delete", "back", "--drop")
        return figures

    def measure_unequal(self, queue, rtts):
        near = self.link.left.address
        senders = [Senders(FLOWS // 2, near), Senders(FLOWS // 2, FAR_ADDRESS)]
        with self.delayed(dict(zip((near, FAR_ADDRESS), rtts))):
            for congestion in self.congestions:
                figures = sparse_beside_tcp(self.link, senders, congestion, self.seconds)
                self.add(f"{FLOWS} {congestion}", queue, list(rtts), figures)


def prepare(link):
    link.left.ip("address", "add", f"{FAR_ADDRESS}/24", "dev", "eth0")
    for host in link.hosts:
        # What one run learnt of the path is not to be the start of the next one.
        run(
            *("ip", "netns", "exec", host.name, "sysctl", "-qw"),
            "net.ipv4.tcp_no_metrics_save=1",
        )


def measure(link, build, arguments):
    size = QUICK if arguments.quick else Size()
    seconds = 2 if arguments.quick else arguments.seconds
    rate = 1e6 * arguments.rate
    prepare(link)
    with Daemon(build, link, link.scratch / "dripd.log") as daemon:
        daemon.ctl("bucket", "set", "all", "--rate", f"{rate:.0f}bit", "--capacity", str(CAPACITY))
        daemon.ctl("rule", "add", "all", "--port", "left", "--bucket", "all")
        result = Run(link, daemon, build, rate, seconds, arguments.quick, size)
        for queue in [arguments.only] if arguments.only else size.queues:
            result.use(queue)
            for rtt in size.rtts:
                say(f"{queue}, {rtt} ms")
                result.measure(queue, rtt)
            if size.unequal:
                result.measure_unequal(queue, size.unequal)
        balance = daemon.balance()
        result.check(f"balance: {balance.text}", balance.holds)
    for row in result.rows:
        if "came" in row:
            result.check(f"{row['queue']}, {row['what']}: no more came than sent", row["came"] <= 1)
    return result


def main():
    unwind_when_stopped()
    go_first()
    parser = measuring.parser(__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rate", type=float, default=100)
    parser.add_argument("--seconds", type=int, default=12)
    parser.add_argument("--only", choices=QUEUES)
    arguments = parser.parse_args()
    if reason := namespace_link.cannot():
        sys.exit(f"queue_delay.sh: not possible here: {reason}")
    if not pathlib.Path("/dev/net/tun").exists():
        sys.exit("queue_delay.sh: not possible here: there is no /dev/net/tun")
    begin = time.monotonic()
    build = pathlib.Path(arguments.build)
    with tempfile.TemporaryDirectory(prefix="drip-") as scratch:
        with namespace_link.Link(pathlib.Path(scratch), 1e6 * arguments.rate) as link:
            measured = measure(link, build, arguments)
            kind = link.kinds[0]
    result = {
        **machine.describe("scripts/bench/queue_delay.sh"),
        "quick": arguments.quick,
        "rate_bps": 1e6 * arguments.rate,
        "each_seconds": measured.seconds,
        "device": kind,
        "rows": measured.rows,
        "delay_lines": measured.lines,
        "checks": measured.checks,
        "seconds": time.monotonic() - begin,
    }
    measuring.write(arguments.out, "queue_delay", result, md=markdown(result))
    print(markdown(result))
    say(f"{result['seconds']:.0f} s; {arguments.out}/queue_delay.json, queue_delay.md")
    return 0 if all(check["holds"] for check in measured.checks) else 1


if __name__ == "__main__":
    sys.exit(main())
